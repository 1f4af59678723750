// What a user's own file may look like, compiled against the tarball with the declarations of libraries checked.
import {
  type CacheEvent,
  type CacheExplanation,
  type CacheStats,
  type CacheStore,
  externalWrites,
  forEntities,
  memoryStore,
  OptionsError,
  redisStore,
  type ResultCache,
  resultCache,
  ResultCacheError,
  type ResultCacheErrorCode,
  type ResultCacheOptions,
  StoreError,
} from '@mikrokit/result-cache';
import { storeConformance } from '@mikrokit/result-cache/conformance';
import { defineConfig, defineEntity, type EntityManager, MikroORM, p } from '@mikro-orm/postgresql';
import { Redis } from 'ioredis';

/** Typed by augmentation, which must reach a consumer as well. */
const CountrySchema = defineEntity({
  name: 'Country',
  resultCache: { ttl: 3_600_000, onStoreError: 'closed' },
  properties: { code: p.string().primary(), name: p.string() },
});
class Country extends CountrySchema.class {}
CountrySchema.setClass(Country);

const VisitSchema = defineEntity({ name: 'Visit', properties: { id: p.integer().primary(), traveller: p.integer() } });
class Visit extends VisitSchema.class {}
VisitSchema.setClass(Visit);

// @ts-expect-error an option that does not exist is caught by the compiler
defineEntity({ name: 'Other', resultCache: { tll: 1 }, properties: { id: p.integer().primary() } });

const redis = new Redis({ enableOfflineQueue: false, maxRetriesPerRequest: 1, lazyConnect: true });
const external = externalWrites({ tables: ['visit'], interval: 500 });
const cache: ResultCache = resultCache({
  store: redisStore(redis, { prefix: 'shop', local: { maxBytes: 1_000_000 }, grace: 1_000 }),
  entities: [[Visit, { ttl: 60_000, partitionBy: ['traveller'] }]],
  staleWhileRevalidate: 10_000,
  externalWrites: external,
});

const config = defineConfig({
  entities: [Country, Visit],
  clientUrl: 'postgres://localhost/atlas',
  extensions: [cache],
});

export async function names(): Promise<string[]> {
  const orm = await MikroORM.init(config);
  const countries = await orm.em.fork().find(Country, {}, { cache: ['countries', 60_000] });
  await orm.em.fork().clearCache('countries');
  await orm.close();
  return countries.map(country => country.name);
}

export async function handles(em: EntityManager): Promise<[CacheStats, CacheExplanation]> {
  await cache.invalidate(Country, 'NO');
  await cache.invalidateTables(['visit']);
  await cache.invalidateTags(['countries']);
  await cache.clear();
  return [cache.stats(), await cache.explain(em, Country, { name: 'Norway' }, { cache: true })];
}

export function migration(orm: MikroORM): readonly string[] {
  return [...external.up(), ...externalWrites({ tables: forEntities(orm) }).down()];
}

export function describeEvent(event: CacheEvent): string {
  return event.kind === 'miss' || event.kind === 'bypass' ? `${event.entity}: ${event.reason}` : event.kind;
}

export function testStore(test: (name: string, run: () => Promise<void>) => void, store: CacheStore): void {
  storeConformance({ test, createStore: async () => ({ stores: [store, store] }) });
}

export function codeOf(error: unknown): ResultCacheErrorCode | undefined {
  return error instanceof ResultCacheError ? error.code : undefined;
}

export function isKnown(error: unknown): error is OptionsError | StoreError {
  return error instanceof OptionsError || error instanceof StoreError;
}

// Options pass through as they are, undefined included.
export function withTtl(ttl: ResultCacheOptions['ttl']): ResultCache {
  return resultCache({ ttl, store: memoryStore({ maxBytes: undefined }) });
}

// @ts-expect-error and so is one of the extension
resultCache({ tll: 1 });
