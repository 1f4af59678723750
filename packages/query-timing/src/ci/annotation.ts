import type { Finding } from '../finding.ts';
import { labelOf, sentenceOf } from '../terminal/finding-lines.ts';
import { printable } from '../terminal/printable.ts';
import { fileOf } from './file-of.ts';

const COMMAND = { error: 'error', warning: 'warning', info: 'notice' } as const;

/**
 * `::warning file=src/books.ts,line=41,title=N+1 ×10::select author by id … fix: …`: what GitHub shows beside the line, as
 * https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands says, escaped as the runner undoes it.
 * @param root of the repository; a file outside of it is left out
 */
export function annotation(finding: Finding, root: string): string {
  const { site, count, fix } = finding;
  const file = site === undefined ? undefined : fileOf(site, root);
  const isInside = file !== undefined && !/^\.\.?(\/|$)|^[a-z][a-z\d+.-]+:/i.test(file);
  const properties = {
    ...(isInside && { file, line: String(site?.line) }),
    title: labelOf(finding) + (count > 1 ? ` ×${count}` : ''),
  };
  const message = [sentenceOf(finding), ...(fix === undefined ? [] : `fix: ${fix}`.split('\n').map(printable))].join(
    '\n',
  );
  const given = Object.entries(properties).map(([name, value]) => `${name}=${escapedProperty(printable(value))}`);
  return `::${COMMAND[finding.severity]} ${given.join(',')}::${escaped(message)}`;
}

function escaped(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function escapedProperty(text: string): string {
  return escaped(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
