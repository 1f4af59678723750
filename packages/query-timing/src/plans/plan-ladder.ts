import type { SideConnection } from '../side-connection.ts';
import type { PlanReport } from '../timing-report.ts';
import { explain, explainAnalyze, limitsFor, type Question, readOnly, UNEXECUTED } from './guarded-explain.ts';
import { genericText } from './generic-text.ts';
import { callsHarmful, namesHarmful } from './harmful-functions.ts';
import type { PlanJson } from './plan-json.ts';
import type { ResolvedPlanOptions } from './plan-options.ts';
import type { Waits } from './waiting.ts';

/** A plan, and how it was got. */
export interface GotPlan {
  /** Not masked: not to be kept. */
  readonly plan: PlanJson;
  readonly source: PlanReport['source'];
}

/**
 * How a statement is asked about: as it was sent, or without its values, where those are not to leave the process or are not
 * known (a notice of `auto_explain` has `$1` alone).
 * @returns `undefined` if there is no way
 */
export function questionFor({ shape, sql, values }: Pick<Waits, 'shape' | 'sql' | 'values'>): Question | undefined {
  if (sql !== undefined && (values.length > 0 || !/\$\d/.test(sql))) {
    return { sql, values, generic: false };
  }
  const text = genericText(shape.text);
  return text === undefined ? undefined : { sql: text, values: [], generic: true };
}

/**
 * EXPLAIN, and with `mode: 'analyze'` EXPLAIN (ANALYZE) if nothing that is called could do harm; where that fails (it takes too
 * long, it would write), the plan that was not run.
 * @throws as the connection does
 */
export async function explained(
  connection: SideConnection,
  question: Question,
  took: number,
  mode: ResolvedPlanOptions['mode'],
  failed: (what: string, error: unknown) => void,
): Promise<GotPlan> {
  const plan = await readOnly(connection, UNEXECUTED, () => explain(connection, question));
  const estimated = { plan, source: question.generic ? 'generic' : 'explain' } as const;
  if (mode === 'explain' || question.generic || namesHarmful(question.sql)) {
    return estimated;
  }
  try {
    const harmful = await readOnly(connection, UNEXECUTED, () => callsHarmful(connection, question.sql, plan));
    if (harmful) {
      return estimated;
    }
    const [server] = await connection.query<{ version: unknown }>(
      `select pg_catalog.current_setting('server_version_num')::int as version`,
    );
    const analyzed = await readOnly(connection, limitsFor(took), () =>
      explainAnalyze(connection, question, Number(server?.version) >= 170_000),
    );
    return { plan: analyzed, source: 'analyze' };
  } catch (error) {
    failed('explain analyze', error);
    return estimated;
  }
}
