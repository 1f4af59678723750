/*
 * The SQL of `externalWrites()`. Pure. Identifiers are quoted, and what is a value is a literal or a `?` parameter.
 *
 * What is in the schema:
 * - `changes`: one row for each transaction and table that it has written to;
 * - `state`: one row of what the followers agree on. It is unlogged, so it is gone after a crash, after a failover and in a
 *   restored backup: in all cases in which transaction ids are given out a second time. A standby cannot read it at all;
 * - `positions`: up to where the changes have been told to a store that outlives its processes. Unlogged for the same reason;
 * - `log_change()`, the triggers' function, and `watch(table)`, which makes the triggers of a table.
 */

/** The setting of a session whose own writes are not logged. */
export const WRITER_SETTING = 'mikrokit.writer';

/** Where a change log is, and which tables it is of. */
export interface ChangeLog {
  readonly schema: string;
  /** `table` or `schema.table`, as in the database. */
  readonly tables: readonly string[];
  readonly notify: boolean;
}

/** `name` as an identifier. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** `value` as a literal that means the same whatever `standard_conforming_strings` is. */
export function literal(value: string): string {
  const quoted = `'${value.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`;
  return value.includes('\\') ? ` E${quoted}` : quoted;
}

/** `schema.table` as SQL has it; a bare name is looked for in the search path. */
export function qualified(table: string): string {
  const dot = table.indexOf('.');
  return dot < 0 ? identifier(table) : `${identifier(table.slice(0, dot))}.${identifier(table.slice(dot + 1))}`;
}

/** What `notify: true` notifies. */
export function channelOf(schema: string): string {
  return `${schema}_changes`;
}

function triggerOf(schema: string): string {
  return `${schema}_external_writes`;
}

/** Makes the log, its functions, and the triggers of the tables. May be run again. */
export function upStatements({ schema, tables, notify }: ChangeLog): string[] {
  const own = identifier(schema);
  const trigger = literal(triggerOf(schema));
  return [
    `create schema if not exists ${own}`,
    `create table if not exists ${own}."changes" (
  "xid" xid8 not null default pg_catalog.pg_current_xact_id(),
  "schema" text not null,
  "table" text not null,
  "at" timestamptz not null default pg_catalog.clock_timestamp(),
  primary key ("xid", "schema", "table")
)`,
    `create unlogged table if not exists ${own}."state" (
  "one" boolean primary key default true check ("one"),
  "boot" uuid not null default pg_catalog.gen_random_uuid(),
  "started" timestamptz not null default pg_catalog.pg_postmaster_start_time(),
  "pruned" xid8 not null default '0'
)`,
    `create unlogged table if not exists ${own}."positions" (
  "store" text primary key,
  "boot" uuid not null,
  "triggers" text not null,
  "position" pg_snapshot not null,
  "at" timestamptz not null default pg_catalog.clock_timestamp()
)`,
    // With the rights of its owner: whoever may write to a table need not know of the log. All names in it are qualified, as
    // a search path of its own costs as much as the insert. No two transactions ever insert the same key, so none waits.
    `create or replace function ${own}."log_change"() returns trigger
language plpgsql security definer as $mikrokit$
begin
  insert into ${own}."changes" ("schema", "table") values (tg_table_schema, tg_table_name) on conflict do nothing;${
    notify
      ? `
  if found then
    perform pg_catalog.pg_notify(${literal(channelOf(schema))}, '');
  end if;`
      : ''
  }
  return null;
end
$mikrokit$`,
    // A statement fires the triggers of the table that it names and of no other, so those above and below get them too.
    `create or replace function ${own}."watch"("watched" regclass) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $mikrokit$
declare
  relation regclass;
begin
  if (select relkind from pg_class where oid = watched) not in ('r', 'p') then
    raise exception using errcode = 'wrong_object_type',
      message = format('externalWrites() takes tables, but %s is none. Name the tables it is made of instead.', watched);
  end if;
  for relation in ${family('watched')} select oid from family loop
    continue when exists (
      select from pg_trigger where tgrelid = relation and tgname = ${trigger} and tgenabled = 'A'
        and tgfoid = ${literal(`${own}."log_change"()`)}::regprocedure
    );
    execute format(
      'create or replace trigger %I after insert or update or delete%s on %s for each statement
        when (pg_catalog.pg_trigger_depth() > 0 or pg_catalog.current_setting(%L, true) is distinct from %L)
        execute function %s()',
      ${trigger},
      case (select relkind from pg_class where oid = relation) when 'f' then '' else ' or truncate' end,
      relation, ${literal(WRITER_SETTING)}, ${literal(schema)}, ${literal(`${own}."log_change"`)}
    );
    execute format('alter table %s enable always trigger %I', relation, ${trigger});
  end loop;
end
$mikrokit$`,
    ...tables.map(table => `select ${own}."watch"(${literal(qualified(table))})`),
  ];
}

