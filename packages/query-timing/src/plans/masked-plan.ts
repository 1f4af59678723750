import { mask } from '../sql/mask.ts';
import { isPlanJson, type PlanJson } from './plan-json.ts';

/** Bytes of one plan as JSON. */
export const MOST_BYTES = 65_536;
const MOST_NODES = 500;
const MOST_DEPTH = 60;
const LONGEST_TEXT = 2_000;
const LONGEST_LIST = 100;

/** Texts that are names or words of PostgreSQL. All others may hold values: what is not known is masked. */
const PLAIN: ReadonlySet<string> = new Set([
  'Node Type',
  'Parent Relationship',
  'Subplan Name',
  'Operation',
  'Strategy',
  'Partial Mode',
  'Join Type',
  'Scan Direction',
  'Command',
  'Schema',
  'Relation Name',
  'Alias',
  'Index Name',
  'Function Name',
  'Table Function Name',
  'CTE Name',
  'Tuplestore Name',
  'Custom Plan Provider',
  'Sort Method',
  'Sort Space Type',
  'Sort Methods Used',
  'Cache Mode',
  'Storage',
  'Query Identifier',
  'Format',
]);

/**
 * A copy of a plan without values, of at most 64 kB: every text that may hold a value is masked; of a plan that is still too
 * large, what each node puts out and what each worker did are left out, then the nodes furthest from the root.
 */
export function maskPlan(plan: PlanJson): PlanJson {
  const full = copied(plan, new Set(), MOST_DEPTH);
  if (fits(full)) {
    return full;
  }
  for (const depth of [MOST_DEPTH, 20, 10, 5, 2]) {
    const less = copied(plan, new Set(['Output', 'Workers']), depth);
    if (fits(less)) {
      return less;
    }
  }
  return { Plan: { 'Node Type': 'Too large to be kept' } };
}

function copied(plan: PlanJson, without: ReadonlySet<string>, depth: number): PlanJson {
  let nodes = 0;
  return object(plan, depth);

  function object(value: PlanJson, left: number): PlanJson {
    // fromEntries, since an assignment to `__proto__` would not make a property.
    return Object.fromEntries(
      Object.entries(value)
        .slice(0, LONGEST_LIST)
        .filter(([name]) => !without.has(name))
        .map(([name, each]) => [
          cut(name),
          name === 'Settings' ? settings(each) : name === 'Plans' ? plans(each, left - 1) : any(name, each, left - 1),
        ]),
    );
  }

  function plans(value: unknown, left: number): readonly PlanJson[] {
    if (!Array.isArray(value) || left <= 0) {
      return [];
    }
    const kept: PlanJson[] = [];
    for (const each of value) {
      if (isPlanJson(each) && nodes < MOST_NODES) {
        nodes += 1;
        kept.push(object(each, left));
      }
    }
    return kept;
  }

  function any(name: string, value: unknown, left: number): unknown {
    if (typeof value === 'string') {
      return cut(PLAIN.has(name) ? value : mask(value));
    }
    if (Array.isArray(value)) {
      return left > 0 ? value.slice(0, LONGEST_LIST).map(each => any(name, each, left - 1)) : [];
    }
    if (isPlanJson(value)) {
      return left > 0 ? object(value, left) : {};
    }
    return typeof value === 'number' || typeof value === 'boolean' ? value : null;
  }
}

/** Settings of the planner; only those of PostgreSQL itself are known to be words and numbers. */
function settings(value: unknown): PlanJson {
  const entries = isPlanJson(value) ? Object.entries(value) : [];
  return Object.fromEntries(
    entries
      .slice(0, LONGEST_LIST)
      .map(([name, each]) => [cut(name), typeof each !== 'string' ? null : /^\w+$/.test(name) ? cut(each) : '?']),
  );
}

function cut(value: string): string {
  return value.length > LONGEST_TEXT ? `${value.slice(0, LONGEST_TEXT - 1)}…` : value;
}

function fits(plan: PlanJson): boolean {
  return Buffer.byteLength(JSON.stringify(plan)) <= MOST_BYTES;
}
