import { setTimeout as sleep } from 'node:timers/promises';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { Candidate } from '@mikrokit/replica-resolver';
import type { Pool } from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import type { PgNode } from '../harness/pg-node.ts';
import { startProxy } from '../harness/proxy.ts';
import { holdLock, LOCK } from './fixtures/hold-lock.ts';
import {
  openReplicated,
  type Replicated,
  type ReplicatedOptions,
  type ReplicatedOrm,
} from './fixtures/open-replicated.ts';
import { entities } from './fixtures/shelf.ts';

/* How many connections there are, for how long, and that none is left. The servers are asked, not the pools. */

let servers: Replicated;
let replica: { name: string; clientUrl: string };
let node: PgNode;
beforeAll(async () => {
  servers = await openReplicated();
  const { orm } = await servers.open({ entities });
  await orm.schema.create();
  await servers.cluster.caughtUp();
  replica = servers.replicas[0]!;
  node = servers.cluster.replicas[0]!;
});

let opened = 0;
/** Each ORM of this file can be told from the others by the name of its connections. */
async function open(
  options: Omit<ReplicatedOptions, 'entities'> & { driverOptions?: object } = {},
): Promise<ReplicatedOrm & { name: string }> {
  const name = `pools ${++opened}`;
  const replicated = await servers.open({
    entities,
    replicas: [replica],
    ...options,
    driverOptions: { application_name: name, ...options.driverOptions },
  });
  return { ...replicated, name };
}

interface Connection {
  readonly pid: number;
  readonly state: string;
}

/** The connections of one ORM to a server, without the one that the resolver looks at it with. */
async function connections(name: string, to: PgNode = node): Promise<Connection[]> {
  return (await everyConnection(name, to)).filter(({ query }) => !query.includes('pg_is_in_recovery() as'));
}
function everyConnection(name: string, to: PgNode): Promise<(Connection & { query: string })[]> {
  return to.query('select pid, state, query from pg_stat_activity where application_name = $1', [name]);
}

async function until(holds: () => Promise<boolean> | boolean, within = 5_000): Promise<void> {
  const deadline = performance.now() + within;
  while (!(await holds())) {
    expect(performance.now(), `it took longer than ${within} ms`).toBeLessThan(deadline);
    await sleep(20);
  }
}

const fork = ({ orm }: ReplicatedOrm): EntityManager => orm.em.fork() as EntityManager;
const sleepOn = (replicated: ReplicatedOrm, connectionType: 'read' | 'write', seconds: number): Promise<unknown> =>
  fork(replicated).execute(`select pg_sleep(${seconds})`, [], { connectionType });
const waitForLock = (replicated: ReplicatedOrm): Promise<unknown> =>
  fork(replicated).execute(`select ${LOCK}`, [], { connectionType: 'read' });
const whoReads = async (replicated: ReplicatedOrm): Promise<string> => {
  const [row] = await fork(replicated).execute<{ port: number }[]>('select inet_server_port() as port', [], {
    connectionType: 'read',
  });
  return servers.nodes.find(({ port }) => port === row!.port)!.name;
};

