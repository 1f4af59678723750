import { closeAfter } from './close-after.ts';
import { startCluster, type Cluster, type ClusterOptions } from './postgres.ts';

/** A cluster of one's own, stopped after the test or, opened outside a test, after the file. */
export async function openCluster(options?: ClusterOptions): Promise<Cluster> {
  const cluster = await startCluster(options);
  closeAfter(() => cluster.stop());
  return cluster;
}
