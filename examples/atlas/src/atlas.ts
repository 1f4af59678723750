import { queryTiming } from '@mikrokit/query-timing';
import { dashboard } from '@mikrokit/query-timing/dashboard';
import { replicaResolver } from '@mikrokit/replica-resolver';
import { resultCache } from '@mikrokit/result-cache';
import { openStore } from './cache-store.ts';
import { cacheTour } from './cache-tour.ts';
import type { Cleanup } from './cleanup.ts';
import { ensureLoaded } from './database/load.ts';
import { openServers, withoutPassword, type Servers } from './database/servers.ts';
import { createHandler, ENDPOINT } from './graphql/server.ts';
import { HttpServer } from './http.ts';
import type { Options } from './options.ts';
import { openBatchingOrm, openOrm, openPlainOrm } from './orm.ts';
import { Progress } from './progress.ts';
import { replicaTour } from './replica-tour.ts';
import { cacheTable, routeTable, tourTable } from './tour-table.ts';
import { timingTour } from './timing-tour.ts';
import { tour } from './tour.ts';

/** Starts everything, shows the tour and serves. What must be stopped again is added to `cleanup` as soon as it runs. */
export async function atlas(options: Options, cleanup: Cleanup): Promise<void> {
  const start = performance.now();
  const progress = new Progress(process.stdout);

  const http = await HttpServer.listen(options.port);
  await cleanup.add(() => http.close());

  progress.show(options.databaseUrl === undefined ? 'Starting PostgreSQL' : 'Connecting to PostgreSQL');
  const servers = await openServers(options, message => progress.show(message));
  await cleanup.add(() => servers.stop());

  const store = await openStore(options.redisUrl);
  await cleanup.add(() => store.close());

  // More patient than in production: on a busy machine a tour of a cache that is passed by would show nothing.
  const cache = resultCache({ store: store.store, timeout: 1_000 });
  // More patient, too: on a busy machine the replica is not a few but some tens of milliseconds behind.
  const resolver = replicaResolver({ wait: 2_000 });
  // The terminal belongs to the tour; what is told there otherwise is on the page.
  const timing = queryTiming({ terminal: false });
  const orm = openOrm(servers, { cache, resolver, timing }, options.cache);
  // With the cache on, what batching does alone has to be measured beside it.
  const batchingOrm = options.cache ? openBatchingOrm(servers) : orm;
  const plainOrm = openPlainOrm(servers);
  await cleanup.add(() => Promise.all([orm.close(), batchingOrm.close(), plainOrm.close()]));

  progress.show('Looking for the data');
  // Through the ORM that the cache knows: a Redis may hold countries of tables that are dropped here.
  const loaded = await ensureLoaded(orm, progress);
  await servers.caughtUp();
  progress.clear();
  console.log(`${loaded ? 'Data loaded' : 'Data found'}, ready after ${seconds(start)}.`);
  const page = dashboard(timing, { title: 'Atlas' });
  // A browser that looks at it is told of news for as long as it is open: the server would wait for that.
  await cleanup.add(async () => page.close());
  http.serve(createHandler(orm, timing, page));

  const tourStart = performance.now();
  const comparisons = await tour(plainOrm, batchingOrm, progress);
  console.log(`\nThe same GraphQL queries without any extension and with batch-loader (tour: ${seconds(tourStart)})\n`);
  console.log(tourTable(comparisons));

  if (options.cache) {
    const cacheStart = performance.now();
    const moments = await cacheTour({ plainOrm, orm, cache, servers, redisUrl: store.url }, progress);
    console.log(
      `\nThe same reads without any extension and with result-cache, in ${storeName(store.url)} (${seconds(cacheStart)})\n`,
    );
    console.log(cacheTable(moments));
    if (store.url === undefined) {
      console.log(MEMORY_ONLY);
    }
  }

  const replicaStart = performance.now();
  const routed = await replicaTour({ orm, resolver, servers, cache: options.cache }, progress);
  console.log(`\nReads and writes with replica-resolver, and where they went (${seconds(replicaStart)})\n`);
  console.log(routeTable(routed));
  if (servers.replicas.length === 0) {
    console.log(NO_REPLICAS);
  }

  const timingStart = performance.now();
  const told = await timingTour({ servers, isOwnDatabase: options.databaseUrl === undefined }, cleanup, progress);
  console.log(`\nWhat query-timing tells of a request, before and after batching (${seconds(timingStart)})\n`);
  console.log(told);
  if (!options.once) {
    console.log(welcome(http.url, servers));
  }
}

function storeName(url: string | undefined): string {
  return url === undefined ? 'memory' : `Redis at ${withoutPassword(url)}`;
}

const MEMORY_ONLY = `
REDIS_URL is not set, so the cache is in the memory of this process, and so is the writer: what another process writes,
memoryStore() cannot know. REDIS_URL=redis://127.0.0.1:6379 npm start shows a second process instead.`;

const NO_REPLICAS = `
REPLICA_URLS is not set, so the primary answers everything. Without DATABASE_URL Atlas starts a primary and a replica of its own.`;

function welcome(url: string, servers: Servers): string {
  return `
GraphiQL    ${url}${ENDPOINT}   (its tabs hold the queries of the tour; works offline)
Queries     ${url}/queries   (what they cost, and why)
PostgreSQL  ${withoutPassword(servers.primary)}${servers.replicas.map(replica => `\n   replica  ${withoutPassword(replica)}`).join('')}

From a shell:
  curl -s ${url}${ENDPOINT} -H 'content-type: application/json' \\
    -d '{"query":"{ country(code: \\"LUX\\") { name neighbours { name cities(limit: 3) { name population } } } }"}'

Ctrl-C stops it.`;
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1_000).toFixed(1)} s`;
}
