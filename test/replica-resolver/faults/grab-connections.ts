import { Client } from 'pg';
import type { PgNode } from '../../harness/pg-node.ts';

/** Connections that were taken so that nobody else has any. */
export interface Grabbed {
  readonly count: number;
  release(): Promise<void>;
}

/** Takes all connections of a server that are left. */
export async function grabConnections(server: PgNode): Promise<Grabbed> {
  const taken: Client[] = [];
  const release = async (): Promise<void> => {
    await Promise.all(taken.splice(0).map(client => client.end().catch(() => {})));
  };
  const takeOne = async (): Promise<boolean> => {
    const client = new Client({ connectionString: server.url() });
    client.on('error', () => {});
    try {
      await client.connect();
      taken.push(client);
      return true;
    } catch (error) {
      if ((error as { code?: string }).code === '53300') {
        return false;
      }
      await release();
      throw error;
    }
  };
  let left = true;
  while (left) {
    left = (await Promise.all(Array.from({ length: 10 }, takeOne))).every(Boolean);
  }
  return { count: taken.length, release };
}
