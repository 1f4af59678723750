import type { PlanNode } from '../../timing-report.ts';

/** A node of a plan as a row: where it stands, and its own part of the whole. */
export interface PlanRow {
  readonly node: PlanNode;
  /** Its place: `0`, `0.1`, `0.1.0`. */
  readonly path: string;
  readonly depth: number;
  /** Without its children: in ms where the plan was run, else in cost units. */
  readonly own: number;
  /** 0 to 1, of the whole plan. */
  readonly share: number;
  /** By how much the estimate was wrong, 1 if it was right, negative if there were fewer rows; `undefined`: was not run. */
  readonly misjudged: number | undefined;
  /** Whether a node above it is folded. */
  readonly hidden: boolean;
}

/** Nodes from the top, each before its children. Pure. @param folded paths whose children are hidden */
export function planRows(root: PlanNode, folded: (path: string) => boolean): readonly PlanRow[] {
  const measure = (node: PlanNode): number => node.actualTime ?? node.totalCost;
  const all = Math.max(measure(root), Number.MIN_VALUE);
  const rows: PlanRow[] = [];
  const add = (node: PlanNode, path: string, depth: number, hidden: boolean): void => {
    const below = node.children.reduce((sum, child) => sum + measure(child), 0);
    // Children of parallel workers, and those that were begun and not ended (limit), may have more than their parent.
    const own = Math.max(0, measure(node) - below);
    rows.push({ node, path, depth, own, share: Math.min(1, own / all), misjudged: misjudged(node), hidden });
    node.children.forEach((child, index) => add(child, `${path}.${index}`, depth + 1, hidden || folded(path)));
  };
  add(root, '0', 0, false);
  return rows;
}

function misjudged({ planRows: estimate, actualRows }: PlanNode): number | undefined {
  if (actualRows == null) {
    return undefined;
  }
  // PostgreSQL never estimates less than one row.
  const [few, many] = [Math.max(1, Math.min(estimate, actualRows)), Math.max(1, estimate, actualRows)];
  return many / few < 1.01 ? 1 : actualRows >= estimate ? many / few : -(many / few);
}
