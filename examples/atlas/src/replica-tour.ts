import { setTimeout as sleep } from 'node:timers/promises';
import { graphql } from 'graphql';
import type { MikroORM } from '@mikro-orm/postgresql';
import type { ReplicaResolver, RouteEvent } from '@mikrokit/replica-resolver';
import type { Expendable, Servers } from './database/servers.ts';
import { City, Country, Traveller, Visit } from './entities/index.ts';
import { AtlasError } from './errors.ts';
import { schema } from './graphql/schema.ts';
import type { Progress } from './progress.ts';
import { LARGEST_CITIES } from './queries.ts';
import { recordRoutes } from './route-log.ts';

const TRAVELLER = 1;
const READERS = 10;
/** How long they read before the replica is killed, and how long after that, in milliseconds. */
const KILLED_AFTER = 300;
const READ_AFTER = 700;
/** Between two reads of one reader, in milliseconds. */
const PAUSE = 10;
/** How long a replica that runs again may take to be used again, in milliseconds. */
const BACK_IN = 20_000;

/** A moment of the tour: what was done, and where each of its reads and writes went. */
export interface RoutedMoment {
  readonly what: string;
  readonly routes: readonly RouteEvent[];
}

/** What the replica tour needs. */
export interface ReplicaTour {
  readonly orm: MikroORM;
  readonly resolver: ReplicaResolver;
  readonly servers: Servers;
  /** Whether there is a cache to show. */
  readonly cache: boolean;
}

/** Reads, writes and reads back, and kills a replica under way; throws if a write is not seen or a read fails. */
export async function replicaTour(tour: ReplicaTour, progress: Progress): Promise<RoutedMoment[]> {
  const { orm, resolver, servers } = tour;
  progress.show('Tour', 'the replica');
  await resolver.ready();
  const moments: RoutedMoment[] = [];
  const moment = async <T>(what: string, work: Work<T>): Promise<T> => {
    const { result, routes } = await recordRoutes(work);
    moments.push({ what, routes });
    return result;
  };

  const city = await moment('a large city that a traveller has not seen', () =>
    orm.em
      .fork()
      .findOneOrFail(City, { visits: { $none: { traveller: TRAVELLER } } }, { orderBy: { population: 'desc' } }),
  );
  const visit = { traveller: TRAVELLER, city: city.id };
  await moment('a visit to it, written', () => writeVisit(orm, visit));
  try {
    const found = await moment('… and read back at once', () => orm.em.fork().findOne(Visit, visit));
    if (found === null) {
      throw new AtlasError('a visit was written, and the next read did not see it.');
    }
    await moment('a query in GraphQL, batched: cities, countries, visits', () => ask(orm));
    if (tour.cache) {
      await moment('countries that are not in the cache', () => countries(orm));
    }
    if (servers.expendable !== undefined) {
      await surviveDeath(orm, servers.expendable, moment);
    }
  } finally {
    await orm.em.fork().nativeDelete(Visit, visit);
  }
  progress.clear();
  return moments;
}

type Work<T> = (routes: readonly RouteEvent[]) => Promise<T>;
type RunMoment = (what: string, work: Work<void>) => Promise<void>;

async function surviveDeath(orm: MikroORM, { name, kill, start }: Expendable, moment: RunMoment): Promise<void> {
  await moment(`${READERS} readers, while ${name} is killed`, async () => {
    let isOver = false;
    const readers = Array.from({ length: READERS }, () => readUntil(orm, () => isOver));
    const killing = sleep(KILLED_AFTER)
      .then(kill)
      .then(() => sleep(READ_AFTER))
      .finally(() => (isOver = true));
    await Promise.all([...readers, killing]);
  });
  await start();
  await moment(`${name} runs again: until it answers`, routes => readUntilAnsweredBy(orm, name, routes));
}

async function writeVisit(orm: MikroORM, visit: { traveller: number; city: number }): Promise<void> {
  const em = orm.em.fork();
  em.create(Visit, { ...visit, day: '2026-11-20' });
  await em.flush();
}

async function ask(orm: MikroORM): Promise<void> {
  const { errors } = await graphql({ schema, source: LARGEST_CITIES.document, contextValue: { em: orm.em.fork() } });
  if (errors !== undefined) {
    throw new AtlasError(`the query ${LARGEST_CITIES.name} failed: ${errors[0]?.message}`, { cause: errors[0] });
  }
}

/** What is to be kept is read on the primary: a replica might not show the latest. */
async function countries(orm: MikroORM): Promise<void> {
  await orm.em.fork().find(Country, { region: 'Oceania' }, { orderBy: { urbanPopulation: 'asc' } });
}

/** The last read begins when it is over. */
async function readUntil(orm: MikroORM, isOver: () => boolean): Promise<void> {
  for (let isLast = false; !isLast;) {
    isLast = isOver();
    await orm.em
      .fork()
      .findOneOrFail(Traveller, TRAVELLER)
      .catch((cause: unknown) => {
        throw new AtlasError(`a read failed while a replica was killed: ${(cause as Error).message}`, { cause });
      });
    await sleep(PAUSE);
  }
}

async function readUntilAnsweredBy(orm: MikroORM, name: string, routes: readonly RouteEvent[]): Promise<void> {
  const deadline = performance.now() + BACK_IN;
  while (routes.at(-1)?.node !== name) {
    await orm.em.fork().findOneOrFail(Traveller, TRAVELLER);
    if (performance.now() > deadline) {
      throw new AtlasError(`${name} runs again, but is not read from after ${BACK_IN / 1_000} s.`);
    }
    await sleep(PAUSE);
  }
}
