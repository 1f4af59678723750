import type { NPlusOne } from './n-plus-one.ts';

/** Counts that differ by no more than this are of one loop. */
const TOLERANCE = 0.1;

/**
 * Puts together what repeats together: as often (±10 %), and from the same place, for the same parent, or one because of
 * another. Each of the result has at least one; the first of each is the one that came first.
 */
export function together(items: readonly NPlusOne[]): readonly (readonly NPlusOne[])[] {
  const clusters: NPlusOne[][] = [];
  for (const item of items.toSorted((a, b) => firstAt(a) - firstAt(b))) {
    const cluster = clusters.find(
      members => areAsMany(members[0]!.count, item.count) && members.some(member => belongTogether(member, item)),
    );
    if (cluster === undefined) {
      clusters.push([item]);
    } else {
      cluster.push(item);
    }
  }
  return clusters;
}

export function areAsMany(one: number, other: number): boolean {
  return Math.abs(one - other) <= Math.max(one, other) * TOLERANCE;
}

function belongTogether(one: NPlusOne, other: NPlusOne): boolean {
  // The nearest query before is a guess, and that of all of them the same guess.
  const parent = other.parent?.link === undefined && other.parent?.isProved !== true ? undefined : other.parent.repeats;
  return (
    (parent !== undefined && (parent === one.parent?.repeats || parent === one.repeats)) ||
    (one.group.key !== undefined && one.group.key === other.group.key)
  );
}

function firstAt({ group, repeats }: NPlusOne): number {
  return group.hits[0]?.at ?? repeats.firstAt;
}
