/** How `backoff()` waits. */
export interface BackoffOptions {
  /** The longest first wait, in ms. @default 250 */
  readonly base?: number;
  /** The longest of all waits, in ms. @default 10_000 */
  readonly max?: number;
  /** From 0 up to, but not including, 1. @default Math.random */
  readonly random?: () => number;
}

/**
 * How long to wait before the next attempt, in ms: anything up to `base` × 2 to the power of `attempt`, at most `max`
 * ("full jitter" of "Exponential Backoff And Jitter" of the AWS Architecture Blog: many who failed together do not come
 * back together). But at least a quarter of `base`, so that it never spins.
 * @param attempt how many have failed before, from 0
 */
export function backoff(attempt: number, options: BackoffOptions = {}): number {
  const { base = 250, max = 10_000, random = Math.random } = options;
  const least = Math.min(base, max) / 4;
  return Math.max(least, random() * Math.min(max, base * 2 ** attempt));
}
