import type { Finding } from '../finding.ts';
import { columns, cut, wrapped } from './columns.ts';
import { columnsOf, line, type Piece } from './line.ts';
import { place } from './place.ts';
import { printable } from './printable.ts';
import type { TerminalStyle } from './terminal-style.ts';

const MOST_FIX_LINES = 12;
/** With less room than this the sentence stands alone, and the place below it. */
const LEAST_SENTENCE = 24;

const COLOR = { error: 'redBright', warning: 'yellowBright', info: 'cyanBright' } as const;
const RANK = { error: 0, warning: 1, info: 2 } as const;

/** The worst first: by severity, then by cost. */
export function worstFirst<T extends Finding>(findings: readonly T[]): readonly T[] {
  return findings.toSorted((a, b) => RANK[a.severity] - RANK[b.severity] || b.cost - a.cost);
}

/** `N+1`, `write loop`: what a finding is called. */
export function labelOf({ kind }: Pick<Finding, 'kind'>): string {
  return kind.endsWith('n+1') ? kind.toUpperCase() : kind.replaceAll('-', ' ');
}

/** The sentence of a finding without what its label and count say already. */
export function sentenceOf(finding: Pick<Finding, 'kind' | 'title' | 'count'>): string {
  const [label, count] = [labelOf(finding), `${finding.count} × `];
  const { title } = finding;
  const said = title.toLowerCase().startsWith(`${label.toLowerCase()}: `) ? title.slice(label.length + 2) : title;
  return printable(said.startsWith(count) ? said.slice(count.length) : said);
}

/**
 * `  N+1 ×10  select author by id  books.ts:41 in listBooks  fix: …` on one line if there is room, else with the fix, and the
 * place if need be, on lines of their own: of a sentence the middle is left out, of a fix nothing.
 * @param times how often it was found, where that is worth a word
 */
export function findingLines(finding: Finding, style: TerminalStyle, times = 1): readonly string[] {
  const label: Piece[] = ['  ', [labelOf(finding), COLOR[finding.severity]]];
  if (finding.count > 1) {
    label.push([` ×${finding.count}`, 'bold']);
  }
  if (times > 1) {
    label.push([` (${times} times)`, 'dim']);
  }
  label.push('  ');
  const sentence = sentenceOf(finding);
  const where: Piece[] = finding.site === undefined ? [] : ['  ', [place(finding.site, style.root), 'cyan']];
  const fix = (finding.fix ?? '').split('\n', MOST_FIX_LINES).map(printable);
  const inOne: Piece[] = [...label, sentence, ...where];
  if (finding.fix !== undefined) {
    inOne.push('  fix: ', [fix[0] as string, 'green']);
  }
  if (fix.length === 1 && columnsOf(inOne) <= style.width) {
    return [line(inOne, style)];
  }
  const lines: (readonly Piece[])[] = [];
  const beside = style.width - columnsOf(label) - columnsOf(where);
  if (beside >= Math.min(LEAST_SENTENCE, columns(sentence))) {
    lines.push([...label, cut(sentence, beside), ...where]);
  } else {
    lines.push([...label, cut(sentence, Math.max(0, style.width - columnsOf(label)))]);
    if (finding.site !== undefined) {
      lines.push(['    ', [cut(place(finding.site, style.root), style.width - 4), 'cyan']]);
    }
  }
  if (finding.fix !== undefined) {
    const parts = fix.flatMap(each => wrapped(each, style.width - FIX.length)).slice(0, MOST_FIX_LINES);
    lines.push(...parts.map((part, index): Piece[] => [index === 0 ? FIX : ' '.repeat(FIX.length), [part, 'green']]));
  }
  return lines.map(pieces => line(pieces, style));
}

const FIX = '    fix: ';
