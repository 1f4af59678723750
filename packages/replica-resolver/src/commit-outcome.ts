import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from './cluster.ts';
import type { Node } from './node.ts';

/** How often a transaction that is still in progress is asked for, and how long between, in ms. */
const TRIES = 20;
const BETWEEN = 100;

/**
 * What became of a transaction whose answer was lost: PostgreSQL remembers it by its id (`pg_xact_status`, PostgreSQL
 * docs 9.27.8). Only on the server and timeline that it was sent to: after a promotion the same id is given out again.
 */
export async function resolvedOutcome(
  cluster: Cluster,
  node: Node,
  id: string,
): Promise<'committed' | 'aborted' | 'unknown'> {
  const { timeline } = cluster;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    try {
      if ((await cluster.primaryForWrite()) !== node || cluster.timeline !== timeline) {
        return 'unknown';
      }
      const client = await node.pool.connect();
      let status: unknown;
      try {
        const { rows } = await client.send({ text: 'select pg_xact_status($1::xid8) as status', values: [id] });
        status = rows[0]?.['status'];
      } finally {
        client.release?.();
      }
      if (status === 'committed' || status === 'aborted') {
        return cluster.primary === node && cluster.timeline === timeline ? status : 'unknown';
      }
      if (status !== 'in progress') {
        return 'unknown';
      }
    } catch {
      // The server is not back yet.
    }
    await sleep(BETWEEN);
  }
  return 'unknown';
}
