import type { Compiled } from './seam/connection-watch.ts';

/** Settings that decide which table a bare name is. */
export const SCHEMA_SETTINGS: ReadonlySet<string> = new Set(['search_path']);

/** `set_config(…, true)`, in each of them. */
export const LOCAL_SETTING: RegExp =
  /^(?:(?!set_config).)*(?:set_config\s*\((?:(?!set_config).)*,\s*(?:true|'t(?:rue)?')\s*\)(?:(?!set_config).)*)+$/is;

/** Settings of a session that change neither what its statements return nor who they are run as. */
export const HARMLESS_SETTINGS: RegExp =
  /^(?:all|transaction|session characteristics|constraints|names|client_encoding|client_min_messages|application_name|mikrokit\.\w+|session_replication_role|synchronous_commit|work_mem|maintenance_work_mem|temp_buffers|jit\w*|plan_cache_mode|enable_\w+|max_parallel\w*|random_page_cost|seq_page_cost|cpu_\w+|effective_\w+|from_collapse_limit|join_collapse_limit|geqo\w*|log_\w+|auto_explain\.\w+|track_\w+|\w*timeout|search_path)$/;

/** Settings that decide the isolation of transactions. */
export const ISOLATION_SETTINGS: ReadonlySet<string> = new Set([
  'transaction',
  'transaction_isolation',
  'session characteristics',
  'default_transaction_isolation',
]);

/** Settings that decide whose rights statements have. */
export const ROLE_SETTINGS: ReadonlySet<string> = new Set(['role', 'session authorization', 'session_authorization']);

/** Whether a statement may set the search path: in its text, or by a value. */
export function mentionsPath({ sql, parameters }: Compiled): boolean {
  return sql.includes('search_path') || parameters.includes('search_path') || sql.includes('SEARCH_PATH');
}

/** Whether a statement may set the isolation of transactions: in its text, or by a value. */
export function mentionsIsolation({ sql, parameters }: Compiled): boolean {
  return /isolation/i.test(sql) || parameters.some(value => typeof value === 'string' && /isolation/i.test(value));
}
