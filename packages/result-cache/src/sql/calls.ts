import { splitAtCommas } from './conditions.ts';
import { GRAMMAR_CALLS, HARMLESS, MOVING, PURE } from './functions.ts';
import { CLAUSES, INFIX, NO_ALIAS, NO_CALL, SECOND_WORDS } from './keywords.ts';
import { isName, type Reading } from './reading.ts';

/** Whether a parenthesis holds arguments. */
export function isCall(reading: Reading, open: number): boolean {
  const before = reading.tokens[open - 1];
  if (before === undefined || !isName(before)) {
    return false;
  }
  if (before.kind === 'word') {
    const { text } = before;
    if (NO_CALL.has(text)) {
      return GRAMMAR_CALLS.has(text);
    }
    const ahead = reading.tokens[open - 2];
    if (ahead?.kind === 'word' && SECOND_WORDS.get(text)?.has(ahead.text)) {
      return false;
    }
    if (INFIX.has(text)) {
      return !isOperand(reading, reading.is(open - 2, 'not') ? open - 3 : open - 2);
    }
    if (reading.grouping && (text === 'cube' || text === 'rollup') && beginsGroup(reading, open - 2)) {
      return false;
    }
  }
  // A type: `a::numeric(10, 2)`, `cast(a as my.type(3))`.
  const first = nameStart(reading, open - 1);
  const ahead = reading.tokens[first - 1];
  return !(
    (ahead?.kind === 'operator' && ahead.text === '::') ||
    (ahead?.kind === 'word' && ahead.text === 'as' && before.kind !== 'word')
  );
}

/** Whether a part of `group by` begins behind this: elsewhere in it, even `rollup(…)` is a function. */
function beginsGroup(reading: Reading, at: number): boolean {
  const token = reading.tokens[at];
  if (token?.kind === '(') {
    return reading.is(at - 1, 'sets');
  }
  return token?.kind === ',' || ['by', 'all', 'distinct'].some(word => reading.is(at, word));
}

/** Whether an operand ends there, behind which no call can be. */
function isOperand(reading: Reading, at: number): boolean {
  const token = reading.tokens[at];
  switch (token?.kind) {
    case 'word':
      return !NO_CALL.has(token.text) && !CLAUSES.has(token.text) && !NO_ALIAS.has(token.text);
    case 'name':
    case 'label':
    case 'blank':
    case 'string':
    case 'odd':
    case 'number':
    case 'parameter':
    case ')':
    case ']':
      return true;
    default:
      return false;
  }
}

function nameStart(reading: Reading, last: number): number {
  let first = last;
  while (first >= 2 && reading.tokens[first - 1]!.kind === '.' && isName(reading.tokens[first - 2]!)) {
    first -= 2;
  }
  return first;
}

/** Notes what a function may do; @returns its name */
export function noteCall(reading: Reading, open: number): string {
  const first = nameStart(reading, open - 1);
  const { kind, text: name } = reading.tokens[open - 1]!;
  const schema = first === open - 1 ? undefined : reading.tokens[open - 3]!.text;
  const full = schema === undefined ? name : `${schema}.${name}`;
  if (kind === 'blank' || first < open - 3) {
    reading.refuse('calls a function that cannot be told');
    reading.opaque = true;
    return name;
  }
  if (schema === undefined || schema === 'pg_catalog') {
    if (PURE.has(name) || (schema === undefined && kind === 'word' && GRAMMAR_CALLS.has(name))) {
      return name;
    }
    if (MOVING.has(name) && schema === undefined) {
      reading.refuse(name);
      return name;
    }
    if (HARMLESS.has(name)) {
      // With two arguments it is their difference; with one, that to today.
      if (name !== 'age' || splitAtCommas(reading.sql, open + 1, reading.close[open]!).length !== 2) {
        reading.refuse(`calls ${name}()`);
      }
      reading.settings ||= name === 'set_config';
      return name;
    }
  }
  if (!reading.pure?.has(full)) {
    reading.refuse(`calls ${full}()`);
    reading.opaque = true;
  }
  return name;
}
