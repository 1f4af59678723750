import type { OrderTerm } from './order-terms.ts';

/** A place in an order: the text of each column's value, `null` for null. As many as there are, from the first term on. */
export type KeysetValues = readonly (string | null)[];

/** A condition as MikroORM takes it. */
export type Condition = Readonly<Record<string, unknown>>;

/** A term and its value at the place, in the direction that is looked in. */
interface Step {
  readonly term: OrderTerm;
  readonly value: string | null;
  readonly operator: '$gt' | '$lt';
  /** Whether nulls lie further on than this place. */
  readonly nullsAhead: boolean;
}

/**
 * Steps that one comparison decides: several are compared as a row, `(a, b) > (x, y)`. PostgreSQL finds the place in an
 * index by that at once; spelled out with `or`, it reads all rows that are equal in the first column.
 */
type Run = readonly [Step, ...Step[]];

/** A term's value as MikroORM has to be given it, to compare with exactly this text. */
export interface Operands {
  /** Within a row, where MikroORM converts nothing. */
  literal(term: OrderTerm, text: string): string;
  /** Beside the property. */
  operand(term: OrderTerm, text: string): unknown;
}

/**
 * The condition that a row lies after a place in the order, or before it.
 *
 * The well-known form of a keyset (https://use-the-index-luke.com/no-offset), for columns that may be null and go in
 * different directions: `a > x or (a = x and (b < y or …))`, with `a >= x` in front of it for the index to begin at. Its SQL
 * depends on the values by which of them are null, and on nothing else.
 *
 * @returns `undefined` if no row can
 */
export function keysetCondition(
  terms: readonly OrderTerm[],
  values: KeysetValues,
  side: 'after' | 'before',
  { literal, operand }: Operands,
): Condition | undefined {
  const steps = values.map((value, index): Step => {
    const term = terms[index]!;
    const before = side === 'before';
    return {
      term,
      value,
      operator: term.descending === before ? '$gt' : '$lt',
      nullsAhead: term.nullable && value !== null && term.nullsFirst === before,
    };
  });
  const runs = runsOf(steps);
  const is = ({ term, value }: Step): Condition =>
    nest(term.path, value === null ? null : { $eq: operand(term, value) });

  const past = (run: Run, orEqual: '' | 'e'): Condition | undefined => {
    const [first, ...others] = run;
    const { term, value, operator, nullsAhead } = first;
    const comparison = `${operator}${orEqual}`;
    if (others.length > 0) {
      // MikroORM's notation of a row: https://mikro-orm.io/docs/composite-keys. It converts none of the values.
      const columns = run.map(step => step.term.ownColumn).join('~~~');
      return { [columns]: { [comparison]: run.map(step => literal(step.term, step.value!)) } };
    }
    if (value === null) {
      // The other values are ahead, or none.
      return term.nullsFirst === (side === 'after') ? nest(term.path, { $ne: null }) : undefined;
    }
    const ahead = nest(term.path, { [comparison]: operand(term, value) });
    return nullsAhead ? { $or: [ahead, nest(term.path, null)] } : ahead;
  };

  const from = (index: number): Condition | undefined => {
    const run = runs[index]!;
    const further = past(run, '');
    const rest = index + 1 < runs.length ? from(index + 1) : undefined;
    if (rest === undefined) {
      return further;
    }
    const equal = and([...run.map(is), rest]);
    return further === undefined ? equal : { $or: [further, equal] };
  };

  const condition = from(0);
  const [first] = runs;
  // With nulls ahead the bound would be an `or` itself, which no index can begin at.
  const bounded = runs.length > 1 && first![0].value !== null && !first![0].nullsAhead;
  return condition !== undefined && bounded ? and([past(first!, 'e')!, condition]) : condition;
}

function runsOf(steps: readonly Step[]): Run[] {
  const runs: [Step, ...Step[]][] = [];
  for (const step of steps) {
    const run = runs.at(-1);
    if (run && fitsRow(run[0]) && fitsRow(step) && run[0].operator === step.operator) {
      run.push(step);
    } else {
      runs.push([step]);
    }
  }
  return runs;
}

/** Comparing rows passes over null: right only where there is none ahead. */
function fitsRow({ term, value, nullsAhead }: Step): boolean {
  return term.ownColumn !== undefined && value !== null && !nullsAhead;
}

function and(conditions: readonly Condition[]): Condition {
  return { $and: conditions };
}

function nest(path: readonly string[], value: unknown): Condition {
  return path.reduceRight((inner: unknown, name) => ({ [name]: inner }), value) as Condition;
}
