import { unquoted } from './identifiers.ts';
import type { Slot, Template } from './slots.ts';

/** `"alias"."column" = ?` or `in (?, …)` that a row has to satisfy, whatever else it has to. */
export interface Equality {
  readonly alias: string;
  readonly column: string;
  readonly slot: number;
  /** Whether it is an `in (…)`. */
  readonly list: boolean;
}

const COLUMN_EQUALS = /^\s*"((?:[^"]|"")*)"\."((?:[^"]|"")*)"\s*=\s*(any\()?$/;

/** The conjuncts of the form `"alias"."column" = ?`, within parentheses too as long as nothing but `and` joins them. */
export function findEqualities(where: Template, slots: readonly Slot[]): Equality[] {
  const found: Equality[] = [];
  for (const conjunct of conjuncts(where)) {
    const [left, slot, right] = conjunct;
    if (conjunct.length === 3 && typeof left === 'string' && typeof slot === 'number') {
      const match = COLUMN_EQUALS.exec(left);
      const list = slots[slot]!.kind === 'list';
      if (match && list === (match[3] !== undefined) && right === (list ? ')' : '')) {
        found.push({ alias: unquoted(match[1]!), column: unquoted(match[2]!), slot, list });
      }
    }
  }
  return found;
}

/** Splits a condition at its outermost `and`s. Nothing of a condition with an outermost `or` is certain. */
function conjuncts(condition: Template): Template[] {
  const trimmed = trim(condition);
  const pieces = splitAtAnd(trimmed);
  if (pieces === undefined) {
    return [];
  }
  if (pieces.length > 1) {
    return pieces.flatMap(conjuncts);
  }
  const inner = withoutParentheses(trimmed);
  return inner === undefined ? [trimmed] : conjuncts(inner);
}

function trim(template: Template): Template {
  const parts = [...template];
  const last = parts.length - 1;
  if (typeof parts[0] === 'string') {
    parts[0] = parts[0].trimStart();
  }
  if (typeof parts[last] === 'string') {
    parts[last] = parts[last].trimEnd();
  }
  return parts;
}

function splitAtAnd(condition: Template): Template[] | undefined {
  const pieces: (string | number)[][] = [[]];
  let depth = 0;
  for (const part of condition) {
    if (typeof part === 'number') {
      pieces.at(-1)!.push(part);
      continue;
    }
    let start = 0;
    for (const token of part.matchAll(/'(?:[^']|'')*'|"(?:[^"]|"")*"|[()]|\b(?:and|or)\b/gi)) {
      const text = token[0].toLowerCase();
      if (text === '(') {
        depth++;
      } else if (text === ')') {
        depth--;
      } else if (text === 'or' && depth === 0) {
        return undefined;
      } else if (text === 'and' && depth === 0) {
        pieces.at(-1)!.push(part.slice(start, token.index));
        pieces.push([]);
        start = token.index + 3;
      }
    }
    pieces.at(-1)!.push(part.slice(start));
  }
  return pieces.map(piece => trim(normalized(piece)));
}

/** Starts and ends with text, as a cut template does. */
function normalized(parts: (string | number)[]): (string | number)[] {
  if (typeof parts[0] === 'number') {
    parts.unshift('');
  }
  if (typeof parts.at(-1) === 'number') {
    parts.push('');
  }
  return parts;
}

function withoutParentheses(condition: Template): Template | undefined {
  const first = condition[0];
  const last = condition.at(-1);
  if (typeof first !== 'string' || typeof last !== 'string' || !first.startsWith('(') || !last.endsWith(')')) {
    return undefined;
  }
  let depth = 0;
  for (const [index, part] of condition.entries()) {
    if (typeof part === 'number') {
      continue;
    }
    for (const token of part.matchAll(/'(?:[^']|'')*'|"(?:[^"]|"")*"|[()]/g)) {
      depth += token[0] === '(' ? 1 : token[0] === ')' ? -1 : 0;
      const isLast = index === condition.length - 1 && token.index === part.length - 1;
      if (depth === 0 && !isLast) {
        return undefined;
      }
    }
  }
  const parts = [...condition];
  parts[0] = first.slice(1);
  parts[parts.length - 1] = (parts.at(-1) as string).slice(0, -1);
  return parts;
}
