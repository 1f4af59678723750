import type { EntityMetadata, EntityOptions, MikroORM } from '@mikro-orm/core';
import { defineEntity, type EntityManager, p } from '@mikro-orm/postgresql';
import {
  type CacheEvent,
  type CacheExplanation,
  type CacheSetting,
  type CacheStats,
  type CacheStore,
  type EntityCacheOptions,
  type ResultCache,
  type ResultCacheError,
  type ResultCacheErrorCode,
  type ResultCacheOptions,
  type StoreError,
  type StoreErrorCode,
  memoryStore,
  redisStore,
  resultCache,
} from '@mikrokit/result-cache';
import { Cluster, Redis } from 'ioredis';
import { expectTypeOf } from 'vitest';

/*
 * Checked by `tsc -p test`; never run. A type that is wrong fails to compile, and so does a `@ts-expect-error` above a line
 * that is right.
 */

/** `defineEntity` knows the option. */
const Country = defineEntity({
  name: 'Country',
  resultCache: { ttl: 60_000, scope: () => 'eu', dependsOn: ['tenant'], alsoWrites: [], inTransaction: 'hit' },
  properties: { code: p.string().primary(), name: p.string() },
});
class Place {
  code!: string;
}
defineEntity({ class: Place, resultCache: { ttl: 1 }, properties: { code: p.string().primary() } });
// @ts-expect-error: it has no such option
defineEntity({ name: 'A', resultCache: { tll: 1 }, properties: { id: p.integer().primary() } });
// @ts-expect-error: and no such value
defineEntity({ name: 'B', resultCache: { inTransaction: 'always' }, properties: { id: p.integer().primary() } });

/** What decorators take cannot be added to, so their classes are named in `entities`. */
export function decorators(): void {
  // @ts-expect-error: EntityOptions is a type alias, and closed
  const options: EntityOptions<Place> = { resultCache: { ttl: 1 } };
  void options;
  resultCache({
    entities: [
      [Place, { ttl: 60_000, partitionBy: ['code'] }],
      [Country, {}],
    ],
  });
  // @ts-expect-error: an entity's options are checked there, too
  resultCache({ entities: [[Place, { tll: 1 }]] });
}

export function metadata(meta: EntityMetadata): void {
  expectTypeOf(meta.resultCache).toEqualTypeOf<EntityCacheOptions | undefined>();
}

/** The factory and its options. */
export function options(orm: MikroORM): void {
  expectTypeOf(resultCache()).toEqualTypeOf<ResultCache>();
  expectTypeOf(resultCache).parameter(0).toEqualTypeOf<ResultCacheOptions | undefined>();
  expectTypeOf(resultCache().register(orm)).toEqualTypeOf<void>();
  expectTypeOf(memoryStore({ maxBytes: 1 })).toEqualTypeOf<CacheStore>();
  expectTypeOf(redisStore(new Redis())).toEqualTypeOf<CacheStore>();
  expectTypeOf(redisStore(new Cluster([]), { local: false })).toEqualTypeOf<CacheStore>();
  // Options that come from somewhere else may be undefined, also under exactOptionalPropertyTypes.
  resultCache({ ttl: undefined, store: undefined, onStoreError: undefined });
  // @ts-expect-error: a client is not a store
  resultCache({ store: new Redis() });
  // @ts-expect-error: a store takes a client, not its address
  redisStore('redis://localhost');
  // @ts-expect-error: it is one of two
  resultCache({ onStoreError: 'maybe' });
}

/** MikroORM's own option. */
export async function reads(em: EntityManager): Promise<void> {
  expectTypeOf<CacheSetting>().toEqualTypeOf<boolean | number | readonly [name: string, ttl: number] | undefined>();
  const countries = await em.find(Country, {}, { cache: ['countries', 60_000] });
  expectTypeOf(countries[0]!.name).toBeString();
  await em.findOne(Country, 'NO', { cache: 60_000 });
  await em.count(Country, {}, { cache: false });
  // @ts-expect-error: no time is a text
  await em.find(Country, {}, { cache: '1 minute' });
}

/** The handles. */
export async function handles(cache: ResultCache, em: EntityManager): Promise<void> {
  expectTypeOf(cache.stats()).toEqualTypeOf<CacheStats>();
  expectTypeOf(cache.clear()).toEqualTypeOf<Promise<void>>();
  expectTypeOf(await cache.explain(em, Country, {})).toEqualTypeOf<CacheExplanation>();
  await cache.invalidate(Country);
  await cache.invalidate(Country, 'NO');
  // @ts-expect-error: tables are a list
  await cache.invalidateTables('country');
}

/** Events are told apart by their kind. */
export function events(event: CacheEvent): void {
  switch (event.kind) {
    case 'hit':
      expectTypeOf(event.local).toBeBoolean();
      expectTypeOf(event.stale).toEqualTypeOf<'revalidating' | 'error' | undefined>();
      break;
    case 'invalidate':
      expectTypeOf(event.tags).toBeNumber();
      break;
    case 'bypass':
      expectTypeOf(event.reason).toBeString();
      // @ts-expect-error: what was not asked for has no key
      void event.key;
      break;
    default:
  }
}

export function errors(refused: ResultCacheError, failed: StoreError): void {
  expectTypeOf(refused.code).toEqualTypeOf<ResultCacheErrorCode>();
  expectTypeOf(failed.code).toEqualTypeOf<StoreErrorCode>();
  expectTypeOf<StoreErrorCode>().toEqualTypeOf<'READ_ONLY' | 'DENIED' | 'UNAVAILABLE' | 'CLOSED'>();
}
