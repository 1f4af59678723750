import { clip, SENTENCE, TEXT } from './clip.ts';
import { visible } from './visible.ts';

/* Texts that nobody vouches for, as Markdown of GitHub's kind in which nothing of them is markup. */

/** A text within a line. At most 1000 characters. */
export function text(value: string): string {
  return (
    oneLine(clip(value, SENTENCE))
      .replace(/[\\`*_[\]<>|~&]/g, '\\$&')
      // What begins a list, a heading or a rule, where the text begins a line of its own in the end.
      .replace(/^(\d+)([.)])/, '$1\\$2')
      .replace(/^[#+=-]/, '\\$&')
  );
}

/** Code within a line, within a table as well. At most 1000 characters. */
export function code(value: string): string {
  const line = oneLine(clip(value, SENTENCE));
  const fence = '`'.repeat(longestRun(line) + 1);
  // A table ends its cells at every `|` that has no backslash, within code, too; and the backslash is not shown there. An odd
  // number of backslashes before one would take its backslash away, so that a `¦` stands for it then.
  const body = line.replace(/\\+\|/g, run => `${run.slice(0, -1)}¦`).replace(/\|/g, '\\|');
  const pad = body === '' || /^[`\s]|[`\s]$/.test(body) ? ' ' : '';
  return `${fence}${pad}${body}${pad}${fence}`;
}

/** Code as a block. At most 4096 characters. @param language after the fence */
export function block(value: string, language: string): string {
  const body = visible(clip(value, TEXT));
  const fence = '`'.repeat(Math.max(3, longestRun(body) + 1));
  return `${fence}${language}\n${body}\n${fence}`;
}

/** @param rows of cells that are Markdown already */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  return [heads, heads.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n');
}

function oneLine(value: string): string {
  return visible(value.replace(/\s+/g, ' ').trim());
}

function longestRun(value: string): number {
  return Math.max(0, ...Array.from(value.matchAll(/`+/g), ([run]) => run.length));
}
