import type { Finding } from '../finding.ts';
import { counted } from '../terminal/figures.ts';
import { labelOf, sentenceOf, worstFirst } from '../terminal/finding-lines.ts';
import { place } from '../terminal/place.ts';
import { printable } from '../terminal/printable.ts';

/** GitHub takes 1 MiB for each step: more than so many findings nobody reads. */
const MOST = 100;

/**
 * Findings as Markdown, the worst first. Texts of others stand in code, in which nothing is markup.
 * @param known how many there are of which nothing is told, for they are in the baseline
 * @param root what paths are shown relative to
 */
export function jobSummary(findings: readonly Finding[], known: number, root: string): string {
  const shown = worstFirst(findings).slice(0, MOST);
  const title = findings.length === 0 ? 'nothing new' : counted(findings.length, 'new finding');
  return [
    `## Queries: ${title}${known > 0 ? `, ${known} known` : ''}\n`,
    ...shown.map(finding => item(finding, root)),
    ...(findings.length > shown.length ? [`- … and ${findings.length - shown.length} more\n`] : []),
  ].join('\n');
}

function item(finding: Finding, root: string): string {
  const { kind, count, site, fix } = finding;
  const times = count > 1 ? ` ×${count}` : '';
  const where = site === undefined ? '' : ` at ${code(place(site, root))}`;
  const lines = [`- **${labelOf({ kind })}${times}** ${code(sentenceOf(finding))}${where}`];
  if (fix !== undefined) {
    const body = fix.split('\n').map(printable);
    const fence = '`'.repeat(Math.max(3, longestRun(body.join('\n')) + 1));
    lines.push('', `  ${fence}ts`, ...body.map(each => `  ${each}`), `  ${fence}`);
  }
  return `${lines.join('\n')}\n`;
}

/** In marks of which it has no such run itself: https://spec.commonmark.org/0.31.2/#code-spans */
function code(text: string): string {
  const marks = '`'.repeat(longestRun(text) + 1);
  return `${marks} ${text} ${marks}`;
}

function longestRun(text: string): number {
  return Math.max(0, ...Array.from(text.matchAll(/`+/g), ([run]) => run.length));
}
