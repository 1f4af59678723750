import type { SecondReport } from '../../timing-report.ts';

/**
 * The last `count` seconds without gaps: a report has only those that had queries. Pure.
 *
 * @param now in ms since the epoch
 */
export function everySecond(seconds: readonly SecondReport[], now: number, count: number): readonly SecondReport[] {
  const known = new Map(seconds.map(each => [each.second, each]));
  const last = Math.max(Math.floor(now / 1000), seconds.at(-1)?.second ?? 0);
  return Array.from({ length: count }, (_, index) => {
    const second = last - count + 1 + index;
    return known.get(second) ?? { second, queries: 0, took: 0, wait: 0, waiting: 0, used: 0 };
  });
}
