import { amount, isPlanJson, type PlanJson, text, texts } from '../plan-json.ts';
import type { PlanRule } from './rule.ts';
import { bytesOf, kilobytes } from './words.ts';

/** A sort or a hash had no room in `work_mem` and went to disk. */
export const spilled: PlanRule = ({ node, type }) => {
  if (type === 'Sort' || type === 'Incremental Sort') {
    const disk = Math.max(...[node, ...workers(node)].map(onDisk));
    return disk > 0
      ? {
          text:
            `${type} by ${texts(node, 'Sort Key').join(', ') || 'its key'} needed ${kilobytes(disk)} on disk: ` +
            'it does not fit into work_mem, and no index has the order.',
          relation: undefined,
          severity: 'warning',
          fix: `set work_mem = '${megabytes(disk * 3)}MB';  -- for this role, or an index in the order of the sort`,
        }
      : undefined;
  }
  const batches = Math.max(amount(node, 'Hash Batches'), amount(node, 'HashAgg Batches'));
  if (batches <= 1) {
    return undefined;
  }
  const written = amount(node, 'Temp Written Blocks');
  const memory = amount(node, 'Peak Memory Usage');
  return {
    text:
      `${type} was split into ${batches} batches on disk${written > 0 ? ` (${bytesOf(written)} written)` : ''}: ` +
      'it does not fit into work_mem.',
    relation: undefined,
    severity: 'warning',
    fix: `set work_mem = '${megabytes(memory * batches)}MB';  -- for this role`,
  };
};

function onDisk(node: PlanJson): number {
  return text(node, 'Sort Space Type') === 'Disk' ? amount(node, 'Sort Space Used') : 0;
}

function workers(node: PlanJson): readonly PlanJson[] {
  return Array.isArray(node['Workers']) ? node['Workers'].filter(isPlanJson) : [];
}

function megabytes(kB: number): number {
  return Math.max(8, Math.ceil(kB / 1_024));
}
