import type { Placeholder } from './statement-scan.ts';

/**
 * Text with the places of its values: strings are SQL, numbers are indexes of {@link Slot}s. The pieces are kept apart
 * rather than joined by a marker, so that no text, whatever it holds, can be taken for a place.
 */
export type Template = readonly (string | number)[];

/** One place of a statement where calls of its shape may differ. */
export interface Slot {
  /** `value`: one parameter. `list`: the parameters of an `in (…)`, whose number may differ between calls too. */
  readonly kind: 'value' | 'list';
  /** The first parameter. */
  readonly first: number;
  /** Number of parameters. */
  readonly size: number;
}

/** A stretch of the text that is a slot. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly slot: number;
  /** SQL in the place of what surrounds the slot: `= any(` and `)` for `in (` and `)`. */
  readonly before: string;
  readonly after: string;
}

// The operand has to stand alone: `a || b in (…)` compares less than all of it.
const IN_LIST = /(?:[(]|\b(?:and|or|where|not|on|when)\s)\s*(?:"(?:[^"]|"")*"\.)*"(?:[^"]|"")*"\s+(not\s+)?in\s*\($/i;

/** One slot for each parameter, and one for all parameters of a list: `x in (a, b)` is `x = any(array[a, b])`. */
export function findSlots(sql: string, placeholders: readonly Placeholder[]): { slots: Slot[]; spans: Span[] } {
  const slots: Slot[] = [];
  const spans: Span[] = [];
  for (let index = 0; index < placeholders.length;) {
    const { at } = placeholders[index]!;
    let size = 1;
    let end = at + 1;
    let list: RegExpExecArray | null = null;
    if (sql[at - 1] === '(') {
      list = IN_LIST.exec(sql.slice(Math.max(0, at - 300), at));
      if (list) {
        while (placeholders[index + size]?.at === end + 2 && sql.startsWith(', ', end)) {
          end += 3;
          size++;
        }
        if (sql[end] !== ')') {
          list = null;
          size = 1;
          end = at + 1;
        }
      }
    }
    const slot = slots.length;
    if (list) {
      const start = at - /(?:not\s+)?in\s*\($/i.exec(list[0])![0].length;
      slots.push({ kind: 'list', first: index, size });
      spans.push({ start, end: end + 1, slot, before: list[1] === undefined ? '= any(' : '<> all(', after: ')' });
    } else {
      slots.push({ kind: 'value', first: index, size: 1 });
      spans.push({ start: at, end, slot, before: '', after: '' });
    }
    index += size;
  }
  return { slots, spans };
}

export function cutTemplate(sql: string, spans: readonly Span[], from: number, to: number): Template {
  const parts: (string | number)[] = [];
  let text = '';
  let at = from;
  for (const span of spans) {
    if (span.start < from || span.start >= to) {
      continue;
    }
    text += sql.slice(at, span.start) + span.before;
    parts.push(text, span.slot);
    text = span.after;
    at = span.end;
  }
  parts.push(text + sql.slice(at, to));
  return parts;
}
