import { type EntityManager, raw } from '@mikro-orm/postgresql';
import { beforeAll, describe, expect, test } from 'vitest';
import { startProxy } from '../harness/proxy.ts';
import { openReplicated, type Replicated, type ReplicatedOrm } from './fixtures/open-replicated.ts';
import { Author, Book, entities, fill, gist } from './fixtures/shelf.ts';

/* A stream keeps its connection until its last row. Until its first row it may begin again elsewhere, later it may not. */

/** Ten times what a cursor fetches at once; the log has a line for each. */
const MANY = 1_000;

let servers: Replicated;
let replicated: ReplicatedOrm;
beforeAll(async () => {
  servers = await openReplicated();
  replicated = await servers.open({ entities });
  await replicated.orm.schema.create();
  const em = replicated.orm.em.fork();
  await fill(em);
  await em.execute(`insert into author (id, name) select n, 'author ' || n from generate_series(3, ${MANY}) n`);
  await servers.cluster.caughtUp();
});

const fork = ({ orm }: ReplicatedOrm = replicated): EntityManager => orm.em.fork() as EntityManager;
const inOrder = { orderBy: { id: 'asc' } } as const;

async function idsOf(rows: AsyncIterable<{ id: number }>): Promise<number[]> {
  const ids: number[] = [];
  for await (const { id } of rows) {
    ids.push(id);
  }
  return ids;
}
const all = Array.from({ length: MANY }, (_, index) => index + 1);

/** Connections of the pools that are in use. */
const inFlight = ({ resolver }: ReplicatedOrm): number =>
  resolver.snapshot().nodes.reduce((sum, node) => sum + node.inFlight, 0);

test('em.stream() gives every row once, from one replica', async () => {
  const { result, asked, routes } = await replicated.watch(() => idsOf(fork().stream(Author, inOrder)));
  expect(result).toEqual(all);
  expect(asked.primary).toBeUndefined();
  expect(new Set(asked.replica?.map(gist))).toEqual(new Set(['select author']));
  expect(routes).toEqual(['replica replica']);
  expect(inFlight(replicated)).toBe(0);
});

test('of no rows', async () => {
  expect(await idsOf(fork().stream(Author, { where: { id: 0 } }))).toEqual([]);
  expect(inFlight(replicated)).toBe(0);
});

test('that is left early gives its connection back', async () => {
  for await (const author of fork().stream(Author, inOrder)) {
    expect(author.id).toBe(1);
    expect(inFlight(replicated)).toBe(1);
    break;
  }
  expect(inFlight(replicated)).toBe(0);
});

test('whose reader throws gives its connection back', async () => {
  const reading = (async () => {
    for await (const author of fork().stream(Author, inOrder)) {
      throw new Error(`enough of ${author.name}`);
    }
  })();
  await expect(reading).rejects.toThrow('enough of Ann');
  expect(inFlight(replicated)).toBe(0);
});

test('many at once', async () => {
  const streams = await Promise.all(Array.from({ length: 8 }, () => idsOf(fork().stream(Author, inOrder))));
  for (const ids of streams) {
    expect(ids).toEqual(all);
  }
  expect(inFlight(replicated)).toBe(0);
});

test('an error of the statement is told once, and nobody tries again', async () => {
  const told: unknown[] = [];
  const off = replicated.resolver.on('read.retried', event => void told.push(event));
  await expect(idsOf(fork().stream(Author, { where: { [raw('1 / (id - id)')]: 1 } }))).rejects.toThrow(
    'division by zero',
  );
  off();
  expect(told).toEqual([]);
  expect(inFlight(replicated)).toBe(0);
});

describe('transactions', () => {
  test('in a transaction: on its connection', async () => {
    const { result, asked, routes } = await replicated.watch(() =>
      fork().transactional(em => idsOf(em.stream(Author, inOrder))),
    );
    expect(result).toEqual(all);
    expect(asked.replica).toBeUndefined();
    expect(new Set(asked.primary?.map(gist))).toEqual(new Set(['begin', 'select author', 'commit']));
    expect(routes).toEqual(['primary primary']);
  });

  test('in a read-only one: on its replica', async () => {
    const { result, asked, routes } = await replicated.watch(() =>
      fork().transactional(em => idsOf(em.stream(Author, inOrder)), { readOnly: true }),
    );
    expect(result).toEqual(all);
    expect(asked.primary).toBeUndefined();
    expect(new Set(asked.replica?.map(gist))).toEqual(new Set(['start transaction', 'select author', 'commit']));
    expect(routes).toEqual(['replica replica']);
  });
});

test('shows what the session has written, though the replicas do not', async () => {
  await servers.pause();
  try {
    const { result, routes } = await replicated.watch(async () => {
      await fork().insert(Book, { id: 9, title: 'New', version: 1, author: 1 });
      return await idsOf(fork().stream(Book, inOrder));
    });
    expect(result).toEqual([1, 2, 3, 9]);
    expect(routes).toEqual(['primary primary', 'primary primary-not-caught-up']);
  } finally {
    await servers.resume();
  }
});

describe('a replica that goes away', () => {
  test('before the first row: the stream begins again elsewhere', async () => {
    await using proxy = await startProxy(servers.replicas[0]!.clientUrl);
    const through = await servers.open({ entities, replicas: [{ name: 'proxied', clientUrl: proxy.url() }] });
    const retried: unknown[] = [];
    through.resolver.on('read.retried', ({ from }) => void retried.push(from));
    for (const at of ['request', 'answer'] as const) {
      await fork(through).count(Author);
      proxy.cut('from "author"', at);
      expect(await idsOf(fork(through).stream(Author, inOrder))).toEqual(all);
    }
    expect(retried).toContain('proxied');
    expect(inFlight(through)).toBe(0);
  });

  test('after the first row: the reader is told, and gets no row twice', async () => {
    await using proxy = await startProxy(servers.replicas[0]!.clientUrl);
    const through = await servers.open({ entities, replicas: [{ name: 'proxied', clientUrl: proxy.url() }] });
    const ids: number[] = [];
    const reading = (async () => {
      for await (const { id } of fork(through).stream(Author, inOrder)) {
        ids.push(id);
        if (id === 1) {
          await proxy.refuse();
        }
      }
    })();
    await expect(reading).rejects.toThrow(/terminated unexpectedly|ECONNRESET/);
    expect(ids).toEqual(all.slice(0, ids.length));
    expect(ids.length).toBeLessThan(MANY);
    expect(inFlight(through)).toBe(0);
  });
});
