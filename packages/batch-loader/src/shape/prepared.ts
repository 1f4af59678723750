import type { Send } from './catalog.ts';

/** Settings by which the answers travel: calls of one transaction ask at the same time, on one connection. */
const SETTINGS = 1_000;
let asked = 0;

/**
 * Has PostgreSQL prepare a statement (docs: PREPARE), without running it.
 *
 * The statement is prepared in a block that catches its own error, so that an open transaction survives it. A savepoint
 * would not do: its rollback would undo what others have done in the transaction meanwhile.
 *
 * @param sql with `$1`, … for parameters
 * @param send all on one connection, within one transaction
 * @returns the types of the parameters, or SQLSTATE and message
 */
export async function prepare(sql: string, send: Send): Promise<{ types: string[] } | { error: string }> {
  let tag = '$mikrokit$';
  for (let attempt = 0; sql.includes(tag); attempt++) {
    tag = `$mikrokit${attempt}$`;
  }
  const question = asked++;
  const setting = `mikrokit.answer_${question % SETTINGS}`;
  await send(
    `do ${tag} begin
      execute 'prepare mikrokit_shape as ' || ?;
      perform set_config('${setting}', '${question} ' || (select parameter_types::text[]::text from pg_prepared_statements where name = 'mikrokit_shape'), true);
      execute 'deallocate mikrokit_shape';
    exception when others then perform set_config('${setting}', '${question} ' || sqlstate || ' ' || sqlerrm, true);
    end ${tag}`,
    [sql],
  );
  const [row] = await send(
    `select setting, case when setting like '${question} {%' then substr(setting, ${String(question).length + 2})::text[] end as types
      from (select current_setting('${setting}') as setting) as s`,
    [],
  );
  if (row!['types'] !== null) {
    return { types: row!['types'] as string[] };
  }
  // Where more have asked at once than there are settings, this is the answer to another; it may ask again.
  return { error: /^\d+ ([^]*)$/.exec(String(row!['setting']))?.[1] ?? '' };
}
