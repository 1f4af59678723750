import { ResultCacheError } from './errors.ts';
import type { Change } from './intents.ts';
import { type Returning, takeReturned } from './returning.ts';
import type { Compiled, Result } from './seam/connection-watch.ts';
import type { Statement } from './sql/statement.ts';
import type { WriteContext } from './write-context.ts';
import { WriteSet } from './write-set.ts';

/** A set that writes are to be added to. */
export function nothing(context: WriteContext): WriteSet {
  return new WriteSet(context.tables(), context.unknownWrites === 'everything' ? 'everything' : 'ignore');
}

/** What statements may write, as far as their text tells. @throws {ResultCacheError} `UNKNOWN_STATEMENT` */
export function writesOf(
  context: WriteContext,
  statements: readonly Statement[],
  { sql, parameters }: Compiled,
): WriteSet {
  const writes = nothing(context);
  if (statements.some(({ verb, opaque }) => opaque || verb === 'ddl')) {
    context.schemaChanged();
  }
  for (const statement of statements) {
    if (statement.opaque && statement.verb !== 'ddl' && context.unknownWrites === 'error') {
      throw new ResultCacheError(
        'UNKNOWN_STATEMENT',
        `What this statement writes cannot be told, and unknownWrites is 'error': ${sql.slice(0, 120)}. ` +
          "Name its functions in pureFunctions if they write nothing, or set unknownWrites: 'everything'.",
      );
    }
    writes.addStatement(statement, parameters);
  }
  return writes;
}

/** What a statement has written by the rows that it gave back, and its result without them. */
export function taken(
  context: WriteContext,
  statement: Statement,
  compiled: Compiled,
  returning: Returning,
  result: Result,
): { result: Result; exact: WriteSet } {
  const { rows, returned } = takeReturned(returning, result.rows);
  const exact = nothing(context);
  exact.addStatement(statement, compiled.parameters, returned);
  return { result: { ...result, rows }, exact };
}

/** What the store is told of writes. */
export async function changeOf(
  context: WriteContext,
  writes: WriteSet,
  cause: 'commit' | 'statement',
  atomic: boolean,
): Promise<Change> {
  await context.ready();
  return context.changeOf(widened(context, writes), cause, atomic);
}

/** What others tell apart cannot be named while it is not known. */
export function widened(context: WriteContext, writes: WriteSet): WriteSet {
  if (context.knowsColumns()) {
    return writes;
  }
  const all = writes.copy();
  all.addEverything('the columns of other processes are not known');
  return all;
}

/** Whether nothing is changed if it fails: a text, a procedure or a block may have committed before. */
export function isAtomic(statements: readonly Statement[]): boolean {
  return statements.length === 1 && !statements[0]!.opaque;
}
