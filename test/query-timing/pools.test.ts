import { setTimeout as sleep } from 'node:timers/promises';
import type { EntityManager } from '@mikro-orm/postgresql';
import { Client, type Pool } from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import { PoolStats } from '../../packages/query-timing/src/pool-stats.ts';
import { Lease } from '../../packages/query-timing/src/lease.ts';
import { startProxy } from '../harness/proxy.ts';
import { Book, kyselyOf, Library, Tag } from './fixtures/library.ts';

let library: Library;
beforeAll(async () => {
  library = await Library.open();
});

test('a pool: how many connections it has, and how many are used and wait', async () => {
  const { orm, timing } = await library.timed({}, { name: 'main', pool: { max: 3 } });
  expect(timing.pools()).toEqual([]);
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const holding = Array.from({ length: 3 }, () => orm.em.fork().transactional(() => released));
  await expect.poll(() => timing.pools()).toMatchObject([{ used: 3, waiting: 0 }]);
  const waiting = Array.from({ length: 2 }, () => orm.em.fork().execute('select 1'));
  await expect.poll(() => timing.pools()).toMatchObject([{ used: 3, waiting: 2 }]);
  await sleep(300);
  release();
  await Promise.all([...holding, ...waiting]);
  expect(timing.pools()).toEqual([
    {
      name: 'main',
      role: 'primary',
      max: 3,
      min: 0,
      used: 0,
      idle: 3,
      waiting: 0,
      waitP50: expect.any(Number),
      waitP95: expect.any(Number),
      waitMax: expect.any(Number),
      useP95: expect.any(Number),
      acquired: 5,
      created: 3,
      timeouts: 0,
      holders: [],
    },
  ]);
  const [{ waitP95, waitMax, useP95 }] = timing.pools() as [ReturnType<typeof timing.pools>[0]];
  expect(waitMax / 1000).toBeGreaterThan(200);
  expect(waitP95 / 1000).toBeGreaterThan(200);
  expect(useP95 / 1000).toBeGreaterThan(290);
  expect(timing.report().pools).toEqual(timing.pools());
});

test('the seconds of the report have the most that were used and waited', async () => {
  const { orm, timing } = await library.timed({}, { pool: { max: 2 } });
  await Promise.all(Array.from({ length: 6 }, () => orm.em.fork().execute('select pg_sleep(0.05)')));
  await sleep(1_000);
  await orm.em.fork().count(Tag);
  const { seconds } = timing.report();
  expect(seconds.reduce((sum, { queries }) => sum + queries, 0)).toBe(7);
  expect(Math.max(...seconds.map(({ used }) => used))).toBe(2);
  expect(Math.max(...seconds.map(({ waiting }) => waiting))).toBe(6);
});

describe('who holds a connection', () => {
  test('the longest first, with its scope, its last statement, and where that was called', async () => {
    const { orm, timing } = await library.timed({ callSites: { sample: 1 } }, { pool: { max: 2 } });
    let letGo = (): void => undefined;
    const wait = new Promise<void>(resolve => (letGo = resolve));
    async function hold(name: string, asks: (em: EntityManager) => Promise<unknown>): Promise<void> {
      await timing.run(name, () =>
        orm.em.fork().transactional(async em => {
          await asks(em as EntityManager);
          await wait;
        }),
      );
    }
    const first = hold('first', em => em.find(Book, {}));
    await expect.poll(() => timing.pools()[0]?.holders).toMatchObject([{ summary: 'select book' }]);
    const second = hold('second', em => em.count(Tag));
    await expect
      .poll(() => timing.pools()[0]?.holders)
      .toMatchObject([
        { scope: 'first', summary: 'select book', site: { file: expect.stringContaining('pools.test.ts') } },
        { scope: 'second', summary: 'select tag', site: { file: expect.stringContaining('pools.test.ts') } },
      ]);
    const [{ holders }] = timing.pools() as [ReturnType<typeof timing.pools>[0]];
    expect(holders[0]!.since).toBeLessThan(holders[1]!.since);
    expect(Math.abs(holders[0]!.since - Date.now())).toBeLessThan(60_000);
    letGo();
    await Promise.all([first, second]);
    expect(timing.pools()).toMatchObject([{ holders: [], used: 0 }]);
  });

  test('a connection that Kysely holds', async () => {
    const { orm, timing } = await library.timed();
    await kyselyOf(orm.em.fork())
      .connection()
      .execute(async connection => {
        await connection.selectFrom('tag').selectAll().execute();
        expect(timing.pools()).toMatchObject([{ used: 1, holders: [{ summary: 'select tag' }] }]);
      });
    expect(timing.pools()).toMatchObject([{ used: 0 }]);
  });

  test('at most ten are shown', async () => {
    const { orm, timing } = await library.timed({}, { pool: { max: 12 } });
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const running = Array.from({ length: 12 }, () => orm.em.fork().transactional(() => released));
    await expect.poll(() => timing.pools()[0]?.used).toBe(12);
    expect(timing.pools()[0]!.holders).toHaveLength(10);
    release();
    await Promise.all(running);
  });
});

