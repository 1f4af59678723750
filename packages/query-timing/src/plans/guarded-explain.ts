import type { SideConnection } from '../side-connection.ts';
import { type PlanJson, readPlan } from './plan-json.ts';

/** How long statements of a transaction may take, and wait for a lock, in ms. */
export interface Limits {
  readonly statement: number;
  readonly lock: number;
}

/** For questions to the catalogues, and for EXPLAIN alone: it plans no longer than its statement took, but may be the first to read them. */
export const UNEXECUTED: Limits = { statement: 2_000, lock: 50 };

/** A statement to be explained. */
export interface Question {
  readonly sql: string;
  readonly values: readonly unknown[];
  /** Has `$1` and no values. */
  readonly generic: boolean;
}

/** For a statement that took so many µs, and is executed once more: twice as long, 50 ms at least, 2 s at most. */
export function limitsFor(took: number): Limits {
  return { statement: Math.min(2_000, Math.max(50, Math.ceil((2 * took) / 1_000))), lock: 50 };
}

/** Runs `work` in a transaction that may only read, under limits, and that is rolled back. @throws as `work` does */
export function readOnly<T>(connection: SideConnection, limits: Limits, work: () => Promise<T>): Promise<T> {
  return rolledBack(connection, 'begin read only', limits, work);
}

/** As `readOnly()`, and may write: nothing of it stays. Only for a database that may be thrown away. */
export function undone<T>(connection: SideConnection, limits: Limits, work: () => Promise<T>): Promise<T> {
  return rolledBack(connection, 'begin', limits, work);
}

async function rolledBack<T>(
  connection: SideConnection,
  begin: string,
  limits: Limits,
  work: () => Promise<T>,
): Promise<T> {
  await connection.query(begin);
  const worked = await settled(async () => {
    // As `set local`, which takes no parameters.
    await connection.query(
      `select pg_catalog.set_config('statement_timeout', $1, true), pg_catalog.set_config('lock_timeout', $2, true)`,
      [String(limits.statement), String(limits.lock)],
    );
    return await work();
  });
  await connection.query('rollback');
  return await worked();
}

/** So that the rollback comes before the error. */
async function settled<T>(work: () => Promise<T>): Promise<() => Promise<T>> {
  try {
    const result = await work();
    return () => Promise.resolve(result);
  } catch (error) {
    return () => Promise.reject(error as Error);
  }
}

/** EXPLAIN: executes nothing. @throws as the connection does; Error if the answer is no plan */
export async function explain(connection: SideConnection, question: Question): Promise<PlanJson> {
  const options = `${question.generic ? 'generic_plan, ' : ''}verbose, settings, format json`;
  return await asked(connection, `explain (${options}) ${question.sql}`, question);
}

/** EXPLAIN (ANALYZE): executes it. `withSerialize`: the server is 17 or newer. @throws as `explain()` */
export async function explainAnalyze(
  connection: SideConnection,
  question: Question,
  withSerialize: boolean,
): Promise<PlanJson> {
  const more = withSerialize ? ', serialize text, memory' : '';
  const options = `analyze, timing off, buffers, verbose, settings, format json${more}`;
  return await asked(connection, `explain (${options}) ${question.sql}`, question);
}

async function asked(connection: SideConnection, text: string, { values, generic }: Question): Promise<PlanJson> {
  const [row] = await connection.query(text, generic ? undefined : values, generic);
  const plan = readPlan(row && Object.values(row)[0]);
  if (!plan) {
    throw new Error('EXPLAIN answered with something that is no plan.');
  }
  return plan;
}