/** Removes the log and every trigger that writes to it, whichever tables they are on. May be run again. */
export function downStatements({ schema }: ChangeLog): string[] {
  const own = identifier(schema);
  return [
    `drop function if exists ${own}."watch"(regclass)`,
    // Takes the triggers along.
    `drop function if exists ${own}."log_change"() cascade`,
    `drop table if exists ${own}."positions", ${own}."state", ${own}."changes"`,
    // Somebody else may keep something there.
    `do $mikrokit$ begin
  drop schema if exists ${own};
exception when dependent_objects_still_exist then
  null;
end $mikrokit$`,
  ];
}

/** The `with` of a query that finds a table, and all that inherit from it or that it inherits from, partitions included. */
function family(start: string): string {
  return `with recursive above(oid) as (
    select ${start}::oid union select inhparent from pg_catalog.pg_inherits join above on inhrelid = above.oid
  ), below(oid) as (
    select ${start}::oid union select inhrelid from pg_catalog.pg_inherits join below on inhparent = below.oid
  ), family(oid) as (select oid from above union select oid from below)`;
}

/** The queries of a follower. */
export interface FollowerQueries {
  /** Parameters: the snapshot that was seen last, the name of the store; both may be null. @returns `answer`, a JSON text */
  readonly look: string;
  /** Begins anew, unless somebody has. */
  readonly begin: string;
  /** Parameters: store, snapshot, triggers, boot. */
  readonly save: string;
  /** Says that changes below a transaction id may be gone. Parameters: that id, boot, that id. */
  readonly announcePruning: string;
  /** Removes a batch of them. Parameters: that id, how many at most. @returns `count` */
  readonly prune: string;
  /** Tables without triggers, of those in a parameter (a JSON text). @returns `answer`, a JSON text */
  readonly unwatched: string;
}

