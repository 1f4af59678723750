import type { MikroORM } from '@mikro-orm/core';
import { defineEntity, p } from '@mikro-orm/postgresql';
import { beforeAll, expect, test } from 'vitest';
import { openOrm } from '../../harness/orm.ts';
import { contextOf, pageOf } from './gauges.ts';

/*
 * A page deep in a table is found in its index: as many buffers are read as for the first one.
 */

const Entry = defineEntity({
  name: 'Entry',
  indexes: [
    { name: 'by_state', expression: 'create index by_state on entry (state, points, id)' },
    { name: 'by_score', expression: 'create index by_score on entry (score, id)' },
  ],
  properties: {
    id: p.integer().primary(),
    state: p.integer(),
    points: p.integer(),
    score: p.integer().nullable(),
  },
});

let orm: MikroORM;
const statements: string[] = [];

beforeAll(async () => {
  orm = await openOrm({
    entities: [Entry],
    debug: ['query', 'query-params'],
    colors: false,
    logger: message => statements.push(message.replace(/^.*?(select.*?) \[took.*$/s, '$1')),
  });
  const connection = orm.em.getConnection();
  await connection.execute(
    'insert into entry select n, n % 3, (n * 7919) % 5003, nullif(n % 500, 0) from generate_series(1, 60000) n',
  );
  await connection.execute('vacuum analyze entry');
});

interface Plan {
  readonly 'Node Type': string;
  readonly 'Index Name'?: string;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Shared Hit Blocks': number;
  readonly Plans?: readonly Plan[];
}

/** The plan of the page after the row in the middle. */
async function planOf(orderBy: object, side: 'after' | 'before' = 'after') {
  const context = contextOf(orm);
  const middle = await orm.em.fork().findOneOrFail(Entry, { state: 1, points: { $gt: 2500 }, score: 250 });
  statements.length = 0;
  const size = side === 'after' ? { first: 20 } : { last: 20 };
  const page = await pageOf(orm.em.fork(), context, Entry, {}, { ...size, [side]: middle, orderBy });
  expect(page.length).toBe(20);
  const [row] = await orm.em
    .getConnection()
    .execute<{ 'QUERY PLAN': { Plan: Plan }[] }[]>(`explain (analyze, buffers, format json) ${statements[0]}`);
  const nodes: Plan[] = [];
  const visit = (node: Plan): void => {
    nodes.push(node);
    node.Plans?.forEach(visit);
  };
  visit(row!['QUERY PLAN'][0]!.Plan);
  const scan = nodes.at(-1)!;
  return {
    index: scan['Index Name'],
    types: nodes.map(node => node['Node Type']).filter(type => type !== 'Limit'),
    removed: nodes.reduce((sum, node) => sum + (node['Rows Removed by Filter'] ?? 0), 0),
  };
}

test.each<[string, object, 'after' | 'before']>([
  ['one column', { state: 'asc' }, 'after'],
  ['two columns', [{ state: 'asc' }, { points: 'asc' }], 'after'],
  ['down', [{ state: 'desc' }, { points: 'desc' }], 'after'],
  ['backwards', [{ state: 'asc' }, { points: 'asc' }], 'before'],
  ['nulls behind', { score: 'desc' }, 'after'],
])('%s: nothing is read but the page', async (name, orderBy, side) => {
  const { index, types, removed } = await planOf(orderBy, side);
  expect(types.filter(type => !/^Index (?:Only )?Scan|^Incremental Sort/.test(type))).toEqual([]);
  expect(index).toBe(name === 'nulls behind' ? 'by_score' : 'by_state');
  expect(removed).toBeLessThan(50);
});

test('both ways: the index is entered at the bound', async () => {
  const { index, removed } = await planOf([{ state: 'asc' }, { points: 'asc' }, { id: 'desc' }]);
  expect(index).toBe('by_state');
  expect(removed).toBeLessThan(50);
});

test('nulls ahead: the index is read from its beginning, as README says', async () => {
  const { index, removed } = await planOf({ score: 'asc' });
  expect(index).toBe('by_score');
  expect(removed).toBeGreaterThan(20_000);
});
