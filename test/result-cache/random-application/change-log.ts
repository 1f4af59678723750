import type { EntityManager } from '@mikro-orm/postgresql';
import { TABLES, type Table } from './entities.ts';

/*
 * Which tables have changed, told by the database itself: a row for each statement and table, written by a trigger in the
 * same transaction, and so visible exactly when the change is. Cascades and TRUNCATE have triggers too.
 */

const SCHEMA = `
create table change_log (id bigserial primary key, relation text not null, at timestamptz not null, statement text not null);
create index on change_log (relation);
create function note_change() returns trigger language plpgsql as $$
begin
  insert into change_log (relation, at, statement) values (tg_table_name, clock_timestamp(), left(current_query(), 300));
  return null;
end $$;
`;

export async function createChangeLog(em: EntityManager): Promise<void> {
  const triggers = TABLES.map(
    table =>
      `create trigger note_change after insert or update or delete or truncate on ${table} for each statement execute function note_change();`,
  );
  await em.getConnection().executeDump(`${SCHEMA}${triggers.join('\n')}`);
}

/** As long as two stamps are equal, no change to the tables has become visible between them. */
export async function stampOf(em: EntityManager, tables: readonly Table[]): Promise<number> {
  const [row] = await em.execute<{ count: string }[]>(
    `select count(*) as count from change_log where relation in (${tables.map(() => '?').join(', ')})`,
    [...tables],
  );
  return Number(row!.count);
}

/** The last writes to the tables, in words. */
export async function lastChanges(em: EntityManager, tables: readonly Table[]): Promise<string> {
  const rows = await em.execute<{ relation: string; at: Date; statement: string }[]>(
    `select relation, at::text as at, statement from change_log where relation in (${tables.map(() => '?').join(', ')}) order by id desc limit 8`,
    [...tables],
  );
  return rows.map(({ relation, at, statement }) => `  ${String(at)} ${relation}: ${statement}`).join('\n');
}
