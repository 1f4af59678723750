import { explain, type Question, readOnly, UNEXECUTED } from '../plans/guarded-explain.ts';
import type { SideConnection } from '../side-connection.ts';
import { judge, type Verdict } from './verdict.ts';

/**
 * Looks at the plan with an index that is only imagined (the extension HypoPG): nothing is created, and no other session sees
 * it.
 * @param definition `on "book" ("author_id")`
 * @returns `undefined` where the extension is not created
 * @throws as the connection does
 */
export async function verifyByHypopg(
  connection: SideConnection,
  question: Question,
  definition: string,
): Promise<Verdict | undefined> {
  const [extension] = await connection.query<{ schema: string }>(
    `select pg_catalog.quote_ident(n.nspname) as schema from pg_catalog.pg_extension e
      join pg_catalog.pg_namespace n on n.oid = e.extnamespace where e.extname = 'hypopg'`,
  );
  if (!extension) {
    return undefined;
  }
  const { schema } = extension;
  try {
    return await readOnly(connection, UNEXECUTED, async () => {
      const before = await explain(connection, question);
      const [index] = await connection.query<{ oid: string; name: string }>(
        `select indexrelid::text as oid, indexname::text as name from ${schema}.hypopg_create_index($1)`,
        [`create index ${definition}`],
      );
      if (!index) {
        return undefined;
      }
      const after = await explain(connection, question);
      const [size] = await connection.query<{ size: unknown }>(
        `select ${schema}.hypopg_relation_size($1::oid)::float8 as size`,
        [index.oid],
      );
      return judge(before, after, index.name, { by: 'hypopg', size: size && Number(size.size) });
    });
  } finally {
    // It is the session's, not the transaction's.
    await connection.query(`select ${schema}.hypopg_reset()`);
  }
}
