import type { CallColumn, Binding } from './merged-statement.ts';
import type { StatementText } from './statement-text.ts';
import { arrayLiteral, columnType, type LiteralClass, literalOf } from './values.ts';

/** The values of one call, slot by slot, ready to travel in arrays. */
export interface SlotValue {
  readonly class: LiteralClass;
  /** Of a list: the text of its array. */
  readonly text: string | null;
}

/**
 * @param params the call's parameters
 * @returns why the call has to be sent alone, if a value cannot travel in an array
 */
export function slotValues(
  { slots }: StatementText,
  params: readonly unknown[],
  formatDate: (date: Date) => string,
): readonly SlotValue[] | { readonly reason: string } {
  const values: SlotValue[] = [];
  for (const { kind, first, size } of slots) {
    const literals = [];
    for (let index = first; index < first + size; index++) {
      const literal = literalOf(params[index], formatDate);
      if (literal === undefined) {
        return { reason: 'a value cannot travel in an array: an object, a raw fragment, NaN or a NUL character' };
      }
      literals.push(literal);
    }
    if (kind === 'value') {
      values.push(literals[0]!);
      continue;
    }
    const classes = new Set(literals.map(literal => literal.class).filter(own => own !== 'null'));
    if (classes.size > 1) {
      return { reason: 'a list has values of more than one kind' };
    }
    values.push({ class: [...classes][0] ?? 'null', text: arrayLiteral(literals.map(({ text }) => text)) });
  }
  return values;
}

/** What the slots are typed as for these values; calls with other types need a statement of their own. */
export function slotTypes(text: StatementText, inferred: readonly string[], values: readonly SlotValue[]): string[] {
  return text.slots.map(({ kind }, slot) => {
    const own = values[slot]!;
    if (own.class === 'null') {
      return 'null';
    }
    const type = columnType(own.class, inferred[slot]!);
    return kind === 'list' ? `${type}[]` : type;
  });
}

/** One call of a merge. */
export interface CallValues {
  /** The call's own reading of its statement: lists of other lengths move the parameters behind them. */
  readonly text: StatementText;
  readonly params: readonly unknown[];
  readonly values: readonly SlotValue[];
}

/** What stands in each slot: what all calls share stays a literal, which the planner can look at; the rest are columns. */
export function bindSlots(
  types: readonly string[],
  calls: readonly CallValues[],
): { readonly bindings: readonly Binding[]; readonly columns: readonly CallColumn[] } {
  const columns: CallColumn[] = [];
  const bindings = calls[0]!.text.slots.map(({ kind, first }, slot): Binding => {
    const own = calls[0]!.values[slot]!;
    if (calls.every(({ values }) => values[slot]!.text === own.text)) {
      return kind === 'list'
        ? { kind: 'constant', parameter: own.text, ...(types[slot] === 'null' ? {} : { arrayType: types[slot]! }) }
        : { kind: 'constant', parameter: calls[0]!.params[first] };
    }
    const name = `a${slot}`;
    columns.push({ name, type: types[slot]!, values: arrayLiteral(calls.map(({ values }) => values[slot]!.text)) });
    return { kind: 'column', name };
  });
  return { bindings, columns };
}
