import { isDeepStrictEqual } from 'node:util';
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
    if (!isDeepStrictEqual(withExtension.answer, without.answer)) {
      throw new AtlasError(`the query ${query.name} is answered differently with the extension and without it.`);
    }
    comparisons.push({ query, without: without.cost, with: withExtension.cost });
  }
  progress.clear();
  return comparisons;
}

async function measure(
  schemaToUse: GraphQLSchema,
  orm: MikroORM,
  query: NamedQuery,
): Promise<{ answer: unknown; cost: Cost }> {
  const { answer, statements } = await run(schemaToUse, orm, query);
  const times: number[] = [];
  for (let spent = 0; spent < MEASURING_TIME && times.length < MAX_REPETITIONS; spent += times.at(-1)!) {
    times.push((await run(schemaToUse, orm, query)).ms);
  }
  times.sort((a, b) => a - b);
  return { answer, cost: { statements, ms: times[Math.floor(times.length / 2)]! } };
}

async function run(
  schemaToUse: GraphQLSchema,
  orm: MikroORM,
  query: NamedQuery,
): Promise<{ answer: unknown; statements: number; ms: number }> {
  const contextValue: Context = { em: orm.em.fork(), written: async () => {} };
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
