import type { Cleanup } from './cleanup.ts';
import { ensureLoaded } from './database/load.ts';
import { openServers, withoutPassword, type Servers } from './database/servers.ts';
import { createHandler, ENDPOINT } from './graphql/server.ts';
import { HttpServer } from './http.ts';
import type { Options } from './options.ts';
import { openOrm, openPlainOrm } from './orm.ts';
import { Progress } from './progress.ts';
import { tourTable } from './tour-table.ts';
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

  const orm = openOrm(servers);
  const plainOrm = openPlainOrm(servers);
  await cleanup.add(() => Promise.all([orm.close(), plainOrm.close()]));

  progress.show('Looking for the data');
  const loaded = await ensureLoaded(plainOrm, progress);
  await servers.caughtUp();
  progress.clear();
  console.log(`${loaded ? 'Data loaded' : 'Data found'}, ready after ${seconds(start)}.`);
  http.serve(createHandler(orm, servers));

  const tourStart = performance.now();
  const comparisons = await tour(plainOrm, orm, progress);
  console.log(`\nThe same GraphQL queries without any extension and with batch-loader (tour: ${seconds(tourStart)})\n`);
  console.log(tourTable(comparisons));
  if (!options.once) {
    console.log(welcome(http.url, servers));
  }
}

function welcome(url: string, servers: Servers): string {
  return `
GraphiQL    ${url}${ENDPOINT}   (its tabs hold the queries of the tour; works offline)
PostgreSQL  ${withoutPassword(servers.primary)}${servers.replicas.map(replica => `\n   replica  ${withoutPassword(replica)}`).join('')}

From a shell:
  curl -s ${url}${ENDPOINT} -H 'content-type: application/json' \\
    -d '{"query":"{ country(code: \\"LUX\\") { name neighbours { name cities(limit: 3) { name population } } } }"}'

Ctrl-C stops it.`;
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1_000).toFixed(1)} s`;
}
