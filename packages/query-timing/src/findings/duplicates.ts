import type { CallSite } from '../call-site.ts';
import type { Repeats } from './repeats.ts';
import type { ScopeView } from './scope-view.ts';

/** The same query with the same values, more often than needed. */
export interface Duplicate {
  readonly repeats: Repeats;
  /** All of them. */
  readonly count: number;
  /** What those after the first cost, in µs. */
  readonly cost: number;
  /** Where it was asked again. */
  readonly site: CallSite | undefined;
  /** Whether those were made by several forks. */
  readonly isOfForks: boolean;
}

/**
 * Looks for queries of a shape that were asked again with the same values. Equal values are no guess, so half the threshold
 * is enough. What had a reason is not counted in the first place: see `Course`.
 */
export function duplicateOf({ settings }: ScopeView, repeats: Repeats): Duplicate | undefined {
  const needed = Math.max(2, Math.ceil(settings.threshold / 2));
  const again = repeats.hits.filter(({ same }) => same + 1 >= needed);
  // Each tenant, message or transaction for itself: see isFannedOut().
  const counted = again.filter(({ same, sameForks }) => sameForks < same || same === 1);
  if (counted.length === 0) {
    return undefined;
  }
  return {
    repeats,
    count: counted.reduce((sum, { same }) => sum + same + 1, 0),
    cost: counted.reduce((sum, { sameTook }) => sum + sameTook, 0),
    site: counted.find(({ sameSite }) => sameSite !== undefined)?.sameSite,
    isOfForks: counted.some(({ sameForks }) => sameForks > 0),
  };
}
