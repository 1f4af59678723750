import type { SideConnection } from '../side-connection.ts';
import { isPlanJson, type PlanJson } from './plan-json.ts';

/*
 * Before a statement is executed once more (EXPLAIN ANALYZE), nothing it calls may do something that a read-only transaction
 * lets through or a rollback does not undo. Every word of the text and of its plan is taken for a possible name, those in
 * texts and comments too: one too many costs nothing but the executed plan. The plan is looked at since views, policies and
 * inlined functions call what the text does not name.
 */

/** More words than that are not looked up. */
const MOST_NAMES = 5_000;

/** What READ ONLY lets through, or what takes time, or what runs a text as a statement. */
const HARMFUL =
  /^(?:pg_(?:try_)?advisory_\w*|set_config|pg_notify|lo_\w*|loread|lowrite|dblink\w*|pg_(?:terminate|cancel|sleep|reload|rotate|promote|switch|create|drop|replication|logical|backup|wal_replay|stat_reset|log|file|read|ls|export|import|sync|clear|restore)\w*|nextval|setval|setseed|(?:query|cursor|table|schema|database)_to_xml\w*|ts_stat|ts_rewrite)$/;

/** Volatile functions of PostgreSQL that do nothing. */
const HARMLESS: readonly string[] = [
  'array_sample',
  'array_shuffle',
  'bernoulli',
  'clock_timestamp',
  'currval',
  'gen_random_uuid',
  'lastval',
  'random',
  'random_normal',
  'system',
  'timeofday',
  'uuidv4',
  'uuidv7',
];

/**
 * Every name that a text may have, folded as PostgreSQL does and as it stands.
 * @returns `undefined` if names are written in a way that is not read here, or if there are too many
 */
export function namesIn(text: string): ReadonlySet<string> | undefined {
  if (/u&"|""/i.test(text)) {
    return undefined;
  }
  const names = new Set<string>();
  // Between any two quotes: which of them opens one is told only by reading all literals right.
  for (const part of text.split('"')) {
    if (part.length <= 63) {
      names.add(part);
    }
  }
  for (const [word] of text.matchAll(/[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/g)) {
    names.add(word).add(word.toLowerCase());
    if (names.size > MOST_NAMES) {
      return undefined;
    }
  }
  return names;
}

/** Whether the text names a function that must not be called once more, as far as its name tells. */
export function namesHarmful(text: string): boolean {
  const names = namesIn(text);
  return !names || [...names].some(name => HARMFUL.test(name));
}

/**
 * Whether the statement or its plan names a function that must not be called once more: by its name, or since the server says
 * it is volatile. Operators are looked at, too. @throws as the connection does
 */
export async function callsHarmful(
  connection: Pick<SideConnection, 'query'>,
  sql: string,
  plan: PlanJson,
): Promise<boolean> {
  const text = `${sql} ${[...textsOf(plan)].join(' ')}`;
  const names = namesIn(text);
  if (!names) {
    return true;
  }
  const rows = await connection.query<{ harmful: unknown }>(
    `select (exists (
          select from pg_catalog.pg_proc p
          where p.proname = any($1::text[]) and p.provolatile = 'v' and p.prokind <> 'p'
            and (p.pronamespace <> 'pg_catalog'::pg_catalog.regnamespace or p.proname <> all($2::text[])))
        or exists (
          select from pg_catalog.pg_operator o join pg_catalog.pg_proc p on p.oid = o.oprcode
          where o.oprnamespace <> 'pg_catalog'::pg_catalog.regnamespace and p.provolatile = 'v'
            and pg_catalog.strpos($3::text, o.oprname) > 0))::int as harmful`,
    [[...names], HARMLESS, text],
  );
  return Number(rows[0]?.harmful) !== 0;
}

function* textsOf(value: unknown): Iterable<string> {
  if (typeof value === 'string') {
    yield value;
  } else if (Array.isArray(value)) {
    for (const each of value) {
      yield* textsOf(each);
    }
  } else if (isPlanJson(value)) {
    for (const each of Object.values(value)) {
      yield* textsOf(each);
    }
  }
}
