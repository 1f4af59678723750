import { amount, text } from '../plan-json.ts';
import { above, isInner, rowsOf, type Visit, wasRun } from '../plan-walk.ts';
import type { PlanRule } from './rule.ts';
import { columnsOf, count, named, quoted, rows } from './words.ts';

/** With fewer rows on both sides a wrong guess chooses no other plan. */
const MATTERS = 1_000;

/** The planner expected a hundredth or a hundredfold of the rows; a tenth or tenfold where it is repeated for each outer row. */
export const estimateOff: PlanRule = visit => {
  const { node, type } = visit;
  const name = text(node, 'Relation Name');
  if (!wasRun(node) || name === undefined || type === 'ModifyTable') {
    return undefined;
  }
  const loops = amount(node, 'Actual Loops');
  const actual = amount(node, 'Actual Rows');
  const expected = amount(node, 'Plan Rows');
  const factor = Math.max(actual, expected, 1) / Math.max(Math.min(actual, expected), 1);
  const repeated = innerOfNestedLoop(visit);
  if (factor < (repeated ? 10 : 100) || Math.max(rowsOf(node), expected * loops) < MATTERS) {
    return undefined;
  }
  if (actual < expected && mayStopEarly(visit)) {
    return undefined;
  }
  const condition = text(node, 'Filter') ?? text(node, 'Index Cond') ?? text(node, 'Recheck Cond');
  return {
    text:
      `${named(node)} was expected to give ${rows(expected)}${loops > 1 ? ' a loop' : ''} and gave ${count(actual)}, ` +
      `${count(Math.round(factor))} times as ${actual > expected ? 'many' : 'few'}: the statistics of ` +
      `${columnsOf(condition)} mislead the planner.`,
    relation: name,
    severity: 'warning',
    fix: `analyze ${quoted(name)};  -- if that does not help: create statistics on its columns`,
  };
};

function innerOfNestedLoop(visit: Visit): boolean {
  return isInner(visit) && visit.parent?.type === 'Nested Loop';
}

/** Nodes that are not asked for all of their rows give fewer than expected, and no statistics are to blame. */
function mayStopEarly(visit: Visit): boolean {
  return [visit, ...above(visit)].some(
    ({ type, node }) =>
      type === 'Limit' ||
      type === 'Merge Join' ||
      ['Semi', 'Anti'].includes(text(node, 'Join Type') ?? '') ||
      text(node, 'Subplan Name') !== undefined,
  );
}
