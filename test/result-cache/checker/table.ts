import type { Figures } from './run.ts';

const COLUMNS: readonly (readonly [name: string, cell: (figures: Figures) => string])[] = [
  ['run', ({ name }) => name],
  ['reads', ({ reads }) => `${reads}`],
  ['writes', ({ writes }) => `${writes}`],
  ['commit-stale', ({ commitStale }) => `${commitStale}`],
  ['ack-stale', ({ ackStale }) => `${ackStale}`],
  ['non-monotone', ({ nonMonotone }) => `${nonMonotone}`],
  ['dirty', ({ dirty }) => `${dirty}`],
  ['worst lag', ({ worstLag }) => (worstLag > 0 ? `${worstLag.toFixed(0)} ms` : '–')],
  ['hit rate', ({ hitRate }) => `${(hitRate * 100).toFixed(1)} %`],
  ['kills', ({ kills }) => `${kills}`],
  ['faults', ({ faults }) => `${faults}`],
];

/** All runs, below each other. */
export function tableOf(runs: readonly Figures[]): string {
  const rows = [COLUMNS.map(([name]) => name), ...runs.map(figures => COLUMNS.map(([, cell]) => cell(figures)))];
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map(row => row[column]!.length)));
  return rows.map(row => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`).join('\n');
}
