import type { RouteEvent, RouteReason } from '@mikrokit/replica-resolver';
import type { Moment } from './cache-tour.ts';
import type { RoutedMoment } from './replica-tour.ts';
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

/** Where the reads and writes of each moment went, and below it what the reasons mean. */
export function routeTable(moments: readonly RoutedMoment[]): string {
  const head = ['what', 'server', 'how often', 'why'];
  const rows = moments.flatMap(({ what, routes }) =>
    countRoutes(routes).map(({ server, reason, count }, i) => [i === 0 ? what : '', server, String(count), reason]),
  );
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map(row => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column === 2 ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join('  ')
      .trimEnd();
  const reasons = [...new Set(rows.map(row => row[3] as RouteReason))];
  const meanings = reasons.map(reason => `${reason.padEnd(widths[3]!)}  ${MEANINGS[reason]}`);
  return [line(head), ...rows.map(line), '', ...meanings].join('\n');
}

interface RouteCount {
  readonly server: string;
  readonly reason: RouteReason;
  count: number;
}

function countRoutes(routes: readonly RouteEvent[]): RouteCount[] {
  const counts: RouteCount[] = [];
  for (const { node, role, reason } of routes) {
    const server = role === 'primary' ? 'primary' : node;
    const known = counts.find(each => each.server === server && each.reason === reason);
    if (known === undefined) {
      counts.push({ server, reason, count: 1 });
    } else {
      known.count++;
    }
  }
  return counts;
}

const MEANINGS: Readonly<Record<RouteReason, string>> = {
  replica: 'nothing had been written that it would have to show',
  'replica-caught-up': 'its connection was known to show what had been written',
  'replica-checked': 'it was asked in the same round trip, and shows what had been written',
  'replica-waited': 'it was waited for, until it showed what had been written',
  primary: 'a write, or what is sent to the primary on purpose, as what the cache is to keep',
  'primary-strong': 'the read asked for the latest',
  'primary-only': 'there are no replicas',
  'primary-pinned': 'something was written, and where in the log is not known',
  'primary-not-caught-up': 'the replica that was tried failed, or did not show in time what had been written',
  'primary-no-replica': 'no replica may answer now',
  'primary-timeline': 'another server has been promoted since the write',
  'primary-refused': 'a replica refused it, since it writes',
  'primary-learned': 'a replica refused one like it before',
  stale: 'nobody else was left',
};

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
