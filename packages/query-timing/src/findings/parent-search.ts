import type { Placeholder } from '../sql/placeholders.ts';
import type { KeySample } from './key-sample.ts';
import type { ModelFacts } from './model-facts.ts';
import { type Link, linkOf } from './link.ts';
import type { Group, Repeats } from './repeats.ts';
import type { KeyColumn } from './shape-facts.ts';

/** The query that others followed from. */
export interface Parent {
  readonly repeats: Repeats;
  /** Whether the values of those were found in a column of its rows. */
  readonly isProved: boolean;
  readonly column: KeyColumn | undefined;
  readonly link: Link | undefined;
  /** How many of the values that were looked for were found. */
  readonly found: number;
  /** The first query of the group asked for something else: it was not one of them. */
  readonly withoutFirst: boolean;
}

/** So many of the values have to be among those of the parent. */
const MOST_OF = 0.75;
const KINDS: Readonly<Record<Link['kind'], number>> = { relation: 4, through: 3, inverse: 2, same: 1, name: 1 };

/**
 * Looks for the query whose rows had what a group of queries was asked with. Only values decide whether it is proved;
 * without them it is the nearest query of several rows that a relation leads from, and then the nearest one at all, unless
 * its values show that it was not.
 *
 * @param shapes all of the scope
 * @param keys what moved from one query of the group to the next
 * @param most so many shapes are looked at, the latest before the group first
 */
export function findParent(
  facts: ModelFacts,
  shapes: readonly Repeats[],
  child: Repeats,
  group: Group,
  keys: readonly Placeholder[],
  most: number,
): Parent | undefined {
  const [first, second = first] = group.hits;
  if (first === undefined || second === undefined) {
    return undefined;
  }
  let best: Parent | undefined;
  let nearest: Parent | undefined;
  let examined = 0;
  for (let index = shapes.length - 1; index >= 0 && examined < most; index--) {
    const repeats = shapes[index]!;
    if (repeats.rows === 0 || (repeats.firstAt >= second.at && repeats !== child)) {
      continue;
    }
    // The first of the group may have been another's: its place is not known. It is, if it came before what led to the rest.
    const isAfterFirst = repeats.firstAt >= first.at && repeats !== child;
    examined++;
    const { proved, related, isRefuted } = examine(facts, repeats, child, group, keys);
    if (proved !== undefined) {
      best = isAfterFirst && !proved.withoutFirst ? best : better(best, proved);
    } else if (
      !isAfterFirst &&
      repeats !== child &&
      repeats.rows > 1 &&
      !isRefuted &&
      repeats.shape.kind === 'select'
    ) {
      nearest = nearer(nearest, {
        repeats,
        isProved: false,
        column: undefined,
        link: related,
        found: 0,
        withoutFirst: false,
      });
    }
  }
  return best ?? nearest;
}

interface Examined {
  readonly proved: Parent | undefined;
  /** A relation leads from it, proved or not. */
  readonly related: Link | undefined;
  /** It had the column, all of its values are known, and none is of the group. */
  readonly isRefuted: boolean;
}

function examine(
  facts: ModelFacts,
  repeats: Repeats,
  child: Repeats,
  group: Group,
  keys: readonly Placeholder[],
): Examined {
  const { columns = [], samples = [] } = repeats;
  const [key] = keys;
  let proved: Parent | undefined;
  let related: Link | undefined;
  let isRefuted = false;
  if (key === undefined) {
    return { proved, related, isRefuted };
  }
  columns.forEach((column, index) => {
    const link =
      key.table === undefined || key.column === undefined
        ? undefined
        : linkOf(facts, column.table, column.column, key.table, key.column);
    const isItself = repeats === child && column.table === key.table && column.column === key.column;
    if (isItself) {
      return;
    }
    related = link ?? related;
    const others = keys.slice(1).map(other => sampleBeside(facts, repeats, column, other));
    const sample = samples[index];
    if (sample === undefined || others.includes(undefined)) {
      return;
    }
    const result = foundIn(sample, others as KeySample[], group, keys, link === undefined);
    if (result !== undefined) {
      proved = better(proved, { repeats, isProved: true, column, link, ...result });
    } else if (link !== undefined && sample.isComplete) {
      isRefuted = true;
    }
  });
  // One column without them says nothing if there is another that may have them.
  return { proved, related, isRefuted };
}

/** Values of the column that belongs to another part of the same key. */
function sampleBeside(
  facts: ModelFacts,
  { columns = [], samples = [] }: Repeats,
  { alias }: KeyColumn,
  { table, column }: Placeholder,
): KeySample | undefined {
  if (table === undefined || column === undefined) {
    return undefined;
  }
  const index = columns.findIndex(
    each => each.alias === alias && linkOf(facts, each.table, each.column, table, column) !== undefined,
  );
  return samples[index];
}

/** How many queries of the group have asked for values of these samples; `undefined` if those are too few for a proof. */
function foundIn(
  sample: KeySample,
  others: readonly KeySample[],
  { hits }: Group,
  keys: readonly Placeholder[],
  needsRare: boolean,
): { found: number; withoutFirst: boolean } | undefined {
  const samples = [sample, ...others];
  const found = hits.map(
    ({ values, rare }) =>
      keys.every(({ index }, key) => samples[key]!.has(values[index]!)) &&
      // Small numbers are keys of everything: without a relation they prove nothing.
      (!needsRare || keys.some(({ index }) => (rare >>> index) & 1)),
  );
  const count = found.filter(Boolean).length;
  const withoutFirst = found.length > 1 && found[0] === false && count === found.length - 1;
  const of = withoutFirst ? hits.length - 1 : hits.length;
  const isEnough = samples.every(({ isComplete }) => isComplete) ? count >= of * MOST_OF : count >= Math.min(3, of);
  return count >= 2 && isEnough ? { found: count, withoutFirst } : undefined;
}

function better(one: Parent | undefined, other: Parent): Parent {
  if (one === undefined) {
    return other;
  }
  const kind = (parent: Parent): number => (parent.link === undefined ? 0 : KINDS[parent.link.kind]);
  return (kind(other) - kind(one) || other.found - one.found || other.repeats.firstAt - one.repeats.firstAt) > 0
    ? other
    : one;
}

function nearer(one: Parent | undefined, other: Parent): Parent {
  const isRelated = (parent: Parent): number => (parent.link === undefined ? 0 : 1);
  return one === undefined || (isRelated(other) - isRelated(one) || other.repeats.firstAt - one.repeats.firstAt) > 0
    ? other
    : one;
}
