import { amount, childrenOf, type PlanJson, text, texts } from '../plans/plan-json.ts';
import { above, isInner, removedOf, rowsOf, type Visit, visits, wasRun } from '../plans/plan-walk.ts';
import { type Condition, conditions, type SortColumn, sortColumn } from '../plans/conditions.ts';
import { limitOf } from '../plans/rules/sorted-limit.ts';
import { named } from '../plans/rules/words.ts';
import type { TableName } from '../plans/table-facts.ts';

/** A read of a table that an index might spare, and by which columns. */
export interface WantedIndex extends TableName {
  /** Compared with `=` or `in`; in the order of the plan. */
  readonly equality: readonly string[];
  /** Compared with `<`, `>` …. */
  readonly range: readonly string[];
  /** Of an ORDER BY with a LIMIT. */
  readonly sort: readonly Omit<SortColumn, 'alias'>[];
  /** `is null`: the same in every query of the shape. */
  readonly isNull: readonly string[];
  /** `Seq Scan on book`. */
  readonly node: string;
}

/** At most so many of a plan. */
const MOST = 8;
/** Rows that are worth an index. */
const MANY = 1_000;
/** An outer side so many times smaller is worth an index on the inner one. */
const MUCH_SMALLER = 10;

/** What a plan reads that indexes might spare it. Pure; of a masked plan as well, since values do not matter. */
export function wantedIndexes(root: PlanJson): readonly WantedIndex[] {
  const all = visits(root);
  const wanted = all.flatMap(visit => {
    const want = ofScan(visit);
    return want ? [want] : [];
  });
  const different = new Map(wanted.map(want => [JSON.stringify({ ...want, node: '' }), want]));
  return [...different.values()].slice(0, MOST);
}

function ofScan(visit: Visit): WantedIndex | undefined {
  const { node, type } = visit;
  const name = text(node, 'Relation Name');
  if (name === undefined || !isWasteful(visit)) {
    return undefined;
  }
  const own = (key: string): readonly Condition[] => conditions(text(node, key) ?? '');
  const held = [
    ...own('Filter'),
    ...(type === 'Seq Scan' ? joined(visit) : [...own('Index Cond'), ...own('Recheck Cond')]),
  ];
  const of = (kind: Condition['kind']): readonly string[] => [
    ...new Set(held.filter(each => each.kind === kind).map(({ column }) => column.column)),
  ];
  const want: WantedIndex = {
    schema: text(node, 'Schema'),
    name,
    equality: of('equality'),
    range: of('range'),
    sort: sorted(visit),
    isNull: of('null'),
    node: named(node),
  };
  return want.equality.length + want.range.length + want.sort.length + want.isNull.length > 0 ? want : undefined;
}

/** A scan of everything, one that throws away most of what its index found, or one whose rows are sorted for a few of them. */
function isWasteful(visit: Visit): boolean {
  const { node, type } = visit;
  if (type === 'Seq Scan') {
    return true;
  }
  if (type !== 'Index Scan' && type !== 'Bitmap Heap Scan') {
    return false;
  }
  const throwsAway = wasRun(node) && removedOf(node) >= MANY && removedOf(node) >= 10 * rowsOf(node);
  return throwsAway || (rowsOf(node) >= MANY && sorted(visit).length > 0);
}

/** Conditions of the join that a scan is the inner side of, if the other side is much smaller. */
function joined(visit: Visit): readonly Condition[] {
  const alias = text(visit.node, 'Alias');
  let below = visit;
  for (const each of above(visit)) {
    const { node, type } = each;
    if (type === 'Nested Loop' && isInner(below)) {
      return alias === undefined ? [] : equalities(text(node, 'Join Filter'), alias);
    }
    if (type === 'Hash Join' || type === 'Merge Join') {
      const other = childrenOf(node).find(child => child !== below.node);
      const small = other !== undefined && rowsOf(other) * MUCH_SMALLER <= readOf(visit.node);
      return small && alias !== undefined ? equalities(text(node, 'Hash Cond') ?? text(node, 'Merge Cond'), alias) : [];
    }
    if (!SAME_ROWS.has(type)) {
      return [];
    }
    below = each;
  }
  return [];
}

const SAME_ROWS: ReadonlySet<string> = new Set(['Hash', 'Materialize', 'Memoize', 'Sort', 'Gather', 'Gather Merge']);

function readOf(node: PlanJson): number {
  return wasRun(node) ? rowsOf(node) + removedOf(node) : amount(node, 'Plan Rows');
}

/** Equalities with another table, seen from the one with this alias. */
function equalities(expression: string | undefined, alias: string): readonly Condition[] {
  return conditions(expression ?? '').flatMap(({ column, other, kind }): readonly Condition[] => {
    if (kind !== 'equality' || !other) {
      return [];
    }
    if (column.alias === alias && other.alias !== alias) {
      return [{ column, other, kind }];
    }
    return other.alias === alias && column.alias !== alias ? [{ column: other, other: column, kind }] : [];
  });
}

/** The order that is asked for, if it is made of columns of this table, and a Limit takes the first rows. */
function sorted(visit: Visit): WantedIndex['sort'] {
  for (const each of above(visit)) {
    if (each.type === 'Sort' || each.type === 'Incremental Sort') {
      return limitOf(each) ? sortedBy(each.node, text(visit.node, 'Alias')) : [];
    }
    if (each.type !== 'Gather' && each.type !== 'Gather Merge') {
      return [];
    }
  }
  return [];
}

function sortedBy(sort: PlanJson, alias: string | undefined): WantedIndex['sort'] {
  const keys = texts(sort, 'Sort Key').map(sortColumn);
  return keys.every(key => key !== undefined && (key.alias === undefined || key.alias === alias))
    ? keys.flatMap(key => (key ? [{ column: key.column, descending: key.descending, nullsFirst: key.nullsFirst }] : []))
    : [];
}
