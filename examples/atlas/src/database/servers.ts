import { startCluster, type Cluster } from '@mikrokit-dev/test/harness/postgres.ts';
import type { PgNode } from '@mikrokit-dev/test/harness/pg-node.ts';
import { AtlasError } from '../errors.ts';
import type { Options } from '../options.ts';

const DATABASE = 'atlas';
/** How long a write waits for replicas before it is reported as done anyway, in milliseconds. */
const REPLAY_TIMEOUT = 3_000;

/** The PostgreSQL servers Atlas runs on. */
export interface Servers {
  readonly primary: string;
  readonly replicas: readonly string[];
  /**
   * Resolves when the replicas have what the primary has by now, for reads of an ORM without the resolver. Gives up after a
   * while: a replica that is down must not stop anyone.
   */
  caughtUp(): Promise<void>;
  /** A replica to try out a failure on. One's own servers have none: nobody but their owner stops them. */
  readonly expendable?: Expendable;
  /** Stops what was started for Atlas; servers of one's own go on. */
  stop(): Promise<void>;
}

/** A replica that may be killed. */
export interface Expendable {
  readonly name: string;
  /** As a crash does it, SIGKILL; resolves when it is dead. */
  kill(): Promise<void>;
  /** Resolves when it accepts connections again. */
  start(): Promise<void>;
}

/** The servers named by the environment, or an embedded primary with one replica. */
export async function openServers(options: Options, log: (message: string) => void): Promise<Servers> {
  return options.databaseUrl === undefined
    ? await startEmbedded(options.dataDir, log)
    : await useOwn(options.databaseUrl, options.replicaUrls);
}

async function startEmbedded(dataDir: string, log: (message: string) => void): Promise<Servers> {
  const cluster = await startCluster({ replicas: 1, dataDir, keepData: true, log }).catch((error: Error) => {
    // The harness speaks of its option; who started Atlas knows it as a variable.
    const message = error.message.replaceAll('dataDir', 'ATLAS_DATA');
    throw new AtlasError(`the embedded PostgreSQL did not start: ${message}`, { cause: error });
  });
  if ((await cluster.primary.query('select from pg_database where datname = $1', [DATABASE])).length === 0) {
    await cluster.createDatabase(DATABASE);
  }
  const [replica] = cluster.replicas;
  return {
    ...servers(
      cluster,
      cluster.primary.url(DATABASE),
      cluster.replicas.map(each => each.url(DATABASE)),
    ),
    ...(replica && { expendable: expendable(replica) }),
  };
}

function expendable(replica: PgNode): Expendable {
  return { name: replica.name, kill: () => replica.signal('SIGKILL'), start: () => replica.start() };
}

/** Connects to each server once, so that a wrong address is one clear line now and not a failing query later. */
async function useOwn(primary: string, replicas: readonly string[]): Promise<Servers> {
  const cluster = await startCluster();
  for (const [i, node] of [cluster.primary, ...cluster.replicas].entries()) {
    const url = [primary, ...replicas][i]!;
    await node.query('select 1').catch((error: unknown) => {
      const hint = `Is it running, and is ${i === 0 ? 'DATABASE_URL' : 'REPLICA_URLS'} right?`;
      throw new AtlasError(`cannot reach PostgreSQL at ${withoutPassword(url)}: ${reason(error)}. ${hint}`, {
        cause: error,
      });
    });
  }
  return servers(cluster, primary, replicas);
}

function servers(cluster: Cluster, primary: string, replicas: readonly string[]): Servers {
  return {
    primary,
    replicas,
    caughtUp: () => cluster.caughtUp(REPLAY_TIMEOUT).catch(() => {}),
    stop: () => cluster.stop(),
  };
}

/** The address as it may be shown. */
export function withoutPassword(url: string): string {
  const parsed = new URL(url);
  parsed.password = '';
  return parsed.href;
}

/** Node reports a host with several addresses as an AggregateError whose own message is empty. */
function reason(error: unknown): string {
  const { message, code, errors } = error as Error & { code?: string; errors?: Error[] };
  return message || errors?.map(each => each.message).join('; ') || code || String(error);
}
