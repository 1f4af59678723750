import type { Finding } from '../../finding.ts';
import type { PlanJson } from '../plan-json.ts';
import type { Visit } from '../plan-walk.ts';
import type { FindTable } from '../table-facts.ts';

/** What a rule has to say of a node. */
export interface Remark {
  /** One sentence or two: node, table, columns, numbers. */
  readonly text: string;
  readonly relation: string | undefined;
  readonly severity: Finding['severity'];
  /** What mends it, if a line of code or SQL does. */
  readonly fix: string | undefined;
}

/** What rules may look at beside the node. */
export interface RuleContext {
  /** All that EXPLAIN answered, masked. */
  readonly plan: PlanJson;
  readonly findTable: FindTable;
  /** Rows that the statement passes over, where that is known. */
  readonly offset: number | undefined;
}

/** One thing that may be wrong with a node. Pure. */
export type PlanRule = (visit: Visit, context: RuleContext) => Remark | undefined;
