import type { ShapeReport, TimingReport } from '../timing-report.ts';
import { cut } from './columns.ts';
import { counted, sum } from './figures.ts';
import { findingLines, worstFirst } from './finding-lines.ts';
import { columnsOf, line, type Piece } from './line.ts';
import { printable } from './printable.ts';
import { timePieces } from './scope-lines.ts';
import type { TerminalStyle } from './terminal-style.ts';

const MOST_SHAPES = 10;
const MOST_FINDINGS = 10;
/** With less room for the statements the least telling figures are left out. */
const LEAST_QUERY = 30;

/** A column of figures; the higher `keep`, the longer it stays when there is no room. */
interface Figure {
  readonly title: string;
  readonly keep: number;
  readonly of: (shape: ShapeReport, total: number) => string;
}

const FIGURES: readonly Figure[] = [
  { title: 'total ms', keep: 5, of: shape => (sum(shape) / 1000).toFixed(1) },
  { title: '%', keep: 2, of: (shape, total) => String(Math.round((100 * sum(shape)) / Math.max(total, 1))) },
  { title: 'calls', keep: 4, of: shape => String(shape.calls) },
  { title: 'p95 ms', keep: 3, of: shape => (shape.p95 / 1000).toFixed(1) },
  { title: 'rows', keep: 1, of: shape => String(shape.rows) },
];

/**
 * What a program has asked its database all in all: totals, the ten most costly shapes, the ten worst findings.
 * @returns no line at all if there was no query
 */
export function summaryTable(report: TimingReport, style: TerminalStyle): readonly string[] {
  const { totals } = report;
  if (totals.queries === 0) {
    return [];
  }
  return [totalsLine(report, style), ...shapeLines(report, style), ...findingsOf(report, style)];
}

function totalsLine({ totals }: TimingReport, style: TerminalStyle): string {
  const [total, parts] = timePieces(totals);
  const head: Piece[] = [[counted(totals.queries, 'query', 'queries'), 'bold']];
  if (totals.scopes > 0) {
    head.push(` in ${counted(totals.scopes, 'scope')}`);
  }
  if (totals.errors > 0) {
    head.push('  ', [`${totals.errors} failed`, 'red']);
  }
  head.push('  ', total);
  return line(columnsOf([...head, parts]) <= style.width ? [...head, parts] : head, style);
}

function shapeLines({ shapes, totals }: TimingReport, style: TerminalStyle): readonly string[] {
  const shown = shapes.slice(0, MOST_SHAPES);
  const rest = shapes.slice(MOST_SHAPES);
  const total = sum(totals);
  let cells = FIGURES.map(figure => ({ ...figure, cells: shown.map(shape => figure.of(shape, total)) })).map(
    figure => ({
      ...figure,
      width: Math.max(figure.title.length, ...figure.cells.map(({ length }) => length)),
    }),
  );
  const room = (): number => style.width - cells.reduce((all, { width }) => all + width + 2, 2);
  while (room() < LEAST_QUERY && cells.length > 2) {
    const least = Math.min(...cells.map(({ keep }) => keep));
    cells = cells.filter(({ keep }) => keep !== least);
  }
  const figures = (of: (figure: (typeof cells)[number]) => string): string =>
    cells.map(figure => `  ${of(figure).padStart(figure.width)}`).join('');
  const lines = [line([[`${figures(({ title }) => title)}  query`, 'dim']], style)];
  for (const [index, shape] of shown.entries()) {
    const query = cut(printable(shape.text), Math.max(1, room()));
    lines.push(line([figures(figure => figure.cells[index] as string), '  ', query], style));
  }
  if (rest.length > 0) {
    const took = rest.reduce((all, shape) => all + sum(shape), 0) / 1000;
    lines.push(line([[`  … and ${counted(rest.length, 'more shape')} of ${took.toFixed(1)} ms`, 'dim']], style));
  }
  return lines;
}

function findingsOf({ findings }: TimingReport, style: TerminalStyle): readonly string[] {
  if (findings.length === 0) {
    return [];
  }
  const shown = worstFirst(findings).slice(0, MOST_FINDINGS);
  const more = findings.length - shown.length;
  return [
    line([[counted(findings.length, 'finding'), ['bold', 'yellow']]], style),
    ...shown.flatMap(finding => findingLines(finding, style, finding.occurrences)),
    ...(more > 0 ? [line([[`  … and ${counted(more, 'more finding')}`, 'dim']], style)] : []),
  ];
}
