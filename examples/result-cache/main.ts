// What a cache has to prove: hits without a query, no hit after a write, and hits on what the write has not touched.
// npm run example result-cache (with REDIS_URL: two processes on one Redis)
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineEntity, MikroORM, p, type Options } from '@mikro-orm/postgresql';
import { createDatabase } from '@mikrokit-dev/test/harness/database-plain.ts';
import { startCluster } from '@mikrokit-dev/test/harness/postgres.ts';
import { recordQueries } from '@mikrokit-dev/test/harness/recorder.ts';
import { memoryStore, redisStore, resultCache } from '@mikrokit/result-cache';
import { Redis } from 'ioredis';

const VisitSchema = defineEntity({
  name: 'Visit',
  resultCache: { ttl: 3_600_000 },
  properties: { id: p.integer().primary(), traveller: p.string(), city: p.string() },
});
class Visit extends VisitSchema.class {}
VisitSchema.setClass(Visit);

const VISITS = 100;

if (process.send === undefined) {
  await prove();
} else {
  await writeAsTold();
}

async function prove(): Promise<void> {
  await using cluster = await startCluster();
  await using database = await createDatabase({ cluster });
  const redisUrl = process.env['REDIS_URL'];
  await using connection = redisUrl === undefined ? undefined : await connect(redisUrl);
  const store = connection === undefined ? memoryStore() : redisStore(connection.redis);
  // More patient than an application: on a busy machine it would go to the database, and prove nothing.
  const cache = resultCache({ store, timeout: 2_000 });
  await using orm = new MikroORM(options(database.url, cache));
  await orm.schema.create();
  await orm.em.fork().insertMany(
    Visit,
    Array.from({ length: VISITS }, (_, i) => ({ id: i + 1, traveller: `Traveller ${i % 10}`, city: `City ${i}` })),
  );
  const recorder = recordQueries(orm);
  const readAll = async (): Promise<number> => {
    recorder.clear();
    for (let id = 1; id <= VISITS; id++) {
      await orm.em.fork().findOneOrFail(Visit, id);
    }
    return recorder.queries.length;
  };
  const say = (what: string, queries: number, expected: number): void => {
    assert.equal(queries, expected, what);
    console.log(`${what.padEnd(60)} ${queries} queries`);
  };

  await kept(readAll);
  await cache.clear();
  say(`${VISITS} visits, for the first time`, await readAll(), VISITS);
  say('again', await readAll(), 0);

  const em = orm.em.fork();
  (await em.findOneOrFail(Visit, 7)).city = 'Bergen';
  await em.flush();
  say('visit 7 has changed', await readAll(), 1);

  await orm.em.fork().execute('update visit set city = ? where id in (8, 9)', ['Lima']);
  say('visits 8 and 9 have changed, in raw SQL', await readAll(), 2);

  await orm.em.fork().nativeUpdate(Visit, { traveller: 'Traveller 1' }, { city: 'Oslo' });
  say('some have changed, and the statement does not say which', await readAll(), VISITS);

  const undone = orm.em.transactional(async transaction => {
    await transaction.nativeDelete(Visit, {});
    throw new Error('no');
  });
  await assert.rejects(undone, /^Error: no$/);
  say('everything was deleted, and rolled back', await readAll(), 0);

  if (redisUrl !== undefined) {
    const other = fork(import.meta.filename, { env: { ...process.env, DATABASE_URL: database.url } });
    const [answer] = (await once(other, 'message')) as [string];
    assert.equal(answer, 'committed');
    say('another process has changed visit 9', await readAll(), 1);
    assert.equal((await orm.em.fork().findOneOrFail(Visit, 9)).city, 'Cuzco');
  } else {
    console.log('(REDIS_URL is not set: the cache is in memory, and there is no second process)');
  }

  const { hits, misses, hitRate } = cache.stats();
  console.log(`${hits} hits, ${misses} misses: ${(hitRate * 100).toFixed(0)} %`);
}

/** The second process: it knows the same entities and the same Redis, and writes as anybody does. */
async function writeAsTold(): Promise<void> {
  await using connection = await connect(process.env['REDIS_URL']!);
  await using orm = new MikroORM(
    options(process.env['DATABASE_URL']!, resultCache({ store: redisStore(connection.redis) })),
  );
  await orm.em.fork().nativeUpdate(Visit, 9, { city: 'Cuzco' });
  process.send!('committed');
  process.disconnect();
}

function options(clientUrl: string, cache: ReturnType<typeof resultCache>): Options {
  return { entities: [Visit], clientUrl, ensureDatabase: false, extensions: [cache] };
}

async function connect(url: string): Promise<AsyncDisposable & { redis: Redis }> {
  // A query goes to the database when Redis is down, instead of waiting for it.
  const redis = new Redis(url, { enableOfflineQueue: false, maxRetriesPerRequest: 1, lazyConnect: true });
  redis.on('error', () => {});
  await redis.connect();
  return { redis, [Symbol.asyncDispose]: async () => redis.disconnect() };
}

/** On a Redis that has not seen this database before, nothing is kept for two seconds. */
async function kept(readAll: () => Promise<number>): Promise<void> {
  for (let tries = 0; (await readAll()) > 0; tries++) {
    assert.ok(tries < 50, 'the cache keeps what was read');
    await sleep(100);
  }
}
