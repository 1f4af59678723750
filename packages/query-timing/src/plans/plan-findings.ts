import type { Finding } from '../finding.ts';
import type { Shape } from '../shape.ts';
import type { Scan } from '../sql/scan.ts';
import type { PlanReport } from '../timing-report.ts';
import { findingId } from '../finding-id.ts';
import { amount, type PlanJson } from './plan-json.ts';
import type { PlacedRemark } from './plan-rules.ts';
import { count } from './rules/words.ts';

/** Of one plan. */
const MOST_FINDINGS = 5;

const SOURCES: Readonly<Record<PlanReport['source'], string>> = {
  auto_explain: 'of the slow execution itself (auto_explain)',
  explain: 'by EXPLAIN: rows are estimates',
  generic: 'by EXPLAIN (GENERIC_PLAN): rows are estimates for any values',
  analyze: 'by EXPLAIN (ANALYZE), executed once more',
};

/** What the findings are about. */
export interface Explained {
  readonly shape: Scan;
  /** What is known of it so far. */
  readonly figures: Shape | undefined;
  /** Of the query that was explained, in µs. */
  readonly took: number;
  readonly source: PlanReport['source'];
  readonly root: PlanJson;
}

/** One finding for each rule and table, at most five. */
export function planFindings(explained: Explained, remarks: readonly PlacedRemark[]): readonly Finding[] {
  const groups = Map.groupBy(remarks, ({ rule, relation }) => `${rule} ${relation ?? ''}`);
  return [...groups.values()].slice(0, MOST_FINDINGS).map(group => finding(explained, group));
}

function finding(explained: Explained, [first, ...more]: readonly PlacedRemark[]): Finding {
  const { shape, figures, took, source, root } = explained;
  const { rule, relation, severity, text, fix } = first!;
  return {
    id: findingId('plan', rule, shape.id, relation),
    kind: 'plan',
    severity,
    title: text,
    subject: shape.text,
    shape: shape.id,
    count: figures?.calls ?? 1,
    cost: figures?.took ?? took,
    site: figures?.worst.find(({ site }) => site)?.site,
    parent: undefined,
    fix,
    evidence: [
      `${shape.summary} took ${count(took / 1_000)} ms; its plan costs ${count(amount(root, 'Total Cost'))}, ${SOURCES[source]}.`,
      ...more.slice(0, 4).map(remark => remark.text),
    ],
    scope: undefined,
  };
}