describe('on("connect"): each connection that is opened, and how long that took', () => {
  test('once for each, and again after a close', async () => {
    const { orm, timing } = await library.timed({}, { name: 'main', pool: { min: 1, max: 2 } });
    const told: { pool: string; took: number }[] = [];
    timing.on('connect', event => void told.push(event));
    await Promise.all(Array.from({ length: 5 }, () => orm.em.fork().execute('select pg_sleep(0.01)')));
    expect(told).toEqual([
      { pool: 'main', took: expect.any(Number) },
      { pool: 'main', took: expect.any(Number) },
    ]);
    // Of a server that is near: more than nothing, less than the test.
    expect(Math.min(...told.map(({ took }) => took))).toBeGreaterThan(100);
    expect(Math.max(...told.map(({ took }) => took))).toBeLessThan(30_000_000);
    expect(timing.pools()).toMatchObject([{ min: 1, max: 2, created: 2 }]);
    await orm.reconnect();
    await orm.em.fork().count(Tag);
    expect(told).toHaveLength(3);
  });

  test('the time that the server takes for it is in it', async () => {
    await using far = await startProxy(library.url);
    await far.delay(50);
    const { orm, timing } = await Library.of(far.url()).timed();
    const told: number[] = [];
    timing.on('connect', ({ took }) => void told.push(took));
    await orm.em.fork().count(Tag);
    expect(told[0]! / 1000).toBeGreaterThan(100);
    await orm.close(true);
  });

  test('of whatever the user lets pg construct', async () => {
    class Mine extends Client {}
    const { orm, timing } = await library.timed({}, { driverOptions: { Client: Mine.bind(null) } });
    const told: unknown[] = [];
    timing.on('connect', event => void told.push(event));
    const pool = (await orm.em.getConnection().getNativeClient()) as Pool;
    const client = await pool.connect();
    client.release();
    expect(client).toBeInstanceOf(Mine);
    expect(client.constructor.name).toBe('Mine');
    expect(told).toHaveLength(1);
  });

  test('beside the pool events of the user', async () => {
    const pools: unknown[] = [];
    const { orm, timing } = await library.timed(
      {},
      { driverOptions: { onPoolCreated: (pool: unknown) => pools.push(pool) } },
    );
    const told: unknown[] = [];
    timing.on('connect', event => void told.push(event));
    await orm.em.fork().count(Tag);
    expect(pools).toEqual([timing.driver()]);
    expect(told).toHaveLength(1);
  });
});

test('on("connection"): each time that one is given back, how long was waited for it, and how long it was held', async () => {
  const { orm, timing } = await library.timed({}, { name: 'main', pool: { max: 1 } });
  const told: { pool: string; wait: number; use: number }[] = [];
  const stop = timing.on('connection', event => void told.push(event));
  let letGo = (): void => undefined;
  const held = new Promise<void>(resolve => (letGo = resolve));
  const first = orm.em.fork().transactional(async em => {
    await em.execute('select 1');
    await held;
  });
  await expect.poll(() => timing.pools()).toMatchObject([{ used: 1 }]);
  const second = orm.em.fork().transactional(em => em.execute('select pg_sleep(0.1)'));
  await expect.poll(() => timing.pools()).toMatchObject([{ waiting: 1 }]);
  await sleep(60);
  letGo();
  await Promise.all([first, second]);
  stop();
  await orm.em.fork().count(Tag);
  expect(told).toEqual([
    { pool: 'main', wait: expect.any(Number), use: expect.any(Number) },
    { pool: 'main', wait: expect.any(Number), use: expect.any(Number) },
  ]);
  expect(told[0]!.use / 1000).toBeGreaterThan(55);
  expect(told[1]!.wait / 1000).toBeGreaterThan(55);
  expect(told[1]!.use / 1000).toBeGreaterThan(95);
});

test('a reconnect begins a pool anew and goes on counting', async () => {
  const { orm, timing } = await library.timed();
  await orm.em.fork().count(Tag);
  await orm.reconnect();
  await orm.em.fork().count(Tag);
  expect(timing.pools()).toMatchObject([{ acquired: 2, created: 2, used: 0, idle: 1 }]);
});

test('reset() forgets what was counted, not who holds a connection now', async () => {
  const { orm, timing } = await library.timed();
  await orm.em.fork().transactional(async em => {
    await em.count(Tag);
    timing.reset();
    expect(timing.pools()).toMatchObject([{ used: 1, acquired: 0, created: 0, holders: [{ summary: 'select tag' }] }]);
  });
  expect(timing.pools()).toEqual([]);
});

test('driver() is the pool of the driver, from the first connection on', async () => {
  const { orm, timing } = await library.timed();
  expect(timing.driver()).toBeUndefined();
  await orm.em.fork().count(Tag);
  expect(timing.driver()).toBe(
    await (orm.em.getConnection() as unknown as { getNativeClient(): unknown }).getNativeClient(),
  );
});

describe('waits are told of once in a minute', () => {
  /** So many waits of so many ms, by a clock of one's own. */
  function waited(pool: PoolStats, now: number, count: number, ms: number): void {
    const lease = new Lease(pool);
    for (let each = 0; each < count; each++) {
      pool.asked();
      pool.given(lease, now, ms);
      pool.takenBack(lease, now);
    }
  }

  test('the 95th percentile of the last minute, if there were enough', () => {
    const pool = new PoolStats('main', 'primary');
    expect(pool.takeWindow(100_000)).toBeUndefined();
    waited(pool, 100_000, 100, 80);
    expect(pool.takeWindow(159_999)).toBeUndefined();
    const window = pool.takeWindow(160_000);
    expect(window).toMatchObject({ count: 100 });
    expect(Math.abs(window!.p95 / 80_000 - 1)).toBeLessThan(0.05);
    expect(pool.takeWindow(160_001)).toBeUndefined();
    waited(pool, 170_000, 19, 80);
    expect(pool.takeWindow(220_000)).toBeUndefined();
  });

  test('short waits, and a few long ones, are no finding', () => {
    const pool = new PoolStats('main', 'primary');
    waited(pool, 2_000, 99, 1);
    waited(pool, 2_000, 1, 5_000);
    expect(pool.takeWindow(62_000)!.p95).toBeLessThan(2_000);
  });
});
