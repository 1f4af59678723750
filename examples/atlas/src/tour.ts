import { graphql, type GraphQLSchema } from 'graphql';
import type { MikroORM } from '@mikro-orm/postgresql';
import { AtlasError } from './errors.ts';
import type { Context } from './graphql/context.ts';
import { plainSchema, schema } from './graphql/schema.ts';
import type { Progress } from './progress.ts';
import { QUERIES, type NamedQuery } from './queries.ts';
import { recordSql } from './sql-log.ts';

/** A query is repeated so many times, but no longer than so many milliseconds: nobody came to wait for the tour. */
const MAX_REPETITIONS = 5;
const MEASURING_TIME = 250;

/** What one query cost. */
export interface Cost {
  statements: number;
  /** Median of the repetitions, in milliseconds. */
  ms: number;
}

export interface Comparison {
  query: NamedQuery;
  without: Cost;
  with: Cost;
}

/**
 * Runs every query without and with the extension, and throws if the answers differ in anything.
 * Both sides run once before they are measured, so that neither pays for what the other has warmed up.
 */
export async function tour(plainOrm: MikroORM, orm: MikroORM, progress: Progress): Promise<Comparison[]> {
  const comparisons: Comparison[] = [];
  for (const [i, query] of QUERIES.entries()) {
    progress.show('Tour', `${query.name} (${i + 1} of ${QUERIES.length})`);
    const without = await measure(plainSchema, plainOrm, query);
    const withExtension = await measure(schema, orm, query);
    if (toLetters(withExtension.answer) !== toLetters(without.answer)) {
      throw new AtlasError(`the query ${query.name} is answered differently with the extension and without it.`);
    }
    comparisons.push({ query, without: without.cost, with: withExtension.cost });
  }
  progress.clear();
  return comparisons;
}

/** Cursors mean nothing to anybody else: each side has its own. Where they lead is a matter of the tests. */
function toLetters(answer: unknown): string {
  return JSON.stringify(answer, (key, value: unknown) =>
    key === 'endCursor' && typeof value === 'string' ? 'a cursor' : value,
  );
}

async function measure(
  schemaToUse: GraphQLSchema,
  orm: MikroORM,
  query: NamedQuery,
): Promise<{ answer: unknown; cost: Cost }> {
  // Once in a process the extension asks for the indexes of a table: that is warming up, too.
  const { answer } = await run(schemaToUse, orm, query);
  const runs: { ms: number; statements: number }[] = [];
  for (let spent = 0; spent < MEASURING_TIME && runs.length < MAX_REPETITIONS; spent += runs.at(-1)!.ms) {
    runs.push(await run(schemaToUse, orm, query));
  }
  const [{ statements }] = runs as [(typeof runs)[0]];
  const times = runs.map(({ ms }) => ms).sort((a, b) => a - b);
  return { answer, cost: { statements, ms: times[Math.floor(times.length / 2)]! } };
}

async function run(
  schemaToUse: GraphQLSchema,
  orm: MikroORM,
  query: NamedQuery,
): Promise<{ answer: unknown; statements: number; ms: number }> {
  const contextValue: Context = { em: orm.em.fork() };
  const start = performance.now();
  const { result, statements } = await recordSql(() =>
    graphql({ schema: schemaToUse, source: query.document, contextValue }),
  );
  const ms = performance.now() - start;
  if (result.errors !== undefined) {
    throw new AtlasError(`the query ${query.name} failed: ${result.errors[0]?.message}`, { cause: result.errors[0] });
  }
  return { answer: result.data, statements: statements.length, ms };
}
