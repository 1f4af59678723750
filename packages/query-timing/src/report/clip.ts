/** Characters of a name: of a scope, an entity, a node, a function. */
export const NAME = 200;
/** Characters of a sentence, of a summary, of a path. */
export const SENTENCE = 1000;
/** Characters of a statement, or of code. */
export const TEXT = 4096;
/** Characters of a plan as EXPLAIN gave it. */
export const RAW = 262_144;

/** At most `most` characters, the last of them `…` if there were more; a character of two code units is never cut in two. */
export function clip(text: string, most: number): string;
export function clip(text: string | undefined, most: number): string | undefined;
export function clip(text: string | undefined, most: number): string | undefined {
  if (text === undefined || text.length <= most) {
    return text;
  }
  const end = most - 1;
  const last = text.charCodeAt(end - 1);
  return `${text.slice(0, last >= 0xd800 && last <= 0xdbff ? end - 1 : end)}…`;
}

/** The first `count` of them, each clipped. */
export function clipAll(texts: readonly string[], count: number, most: number): readonly string[] {
  return texts.slice(0, count).map(text => clip(text, most));
}
