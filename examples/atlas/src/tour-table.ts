import type { Comparison } from './tour.ts';

const HEAD = ['query', 'SQL', 'ms', 'SQL', 'ms', 'faster'];

/** The comparisons as a table for a terminal, and below it what each query asks. */
export function tourTable(comparisons: readonly Comparison[]): string {
  const rows = comparisons.map(({ query, without, with: withExtension }) => [
    query.name,
    String(without.statements),
    without.ms.toFixed(1),
    String(withExtension.statements),
    withExtension.ms.toFixed(1),
    `${(without.ms / withExtension.ms).toFixed(1)} ×`,
  ]);
  const widths = HEAD.map((head, column) => Math.max(head.length, 6, ...rows.map(row => row[column]!.length)));
  const line = (cells: readonly string[]): string =>
    cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  ');
  const over = (from: number): number => widths[from]! + 2 + widths[from + 1]!;
  const groups = ['without'.padStart(over(1)), 'batch-loader'.padStart(over(3))].join('  ');
  return [
    `${' '.repeat(widths[0]!)}  ${groups}`,
    line(HEAD),
    ...rows.map(line),
    '',
    ...comparisons.map(({ query }) => `${query.name.padEnd(widths[0]!)}  ${query.asks}`),
  ].join('\n');
}
