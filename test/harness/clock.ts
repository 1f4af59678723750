/** A clock that stands still until a test moves it. Give `now`, `setTimeout` and `clearTimeout` to the code under test. */
export interface Clock {
  /** Milliseconds. */
  now(): number;
  /** Calls back once, `ms` from now, when `advance` gets there. */
  setTimeout(callback: () => void, ms?: number): TimerHandle;
  clearTimeout(timer: TimerHandle | undefined): void;
  /** How many timers wait. */
  readonly pending: number;
  /**
   * Moves the time forward by `ms` and runs what falls due, in order of time, then of creation. After each timer all
   * promises settle that can, so a timer that they set is still met if it is due in time.
   */
  advance(ms: number): Promise<void>;
  /** Lets all promises settle that can without time passing. */
  settle(): Promise<void>;
}

/** Shaped as Node's own, whose timers have `unref()`. */
export interface TimerHandle {
  readonly due: number;
  ref(): this;
  unref(): this;
  hasRef(): boolean;
}

interface Timer extends TimerHandle {
  readonly callback: () => void;
}

/** @param start the first `now()`, in ms @default 0 */
export function manualClock(start = 0): Clock {
  let now = start;
  // In order of creation; `nextDue` picks the earliest and, among equals, the oldest.
  const timers = new Set<Timer>();

  const nextDue = (limit: number): Timer | undefined => {
    let next: Timer | undefined;
    for (const timer of timers) {
      if (timer.due <= limit && (next === undefined || timer.due < next.due)) {
        next = timer;
      }
    }
    return next;
  };

  return {
    now: () => now,
    setTimeout(callback, ms = 0) {
      const timer: Timer = {
        callback,
        due: now + Math.max(0, ms),
        ref: () => timer,
        unref: () => timer,
        hasRef: () => false,
      };
      timers.add(timer);
      return timer;
    },
    clearTimeout(timer) {
      timers.delete(timer as Timer);
    },
    get pending() {
      return timers.size;
    },
    async advance(ms) {
      if (!(ms >= 0)) {
        throw new RangeError(`advance(ms) expects a number of at least 0, but got ${ms}: time does not run backwards.`);
      }
      const end = now + ms;
      await settle();
      for (let timer = nextDue(end); timer; timer = nextDue(end)) {
        timers.delete(timer);
        now = timer.due;
        timer.callback();
        await settle();
      }
      now = end;
    },
    settle,
  };
}

/** One turn of the event loop: every promise callback, and those that they queue, runs before it. */
function settle(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
