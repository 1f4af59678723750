import { explain, type Limits, type Question, undone } from '../plans/guarded-explain.ts';
import type { SideConnection } from '../side-connection.ts';
import { judge, type Verdict } from './verdict.ts';

/** Building an index takes a while. */
const LIMITS: Limits = { statement: 30_000, lock: 1_000 };

/**
 * Creates an index in a database that may be thrown away, looks at the plan, and rolls back. It locks the table meanwhile.
 * @param definition `on "book" ("author_id")`
 * @throws as the connection does
 */
export async function verifyByCopy(
  connection: SideConnection,
  question: Question,
  definition: string,
): Promise<Verdict> {
  return await undone(connection, LIMITS, async () => {
    const before = await explain(connection, question);
    await connection.query(`create index ${NAME} ${definition}`);
    return judge(before, await explain(connection, question), NAME, { by: 'copy', size: undefined });
  });
}

const NAME = 'mikrokit_query_timing_advice';
