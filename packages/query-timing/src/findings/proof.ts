import type { Placeholder } from '../sql/placeholders.ts';
import type { KeySample } from './key-sample.ts';
import type { Link } from './link.ts';
import type { ModelFacts } from './model-facts.ts';
import type { Group, Hit, Repeats } from './repeats.ts';
import type { KeyColumn } from './shape-facts.ts';

/** Where the values of a group of queries were found. */
export interface Proof {
  readonly column: KeyColumn;
  /** `undefined`: no relation leads from there, but nobody meets these values by chance. */
  readonly link: Link | undefined;
  /** How many of the queries have asked for values of it. */
  readonly found: number;
  /** The first query of the group asked for something else: it was not one of them. */
  readonly withoutFirst: boolean;
}

/** So many of the queries have to ask for values of the column, if all of those are known. */
const SHARE = 0.75;
/** Otherwise so many. */
const FEW = 3;

const RANKS: Readonly<Record<Link['kind'], number>> = { relation: 4, through: 3, inverse: 2, same: 1, name: 1 };

/**
 * Looks for what a group of queries was asked with among the values of the key columns of a shape's rows.
 *
 * @param keys what moved from one query to the next: all parts of a key have to be found beside each other
 * @param isItself it is the shape of the group: that its own rows have what was asked for is no wonder
 */
export function findProof(
  facts: ModelFacts,
  { columns = [], samples = [] }: Repeats,
  { hits }: Group,
  keys: readonly Placeholder[],
  isItself: boolean,
): Proof | undefined {
  const [key, ...others] = keys;
  let best: Proof | undefined;
  if (key === undefined) {
    return best;
  }
  for (const [index, column] of columns.entries()) {
    const sample = samples[index]!;
    // Most columns have nothing to do with it: that is cheaper to see than what leads from them.
    if (countOf(hits, key, sample) < 2) {
      continue;
    }
    const link = linkTo(facts, column, key);
    if (isItself && (link === undefined || (column.table === key.table && column.column === key.column))) {
      continue;
    }
    const beside = others.map(other => sampleBeside(facts, columns, samples, column, other));
    const all = [sample, ...beside.filter(each => each !== undefined)];
    const result = all.length === keys.length ? foundIn(all, hits, keys, link === undefined) : undefined;
    if (result !== undefined && (best === undefined || rankOf(link) > rankOf(best.link))) {
      best = { column, link, ...result };
    }
  }
  return best;
}

/** How good a reason to populate is: the relation itself, what leads there, the same key elsewhere, nothing but values. */
export function rankOf(link: Link | undefined): number {
  return link === undefined ? 0 : RANKS[link.kind];
}

export function linkTo(facts: ModelFacts, from: KeyColumn, { table, column }: Placeholder): Link | undefined {
  return table === undefined || column === undefined ? undefined : facts.link(from.table, from.column, table, column);
}

function countOf(hits: readonly Hit[], { index }: Placeholder, sample: KeySample): number {
  let count = 0;
  for (const { values } of hits) {
    if (sample.has(values[index]!)) {
      count++;
    }
  }
  return count;
}

/** Values of the column that belongs to another part of the same key. */
function sampleBeside(
  facts: ModelFacts,
  columns: readonly KeyColumn[],
  samples: readonly KeySample[],
  { alias }: KeyColumn,
  part: Placeholder,
): KeySample | undefined {
  return samples[columns.findIndex(each => each.alias === alias && linkTo(facts, each, part) !== undefined)];
}

function foundIn(
  samples: readonly KeySample[],
  hits: readonly Hit[],
  keys: readonly Placeholder[],
  needsRare: boolean,
): { found: number; withoutFirst: boolean } | undefined {
  const isFound = ({ values, rare }: Hit): boolean =>
    keys.every(({ index }, key) => samples[key]!.has(values[index]!)) &&
    // Small numbers are keys of everything: without a relation they prove nothing.
    (!needsRare || keys.some(({ index }) => ((rare >>> index) & 1) === 1));
  const found = hits.filter(isFound).length;
  const withoutFirst = hits.length > 1 && found === hits.length - 1 && !isFound(hits[0]!);
  const of = withoutFirst ? found : hits.length;
  const needed = samples.every(({ isComplete }) => isComplete) ? of * SHARE : Math.min(FEW, of);
  return found >= Math.max(needed, 2) ? { found, withoutFirst } : undefined;
}