describe('max', () => {
  const most = async (replicated: ReplicatedOrm & { name: string }, to: 'read' | 'write'): Promise<number> => {
    const sleeping = Promise.all(Array.from({ length: 12 }, () => sleepOn(replicated, to, 0.15)));
    let seen = 0;
    const look = async (): Promise<void> => {
      const there = await connections(replicated.name, to === 'read' ? node : servers.cluster.primary);
      seen = Math.max(seen, there.length);
    };
    let done = false;
    void sleeping.finally(() => (done = true)).catch(() => undefined);
    while (!done) {
      await look();
    }
    await sleeping;
    // They stay for a while: nobody may have looked when they were at their most.
    await look();
    return seen;
  };
  const pool = { max: 3, acquireTimeoutMillis: 10_000 };

  test.each<[string, Omit<ReplicatedOptions, 'entities'> & { driverOptions?: object }]>([
    ["the resolver's pool", { resolver: { pool } }],
    ["the resolver's nodes, by name", { resolver: { nodes: { 'replica-1': { pool } }, pool: { max: 7 } } }],
    ["MikroORM's pool", { pool: { max: 3 }, resolver: { pool: { acquireTimeoutMillis: 10_000 } } }],
    ['driverOptions', { driverOptions: { max: 3 }, resolver: { pool: { acquireTimeoutMillis: 10_000 } } }],
  ])('of %s is how many connections a replica gets', async (_name, options) => {
    expect(await most(await open(options), 'read')).toBe(3);
  });

  test("of a replica's own pool, which MikroORM passes over", async () => {
    const replicated = await open({
      pool: { max: 7 },
      replicas: [{ ...replica, pool: { max: 3 } }],
      resolver: { pool: { acquireTimeoutMillis: 10_000 } },
    });
    expect(await most(replicated, 'read')).toBe(3);
    expect(await most(replicated, 'write')).toBe(7);
  });

  test("of the resolver's primaryPool is the primary's", async () => {
    expect(await most(await open({ resolver: { primaryPool: { max: 2 } } }), 'write')).toBe(2);
  });
});

describe('acquireTimeoutMillis', () => {
  test('when a replica has no connection left in time, another one answers', async () => {
    const replicated = await open({
      replicas: servers.replicas.map(each => ({ ...each })),
      resolver: {
        pool: { max: 1, acquireTimeoutMillis: 100 },
        slowStart: 0,
        latencyWindow: 60_000,
        strategy: (candidates: readonly Candidate[]) => candidates.find(({ name }) => name === 'replica-1'),
      },
    });
    const giveBack = await holdLock(node, servers.database);
    const waiting = waitForLock(replicated);
    await until(async () => (await connections(replicated.name)).length === 1);
    const began = performance.now();
    expect(await whoReads(replicated)).toBe('replica-2');
    expect(performance.now() - began).toBeGreaterThanOrEqual(95);
    await giveBack();
    await waiting;
    expect(await whoReads(replicated)).toBe('replica-1');
    expect(replicated.resolver.snapshot().nodes.every(({ state }) => state !== 'down')).toBe(true);
  });
});

describe('connectionTimeoutMillis', () => {
  test('a replica that does not answer a connect is passed over after so long', async () => {
    await using proxy = await startProxy(replica.clientUrl);
    const replicated = await open({
      replicas: [{ name: 'proxied', clientUrl: proxy.url() }],
      resolver: { pool: { connectionTimeoutMillis: 200 }, heartbeat: 60_000, probeTimeout: 30_000 },
    });
    await proxy.blackHole();
    const began = performance.now();
    expect(await whoReads(replicated)).toBe('primary');
    expect(performance.now() - began).toBeGreaterThanOrEqual(195);
    expect(performance.now() - began).toBeLessThan(1_500);
  });
});

describe('lifetimes', () => {
  test('idleTimeoutMillis: a connection that nobody uses is closed', async () => {
    const replicated = await open({ resolver: { pool: { idleTimeoutMillis: 3_000 } } });
    await whoReads(replicated);
    expect(await connections(replicated.name)).toHaveLength(1);
    await until(async () => (await connections(replicated.name)).length === 0, 15_000);
    expect(await whoReads(replicated)).toBe('replica-1');
  });

  test('maxLifetimeSeconds: connections are closed after so long, and not all at once', async () => {
    const ends: number[] = [];
    const replicated = await open({
      resolver: { pool: { maxLifetimeSeconds: 5, max: 20 } },
      driverOptions: {
        onPoolCreated: (pool: Pool) => pool.on('remove', () => void ends.push(performance.now())),
      },
    });
    await Promise.all(Array.from({ length: 20 }, () => sleepOn(replicated, 'read', 0.2)));
    expect(await connections(replicated.name)).toHaveLength(20);
    await until(async () => (await connections(replicated.name)).length === 0, 15_000);
    expect(ends).toHaveLength(20);
    // Between 4.5 and 5.5 s. To open them takes a moment, too, which alone is not enough.
    expect(ends.at(-1)! - ends[0]!).toBeGreaterThan(200);
  });

  test('min: as many are open before the first read', async () => {
    const replicated = await open({ resolver: { pool: { min: 2 } } });
    await until(async () => (await connections(replicated.name)).length === 2);
    await sleep(1_500);
    expect(await connections(replicated.name)).toHaveLength(2);
    expect(replicated.resolver.snapshot().nodes[1]?.pool).toEqual({ total: 2, idle: 2, waiting: 0, max: 10 });
    expect(await whoReads(replicated)).toBe('replica-1');
    expect(await connections(replicated.name)).toHaveLength(2);
  });
});

