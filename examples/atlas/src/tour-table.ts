import type { Moment } from './cache-tour.ts';
import type { Comparison, Cost } from './tour.ts';

const COLUMNS = ['SQL', 'ms', 'SQL', 'ms', 'faster'];

/** The comparisons as a table for a terminal, and below it what each query asks. */
export function tourTable(comparisons: readonly Comparison[]): string {
  const rows = comparisons.map(({ query, without, with: withExtension }) => [
    query.name,
    ...cells(without, withExtension),
  ]);
  const asks = comparisons.map(({ query }) => `${query.name.padEnd(nameWidth(rows))}  ${query.asks}`);
  return [...table('query', 'batch-loader', rows), '', ...asks].join('\n');
}

/** The moments of the cache tour as a table of the same form. */
export function cacheTable(moments: readonly Moment[]): string {
  const rows = moments.map(({ when, without, with: cached }) => [when, ...cells(without, cached)]);
  return table('read', 'result-cache', rows).join('\n');
}

function cells(without: Cost, withExtension: Cost): string[] {
  return [
    String(without.statements),
    without.ms.toFixed(1),
    String(withExtension.statements),
    withExtension.ms.toFixed(1),
    `${(without.ms / withExtension.ms).toFixed(1)} ×`,
  ];
}

function nameWidth(rows: readonly string[][]): number {
  return Math.max(6, ...rows.map(([name]) => name!.length));
}

function table(what: string, extension: string, rows: readonly string[][]): string[] {
  const head = [what, ...COLUMNS];
  const widths = head.map((name, column) => Math.max(name.length, 6, ...rows.map(row => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  ');
  const over = (from: number): number => widths[from]! + 2 + widths[from + 1]!;
  const groups = ['without'.padStart(over(1)), extension.padStart(over(3))].join('  ');
  return [`${' '.repeat(widths[0]!)}  ${groups}`, line(head), ...rows.map(line)];
}
