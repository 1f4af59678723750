import { startCluster } from './postgres.ts';
import { shareCluster } from './shared-cluster.ts';

/** vitest runs this once, in its main process, before any worker starts; what it returns runs after the last one. */
export default async function setUp(): Promise<() => Promise<void>> {
  const cluster = await startCluster({ log: line => process.stderr.write(`${line}\n`) });
  shareCluster(cluster);
  return () => cluster.stop();
}
