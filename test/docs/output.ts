/**
 * Whether a program printed what its document says. `…` stands for any part of a line (a time, a port), a line of only `…`
 * for any number of lines; everything else is literal.
 */
export function isOutput(expected: string, actual: string): boolean {
  return new RegExp(`^${lines(expected).map(pattern).join('')}$`).test(`${lines(actual).join('\n')}\n`);
}

function pattern(line: string): string {
  if (line.trim() === '…') {
    return '(?:.*\\n)*?';
  }
  return `${line.split('…').map(escaped).join('.*?')}\\n`;
}

/** Blanks at line ends and empty lines at the end are nothing a reader could see. */
function lines(text: string): string[] {
  return text
    .trimEnd()
    .split('\n')
    .map(line => line.trimEnd());
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
