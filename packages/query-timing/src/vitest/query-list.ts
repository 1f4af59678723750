import type { Finding } from '../finding.ts';
import { cut } from '../terminal/columns.ts';
import { labelOf, sentenceOf } from '../terminal/finding-lines.ts';
import { place } from '../terminal/place.ts';
import { printable } from '../terminal/printable.ts';
import type { QueryGroup, QueryRun } from './query-run.ts';

/** Of a statement that is longer the middle is left out: the tables at its begin and the conditions at its end tell most. */
const LONGEST_TEXT = 140;
const MOST_GROUPS = 50;

/**
 * The texts of what was run, without values, in the order of the first of each, with how often: for a snapshot.
 *
 * ```ts
 * expect(queriesOf(await recordQueries(timing, fn))).toMatchInlineSnapshot();
 * ```
 */
export function queriesOf({ groups }: Pick<QueryRun, 'groups'>): readonly string[] {
  return groups.map(({ count, text }) => (count === 1 ? text : `${count} × ${text}`));
}

/** What was run, for people: counts, statements, places, and below each what was found of it. */
export function queryLines(run: Pick<QueryRun, 'groups' | 'findings' | 'uncounted'>, root: string): readonly string[] {
  const width = Math.max(1, ...run.groups.map(({ count }) => String(count).length));
  const shown = run.groups.slice(0, MOST_GROUPS);
  const rest = run.groups.slice(MOST_GROUPS).reduce((sum, { count }) => sum + count, 0);
  return [
    ...shown.flatMap(group => [
      `  ${String(group.count).padStart(width)} × ${groupText(group, root)}`,
      ...run.findings.filter(({ shape }) => shape === group.shape).flatMap(each => findingText(each, width + 5)),
    ]),
    ...(rest > 0 ? [`  … and ${rest} more`] : []),
    ...(run.uncounted > 0 ? [`  (begin, commit and the like are not counted: ${run.uncounted})`] : []),
  ];
}

function groupText({ text, failed, sites }: QueryGroup, root: string): string {
  const errors = failed > 0 ? `  (${failed} failed)` : '';
  const places = sites.map(site => place(site, root)).join(', ');
  return `${cut(printable(text), LONGEST_TEXT)}${errors}${places && `  ${places}`}`;
}

function findingText(finding: Finding, indent: number): readonly string[] {
  const margin = ' '.repeat(indent);
  const [first, ...more] = (finding.fix ?? '').split('\n').map(printable);
  return [
    `${margin}${labelOf(finding)}: ${sentenceOf(finding)}`,
    ...(finding.fix === undefined ? [] : [`${margin}fix: ${first}`, ...more.map(each => `${margin}     ${each}`)]),
  ];
}
