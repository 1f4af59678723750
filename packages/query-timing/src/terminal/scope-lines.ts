import type { ScopeReport } from '../scope.ts';
import { columns, cut } from './columns.ts';
import { counted, ms, sum, type Times } from './figures.ts';
import { findingLines, worstFirst } from './finding-lines.ts';
import { columnsOf, line, type Piece } from './line.ts';
import { printable } from './printable.ts';
import type { TerminalStyle } from './terminal-style.ts';

const MOST_FINDINGS = 10;
const LEAST_NAME = 12;

/**
 * `GET /books  12 queries  34.1 ms sql (wait 0.4 · db 27 · hydrate 6)  2 findings`, and its findings below it, the worst
 * first, at most ten. What does not fit the width: the times in parentheses go first, then the middle of the name, then how
 * many findings there are.
 */
export function scopeLines(scope: ScopeReport, style: TerminalStyle): readonly string[] {
  const shown = worstFirst(scope.findings).slice(0, MOST_FINDINGS);
  const more = scope.findings.length - shown.length;
  return [
    scopeLine(scope, style),
    ...shown.flatMap(finding => findingLines(finding, style)),
    ...(more > 0 ? [line([[`  … and ${counted(more, 'more finding')}`, 'dim']], style)] : []),
  ];
}

/** Of the whole, what it takes to hand queries over is shown from this share on: it is next to nothing on a quiet machine. */
const SENDING = 0.1;

/** `34.1 ms sql (wait 0.4 · db 27 · hydrate 6)`, in two parts. */
export function timePieces(times: Times): readonly [total: Piece, parts: Piece] {
  const sending = times.send >= sum(times) * SENDING ? ` · send ${ms(times.send)}` : '';
  return [
    [`${ms(sum(times))} ms sql`, 'bold'],
    [` (wait ${ms(times.wait)}${sending} · db ${ms(times.database)} · hydrate ${ms(times.after)})`, 'dim'],
  ];
}

function scopeLine(scope: ScopeReport, style: TerminalStyle): string {
  const name = printable(scope.name);
  const [total, parts] = timePieces(scope);
  const before: Piece[] = ['  ', counted(scope.queries, 'query', 'queries'), '  '];
  if (scope.errors > 0) {
    before.push([`${scope.errors} failed`, 'red'], '  ');
  }
  // Queries side by side take more together than passes on the clock.
  const beside = sum(scope) > scope.took * 1.5 ? ` in ${ms(scope.took)} ms` : '';
  const after: Piece[] = scope.findings.length > 0 ? ['  ', [counted(scope.findings.length, 'finding'), 'yellow']] : [];
  const rests = [
    [...before, total, beside, parts, ...after],
    [...before, total, beside, ...after],
    [...before, total],
  ] as const;
  const least = [columns(name), Math.min(columns(name), LEAST_NAME), 0];
  const rest = rests.find((pieces, index) => columnsOf(pieces) + (least[index] as number) <= style.width) ?? rests[2];
  return line([[cut(name, Math.max(LEAST_NAME, style.width - columnsOf(rest))), 'bold'], ...rest], style);
}
