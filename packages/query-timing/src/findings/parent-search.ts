import type { Placeholder } from '../sql/placeholders.ts';
import type { Link } from './link.ts';
import type { ModelFacts } from './model-facts.ts';
import { findProof, linkTo, type Proof, rankOf } from './proof.ts';
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
  const before = earlier(shapes, child, second.at, most);
  return (
    provedParent(facts, before, child, group, keys, first.at) ?? likelyParent(facts, before, child, keys, first.at)
  );
}

/** Shapes that had rows before, the latest first. */
function earlier(shapes: readonly Repeats[], child: Repeats, at: number, most: number): readonly Repeats[] {
  const found: Repeats[] = [];
  for (let index = shapes.length - 1; index >= 0 && found.length < most; index--) {
    const repeats = shapes[index]!;
    if (repeats.rows > 0 && (repeats.firstAt < at || repeats === child)) {
      found.push(repeats);
    }
  }
  return found;
}

function provedParent(
  facts: ModelFacts,
  before: readonly Repeats[],
  child: Repeats,
  group: Group,
  keys: readonly Placeholder[],
  firstAt: number,
): Parent | undefined {
  let best: { readonly repeats: Repeats; readonly proof: Proof } | undefined;
  for (const repeats of before) {
    const proof = findProof(facts, repeats, group, keys, repeats === child);
    // The first of the group may have been another's, since its place is not known: so it is if it came before.
    const isTooLate = repeats.firstAt >= firstAt && repeats !== child && proof?.withoutFirst !== true;
    if (proof === undefined || isTooLate) {
      continue;
    }
    const than = best?.proof;
    // Of several that are as good the first one that is met: the nearest.
    if (than === undefined || (rankOf(proof.link) - rankOf(than.link) || proof.found - than.found) > 0) {
      best = { repeats, proof };
    }
  }
  return best && { repeats: best.repeats, isProved: true, ...best.proof };
}

function likelyParent(
  facts: ModelFacts,
  before: readonly Repeats[],
  child: Repeats,
  [key]: readonly Placeholder[],
  firstAt: number,
): Parent | undefined {
  let nearest: Parent | undefined;
  for (const repeats of before) {
    if (repeats === child || repeats.firstAt >= firstAt || !isList(repeats) || isRefuted(facts, repeats, key)) {
      continue;
    }
    const link = key && linkFromTable(facts, repeats, key);
    if (nearest === undefined || (nearest.link === undefined && link !== undefined)) {
      nearest = { repeats, isProved: false, column: undefined, link, found: 0, withoutFirst: false };
    }
  }
  return nearest;
}

/** It reads several rows at once: what a loop may go over. */
function isList({ shape, rows, count }: Repeats): boolean {
  return shape.kind === 'select' && rows > Math.max(count, 1);
}

/** It had the column, all of whose values are known; and they proved nothing. */
function isRefuted(facts: ModelFacts, { columns, samples }: Repeats, key: Placeholder | undefined): boolean {
  return (
    key !== undefined &&
    columns?.some(
      (column, index) => samples?.[index]?.isComplete === true && linkTo(facts, column, key) !== undefined,
    ) === true
  );
}

/** What leads from its table, whether its rows had it or not. */
function linkFromTable(facts: ModelFacts, { shape }: Repeats, { table, column }: Placeholder): Link | undefined {
  const from = facts.shape(shape).table;
  if (from === undefined || table === undefined || column === undefined) {
    return undefined;
  }
  for (const { primaryKey, relations } of facts.entitiesOf(from)) {
    for (const own of [...relations.flatMap(({ columns, owner }) => (owner ? columns : [])), ...primaryKey]) {
      const link = facts.link(from, own, table, column);
      if (link !== undefined && link.kind !== 'same') {
        return link;
      }
    }
  }
  return undefined;
}
