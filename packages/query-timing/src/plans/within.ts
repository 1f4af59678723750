/** What `within()` rejects with. */
export class TimeLimitError extends Error {
  override readonly name = 'TimeLimitError';
  readonly code = 'TIME_LIMIT';
}

/**
 * @param ms how long it may take; the process does not stay for it
 * @returns as `promise`, or rejects with a `TimeLimitError`; what comes later is passed over
 */
export function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new TimeLimitError(`${what} took longer than ${ms} ms.`));
  }, ms);
  timer.unref();
  return Promise.race([promise, late]).finally(() => {
    clearTimeout(timer);
  });
}
