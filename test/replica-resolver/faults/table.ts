import type { Figures } from './figures.ts';

const ms = (value: number): string => (Number.isFinite(value) ? `${value.toFixed(0)} ms` : 'never');
const unless = (shown: boolean, text: string): string => (shown ? text : '–');
const percent = (value: number): string => `${(value * 100).toFixed(1)} %`;
const p99 = ({ p50, p99: worst }: Figures['before']): string =>
  unless(worst > 0, `${p50.toFixed(1)} / ${worst.toFixed(0)}`);

const COLUMNS: readonly (readonly [name: string, cell: (figures: Figures) => string])[] = [
  ['fault', ({ id, title }) => `${id} ${title}`],
  ['', ({ subject }) => (subject === 'mikrokit' ? 'resolver' : 'MikroORM')],
  ['reads', ({ reads }) => `${reads}`],
  ['failed', ({ failedReads }) => `${failedReads}`],
  ['stale', ({ stale }) => `${stale}`],
  ['on replicas', ({ onReplicas }) => percent(onReplicas)],
  ['lost', ({ lost, lostAsync }) => (lostAsync > 0 ? `${lost} (+${lostAsync} not replicated)` : `${lost}`)],
  [
    'writes failed',
    ({ failedWrites, unknown }) => (unknown > 0 ? `${failedWrites} (+${unknown} unknown)` : `${failedWrites}`),
  ],
  ['misrouted', ({ misrouted }) => `${misrouted}`],
  ['ejected', ({ ejectMs }) => unless(ejectMs > 0, ms(ejectMs))],
  ['recovered', ({ recoverMs }) => unless(recoverMs > 0, ms(recoverMs))],
  ['writes resumed', ({ resumeMs }) => unless(resumeMs > 0, ms(resumeMs))],
  ['longest without a write', ({ writeGapMs }) => ms(writeGapMs)],
  ['worst read', ({ worstReadMs }) => unless(worstReadMs > 0, ms(worstReadMs))],
  ['p50 / p99 before', ({ before }) => p99(before)],
  ['during', ({ during }) => p99(during)],
  ['after', ({ after }) => p99(after)],
  ['left behind', ({ held, stuck, broken, unhandled }) => `${held + stuck + broken + unhandled}`],
];

/** Runs below each other, as markdown. */
export function tableOf(runs: readonly Figures[]): string {
  const rows = [COLUMNS.map(([name]) => name), ...runs.map(figures => COLUMNS.map(([, cell]) => cell(figures)))];
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map(row => row[column]!.length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  const [head, ...body] = rows.map(line);
  return [head, line(widths.map(width => '-'.repeat(Math.max(3, width)))), ...body].join('\n');
}
