import { amount, isPlanJson, type PlanJson, text } from '../plans/plan-json.ts';
import { visits } from '../plans/plan-walk.ts';

/** Whether an index helps a statement. Costs are estimates of the planner, in its own units. */
export type Verdict =
  | {
      readonly helps: true;
      /** Who said so: HypoPG, or a copy of the database in which it was created and rolled back. */
      readonly by: 'hypopg' | 'copy';
      readonly before: number;
      readonly after: number;
      /** Of the index, in bytes, where it was estimated. */
      readonly size: number | undefined;
    }
  | { readonly helps: false }
  /** Not looked at. */
  | { readonly helps: undefined; readonly why: string };

/** It has to halve the cost at least. */
const PART_LEFT = 0.5;

/** It helps if the whole plan costs half or less, and the plan uses the index. */
export function judge(
  before: PlanJson,
  after: PlanJson,
  index: string,
  how: { readonly by: 'hypopg' | 'copy'; readonly size: number | undefined },
): Verdict {
  const [was, is] = [costOf(before), costOf(after)];
  return is <= was * PART_LEFT && usesIndex(after, index)
    ? { helps: true, before: was, after: is, ...how }
    : { helps: false };
}

function costOf(plan: PlanJson): number {
  return isPlanJson(plan['Plan']) ? amount(plan['Plan'], 'Total Cost') : 0;
}

function usesIndex(plan: PlanJson, index: string): boolean {
  return isPlanJson(plan['Plan']) && visits(plan['Plan']).some(({ node }) => text(node, 'Index Name') === index);
}
