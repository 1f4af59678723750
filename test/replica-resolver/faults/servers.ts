import type { PgNode } from '../../harness/pg-node.ts';
import type { FaultNode } from './world.ts';

/** Kills a server; whoever connects then is refused, as without a proxy before it. */
export async function kill({ server, proxy }: FaultNode): Promise<void> {
  await server.signal('SIGKILL');
  await proxy.refuse();
}

/** Stops a server, which tells its clients (57P01). */
export async function shutDown({ server, proxy }: FaultNode): Promise<void> {
  await server.stop('fast');
  await proxy.refuse();
}

/** Starts a server that was killed or stopped. */
export async function start({ server, proxy }: FaultNode): Promise<void> {
  // Before it accepts connections: what it says until then (57P03) is to be heard.
  await proxy.pass();
  await server.start();
}

/** Sets parameters of one server. Values are text as in `postgresql.conf`. */
export async function configure(
  server: PgNode,
  parameters: Readonly<Record<string, string>>,
  when: 'now' | 'at the next start',
): Promise<void> {
  for (const [name, value] of Object.entries(parameters)) {
    await server.query(`alter system set ${name} = '${value.replaceAll("'", "''")}'`);
  }
  if (when === 'now') {
    await server.query('select pg_reload_conf()');
  }
}

/** Up to where a replica has replayed, in bytes. */
export async function replayed(server: PgNode): Promise<number> {
  return await position(server, 'pg_last_wal_replay_lsn()');
}

/** Up to where a replica has the log, in bytes. */
export async function received(server: PgNode): Promise<number> {
  return await position(server, 'coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())');
}

async function position(server: PgNode, sql: string): Promise<number> {
  const [row] = await server.query<{ bytes: string }>(`select pg_wal_lsn_diff(${sql}, '0/0') as bytes`);
  return Number(row!.bytes);
}
