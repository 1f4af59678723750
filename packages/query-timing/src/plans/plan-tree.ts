import type { PlanNode } from '../timing-report.ts';
import { amount, childrenOf, maybe, type PlanJson, text } from './plan-json.ts';

const MOST_DETAILS = 24;
const LONGEST_DETAIL = 500;

/** What has a field of its own in `PlanNode`, and what says nothing to a reader. */
const NO_DETAILS: ReadonlySet<string> = new Set([
  'Node Type',
  'Parent Relationship',
  'Schema',
  'Relation Name',
  'Index Name',
  'Alias',
  'Startup Cost',
  'Total Cost',
  'Plan Rows',
  'Plan Width',
  'Actual Rows',
  'Actual Loops',
  'Actual Startup Time',
  'Actual Total Time',
  'Rows Removed by Filter',
  'Shared Hit Blocks',
  'Shared Read Blocks',
  'Output',
  'Plans',
  'Workers',
  'Parallel Aware',
  'Async Capable',
  'Disabled',
  'Single Copy',
]);

/**
 * The tree of a masked plan, for eyes.
 * @param remarks of the node that is the so-manieth from above (a node before its children, from 0)
 */
export function planTree(root: PlanJson, remarks: (index: number) => readonly string[]): PlanNode {
  let index = 0;
  return node(root);

  function node(json: PlanJson): PlanNode {
    const own = remarks(index++);
    const loops = maybe(json, 'Actual Loops');
    const time = maybe(json, 'Actual Total Time');
    return {
      type: typeOf(json),
      relation: text(json, 'Relation Name'),
      index: text(json, 'Index Name'),
      alias: text(json, 'Alias'),
      startupCost: amount(json, 'Startup Cost'),
      totalCost: amount(json, 'Total Cost'),
      planRows: amount(json, 'Plan Rows'),
      actualRows: maybe(json, 'Actual Rows'),
      loops,
      actualTime: time === undefined ? undefined : time * (loops ?? 1),
      removedByFilter: maybe(json, 'Rows Removed by Filter'),
      sharedHit: maybe(json, 'Shared Hit Blocks'),
      sharedRead: maybe(json, 'Shared Read Blocks'),
      details: details(json),
      remarks: own,
      children: childrenOf(json).map(node),
    };
  }
}

/** `Parallel Seq Scan`, `Seq Scan`: as EXPLAIN in text says. */
export function typeOf(node: PlanJson): string {
  const type = text(node, 'Node Type') ?? 'Unknown';
  return node['Parallel Aware'] === true ? `Parallel ${type}` : type;
}

function details(node: PlanJson): readonly (readonly [string, string])[] {
  const found: (readonly [string, string])[] = [];
  for (const [name, value] of Object.entries(node)) {
    const shown = NO_DETAILS.has(name) ? '' : told(value);
    if (shown !== '' && found.length < MOST_DETAILS) {
      found.push([name, shown.length > LONGEST_DETAIL ? `${shown.slice(0, LONGEST_DETAIL - 1)}…` : shown]);
    }
  }
  return found;
}

/** Empty for what is nothing: no blocks, not so. */
function told(value: unknown): string {
  if (Array.isArray(value)) {
    return value.filter(each => typeof each === 'string').join(', ');
  }
  return typeof value === 'string'
    ? value
    : value === true || (typeof value === 'number' && value !== 0)
      ? `${value}`
      : '';
}
