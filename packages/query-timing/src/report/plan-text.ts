import type { PlanNode } from '../timing-report.ts';
import { duration, whole } from './format.ts';

/** So many nodes are written. */
const MOST = 100;

/** A plan as an indented text: a node on each line, what is wrong with it below. Pure. */
export function planText(root: PlanNode): string {
  const lines: string[] = [];
  const add = (node: PlanNode, depth: number): void => {
    if (lines.length < MOST) {
      const indent = '  '.repeat(depth);
      lines.push(`${indent}${nodeText(node)}`, ...node.remarks.map(remark => `${indent}  ! ${remark}`));
      node.children.forEach(child => add(child, depth + 1));
    }
  };
  add(root, 0);
  return lines.join('\n');
}

function nodeText(node: PlanNode): string {
  const { type, relation, index, actualRows, actualTime, planRows, totalCost, loops, removedByFilter, details } = node;
  const facts = [
    actualTime === undefined ? `cost ${whole(totalCost)}` : duration(actualTime * 1000),
    actualRows === undefined
      ? `about ${whole(planRows)} rows`
      : `${whole(actualRows)} rows of about ${whole(planRows)}`,
    ...(loops !== undefined && loops > 1 ? [`${whole(loops)} loops`] : []),
    ...(removedByFilter === undefined ? [] : [`${whole(removedByFilter)} rows removed`]),
    ...details.map(([name, value]) => `${name}: ${value}`),
  ];
  return `${[type, relation && `on ${relation}`, index && `by ${index}`].filter(Boolean).join(' ')} (${facts.join(', ')})`;
}
