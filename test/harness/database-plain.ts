import { randomBytes } from 'node:crypto';
import { sharedCluster, type DatabaseHost } from './shared-cluster.ts';

/** An empty database of one's own. */
export interface Database {
  readonly url: string;
  readonly name: string;
  /** Drops it, connected clients or not. May be called again. */
  drop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface DatabaseOptions {
  /** @default the cluster that the test run shares */
  readonly cluster?: DatabaseHost | undefined;
}

/** Makes a database that lasts until it is dropped or its cluster stops. No vitest needed: for benches and examples. */
export async function createDatabase({ cluster = sharedCluster() }: DatabaseOptions = {}): Promise<Database> {
  const name = `test_${randomBytes(8).toString('hex')}`;
  const url = await cluster.createDatabase(name);
  let dropped: Promise<void> | undefined;
  const drop = (): Promise<void> => (dropped ??= cluster.dropDatabase(name));
  return { url, name, drop, [Symbol.asyncDispose]: drop };
}
