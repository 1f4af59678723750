import { beforeAll, expect, test } from 'vitest';
import { openDatabase } from '../harness/database.ts';
import { queryOnce } from '../harness/pg-query.ts';
import { startRedis } from '../harness/redis.ts';
import { closeAfter } from '../harness/close-after.ts';
import * as queries from '../../examples/atlas/src/queries.ts';
import { AtlasProcess, runAtlas } from './atlas-process.ts';

let databaseUrl: string;
let redisUrl: string;
/** An Atlas that serves, on that Redis; its tour is over. */
let graphql: string;
let tour: string;

beforeAll(async () => {
  const redis = await startRedis({ args: ['--maxmemory', '64mb'] });
  closeAfter(() => redis.stop());
  redisUrl = redis.url;
  ({ url: databaseUrl } = await openDatabase());
  const atlas = new AtlasProcess(['--port', '0'], { DATABASE_URL: databaseUrl, REDIS_URL: redisUrl });
  const printed = await atlas.printed(/^[^]*GraphiQL {4}(\S+)[^]*Ctrl-C/);
  [tour, graphql] = printed as unknown as [string, string];
}, 180_000);

interface Answer {
  readonly data: unknown;
  readonly sql: readonly string[];
}

async function ask(query: string, variables?: object): Promise<Answer> {
  const response = await fetch(graphql, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors, extensions } = (await response.json()) as {
    data: unknown;
    errors?: unknown;
    extensions: { sql: { statements: { sql: string }[] } };
  };
  expect(errors).toBeUndefined();
  return { data, sql: extensions.sql.statements.map(({ sql }) => sql) };
}

/** Statements without, and with: `every country   1   9.1   0   2.0   4.5 ×`. */
function statements(output: string, moment: string): [without: number, cached: number] {
  const line = output.split('\n').find(each => each.startsWith(moment));
  const [, without, cached] = /(\d+) +[\d.]+ +(\d+) +[\d.]+ +[\d.]+ ×$/.exec(line ?? '') ?? [];
  return [Number(without), Number(cached)];
}

test('the tour with Redis: a miss, a hit, a write in a second process, and the fresh read after it', () => {
  expect(tour).toContain('with result-cache, in Redis at redis://127.0.0.1:');
  expect(tour).not.toContain('REDIS_URL is not set');
  expect(statements(tour, 'every country, for the first time')).toEqual([1, 1]);
  expect(statements(tour, '… again')).toEqual([1, 0]);
  expect(statements(tour, '… after another process has changed LUX')).toEqual([1, 1]);
  expect(statements(tour, 'AUT alone, which nobody has changed')).toEqual([1, 0]);
  expect(statements(tour, 'every country with languages and currencies, again')).toEqual([3, 0]);
});

test('the tour leaves the countries as they were', async () => {
  const different = await queryOnce(
    databaseUrl,
    `select code from atlas.country
     where urban_population <> (select coalesce(sum(population), 0) from atlas.city where country_code = code)`,
  );
  expect(different).toEqual([]);
});

test('the tour without Redis says why this process writes, and how to see two', { timeout: 120_000 }, async () => {
  const { code, stdout, stderr } = await runAtlas(['--once'], { DATABASE_URL: databaseUrl });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain('with result-cache, in memory');
  expect(statements(stdout, '… again')).toEqual([1, 0]);
  expect(statements(stdout, '… after this process has changed LUX')).toEqual([1, 1]);
  expect(stdout).toMatch(/REDIS_URL is not set[^]*REDIS_URL=redis:\S+ npm start shows a second process/);
});

test('GraphQL is answered from the cache until somebody writes', async () => {
  const query = '{ countries(region: "Oceania") { name capitals } }';
  const first = await ask(query);
  const second = await ask(query);
  expect(second.data).toEqual(first.data);
  expect(second.sql).toEqual([]);
});

test.each(queries.QUERIES)('$name is answered the same from the cache', async ({ document }) => {
  const letters = ({ data }: Answer): string => JSON.stringify(data);
  const first = await ask(document);
  const second = await ask(document);
  expect(letters(second)).toBe(letters(first));
});

test('what is added by a mutation is seen by queries that are cached', async () => {
  const visits = '{ city(id: 2960316) { visitCount country { name } } }';
  const count = async (): Promise<number> =>
    ((await ask(visits)).data as { city: { visitCount: number } }).city.visitCount;
  const before = await count();
  await ask(queries.ADD_VISIT, { traveller: 9, city: 2_960_316, day: '2026-11-20' });
  expect(await count()).toBe(before + 1);
});

test('a Redis that cannot be reached is one line', async () => {
  const { code, stderr } = await runAtlas(['--once'], {
    DATABASE_URL: databaseUrl,
    REDIS_URL: 'redis://me:secret@127.0.0.1:1/0',
  });
  expect(stderr).toMatch(/^atlas: cannot reach Redis at redis:\/\/me@127\.0\.0\.1:1\/0: .*\n$/);
  expect(stderr).not.toContain('secret');
  expect(code).toBe(1);
});
