import { amount, childrenOf, maybe, type PlanJson, text } from './plan-json.ts';

/** A node of a plan on the way down from its root. */
export interface Visit {
  /** The so-manieth from above: a node before its children, from 0. */
  readonly index: number;
  readonly node: PlanJson;
  readonly type: string;
  readonly parent: Visit | undefined;
}

/** Every node, a node before its children. */
export function visits(root: PlanJson): readonly Visit[] {
  const all: Visit[] = [];
  visit(root, undefined);
  return all;

  function visit(node: PlanJson, parent: Visit | undefined): void {
    const here = { index: all.length, node, type: text(node, 'Node Type') ?? 'Unknown', parent };
    all.push(here);
    for (const child of childrenOf(node)) {
      visit(child, here);
    }
  }
}

/** Whether the node was run: its `Actual …` numbers are there, and it was reached. */
export function wasRun(node: PlanJson): boolean {
  return amount(node, 'Actual Loops') > 0;
}

/** Rows that a node gave, of all its loops; of a plan that was not run, those that are expected. */
export function rowsOf(node: PlanJson): number {
  const rows = maybe(node, 'Actual Rows');
  return rows === undefined ? amount(node, 'Plan Rows') : rows * amount(node, 'Actual Loops');
}

/** Rows that the node's filter threw away, of all its loops. */
export function removedOf(node: PlanJson): number {
  return amount(node, 'Rows Removed by Filter') * amount(node, 'Actual Loops');
}

/** The inner side of a join. */
export function isInner(visit: Visit): boolean {
  return visit.node['Parent Relationship'] === 'Inner';
}

/** Those above a node, the next first. */
export function* above(visit: Visit): Iterable<Visit> {
  for (let each = visit.parent; each; each = each.parent) {
    yield each;
  }
}
