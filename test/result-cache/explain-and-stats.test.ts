import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { defineEntity, type EntityManager, LockMode, p, raw } from '@mikro-orm/postgresql';
import { type CacheEvent, memoryStore, resultCache, type ResultCache } from '@mikrokit/result-cache';
import { beforeEach, describe, expect, test } from 'vitest';
import { openOrm } from '../harness/orm.ts';
import { recordQueries } from '../harness/recorder.ts';
import type { MikroORM } from '@mikro-orm/postgresql';

const Country = defineEntity({
  name: 'Country',
  properties: { code: p.string().primary(), name: p.string(), region: p.string() },
});
/** Cached whenever it is read. */
const Visit = defineEntity({
  name: 'Visit',
  resultCache: { ttl: 5_000, partitionBy: ['country'] },
  properties: { id: p.integer().primary(), country: () => p.manyToOne(Country).ref(), stars: p.integer() },
});
/** Not a table: what it is comes from a statement of its own. */
const Summary = defineEntity({
  name: 'Summary',
  expression: 'select region, count(*)::int as countries from country group by region',
  properties: { region: p.string(), countries: p.integer() },
});

let cache: ResultCache;
let orm: MikroORM;
let em: EntityManager;
beforeEach(async () => {
  cache = resultCache({ ttl: 60_000, jitter: 0 });
  orm = await openOrm({ entities: [Country, Visit, Summary], extensions: [cache] });
  em = orm.em.fork() as EntityManager;
  await em.insertMany(Country, [
    { code: 'NO', name: 'Norway', region: 'Europe' },
    { code: 'PE', name: 'Peru', region: 'America' },
  ]);
  await em.insert(Visit, { id: 1, country: 'NO', stars: 5 });
});

