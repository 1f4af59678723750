import type { Cluster, ClusterOptions } from './cluster.ts';
import { createDatabase, dropDatabase, waitForReplay } from './databases.ts';
import { HarnessError } from './errors.ts';
import { OwnNode } from './own-node.ts';
import type { PgNode } from './pg-node.ts';

/** The servers of DATABASE_URL and REPLICA_URLS. Databases made here are dropped when it "stops"; nothing else is touched. */
export class OwnCluster implements Cluster {
  readonly primary: PgNode;
  readonly replicas: readonly PgNode[];
  readonly #created = new Set<string>();

  constructor(url: string, replicaUrls: string | undefined, options: ClusterOptions) {
    const urls = (replicaUrls ?? '').split(',').map(part => part.trim());
    this.primary = new OwnNode('primary', url, 'DATABASE_URL');
    this.replicas = urls
      .filter(part => part !== '')
      .map((part, index) => new OwnNode(`replica-${index + 1}`, part, 'REPLICA_URLS'));
    const asked = options.replicas ?? 0;
    if (asked > this.replicas.length) {
      throw new HarnessError(
        `the cluster has to have ${asked} replica(s), but REPLICA_URLS names ${this.replicas.length} beside DATABASE_URL. ` +
          'Set REPLICA_URLS=url,url or unset DATABASE_URL.',
      );
    }
    if (options.conf?.length) {
      throw new HarnessError(
        `conf configures servers that the harness starts, but DATABASE_URL names one of your own and conf is "${options.conf.join('; ')}". ` +
          'Ask for the embedded one with startCluster({ embedded: true, … }), or unset DATABASE_URL.',
      );
    }
  }

  async createDatabase(name: string): Promise<string> {
    const url = await createDatabase(this.primary, name);
    this.#created.add(name);
    return url;
  }

  async dropDatabase(name: string): Promise<void> {
    this.#created.delete(name);
    await dropDatabase(this.primary, name);
  }

  addReplica(): Promise<PgNode> {
    return Promise.reject(
      new HarnessError(
        'addReplica() starts an embedded server, but DATABASE_URL names servers of your own. Add its url to REPLICA_URLS, or unset DATABASE_URL.',
      ),
    );
  }

  caughtUp(timeout = 10_000): Promise<void> {
    return waitForReplay(this.primary, this.replicas, timeout);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#created].map(name => this.dropDatabase(name)));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
