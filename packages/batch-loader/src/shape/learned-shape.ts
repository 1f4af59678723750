import { sentinelsFor } from './call-shape.ts';
import type { Statement } from './merged-statement.ts';

/** Which parameter of a shape's statement is which value of a call. */
export interface LearnedShape {
  readonly sql: string;
  readonly places: readonly Place[];
}

interface Place {
  readonly parameter: number;
  readonly leaf: number;
  /** MikroORM sends a bigint as text. */
  readonly asText: boolean;
}

/**
 * Learns where a call's values go, by building its statement a second time with values that occur nowhere else. From then
 * on a call of the shape needs no building of SQL: its statement is another's with the values exchanged.
 *
 * Only to be asked for calls whose values MikroORM sends as they are: what a conversion makes of one value says nothing
 * about what it makes of another.
 *
 * @param own the statement of a call
 * @param build the statement of the same call with other values
 * @returns `undefined` if the statement depends on its values in another way
 */
export async function learnShape(
  leaves: readonly unknown[],
  own: Statement,
  build: (leaves: readonly unknown[]) => Promise<Statement | undefined>,
): Promise<LearnedShape | undefined> {
  const sentinels = sentinelsFor(leaves);
  const marked = await build(sentinels);
  if (marked === undefined || marked.sql !== own.sql || marked.params.length !== own.params.length) {
    return undefined;
  }
  const places: Place[] = [];
  const found = new Set<number>();
  for (const [parameter, value] of marked.params.entries()) {
    const leaf = sentinels.findIndex(sentinel => isSame(value, sentinel) || isText(value, sentinel));
    if (leaf === -1) {
      if (!isSame(value, own.params[parameter])) {
        return undefined;
      }
      continue;
    }
    places.push({ parameter, leaf, asText: isText(value, sentinels[leaf]) });
    found.add(leaf);
  }
  const learned = { sql: own.sql, places };
  return found.size === leaves.length && fits(learned, leaves, own) ? learned : undefined;
}

/** Whether a statement is the learned one with these values. */
export function fits(learned: LearnedShape, leaves: readonly unknown[], statement: Statement): boolean {
  return (
    statement.sql === learned.sql &&
    learned.places.every(({ parameter, leaf, asText }) =>
      isSame(statement.params[parameter], asText ? String(leaves[leaf]) : leaves[leaf]),
    )
  );
}

/** The statement of a call of the shape, made of that of another one. */
export function statementWith(learned: LearnedShape, leaves: readonly unknown[], another: Statement): Statement {
  const params = [...another.params];
  for (const { parameter, leaf, asText } of learned.places) {
    params[parameter] = asText ? String(leaves[leaf]) : leaves[leaf];
  }
  return { sql: another.sql, params };
}

function isSame(one: unknown, other: unknown): boolean {
  return one instanceof Date && other instanceof Date ? one.getTime() === other.getTime() : Object.is(one, other);
}

function isText(value: unknown, sentinel: unknown): boolean {
  return typeof sentinel === 'bigint' && value === String(sentinel);
}
