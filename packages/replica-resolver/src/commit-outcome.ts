import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from './cluster.ts';
import { type Lsn, parseLsn } from './lsn.ts';
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

/** How long the primary may take to say where it is, in ms. */
const POSITION_WAIT = 1_000;

/**
 * Where the log is by now: at or after whatever has become of a commit whose answer was lost.
 * @returns `undefined`: nobody said so in time
 */
export async function positionNow(cluster: Cluster): Promise<Lsn | undefined> {
  const given = new AbortController();
  const late = sleep(POSITION_WAIT, undefined, { signal: given.signal }).catch(() => undefined);
  try {
    return await Promise.race([ask(cluster).catch(() => undefined), late]);
  } finally {
    given.abort();
  }
}

async function ask(cluster: Cluster): Promise<Lsn | undefined> {
  const client = await (await cluster.primaryForWrite()).pool.connect();
  try {
    const { rows } = await client.send({ text: 'select pg_current_wal_insert_lsn()::text as lsn' });
    const text = rows[0]?.['lsn'];
    return typeof text === 'string' ? parseLsn(text) : undefined;
  } finally {
    client.release?.();
  }
}
