import { setTimeout as sleep } from 'node:timers/promises';
import { HarnessError } from './errors.ts';
import type { PgNode } from './pg-node.ts';

/** `name` as an SQL identifier. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export async function createDatabase(primary: PgNode, name: string): Promise<string> {
  // template0: nobody is ever connected to it, so files starting at the same moment do not block each other.
  await primary.query(`create database ${quoted(name)} template template0`);
  return primary.url(name);
}

export async function dropDatabase(primary: PgNode, name: string): Promise<void> {
  await primary.query(`drop database if exists ${quoted(name)} with (force)`);
}

/** Waits until each of `replicas` has replayed what `primary` has written by now. @param timeout in ms */
export async function waitForReplay(primary: PgNode, replicas: readonly PgNode[], timeout: number): Promise<void> {
  // A flushed message of our own: the plain positions either lag behind asynchronous commits or run ahead of what an
  // idle primary has sent. (PostgreSQL 17 or newer.)
  const [row] = await primary.query<{ lsn: string }>(
    `select pg_logical_emit_message(false, 'mikrokit', '', true)::text as lsn`,
  );
  const deadline = performance.now() + timeout;
  for (const replica of replicas) {
    while (!(await hasReplayed(replica, row?.lsn ?? '0/0'))) {
      if (performance.now() > deadline) {
        throw new HarnessError(
          `${replica.name} has to replay up to ${row?.lsn} within ${timeout} ms, but did not. Is its replay paused or its primary stopped?`,
        );
      }
      await sleep(10);
    }
  }
}

async function hasReplayed(replica: PgNode, lsn: string): Promise<boolean> {
  const [row] = await replica.query<{ done: boolean | null }>('select pg_last_wal_replay_lsn() >= $1::pg_lsn as done', [
    lsn,
  ]);
  return row?.done === true;
}
