import type { Cluster, ClusterOptions } from './cluster.ts';
import { EmbeddedCluster } from './embedded-cluster.ts';
import { OwnCluster } from './own-cluster.ts';

export { removeDataDir } from './cluster-folder.ts';
export type { Cluster, ClusterOptions } from './cluster.ts';
export type { PgNode, StopMode } from './pg-node.ts';

/**
 * Starts a PostgreSQL cluster on free loopback ports: embedded servers, or those that DATABASE_URL and REPLICA_URLS name.
 * It ends with `stop()`, with `await using`, or with this process, whichever way that ends.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const url = process.env['DATABASE_URL'];
  if (url && !options.embedded) {
    return new OwnCluster(url, process.env['REPLICA_URLS'], options);
  }
  return await EmbeddedCluster.start(options);
}
