/** Why a statement cannot be merged, in words for `mikrokit:batch`. */
export interface Unreadable {
  readonly reason: string;
}

export interface Placeholder {
  readonly at: number;
  /** The selects that it stands in, but for the innermost; none if that is the statement itself. */
  readonly around: readonly Select[];
}

interface Select {
  /** Whether it has an `or`, be it as a `not (… and …)`. */
  hasOr: boolean;
}

export interface Word {
  readonly text: string;
  readonly at: number;
}

export interface Scan {
  readonly placeholders: readonly Placeholder[];
  /** Words outside of quotes, lower case, at depth 0. */
  readonly words: readonly Word[];
}

const NESTED = /^\(\s*(?:select|with|values)\b/i;
const QUOTED = 'a ? stands in a literal, a quoted name or a comment';

/** Finds placeholders and words, skipping what is quoted, by PostgreSQL's lexical rules (docs, 4.1). */
export function scanStatement(sql: string): Scan | Unreadable {
  const placeholders: Placeholder[] = [];
  const words: Word[] = [];
  // The select that each open parenthesis stands in, and the innermost.
  const open: Select[] = [];
  let select: Select = { hasOr: false };
  let at = 0;
  const skipTo = (end: number): boolean => {
    const question = sql.indexOf('?', at);
    let clean = true;
    for (let mark = question; mark !== -1 && mark < end; mark = sql.indexOf('?', mark + 1)) {
      clean &&= sql[mark - 1] === '\\';
    }
    at = end;
    return clean;
  };
  while (at < sql.length) {
    const char = sql[at]!;
    if (char === "'") {
      if (!skipTo(endOfLiteral(sql, at))) {
        return { reason: QUOTED };
      }
    } else if (char === '"') {
      if (!skipTo(endOfQuoted(sql, at, '"'))) {
        return { reason: QUOTED };
      }
    } else if (char === '-' && sql[at + 1] === '-') {
      return { reason: 'it has a comment to the end of a line' };
    } else if (char === '/' && sql[at + 1] === '*') {
      const end = endOfComment(sql, at);
      if (end === -1) {
        return { reason: 'a comment does not end' };
      }
      if (!skipTo(end)) {
        return { reason: QUOTED };
      }
    } else if (char === '$' && !isWordChar(sql[at - 1])) {
      const tag = /^\$(?:[\p{L}_][\p{L}\p{N}_]*)?\$/u.exec(sql.slice(at, at + 70))?.[0];
      if (tag === undefined) {
        if (/^\$\d/.test(sql.slice(at, at + 2))) {
          return { reason: 'it has numbered parameters of its own' };
        }
        at++;
        continue;
      }
      const close = sql.indexOf(tag, at + tag.length);
      if (close === -1 || !skipTo(close + tag.length)) {
        return { reason: close === -1 ? 'a literal does not end' : QUOTED };
      }
    } else if (char === '(') {
      open.push(select);
      if (NESTED.test(sql.slice(at, at + 40))) {
        select = { hasOr: false };
      }
      at++;
    } else if (char === ')') {
      const around = open.pop();
      if (around === undefined) {
        return { reason: 'its parentheses do not match' };
      }
      select = around;
      at++;
    } else if (char === ';') {
      return { reason: 'it is more than one statement' };
    } else if (char === '\\' && sql[at + 1] === '?') {
      at += 2;
    } else if (char === '?') {
      if (sql[at + 1] === '?') {
        return { reason: 'a parameter is an identifier' };
      }
      placeholders.push({ at, around: [...new Set(open)].filter(other => other !== select) });
      at++;
    } else if (isWordStart(char)) {
      let end = at + 1;
      while (end < sql.length && isWordChar(sql[end])) {
        end++;
      }
      // e'…' has escapes; u&'…' and the like only differ in how they are read, not in where they end.
      if (sql[end] === "'" && (char === 'e' || char === 'E') && end === at + 1) {
        at = end;
        if (!skipTo(endOfEscaped(sql, at))) {
          return { reason: QUOTED };
        }
      } else {
        const text = sql.slice(at, end).toLowerCase();
        if (open.length === 0) {
          words.push({ text, at });
        }
        select.hasOr ||= text === 'or' || (text === 'not' && /^\s*\(/.test(sql.slice(end, end + 40)));
        at = end;
      }
    } else {
      at++;
    }
    if (at === -1 || at > sql.length) {
      return { reason: 'a literal does not end' };
    }
  }
  return open.length === 0 ? { placeholders, words } : { reason: 'its parentheses do not match' };
}

function isWordStart(char: string): boolean {
  return (char >= 'a' && char <= 'z') || (char >= 'A' && char <= 'Z') || char === '_' || char > '\u007f';
}

function isWordChar(char: string | undefined): boolean {
  return char !== undefined && (isWordStart(char) || (char >= '0' && char <= '9') || char === '$');
}

/** Where what begins with a quote at `start` ends; beyond the text if it does not. A doubled quote is part of it. */
function endOfQuoted(sql: string, start: number, quote: string): number {
  let at = start + 1;
  for (;;) {
    const close = sql.indexOf(quote, at);
    if (close === -1) {
      return sql.length + 1;
    }
    if (sql[close + 1] !== quote) {
      return close + 1;
    }
    at = close + 2;
  }
}

function endOfLiteral(sql: string, start: number): number {
  return endOfQuoted(sql, start, "'");
}

function endOfEscaped(sql: string, start: number): number {
  for (let at = start + 1; at < sql.length; at++) {
    if (sql[at] === '\\') {
      at++;
    } else if (sql[at] === "'") {
      if (sql[at + 1] !== "'") {
        return at + 1;
      }
      at++;
    }
  }
  return sql.length + 1;
}

/** Comments nest in PostgreSQL. */
function endOfComment(sql: string, start: number): number {
  let depth = 1;
  for (let at = start + 2; at < sql.length; at++) {
    if (sql[at] === '*' && sql[at + 1] === '/') {
      depth--;
      at++;
      if (depth === 0) {
        return at + 1;
      }
    } else if (sql[at] === '/' && sql[at + 1] === '*') {
      depth++;
      at++;
    }
  }
  return -1;
}