test('snapshot() and getNativeClient() count what is there', async () => {
  const replicated = await open({ resolver: { pool: { max: 2, acquireTimeoutMillis: 10_000 } } });
  const giveBack = await holdLock(node, servers.database);
  const waiting = Promise.all(Array.from({ length: 3 }, () => waitForLock(replicated)));
  await until(async () => (await connections(replicated.name)).length === 2);
  const { pool, inFlight } = replicated.resolver.snapshot().nodes[1]!;
  expect({ pool, inFlight }).toEqual({ pool: { total: 2, idle: 0, waiting: 1, max: 2 }, inFlight: 2 });
  const native = async (type: 'read' | 'write'): Promise<object> => {
    const connection = replicated.orm.em.getConnection(type) as unknown as { getNativeClient(): Promise<Pool> };
    const { totalCount, idleCount, waitingCount } = await connection.getNativeClient();
    return { totalCount, idleCount, waitingCount };
  };
  expect(await native('read')).toEqual({ totalCount: 2, idleCount: 0, waitingCount: 1 });
  expect(await native('write')).toEqual({ totalCount: 0, idleCount: 0, waitingCount: 0 });
  await giveBack();
  await waiting;
  expect(await native('read')).toEqual({ totalCount: 2, idleCount: 2, waitingCount: 0 });
  await sleepOn(replicated, 'write', 0);
  expect(await native('write')).toEqual({ totalCount: 1, idleCount: 1, waitingCount: 0 });
});

test('a pool of pg taken from getNativeClient() gives connections to the right server', async () => {
  const replicated = await open();
  const native = async (type: 'read' | 'write'): Promise<Pool> =>
    await (replicated.orm.em.getConnection(type) as unknown as { getNativeClient(): Promise<Pool> }).getNativeClient();
  for (const [type, expected] of [
    ['read', node.port],
    ['write', servers.cluster.primary.port],
  ] as const) {
    const client = await (await native(type)).connect();
    const { rows } = await client.query<{ port: number }>('select inet_server_port() as port');
    client.release();
    expect(rows).toEqual([{ port: expected }]);
  }
});

describe('after orm.close()', () => {
  test.each([false, true])('(force: %s) no connection is left on any server', async force => {
    const replicated = await open({ replicas: servers.replicas.map(each => ({ ...each })) });
    await Promise.all([
      ...Array.from({ length: 8 }, () => sleepOn(replicated, 'read', 0.1)),
      ...Array.from({ length: 3 }, () => sleepOn(replicated, 'write', 0.1)),
    ]);
    for (const each of servers.nodes) {
      expect((await everyConnection(replicated.name, each)).length).toBeGreaterThan(0);
    }
    await replicated.orm.close(force);
    for (const each of servers.nodes) {
      await until(async () => (await everyConnection(replicated.name, each)).length === 0, 2_000);
    }
  });

  test('what is under way is waited for', async () => {
    const replicated = await open();
    const sleeping = sleepOn(replicated, 'read', 0.5);
    await until(async () => (await connections(replicated.name)).length === 1);
    await replicated.orm.close();
    await sleeping;
    await until(async () => (await everyConnection(replicated.name, node)).length === 0, 2_000);
  });
});
