/** The first characters of a text, `…` where more were. A copy: a slice would keep all of it in memory, however long it is. */
export function shortened(text: string, most: number): string {
  return text.length > most ? `${Buffer.from(text.slice(0, most - 1), 'utf16le').toString('utf16le')}…` : text;
}