describe('explain()', () => {
  test('what a find would be answered by, before and after it', async () => {
    const explain = () => cache.explain(orm.em.fork(), Country, { region: 'Europe' }, { cache: true });
    const explained = {
      cacheable: true,
      reason: undefined,
      sql: 'select "c0".* from "country" as "c0" where "c0"."region" = ?',
      key: expect.stringMatching(/^Country:[\w-]{24}$/) as string,
      tags: ['public.country'],
      ttl: 60_000,
    };
    const nothing = { present: false, absence: 'absent', age: undefined, bytes: undefined };
    expect(await explain()).toEqual({ ...explained, ...nothing });
    await em.find(Country, { region: 'Europe' }, { cache: true });
    expect(await explain()).toEqual({
      ...explained,
      present: true,
      absence: undefined,
      age: expect.any(Number) as number,
      bytes: expect.any(Number) as number,
    });
  });

  test('it sends nothing, and fills nothing', async () => {
    await em.count(Country, {}, { cache: true });
    const before = cache.stats();
    using recorder = recordQueries(orm);
    await cache.explain(orm.em.fork(), Country, { region: 'Europe' }, { cache: true });
    await cache.explain(orm.em.fork(), Country, { region: 'Europe' });
    expect(recorder.sql).toEqual([]);
    expect(cache.stats()).toEqual(before);
  });

  test('it flushes nothing', async () => {
    const dirty = await em.findOneOrFail(Country, 'NO');
    dirty.name = 'Norge';
    using recorder = recordQueries(orm);
    await cache.explain(em, Country, { name: 'Norge' }, { cache: true });
    expect(recorder.sql).toEqual([]);
  });

  test.each([
    ['by primary key', Country, { code: 'NO' }, ['public.country?code=NO', 'public.country?code=*']],
    [
      'by two primary keys',
      Country,
      { code: ['NO', 'PE'] },
      ['public.country?code=NO', 'public.country?code=PE', 'public.country?code=*'],
    ],
    ['by partition', Visit, { country: 'NO' }, ['public.visit?country_code=NO', 'public.visit?country_code=*']],
    ['by a relation', Visit, { country: { name: 'Norway' } }, ['public.visit', 'public.country']],
    ['by either', Country, { $or: [{ code: 'NO' }, { name: 'Peru' }] }, ['public.country']],
  ])('tags of a read %s', async (_what, entity, where, tags) => {
    expect((await cache.explain(em, entity, where, { cache: true })).tags.toSorted()).toEqual(tags.toSorted());
  });

  test('the name that a call gives is a tag', async () => {
    const { tags, ttl } = await cache.explain(em, Country, {}, { cache: ['countries', 500] });
    expect([tags, ttl]).toEqual([['public.country', '#countries'], 500]);
  });

  test('the TTL: that of the call, of the entity, of the options', async () => {
    const ttlOf = async (...args: [unknown, object?]) => (await cache.explain(em, args[0], {}, args[1])).ttl;
    expect([await ttlOf(Visit, { cache: 70 }), await ttlOf(Visit), await ttlOf(Country, { cache: true })]).toEqual([
      70, 5_000, 60_000,
    ]);
  });

  test.each([
    ['no setting', Country, {}, 'not cached: no cache option, no resultCache of the entity'],
    ['cache: false', Visit, { cache: false }, 'not cached: no cache option, no resultCache of the entity'],
    ['a virtual entity', Summary, { cache: true }, 'a virtual entity'],
  ])('why not: %s', async (_what, entity, options, reason) => {
    expect(await cache.explain(em, entity, {}, options)).toMatchObject({ cacheable: false, reason, present: false });
  });

  test('why not: a lock, a transaction', async () => {
    const reasons = await em.transactional(async inner => [
      (await cache.explain(inner, Country, {}, { cache: true, lockMode: LockMode.PESSIMISTIC_WRITE })).reason,
      (await cache.explain(inner, Country, {}, { cache: true })).reason,
    ]);
    expect(reasons).toEqual(['it locks rows', 'in a transaction']);
  });

  test.each([
    ['the clock', { [raw('now()')]: { $gt: '2020-01-01' } }, /now/],
    ['chance', { [raw('random()')]: { $gt: 2 } }, /random/],
    ['a function of your own', { [raw('my_own(name)')]: 1 }, /my_own/],
  ])('why not: %s', async (_what, where, reason) => {
    expect(await cache.explain(em, Country, where, { cache: true })).toMatchObject({
      cacheable: false,
      reason: expect.stringMatching(reason) as string,
      sql: expect.stringContaining('select') as string,
    });
  });

  test('why there is no entry: never made, ended by a write, too old', async () => {
    const absence = async (ttl: number) =>
      (await cache.explain(orm.em.fork(), Country, { code: 'NO' }, { cache: ttl })).absence;
    expect(await absence(30_000)).toBe('absent');
    await orm.em.fork().find(Country, { code: 'NO' }, { cache: 30_000 });
    expect(await absence(30_000)).toBe(undefined);
    await em.nativeUpdate(Country, 'NO', { name: 'Norge' });
    expect(await absence(30_000)).toBe('invalidated');
    await orm.em.fork().find(Country, { code: 'NO' }, { cache: 5 });
    await new Promise(resolve => setTimeout(resolve, 20));
    expect(await absence(5)).toMatch(/^(expired|absent)$/);
  });

  test('why there is no entry: a commit is under way', async () => {
    const store = memoryStore();
    let closing: (() => void) | undefined;
    const close = store.close.bind(store);
    const held = new Promise<void>(resolve => (closing = resolve));
    store.close = async (...args) => (await held, await close(...args));
    const slow = resultCache({ store });
    const other = await openOrm({ entities: [Country, Visit, Summary], extensions: [slow] });
    closing!();
    await other.em.fork().insert(Country, { code: 'NO', name: 'Norway', region: 'Europe' });
    await other.em.fork().find(Country, { code: 'NO' }, { cache: true });
    let end: (() => void) | undefined;
    const until = new Promise<void>(resolve => (end = resolve));
    store.close = async (...args) => (await until, await close(...args));
    const writing = other.em.fork().nativeUpdate(Country, 'NO', { name: 'Norge' });
    await expect
      .poll(async () => (await slow.explain(other.em.fork(), Country, { code: 'NO' }, { cache: true })).absence)
      .toBe('pending');
    end!();
    await writing;
    expect((await slow.explain(other.em.fork(), Country, { code: 'NO' }, { cache: true })).absence).toBe('invalidated');
  });
});

