import type { PlannedCall } from './call-plans.ts';
import type { Call } from './calls.ts';
import type { QueryTarget } from './seam/intercept.ts';
import { type CallValues, slotTypes, type SlotValue } from './shape/call-values.ts';
import type { ShapeKnowledge } from './shape/shape-knowledge.ts';
import type { StatementText } from './shape/statement-text.ts';

/** Equal calls, with the values they share. */
export interface DistinctCall extends CallValues {
  readonly calls: Call[];
}

/** Calls whose statements differ in their values only. */
export interface MergeGroup {
  /** Type of each slot's values. */
  readonly types: readonly string[];
  /** Type of what stands in the place of each slot. */
  readonly inferred: readonly string[];
  /** Where the first of them would have been sent. */
  readonly target: QueryTarget;
  readonly distinct: readonly DistinctCall[];
}

/** A call that is ready to be merged. */
export interface ReadyCall extends PlannedCall {
  readonly text: StatementText;
  readonly values: readonly SlotValue[];
}

/** Calls that are sent one by one. */
export interface UnmergedGroup {
  readonly calls: readonly Call[];
  readonly reason: string;
}

/** Calls by the types of their values; equal ones become one. */
export async function mergeGroups(
  shapes: ShapeKnowledge,
  ready: readonly ReadyCall[],
): Promise<(MergeGroup | UnmergedGroup)[]> {
  const [first] = ready;
  if (first === undefined) {
    return [];
  }
  const { text } = first;
  // A shape of equal calls needs no types.
  const inferred =
    new Set(ready.map(({ values }) => values.map(valueKey).join(','))).size > 1
      ? await shapes.types(text, first.target)
      : { types: text.slots.map(() => 'text') };
  if ('reason' in inferred) {
    return [{ calls: ready.map(({ call }) => call), reason: inferred.reason }];
  }
  const groups = new Map<string, MergeGroup & { distinct: DistinctCall[]; byValues: Map<string, DistinctCall> }>();
  for (const { call, statement, target, text: own, values } of ready) {
    const types = slotTypes(text, inferred.types, values);
    const typesKey = types.join(',');
    let group = groups.get(typesKey);
    if (group === undefined) {
      group = { types, inferred: inferred.types, target, distinct: [], byValues: new Map() };
      groups.set(typesKey, group);
    }
    const key = values.map(valueKey).join(',');
    const equal = group.byValues.get(key);
    if (equal) {
      equal.calls.push(call);
    } else {
      const distinct = { calls: [call], text: own, params: statement.params, values };
      group.byValues.set(key, distinct);
      group.distinct.push(distinct);
    }
  }
  return [...groups.values()].map(group =>
    text.fixed.every(slot => group.distinct.every(({ values }) => values[slot]!.text === first.values[slot]!.text))
      ? group
      : {
          calls: group.distinct.flatMap(({ calls }) => calls),
          reason: 'a value in a subquery beside an "or" differs: PostgreSQL may confuse the calls',
        },
  );
}

function valueKey({ class: literal, text }: SlotValue): string {
  return text === null ? '0' : `${literal}:${text.length}:${text}`;
}
