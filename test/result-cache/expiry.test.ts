import { setTimeout as sleep } from 'node:timers/promises';
import { type MikroORM, defineEntity, p } from '@mikro-orm/postgresql';
import { type EntityCacheOptions, type ResultCache, resultCache } from '@mikrokit/result-cache';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { freshness, jittered, kept } from '../../packages/result-cache/src/expiry.ts';
import type { Policy } from '../../packages/result-cache/src/policy.ts';
import { openDatabase } from '../harness/database.ts';
import { openOrm } from '../harness/orm.ts';
import { startProxy, type Proxy } from '../harness/proxy.ts';
import { recordQueries } from '../harness/recorder.ts';

const City = defineEntity({ name: 'City', properties: { id: p.integer().primary(), name: p.string() } });

async function open(
  options: EntityCacheOptions,
): Promise<{ orm: MikroORM; cache: ResultCache; past: MikroORM; proxy: Proxy }> {
  const { url } = await openDatabase();
  const past = await openOrm({ url, entities: [City] });
  await past.schema.create();
  await past.em.fork().insert(City, { id: 1, name: 'Ulm' });
  const proxy = await startProxy(url);
  const cache = resultCache({ entities: [[City, { jitter: 0, ...options }]] });
  const orm = await openOrm({ url: proxy.url(), entities: [City], extensions: [cache] });
  return { orm, cache, past, proxy };
}

const nameIn = async (orm: MikroORM): Promise<string | undefined> => (await orm.em.fork().findOne(City, 1))?.name;
/** Past the cache, as psql would. */
const renamePast = (past: MikroORM, name: string): Promise<number> =>
  past.em.fork().nativeUpdate(City, { id: 1 }, { name });

describe('ttl', () => {
  test('an entry is served for its TTL, and read anew after it', async () => {
    const { orm, past } = await open({ ttl: 3_000 });
    expect(await nameIn(orm)).toBe('Ulm');
    await renamePast(past, 'Bonn');
    expect(await nameIn(orm)).toBe('Ulm');
    await sleep(3_100);
    expect(await nameIn(orm)).toBe('Bonn');
  });

  test('jitter shortens it at random, up to the share that it is', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (jitter, random) => {
          const ttl = jittered(policy({ ttl: 1_000, jitter }), random);
          expect(ttl).toBeLessThanOrEqual(1_000);
          expect(ttl).toBeGreaterThanOrEqual(1_000 * (1 - jitter) - 1e-9);
        },
      ),
    );
  });
});

describe('staleWhileRevalidate', () => {
  test('an entry over its TTL is served once more, and read anew in the background', async () => {
    const { orm, past, cache } = await open({ ttl: 2_000, staleWhileRevalidate: 60_000 });
    await nameIn(orm);
    await renamePast(past, 'Bonn');
    await sleep(2_100);
    expect(await nameIn(orm)).toBe('Ulm');
    await expect.poll(() => cache.stats().fills).toBe(2);
    using recorder = recordQueries(orm);
    expect(await nameIn(orm)).toBe('Bonn');
    expect(recorder.take()).toEqual([]);
  });

  test('never one that a write of the ORM has changed', async () => {
    const { orm } = await open({ ttl: 100, staleWhileRevalidate: 60_000 });
    await nameIn(orm);
    await sleep(150);
    await orm.em.fork().nativeUpdate(City, { id: 1 }, { name: 'Kiel' });
    expect(await nameIn(orm)).toBe('Kiel');
  });
});

describe('earlyRefresh', () => {
  test('reads anew before the TTL is over, the more likely the nearer and the dearer (XFetch)', () => {
    const early = policy({ ttl: 1_000, earlyRefresh: 1 });
    const age = { createdAt: 0, freshFor: 1_000, cost: 100 };
    const share = (left: number): number => {
      let refreshed = 0;
      for (let index = 0; index < 20_000; index += 1) {
        refreshed += freshness(age, early, 1_000 - left, 1 - Math.random()) === 'refresh early' ? 1 : 0;
      }
      return refreshed / 20_000;
    };
    // P(refresh with t left) = e^(−t / βΔ)
    for (const left of [10, 100, 200, 400]) {
      expect(Math.abs(share(left) - Math.exp(-left / 100))).toBeLessThan(0.02);
    }
  });

  test('is off by default', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-12, max: 1, noNaN: true }), random => {
        expect(freshness({ createdAt: 0, freshFor: 1_000, cost: 500 }, policy({ ttl: 1_000 }), 999, random)).toBe(
          'fresh',
        );
      }),
    );
  });
});

describe('failSafe', () => {
  test('an entry over its TTL stands in for a database that does not answer', async () => {
    const { orm, proxy } = await open({ ttl: 100, failSafe: 60_000 });
    await nameIn(orm);
    await sleep(150);
    await proxy.refuse();
    expect(await nameIn(orm)).toBe('Ulm');
    await proxy.pass();
    expect(await nameIn(orm)).toBe('Ulm');
  });

  test('never one that a write has changed: the error is what there is', async () => {
    const { orm, proxy } = await open({ ttl: 100, failSafe: 60_000 });
    await nameIn(orm);
    await orm.em.fork().nativeUpdate(City, { id: 1 }, { name: 'Kiel' });
    await sleep(150);
    await proxy.refuse();
    await expect(nameIn(orm)).rejects.toThrow();
  });

  test('without it the error is told', async () => {
    const { orm, proxy } = await open({ ttl: 100 });
    await nameIn(orm);
    await sleep(150);
    await proxy.refuse();
    await expect(nameIn(orm)).rejects.toThrow();
  });
});

test('a store keeps an entry for as long as anything of it may be served', () => {
  expect(kept(policy({ ttl: 1_000 }))).toBe(1_000);
  expect(kept(policy({ ttl: 1_000, staleWhileRevalidate: 500, failSafe: 2_000 }))).toBe(3_000);
});

function policy(options: Partial<Policy>): Policy {
  return {
    ttl: 1_000,
    jitter: 0,
    staleWhileRevalidate: 0,
    earlyRefresh: 0,
    failSafe: 0,
    inTransaction: 'bypass',
    maxEntryBytes: 1_000_000,
    scope: undefined,
    name: undefined,
    ...options,
  };
}