describe('stats()', () => {
  const read = () => orm.em.fork().find(Country, {}, { cache: true });

  test('of nothing', () => {
    const { hits, misses, fills, hitRate, bytes, entries, latencies } = resultCache().stats();
    expect({ hits, misses, fills, hitRate, bytes, entries, latencies }).toEqual({
      hits: 0,
      misses: 0,
      fills: 0,
      hitRate: 0,
      bytes: 0,
      entries: 0,
      latencies: { hit: 0, fill: 0, invalidation: 0 },
    });
  });

  test('hits, misses by reason, fills, bypasses by reason, invalidations', async () => {
    const before = cache.stats();
    await read();
    await read();
    await read();
    await em.nativeUpdate(Country, 'NO', { name: 'Norge' });
    await read();
    await em.transactional(inner => inner.find(Country, {}, { cache: true }));
    await expect.poll(() => cache.stats().fills).toBe(2);
    const after = cache.stats();
    expect(after).toMatchObject({
      hits: 2,
      localHits: 0,
      staleHits: 0,
      misses: 2,
      missReasons: { absent: 1, invalidated: 1 },
      fills: 2,
      bypasses: 1,
      bypassReasons: { 'in a transaction': 1 },
      storeErrors: 0,
      hitRate: 0.5,
      entries: 1,
    });
    expect(after.invalidations - before.invalidations).toBe(1);
    expect(after.bytes).toBeGreaterThan(0);
    expect(Object.values(after.latencies).every(ms => ms > 0 && ms < 5_000)).toBe(true);
  });

  test('reads that are not to be cached are none', async () => {
    await em.find(Country, {});
    expect(cache.stats()).toMatchObject({ hits: 0, misses: 0, bypasses: 0 });
  });
});

describe('events on mikrokit:cache', () => {
  test('what happened, without rows and values', async () => {
    const events: CacheEvent[] = [];
    const listener = (event: unknown): void => void events.push(event as CacheEvent);
    subscribe('mikrokit:cache', listener);
    try {
      await orm.em.fork().findOne(Country, { code: 'NO', name: 'Norway' }, { cache: true });
      await expect.poll(() => events.at(-1)?.kind).toBe('fill');
      await orm.em.fork().findOne(Country, { code: 'NO', name: 'Norway' }, { cache: true });
      await em.nativeUpdate(Country, 'NO', { name: 'Norge' });
      await em.execute('do $$ begin end $$');
      await em.transactional(inner => inner.findOne(Country, 'PE', { cache: true }));
      await cache.clear();
    } finally {
      unsubscribe('mikrokit:cache', listener);
    }
    const about = events.map(event =>
      Object.fromEntries(
        Object.entries(event).filter(([name]) => !['took', 'cost', 'age', 'bytes', 'key'].includes(name)),
      ),
    );
    expect(about).toEqual([
      { kind: 'miss', entity: 'Country', reason: 'absent' },
      { kind: 'fill', entity: 'Country', tags: 2, background: false },
      { kind: 'hit', entity: 'Country', local: false },
      { kind: 'invalidate', cause: 'statement', tags: 3 },
      { kind: 'invalidate', cause: 'statement', tags: 1, everything: 'unknown whose writes cannot be told' },
      { kind: 'bypass', entity: 'Country', reason: 'in a transaction' },
      { kind: 'invalidate', cause: 'clear', tags: 1, everything: 'clear' },
    ]);
    // What a hash is made of cannot be read in it.
    const hash = /^Country:[\w-]{24}$/;
    const readable = JSON.stringify(events, (name, value) => (name === 'key' && hash.test(String(value)) ? '' : value));
    expect(readable).not.toMatch(/Nor|Peru/);
  });
});
