import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../../harness/cluster.ts';
import { openCluster } from '../../harness/open-cluster.ts';
import type { PgNode } from '../../harness/pg-node.ts';
import { type Proxy, startProxy } from '../../harness/proxy.ts';
import { closeAfter } from '../../harness/close-after.ts';

/** A server, and the proxy through which the processes reach it. */
export interface FaultNode {
  readonly name: string;
  readonly server: PgNode;
  readonly proxy: Proxy;
}

/** A primary and two replicas, each behind a proxy; faults happen to them. */
export class World {
  readonly cluster: Cluster;
  readonly primary: FaultNode;
  readonly one: FaultNode;
  readonly two: FaultNode;

  /** @param conf more lines of `postgresql.conf` */
  static async open(conf: readonly string[] = []): Promise<World> {
    const cluster = await openCluster({ embedded: true, replicas: 2, conf });
    const nodes = await Promise.all([cluster.primary, ...cluster.replicas].map(behindProxy));
    return new World(cluster, nodes);
  }

  constructor(cluster: Cluster, [primary, one, two]: readonly FaultNode[]) {
    this.cluster = cluster;
    this.primary = primary!;
    this.one = one!;
    this.two = two!;
  }

  get nodes(): readonly FaultNode[] {
    return [this.primary, this.one, this.two];
  }

  get replicas(): readonly FaultNode[] {
    return [this.one, this.two];
  }

  /** Connections from the processes. */
  get connections(): number {
    return this.nodes.reduce((sum, { proxy }) => sum + proxy.stats.open, 0);
  }

  /** Everything runs, answers and replays; unless a replica was promoted, everything is the same everywhere. */
  async heal(): Promise<void> {
    await Promise.all(this.nodes.map(mend));
    await this.cluster.caughtUp(30_000);
  }
}

async function behindProxy(server: PgNode): Promise<FaultNode> {
  const proxy = await startProxy(server.url());
  closeAfter(() => proxy.stop());
  return { name: server.name, server, proxy };
}

async function mend({ server, proxy }: FaultNode): Promise<void> {
  if (server.pid === undefined) {
    await server.start();
  } else {
    await server.signal('SIGCONT');
  }
  await proxy.pass();
  // A server that is recovering from the crash of one of its processes refuses for a moment.
  for (let attempt = 1; ; attempt++) {
    try {
      await server.query(
        'select case when pg_is_wal_replay_paused() then pg_wal_replay_resume() end where pg_is_in_recovery()',
      );
      return;
    } catch (error) {
      if (attempt === 100) {
        throw error;
      }
      await sleep(50);
    }
  }
}
