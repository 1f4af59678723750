// Bound at load time: a test that fakes the global timers must not stop the loader.
import { setImmediate } from 'node:timers';

/** When a batch is sent; see {@link BatchLoaderOptions.batchWindow}. */
export type BatchWindow = 'immediate' | 'tick' | ((dispatch: () => void) => void);

/** Calls `dispatch` exactly once, when the window closes. */
export type Schedule = (dispatch: () => void) => void;

export function isBatchWindow(value: unknown): value is BatchWindow {
  return value === 'immediate' || value === 'tick' || typeof value === 'function';
}

/**
 * The schedule function of a window.
 *
 * `'immediate'` is the default because since Node 11 microtasks are drained between I/O callbacks: a window closed by
 * `process.nextTick` ends before the next socket's callback runs, so twenty calls that each awaited something else
 * first become twenty batches. `setImmediate` runs once all callbacks of one poll phase are through, and at once when
 * there are none: it never waits for time to pass. It cannot stall, as nothing that a caller does can hold it back.
 */
export function createSchedule(window: BatchWindow): Schedule {
  if (window === 'immediate') {
    return setImmediateOnce;
  }
  if (window === 'tick') {
    return afterPromiseJobs;
  }
  return dispatch => {
    // DataLoader would run the batch again on a second call, and never on none because of a throw.
    let done = false;
    const once = (): void => {
      if (!done) {
        done = true;
        dispatch();
      }
    };
    const failed = (error: unknown): void => {
      process.emitWarning(
        `batchLoader({ batchWindow }) threw, the batch is sent with 'immediate': ${String(error)}`,
        'MikrokitWarning',
      );
      setImmediateOnce(once);
    };
    try {
      const result: unknown = window(once);
      if (result instanceof Promise) {
        result.catch(failed);
      }
    } catch (error) {
      failed(error);
    }
  };
}

function setImmediateOnce(dispatch: () => void): void {
  setImmediate(dispatch);
}

/** The post-promise job of graphql/dataloader: a promise job that enqueues a tick, so that it follows all promise jobs. */
function afterPromiseJobs(dispatch: () => void): void {
  void Promise.resolve().then(() => process.nextTick(dispatch));
}
