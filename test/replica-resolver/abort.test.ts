import { setTimeout as sleep } from 'node:timers/promises';
import { type EntityManager, raw } from '@mikro-orm/postgresql';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { PgNode } from '../harness/pg-node.ts';
import { openReplicated, type Replicated, type ReplicatedOrm } from './fixtures/open-replicated.ts';
import { Book, entities, fill } from './fixtures/shelf.ts';

/*
 * An aborted read is aborted where it runs: PostgreSQL knows a statement by the id of a process, and the same id is another
 * process on another server.
 */

const strategies = ['ignore query', 'cancel query', 'kill session'] as const;
type Strategy = (typeof strategies)[number];

let servers: Replicated;
let replicated: ReplicatedOrm;
beforeAll(async () => {
  servers = await openReplicated();
  replicated = await servers.open({ entities, driverOptions: { application_name: 'abort' } });
  await replicated.orm.schema.create();
  await fill(replicated.orm.em.fork());
  await servers.cluster.caughtUp();
});
afterEach(async () => {
  // Those that are left would sleep for long.
  await Promise.all(
    servers.nodes.map(node => node.query(`select pg_cancel_backend(pid) from pg_stat_activity where ${SLEEPS}`)),
  );
  await until(async () => (await running()).length === 0);
});

const SLEEPS = `state = 'active' and query like '%pg_sleep(30)%' and pid <> pg_backend_pid()`;

interface Running {
  readonly node: string;
  readonly pid: number;
}

/** Who sleeps where, of the tests' own statements. */
async function running(): Promise<Running[]> {
  const on = async (node: PgNode): Promise<Running[]> => {
    const rows = await node.query<{ pid: number }>(`select pid from pg_stat_activity where ${SLEEPS}`);
    return rows.map(({ pid }) => ({ node: node.name, pid }));
  };
  return (await Promise.all(servers.nodes.map(on))).flat();
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await holds())) {
    if (performance.now() > deadline) {
      throw new Error(`Still running: ${JSON.stringify(await running())}.`);
    }
    await sleep(20);
  }
}

function reads(
  em: EntityManager,
  connectionType: 'read' | 'write',
  signal: AbortSignal,
  inflightQueryAbortStrategy: Strategy,
): Promise<unknown> {
  return em.find(
    Book,
    { [raw('(select 1 from pg_sleep(30))')]: 1 },
    { connectionType, signal, inflightQueryAbortStrategy },
  );
}

describe.each(strategies)("'%s'", strategy => {
  test.each(['read', 'write'] as const)('of connectionType %s', async connectionType => {
    const { orm } = replicated;
    const abort = new AbortController();
    const read = aborted(abort.signal, strategy, connectionType);
    await until(async () => (await running()).length === 1);
    const [before] = await running();
    expect(before!.node).toMatch(connectionType === 'read' ? /^replica/ : /^primary/);
    const began = performance.now();
    abort.abort();
    await expect(read).rejects.toThrow();
    expect(performance.now() - began).toBeLessThan(10_000);
    if (strategy === 'ignore query') {
      expect(await running()).toEqual([before]);
    } else {
      await until(async () => (await running()).length === 0);
      expect(performance.now() - began).toBeLessThan(10_000);
    }
    expect(await orm.em.fork().count(Book)).toBe(3);
  });

  /** A statement that sleeps. */
  function aborted(signal: AbortSignal, how: Strategy, connectionType: 'read' | 'write'): Promise<unknown> {
    return reads(replicated.orm.em.fork() as EntityManager, connectionType, signal, how);
  }

  test('of two at once on two replicas, one aborted: the other goes on', async () => {
    const abort = new AbortController();
    const never = new AbortController();
    const first = aborted(abort.signal, strategy, 'read');
    first.catch(() => undefined);
    await until(async () => (await running()).length === 1);
    const [mine] = await running();
    const second = aborted(never.signal, strategy, 'read');
    second.catch(() => undefined);
    await until(async () => (await running()).length === 2);
    const theirs = (await running()).find(({ node, pid }) => node !== mine!.node || pid !== mine!.pid);
    abort.abort();
    await expect(first).rejects.toThrow();
    if (strategy !== 'ignore query') {
      await until(async () => (await running()).length === 1);
    }
    expect(await running()).toContainEqual(theirs);
    never.abort();
    await expect(second).rejects.toThrow();
  });

  test('is no fault of the server: it goes on answering, and nobody tries again', async () => {
    const told: unknown[] = [];
    const offs = (['read.retried', 'node.state'] as const).map(name =>
      replicated.resolver.on(name, event => void told.push(event)),
    );
    const abort = new AbortController();
    const read = aborted(abort.signal, strategy, 'read');
    await until(async () => (await running()).length === 1);
    abort.abort();
    await expect(read).rejects.toThrow();
    await sleep(300);
    offs.forEach(off => off());
    expect(told).toEqual([]);
  });
});

test('a signal that was aborted before: nothing is sent', async () => {
  const { asked } = await replicated.watch(async () => {
    await expect(replicated.orm.em.fork().find(Book, {}, { signal: AbortSignal.abort() })).rejects.toThrow();
  });
  expect(asked).toEqual({});
});

test('query_timeout: what comes late is never the answer to another statement (T4)', async () => {
  const { orm } = await servers.open({
    entities,
    driverOptions: { query_timeout: 1_500, max: 1, application_name: 'late' },
  });
  const em = orm.em.fork();
  // Behind those that are late, a prompt one would be late itself.
  for (let round = 0; round < 2; round++) {
    await expect(em.execute('select 1 as late, pg_sleep(5)', [], { connectionType: 'read' })).rejects.toThrow(
      'Query read timeout',
    );
    await expect(em.execute('select 1 as late, pg_sleep(5)')).rejects.toThrow('Query read timeout');
    expect(await em.execute('select 2 as prompt', [], { connectionType: 'read' })).toEqual([{ prompt: 2 }]);
    expect(await em.execute('select 3 as prompt')).toEqual([{ prompt: 3 }]);
  }
});
