import { type PlanJson, readPlan } from './plan-json.ts';

/** Longer notices are not read. */
const MOST_CHARACTERS = 1_000_000;

/*
 * `auto_explain` writes the plan of a slow execution itself, and with `log_level = notice` it sends it to the client as well
 * (F.3 of the manual). It has to be loaded (`session_preload_libraries`), and the role has to be allowed to set it (PostgreSQL
 * 15: `grant set on parameter auto_explain.log_min_duration, … to app`), or somebody else has set it for the role.
 */

/** Parameters are not logged: the plan has `$1`, or its literals, which are masked. */
function settings(slowMs: number): readonly (readonly [name: string, value: string])[] {
  return [
    ['log_min_duration', String(Math.max(1, Math.round(slowMs)))],
    ['log_analyze', 'on'],
    // Two clock readings for each row and node would be its real cost.
    ['log_timing', 'off'],
    ['log_buffers', 'on'],
    ['log_verbose', 'on'],
    ['log_settings', 'on'],
    ['log_format', 'json'],
    ['log_parameter_max_length', '0'],
    ['log_level', 'notice'],
  ];
}

/**
 * What is sent on a new connection of the pool. Leaves alone a server whose `auto_explain` writes plans to a log already:
 * somebody collects them there.
 * @returns whether plans will come as notices; it is no error that the module is missing or that the role may not set it
 */
export async function useAutoExplain(query: (sql: string) => Promise<unknown>, slowMs: number): Promise<boolean> {
  try {
    return Number(firstOf(await query(statement(slowMs)))) === 1;
  } catch (error) {
    if (EXPECTED.has(codeOf(error))) {
      return false;
    }
    throw error;
  }
}

/**
 * Reads a notice.
 * @returns `undefined` if it is not one of `auto_explain` in JSON; `plan` has what EXPLAIN (FORMAT JSON) would have, and its
 *   time as `Execution Time`
 */
export function planOfNotice(message: string): { durationMs: number; plan: PlanJson } | undefined {
  const head = message.length > MOST_CHARACTERS ? undefined : /^duration: (\d+(?:\.\d+)?) ms {2}plan:\n/.exec(message);
  const plan = head && readPlan(message.slice(head[0].length));
  if (!head || !plan) {
    return undefined;
  }
  const durationMs = Number(head[1]);
  return { durationMs, plan: { ...plan, 'Execution Time': durationMs } };
}

/** insufficient_privilege; undefined_function and undefined_object: older than 15. */
const EXPECTED: ReadonlySet<string> = new Set(['42501', '42883', '42704']);

/** One statement and one round trip: it asks whether it may, and then sets. */
function statement(slowMs: number): string {
  const all = settings(slowMs);
  const names = all.map(([name]) => `('auto_explain.${name}')`).join(', ');
  const set = all.map(([name, value]) => `pg_catalog.set_config('auto_explain.${name}', '${value}', false)`).join(', ');
  return `with asked as materialized (
      select pg_catalog.current_setting('auto_explain.log_level', true) as level,
        pg_catalog.current_setting('auto_explain.log_format', true) as format,
        pg_catalog.current_setting('auto_explain.log_min_duration', true) as duration,
        exists (select from pg_catalog.pg_settings where name = 'auto_explain.log_level') as loaded
    ), state as materialized (
      select loaded and level in ('notice', 'info', 'warning') and format = 'json' and duration <> '-1' as given,
        loaded and duration = '-1' and (
          select pg_catalog.bool_and(pg_catalog.has_parameter_privilege(name, 'SET')) from (values ${names}) as all_of(name)
        ) as allowed from asked
    )
    select (case when given then true when allowed then (select array[${set}] is not null) else false end)::int as used
    from state`;
}

function firstOf(result: unknown): unknown {
  const rows: unknown = typeof result === 'object' && result !== null && 'rows' in result ? result.rows : result;
  const row: unknown = Array.isArray(rows) ? rows[0] : undefined;
  return typeof row === 'object' && row !== null && 'used' in row ? row.used : undefined;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
