// A process of its own, with an ORM of its own: the other instance of Atlas that the cache tour writes with.
import { replicaResolver } from '@mikrokit/replica-resolver';
import { resultCache } from '@mikrokit/result-cache';
import { openStore, type OpenStore } from './cache-store.ts';
import type { Servers } from './database/servers.ts';
import { Country } from './entities/index.ts';
import { openOrm } from './orm.ts';

/** What it is told first: where the servers are. */
export interface Setup {
  readonly primary: string;
  readonly redisUrl: string;
}

/** What it is told then, as often as one likes. It answers `'written'` once the change is committed. */
export interface Change {
  readonly country: string;
  readonly urbanPopulation: number;
}

let store: OpenStore;
let orm: ReturnType<typeof openOrm> | undefined;

process.on('message', (message: Setup | Change) => {
  void ('primary' in message ? open(message) : write(message)).then(
    answer => process.send!(answer),
    (error: unknown) => process.send!({ error: String(error) }),
  );
});
process.once('disconnect', () => {
  void orm?.close().then(() => store.close());
});

async function open({ primary, redisUrl }: Setup): Promise<string> {
  store = await openStore(redisUrl);
  const servers: Servers = { primary, replicas: [], caughtUp: async () => {}, stop: async () => {} };
  orm = openOrm(servers, { cache: resultCache({ store: store.store }), resolver: replicaResolver() });
  return 'open';
}

/** As anybody writes. Nothing here says that there is a cache. */
async function write({ country: code, urbanPopulation }: Change): Promise<string> {
  const em = orm!.em.fork();
  const country = await em.findOneOrFail(Country, code);
  country.urbanPopulation = urbanPopulation;
  await em.flush();
  return 'written';
}