export function followerQueries(schema: string): FollowerQueries {
  const own = identifier(schema);
  return {
    // A row is new if its transaction is visible in this statement's snapshot and was in none of those that have been dealt
    // with. The order in which ids are given out, and that of commits, do not matter.
    //
    // The upper bound, `unnest`, `lateral` and `offset 0` are for the planner. It cannot know that hardly any row is new, and
    // reads whole tables without them, or compiles the query each time.
    //
    // `triggers` changes with every trigger that is made, dropped or disabled: what was written without it is not known.
    look: `with recursive watch as materialized (
  select coalesce(md5(string_agg(t.oid || t.tgenabled::text, ',' order by t.oid)), '') as "triggers"
  from pg_catalog.pg_depend join pg_catalog.pg_trigger t on t.oid = objid
  where classid = 'pg_catalog.pg_trigger'::regclass and refclassid = 'pg_catalog.pg_proc'::regclass
    and refobjid = ${literal(`${own}."log_change"()`)}::regprocedure
), asked as materialized (
  select "last", pg_current_snapshot() as "now", watch."triggers", state."boot", "pruned", "position" as "told", positions."at" as "told_at",
    greatest(pg_snapshot_xmin("last"), pg_snapshot_xmin("position")) as "bound"
  from (select ?::pg_snapshot as "last") as given cross join watch
  left join ${own}."state" as state on state."started" = pg_postmaster_start_time()
  left join ${own}."positions" as positions
    on positions."boot" = state."boot" and positions."triggers" = watch."triggers" and "store" = ?::text
), fresh as (
  select distinct "schema", "table" from ${own}."changes"
  where "xid" >= (select "bound" from asked) and "xid" < (select pg_snapshot_xmax("now") from asked)
    and pg_visible_in_snapshot("xid", (select "now" from asked))
    and not coalesce(pg_visible_in_snapshot("xid", (select "last" from asked)), false)
    and not coalesce(pg_visible_in_snapshot("xid", (select "told" from asked)), false)
), found(oid) as (
  select to_regclass(name)::oid from unnest(array(select format('%I.%I', "schema", "table") from fresh)) as name
), above(oid) as (
  select oid from found
  union select inhparent from above, lateral (select inhparent from pg_catalog.pg_inherits where inhrelid = oid offset 0) as i
), below(oid) as (
  select oid from found
  union select inhrelid from below, lateral (select inhrelid from pg_catalog.pg_inherits where inhparent = oid offset 0) as i
), changed("schema", "table") as (
  select "schema", "table" from fresh
  union
  select nspname::text, relname::text from (select oid from above union select oid from below) as family, lateral (
    select relname, nspname from pg_catalog.pg_class as class
    join pg_catalog.pg_namespace as namespace on namespace.oid = relnamespace
    where class.oid = family.oid offset 0
  ) as names
)
select jsonb_build_object(
  'boot', "boot",
  'triggers', "triggers",
  'snapshot', "now"::text,
  'lost', coalesce("pruned" > "bound", true),
  'clock', extract(epoch from clock_timestamp()) * 1000,
  'savedFor', extract(epoch from clock_timestamp() - "told_at") * 1000,
  'tables', coalesce((select jsonb_agg("schema" || '.' || "table") from changed), '[]')
)::text as "answer" from asked`,
    begin: `insert into ${own}."state" as state default values on conflict ("one") do update
set "boot" = excluded."boot", "started" = excluded."started", "pruned" = excluded."pruned"
where state."started" <> excluded."started"`,
    // The condition: a position from before a crash must not be taken for one from after it.
    save: `insert into ${own}."positions" ("store", "position", "triggers", "boot")
select ?::text, ?::pg_snapshot, ?::text, "boot" from ${own}."state" where "boot" = ?::uuid
on conflict ("store") do update set
  "boot" = excluded."boot", "triggers" = excluded."triggers", "position" = excluded."position", "at" = excluded."at"`,
    announcePruning: `update ${own}."state" set "pruned" = ?::xid8 where "boot" = ?::uuid and "pruned" < ?::xid8`,
    prune: `with gone as (
  delete from ${own}."changes" where ("xid", "schema", "table") in (
    select "xid", "schema", "table" from ${own}."changes" where "xid" < ?::xid8
    order by "xid" limit ?::int for update skip locked
  ) returning 1
) select count(*)::int as "count" from gone`,
    unwatched: `with recursive found(oid) as (
  select to_regclass(value)::oid from jsonb_array_elements_text(?::jsonb)
), above(oid) as (
  select oid from found union select inhparent from pg_catalog.pg_inherits join above on inhrelid = above.oid
), below(oid) as (
  select oid from found union select inhrelid from pg_catalog.pg_inherits join below on inhparent = below.oid
)
select coalesce(jsonb_agg(oid::regclass::text order by oid), '[]')::text as "answer"
from (select oid from above union select oid from below) as family
where oid is not null and not exists (
  select from pg_catalog.pg_trigger
  where tgrelid = family.oid and tgname = ${literal(triggerOf(schema))} and tgenabled in ('A', 'O')
)`,
  };
}
