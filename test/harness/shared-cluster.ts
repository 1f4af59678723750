import type { Cluster } from './cluster.ts';
import { createDatabase, dropDatabase } from './databases.ts';
import { HarnessError } from './errors.ts';
import { OwnNode } from './own-node.ts';

/** How the main process tells its workers where the shared primary is. */
const variable = 'MIKROKIT_SHARED_PRIMARY';

/** Where databases can be made and dropped: any cluster, or the shared one as seen from a worker. */
export type DatabaseHost = Pick<Cluster, 'createDatabase' | 'dropDatabase'>;

/** Hands `cluster` to every process that is started from now on. */
export function shareCluster(cluster: Cluster): void {
  process.env[variable] = cluster.primary.url();
}

/** The cluster that the run's global set-up has started. */
export function sharedCluster(): DatabaseHost {
  const url = process.env[variable];
  if (!url) {
    throw new HarnessError(
      `a database needs a cluster, but none was passed and no test run shares one (${variable} is not set). ` +
        'Pass { cluster: await startCluster() }, or run under vitest with harness/global-setup.ts.',
    );
  }
  const primary = new OwnNode('primary', url, variable);
  return {
    createDatabase: name => createDatabase(primary, name),
    dropDatabase: name => dropDatabase(primary, name),
  };
}
