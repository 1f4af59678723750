import type { EntityManager } from '@mikro-orm/postgresql';
import { beforeAll, describe, expect, test } from 'vitest';
import { openReplicated, type Replicated } from '../replica-resolver/fixtures/open-replicated.ts';
import { Book, kyselyOf, Library, sorted, Tag, type Timed } from './fixtures/library.ts';

/* A primary and two real replicas, as MikroORM uses them; with replicaResolver() see neighbours.test.ts. */

let servers: Replicated;
let library: Library;
beforeAll(async () => {
  servers = await openReplicated();
  library = await Library.on(servers.url);
  await servers.cluster.caughtUp();
});

const open = (): Promise<Timed> =>
  library.timed({}, { name: 'main', replicas: servers.replicas.map(replica => ({ ...replica })) });

/** As `primary main: select book`, without repetition, sorted: which replica answers is left to chance. */
const asked = ({ records }: Timed): string[] =>
  [...new Set(records.map(({ role, node, shape }) => `${role} ${node}: ${shape.summary}`))].toSorted();

const [one, two] = ['replica-1', 'replica-2'];

const reads: Record<string, (em: EntityManager) => Promise<unknown>> = {
  find: em => em.find(Book, {}),
  count: em => em.count(Book),
  execute: em => em.execute('select * from book', [], { connectionType: 'read' } as never),
  QueryBuilder: em => em.createQueryBuilder(Book, 'b', 'read').select('*').execute(),
  stream: async em => {
    for await (const each of em.stream(Book)) void each;
  },
  Kysely: em => kyselyOf(em, 'read').selectFrom('book').selectAll().execute(),
};

describe('reads are seen on every replica', () => {
  test.each(Object.entries(reads))('%s', async (_, read) => {
    const timed = await open();
    for (let call = 0; call < 30; call++) {
      await read(timed.orm.em.fork() as EntityManager);
    }
    expect(asked(timed)).toEqual([`replica ${one}: select book`, `replica ${two}: select book`]);
    expect(timed.records).toHaveLength(30);
  });
});

test('writes, transactions and what is sent to the primary are seen there', async () => {
  const timed = await open();
  const em = timed.orm.em.fork() as EntityManager;
  await em.nativeUpdate(Tag, { id: 1 }, { name: 'old' });
  await em.find(Book, {}, { connectionType: 'write' });
  await em.transactional(inner => inner.count(Book));
  await kyselyOf(em).selectFrom('tag').selectAll().execute();
  expect(asked(timed)).toEqual([
    'primary main: begin',
    'primary main: commit',
    'primary main: select book',
    'primary main: select tag',
    'primary main: update tag',
  ]);
});

test('the report has each node with its queries, and each pool', async () => {
  const timed = await open();
  for (let call = 0; call < 30; call++) {
    await timed.orm.em.fork().find(Book, {});
  }
  await timed.orm.em.fork().execute('select 1');
  await timed.orm.em
    .fork()
    .execute('select 1 / 0', [], { connectionType: 'write' } as never)
    .catch(() => undefined);
  const { nodes, pools } = timed.timing.report();
  expect(sorted(nodes.map(({ name, role, errors }) => [name, role, errors]))).toEqual([
    ['main', 'primary', 1],
    [one, 'replica', 0],
    [two, 'replica', 0],
  ]);
  expect(nodes.reduce((sum, { queries }) => sum + queries, 0)).toBe(32);
  for (const { took, p50, p95, reasons } of nodes) {
    expect(took).toBeGreaterThan(0);
    expect(p95).toBeGreaterThanOrEqual(p50);
    expect(reasons).toEqual({});
  }
  expect(sorted(pools.map(({ name, role, acquired }) => [name, role, acquired > 0]))).toEqual([
    ['main', 'primary', true],
    [one, 'replica', true],
    [two, 'replica', true],
  ]);
});

test('one server alone is no list of nodes', async () => {
  const { orm, timing } = await library.timed();
  await orm.em.fork().count(Book);
  expect(timing.report().nodes).toEqual([]);
});

test('replicas without a name are called by host and port', async () => {
  const timed = await library.timed({}, { replicas: servers.replicas.map(({ clientUrl }) => ({ clientUrl })) });
  for (let call = 0; call < 30; call++) {
    await timed.orm.em.fork().find(Book, {});
  }
  const hosts = servers.replicas.map(({ clientUrl }) => `replica ${new URL(clientUrl).host}: select book`);
  expect(asked(timed)).toEqual(hosts.toSorted());
});
