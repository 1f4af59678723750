import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, type Redis } from 'ioredis';
import { HarnessError } from './errors.ts';
import { freePort } from './free-port.ts';
import { type RedisServer, startRedis } from './redis.ts';

/** A real Redis Cluster of three masters. */
export interface RedisCluster {
  readonly nodes: readonly RedisServer[];
  /** A new client; it is disconnected when the cluster stops. */
  client(options?: ConstructorParameters<typeof Cluster>[1]): Cluster;
  /** Empties all nodes. */
  flush(): Promise<void>;
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const SLOTS = 16_384;
const START_TIMEOUT = 20_000;

/** Starts three servers of the harness's own, whatever REDIS_URL says, and joins them. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const nodes = await Promise.all([0, 1, 2].map(startNode));
  const clients = new Set<Cluster>();
  const stop = async (): Promise<void> => {
    clients.forEach(client => client.disconnect());
    await Promise.all(nodes.map(node => node.server.stop()));
  };
  const admins = nodes.map(node => node.server.client());
  try {
    await join(nodes, admins);
  } catch (error) {
    await stop();
    throw error;
  }
  const startupNodes = nodes.map(node => ({ host: '127.0.0.1', port: Number(new URL(node.server.url).port) }));
  return {
    nodes: nodes.map(node => node.server),
    client(options = {}) {
      const client = new Cluster(startupNodes, options);
      client.on('error', () => {});
      clients.add(client);
      return client;
    },
    async flush() {
      await Promise.all(admins.map(admin => admin.flushall()));
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

interface Node {
  readonly server: RedisServer;
  readonly busPort: number;
}

async function startNode(): Promise<Node> {
  // By default the bus listens 10 000 above the port, which may be no port at all.
  const busPort = await freePort();
  const args = ['--cluster-enabled', 'yes', '--cluster-port', `${busPort}`, '--cluster-node-timeout', '2000'];
  return { server: await startRedis({ args }), busPort };
}

async function join(nodes: readonly Node[], admins: readonly Redis[]): Promise<void> {
  const first = new URL(nodes[0]!.server.url);
  for (const [index, admin] of admins.entries()) {
    const from = Math.floor((index * SLOTS) / admins.length);
    const to = Math.floor(((index + 1) * SLOTS) / admins.length) - 1;
    await admin.call('cluster', 'addslotsrange', from, to);
    if (index > 0) {
      await admin.call('cluster', 'meet', '127.0.0.1', first.port, nodes[0]!.busPort);
    }
  }
  const deadline = performance.now() + START_TIMEOUT;
  while (!(await agreed(admins))) {
    if (performance.now() > deadline) {
      throw new HarnessError(`The nodes of the Redis Cluster have to agree within ${START_TIMEOUT} ms, but did not.`);
    }
    await sleep(50);
  }
}

async function agreed(admins: readonly Redis[]): Promise<boolean> {
  const seen = await Promise.all(admins.map(admin => admin.call('cluster', 'info')));
  return seen.every(
    info => String(info).includes('cluster_state:ok') && String(info).includes(`cluster_known_nodes:${admins.length}`),
  );
}
