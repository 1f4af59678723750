import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { ResultCache } from '@mikrokit/result-cache';
import type { Servers } from './database/servers.ts';
import { City, Country } from './entities/index.ts';
import { AtlasError } from './errors.ts';
import type { Change, Setup } from './other-process.ts';
import type { Progress } from './progress.ts';
import { recordSql } from './sql-log.ts';
import type { Cost } from './tour.ts';

/** Enough for code that is new to this process to become as fast as it gets. */
const REPETITIONS = 21;
/** The same where each is preceded by a write, or by emptying the cache. */
const PREPARED_REPETITIONS = 7;
/** A new Redis is not trusted for two seconds: somebody may have been in the middle of a commit when the old one went. */
const SETTLES_IN = 5_000;
const KEPT_IN = 10;
/** The country that is changed, and one that is not. */
const CHANGED = 'LUX';
const OTHER = 'AUT';

/** A moment of the tour: what was read, and what it cost. */
export interface Moment {
  readonly when: string;
  readonly without: Cost;
  readonly with: Cost;
}

/** What the cache tour needs. */
export interface CacheTour {
  readonly plainOrm: MikroORM;
  readonly orm: MikroORM;
  readonly cache: ResultCache;
  readonly servers: Servers;
  /** The Redis that a second process can share; without one this process writes. */
  readonly redisUrl: string | undefined;
}

/** @param cached `false`: MikroORM as it is, which has a cache of its own */
type Read = (em: EntityManager, cached: boolean) => Promise<Country[]>;

/** Cached because the entity says so. */
const everyCountry: Read = em => em.find(Country, {}, { orderBy: { name: 'asc' } });
/** Cached because the call says so: what it populates as well. */
const everyCountryPopulated: Read = (em, cached) =>
  em.find(Country, {}, { populate: ['languages', 'currencies'], orderBy: { name: 'asc' }, cache: cached });
const otherCountry: Read = em => em.find(Country, OTHER);

/** Reads with and without the cache, before and after a write; throws if an answer is not what the database holds. */
export async function cacheTour(tour: CacheTour, progress: Progress): Promise<Moment[]> {
  const { orm, cache } = tour;
  progress.show('Tour', 'the result cache');
  await settled(orm, cache);
  const moments: Moment[] = [];
  const moment = async (when: string, read: Read, prepare?: () => Promise<void>): Promise<void> => {
    moments.push({
      when,
      without: await measure(tour.plainOrm, em => read(em, false)),
      with: await measure(orm, em => read(em, true), prepare),
    });
  };
  await moment('every country, for the first time', everyCountry, () => cache.clear());
  await moment('… again', everyCountry);
  await otherCountry(orm.em.fork(), true);

  await using writer = tour.redisUrl === undefined ? writerHere(orm) : await otherProcess(tour, tour.redisUrl);
  const truth = await sumOfCities(tour.plainOrm);
  let changes = 0;
  const change = async (): Promise<void> => {
    await writer.write({ country: CHANGED, urbanPopulation: truth + ++changes });
    const found = (await orm.em.fork().findOneOrFail(Country, CHANGED)).urbanPopulation;
    if (found !== truth + changes) {
      throw new AtlasError(`a write was not seen: ${CHANGED} has ${found} inhabitants, not ${truth + changes}.`);
    }
  };
  const who = tour.redisUrl === undefined ? 'this process' : 'another process';
  try {
    await moment(`… after ${who} has changed ${CHANGED}`, everyCountry, change);
    await moment(`${OTHER} alone, which nobody has changed`, otherCountry);
    await moment('every country with languages and currencies, again', everyCountryPopulated);
    await compare(tour);
  } finally {
    await writer.write({ country: CHANGED, urbanPopulation: truth });
  }
  progress.clear();
  return moments;
}

/** Resolves when the store keeps what is read. */
async function settled(orm: MikroORM, cache: ResultCache): Promise<void> {
  const deadline = performance.now() + SETTLES_IN;
  for (;;) {
    await otherCountry(orm.em.fork(), true);
    const { present, reason, absence } = await cache.explain(orm.em.fork(), Country, OTHER);
    if (present) {
      return;
    }
    if (performance.now() > deadline) {
      throw new AtlasError(`the cache keeps nothing: ${reason ?? absence}.`);
    }
    await sleep(100);
  }
}

/** Replicas have it a moment later; the cache reads on the primary. */
async function compare({ plainOrm, orm, servers }: CacheTour): Promise<void> {
  await servers.caughtUp();
  const [cached, plain] = await Promise.all([
    everyCountry(orm.em.fork(), true),
    everyCountry(plainOrm.em.fork(), false),
  ]);
  if (JSON.stringify(cached) !== JSON.stringify(plain)) {
    throw new AtlasError('the countries are others with the cache than without it.');
  }
}

async function sumOfCities(orm: MikroORM): Promise<number> {
  const cities = await orm.em.fork().find(City, { country: CHANGED }, { fields: ['population'] });
  return cities.reduce((sum, { population }) => sum + population, 0);
}

async function measure(
  orm: MikroORM,
  read: (em: EntityManager) => Promise<unknown>,
  prepare?: () => Promise<void>,
): Promise<Cost> {
  const runs: Cost[] = [];
  // Somebody has asked before, unless the moment says otherwise.
  await read(orm.em.fork());
  // What is read is kept after it was answered.
  await sleep(KEPT_IN);
  for (let i = 0; i < (prepare === undefined ? REPETITIONS : PREPARED_REPETITIONS); i++) {
    await prepare?.();
    const start = performance.now();
    const { statements } = await recordSql(() => read(orm.em.fork()));
    runs.push({ statements: statements.length, ms: performance.now() - start });
  }
  const times = runs.map(({ ms }) => ms).sort((a, b) => a - b);
  return { statements: runs[0]!.statements, ms: times[Math.floor(times.length / 2)]! };
}

interface Writer extends AsyncDisposable {
  write(change: Change): Promise<void>;
}

function writerHere(orm: MikroORM): Writer {
  return {
    async write({ country, urbanPopulation }) {
      await orm.em.fork().nativeUpdate(Country, country, { urbanPopulation });
    },
    async [Symbol.asyncDispose]() {},
  };
}

async function otherProcess({ servers }: CacheTour, redisUrl: string): Promise<Writer> {
  const child = fork(new URL('./other-process.ts', import.meta.url));
  const ended = once(child, 'exit');
  const ask = async (message: Setup | Change): Promise<void> => {
    child.send(message);
    const answer: unknown = await Promise.race([
      once(child, 'message').then(([first]: unknown[]) => first),
      ended.then(([code]: unknown[]) => ({ error: `it ended with ${String(code)}` })),
    ]);
    if (typeof answer !== 'string') {
      throw new AtlasError(`the second process failed: ${(answer as { error: string }).error}.`);
    }
  };
  const writer: Writer = {
    write: ask,
    async [Symbol.asyncDispose]() {
      if (child.connected) {
        child.disconnect();
      }
      await ended;
    },
  };
  try {
    await ask({ primary: servers.primary, redisUrl });
  } catch (error) {
    await writer[Symbol.asyncDispose]();
    throw error;
  }
  return writer;
}
