import { parseLsn, type Lsn } from './lsn.ts';
import { SERVER } from './replayed.ts';

/** What a node says of itself. */
export interface Observation {
  readonly inRecovery: boolean;
  /** What it has replayed, or where it writes; `undefined` where it does not tell (then only time can). */
  readonly lsn: Lsn | undefined;
  /** The timeline it writes or is known to follow; `undefined` when it does not tell. */
  readonly timeline: number | undefined;
  /** When it was started, as an opaque text: two nodes with the same one are one server. */
  readonly started: string | undefined;
  /** Which server and which start of it, see `replayed.ts`. */
  readonly server: string | undefined;
  readonly readOnly: boolean;
  readonly system: string | undefined;
  /** In bytes. */
  readonly walSegmentSize: number;
  /** Connections that ordinary users may have. */
  readonly maxConnections: number;
}

/**
 * One statement, on either kind of server, for a role without privileges. A new primary shows its timeline at once in the
 * name of its WAL file, while its control file still has the old one (T3). A standby shows it in what it receives, to
 * roles with `pg_monitor`; to others with its next restartpoint.
 */
export const PROBE: string = `select pg_is_in_recovery() as recovery,
  case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end::text as lsn,
  case when not pg_is_in_recovery() then pg_walfile_name(pg_current_wal_lsn()) end as walfile,
  case when pg_is_in_recovery() then (select received_tli from pg_stat_wal_receiver) end as received,
  case when pg_is_in_recovery() then greatest(
    (select timeline_id from pg_control_checkpoint()), (select min_recovery_end_timeline from pg_control_recovery())) end as control,
  (select system_identifier from pg_control_system())::text as system,
  extract(epoch from pg_postmaster_start_time())::text as started, ${SERVER} as server,
  current_setting('default_transaction_read_only') as read_only,
  pg_size_bytes(current_setting('wal_segment_size'))::int as segment,
  current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int as connections`;

/** For servers, and poolers before them, that refuse some of that: nothing but who takes writes. */
export const PLAIN_PROBE = `select pg_is_in_recovery() as recovery, current_setting('default_transaction_read_only') as read_only,
  extract(epoch from pg_postmaster_start_time())::text as started`;

/** Errors that say "not here" rather than "not now": no such function, no such view, not allowed, not supported. */
const NOT_HERE = new Set(['42883', '42P01', '42501', '0A000', '42703', '42704']);

/** Whether a database that answers a probe with this error can be asked the plain one. */
export function cannotTell(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && NOT_HERE.has(code);
}

/** Asks for what makes a standby refuse every read; needs no snapshot, so that it is answered there. */
export const ISOLATION_PROBE = 'show default_transaction_isolation';

/** Whether a probe was refused as unsupported, as standbys do in serializable transactions. */
export function isUnsupported(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === '0A000';
}

/** Reads the answer to either probe. */
export function observationOf(row: Readonly<Record<string, unknown>>): Observation {
  const text = (name: string): string | undefined => {
    const value = row[name];
    return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
  };
  const number = (name: string): number | undefined => {
    const value = text(name);
    return value === undefined ? undefined : Number(value);
  };
  const lsn = text('lsn');
  const walfile = text('walfile');
  return {
    inRecovery: row['recovery'] === true,
    lsn: lsn === undefined ? undefined : parseLsn(lsn),
    timeline:
      walfile === undefined ? (number('received') ?? number('control')) : Number.parseInt(walfile.slice(0, 8), 16),
    started: text('started'),
    server: text('server'),
    readOnly: text('read_only') === 'on',
    system: text('system'),
    walSegmentSize: number('segment') ?? 16_777_216,
    maxConnections: number('connections') ?? Number.POSITIVE_INFINITY,
  };
}
