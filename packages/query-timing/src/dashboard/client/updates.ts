/// <reference lib="dom" />

/**
 * Runs `load` when there is something new: one at a time, not more often than once a second, and not for more than a tenth
 * of the time, however long it takes. While the page is not looked at it does not run; then once. What has been requested and
 * has not begun can be cancelled.
 */
export function createUpdates(load: () => Promise<void>): { request(): void; cancel(): void } {
  let wanted = false;
  let busy = false;
  let next = 0;

  const run = async (): Promise<void> => {
    if (!wanted || busy || document.hidden) {
      return;
    }
    busy = true;
    await new Promise(done => window.setTimeout(done, Math.max(0, next - performance.now())));
    if (wanted) {
      wanted = false;
      const start = performance.now();
      await load();
      next = performance.now() + Math.max(1000, 9 * (performance.now() - start));
    }
    busy = false;
    await run();
  };

  const request = (): void => {
    wanted = true;
    void run();
  };
  const cancel = (): void => {
    wanted = false;
  };
  document.addEventListener('visibilitychange', () => void run());
  return { request, cancel };
}
