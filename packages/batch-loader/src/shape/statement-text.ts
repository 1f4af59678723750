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

/** `"alias"."column" = ?` or `in (?, …)` that a row has to satisfy, whatever else it has to. */
export interface Equality {
  readonly alias: string;
  readonly column: string;
  readonly slot: number;
  /** Whether it is an `in (…)`. */
  readonly list: boolean;
}

/** A select cut at its outermost clauses. */
export interface Clauses {
  /** What stands before `select`: comments. */
  readonly lead: string;
  readonly columns: Template;
  readonly from: Template;
  /** Empty if there is none. */
  readonly where: Template;
  /** Empty if there is none. */
  readonly orderBy: Template;
  /** Its slot; `undefined` if there is none. */
  readonly limit: number | undefined;
  readonly offset: number | undefined;
  readonly equalities: readonly Equality[];
}

/** A select statement, read as far as merging needs. */
export interface StatementText {
  /** Equal for two statements of one shape: the text, with any number of parameters in an `in (…)`. */
  readonly shape: string;
  readonly whole: Template;
  readonly slots: readonly Slot[];
  /**
   * Slots within a subquery beside an `or`. Their values have to be the same for all calls: PostgreSQL (seen in 18.4) may
   * test such a subquery in two places of its plan, and when it is run again for the next call, one of them goes on with
   * the rows of the call before.
   */
  readonly fixed: readonly number[];
  /** Tables by the alias they have, wherever in the statement; of an alias of several tables, none. */
  readonly tables: ReadonlyMap<string, string>;
  /** Undefined if the outermost select has a clause that a rewrite of it does not keep: distinct, group by, union, … */
  readonly clauses: Clauses | undefined;
}

/** Why the statement cannot be merged, in words for `mikrokit:batch`. */
export interface Unreadable {
  readonly reason: string;
}

interface Placeholder {
  readonly at: number;
  /** The selects that it stands in, but for the innermost; none if that is the statement itself. */
  readonly around: readonly Select[];
}

interface Select {
  /** Whether it has an `or`, be it as a `not (… and …)`. */
  hasOr: boolean;
}

interface Word {
  readonly text: string;
  readonly at: number;
}

interface Scan {
  readonly placeholders: readonly Placeholder[];
  /** Words outside of quotes, lower case, at depth 0. */
  readonly words: readonly Word[];
}

/**
 * Reads one select as MikroORM builds it: text with a `?` for each parameter.
 *
 * MikroORM replaces every `?` that no backslash precedes, wherever it stands, and `??` by an identifier. One that stands
 * in a literal, a quoted identifier or a comment therefore is not what it looks like, and such a statement is left alone.
 *
 * @param parameters how many the statement has
 */
export function readStatement(sql: string, parameters: number): StatementText | Unreadable {
  const scan = scanStatement(sql);
  if ('reason' in scan) {
    return scan;
  }
  if (scan.placeholders.length !== parameters) {
    return { reason: 'its parameters do not match its placeholders' };
  }
  if (parameters === 0) {
    return { reason: 'it has no parameters' };
  }
  if (scan.words[0]?.text !== 'select') {
    return { reason: 'it is not a plain select' };
  }
  const locked = scan.words.find(({ text }) => text === 'for' || text === 'into');
  if (locked) {
    return { reason: locked.text === 'for' ? 'it locks rows' : 'it is not a plain select' };
  }
  const { slots, spans } = findSlots(sql, scan.placeholders);
  const cut = (from: number, to: number): Template => cutTemplate(sql, spans, from, to);
  const whole = cut(0, sql.length);
  return {
    shape: whole
      .map(part => (typeof part === 'number' ? (slots[part]!.kind === 'list' ? '?…' : '?') : part))
      .join('\u0000'),
    whole,
    slots,
    fixed: slots.flatMap(({ first }, slot) =>
      scan.placeholders[first]!.around.some(({ hasOr }) => hasOr) ? [slot] : [],
    ),
    tables: findTables(sql),
    clauses: readClauses(sql, scan, slots, spans, cut),
  };
}

const NESTED = /^\(\s*(?:select|with|values)\b/i;
const QUOTED = 'a ? stands in a literal, a quoted name or a comment';

/** Finds placeholders and words, skipping what is quoted, by PostgreSQL's lexical rules (docs, 4.1). */
function scanStatement(sql: string): Scan | Unreadable {
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

/** A stretch of the text that is a slot. */
interface Span {
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
function findSlots(sql: string, placeholders: readonly Placeholder[]): { slots: Slot[]; spans: Span[] } {
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

function cutTemplate(sql: string, spans: readonly Span[], from: number, to: number): Template {
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

const AFTER_WHERE = new Set(['group', 'having', 'window', 'union', 'intersect', 'except', 'fetch', 'distinct', 'all']);

function readClauses(
  sql: string,
  { words, placeholders }: Scan,
  slots: readonly Slot[],
  spans: readonly Span[],
  cut: (from: number, to: number) => Template,
): Clauses | undefined {
  const select = words[0]!;
  if (words[1]?.text === 'distinct' || words[1]?.text === 'all') {
    return undefined;
  }
  const find = (text: string, after: number, next?: string): Word | undefined =>
    words.find(
      (word, index) =>
        word.at > after &&
        word.text === text &&
        (next === undefined || words[index + 1]?.text === next) &&
        // `a is distinct from b`
        !(text === 'from' && words[index - 1]?.text === 'distinct'),
    );
  const from = find('from', select.at);
  if (from === undefined) {
    return undefined;
  }
  const where = find('where', from.at);
  const orderBy = find('order', from.at, 'by');
  const limit = find('limit', from.at);
  const offset = find('offset', from.at);
  const marks = [where, orderBy, limit, offset].filter(mark => mark !== undefined);
  if (marks.some((mark, index) => index > 0 && mark.at < marks[index - 1]!.at)) {
    return undefined;
  }
  // `distinct` and `all` may stand in an expression; the others begin a clause that the rewrites do not keep.
  if (
    words.some(
      word => word.at > from.at && word.text !== 'distinct' && word.text !== 'all' && AFTER_WHERE.has(word.text),
    )
  ) {
    return undefined;
  }
  const endOf = (mark: Word): number => marks.find(({ at }) => at > mark.at)?.at ?? sql.length;
  const after = (mark: Word, word: string): number => mark.at + word.length;
  const only = (mark: Word | undefined): number | undefined | null => {
    if (mark === undefined) {
      return undefined;
    }
    const rest = cut(after(mark, mark.text), endOf(mark));
    const [space, slot, end] = rest;
    return rest.length === 3 && typeof slot === 'number' && `${space}${end}`.trim() === '' ? slot : null;
  };
  const limitSlot = only(limit);
  const offsetSlot = only(offset);
  if (limitSlot === null || offsetSlot === null) {
    return undefined;
  }
  // A derived table cannot see the calls' values unless it is lateral; and a subquery that does would run once per row
  // and call, where as it is it runs once per call.
  const nested = placeholders.some(({ around }) => around.length > 0);
  const ordering = orderBy === undefined ? [] : cut(sql.indexOf('by', orderBy.at + 5) + 2, endOf(orderBy));
  const byPosition = ordering.some(
    part => typeof part === 'string' && /(?:^|,)\s*\d+\s*(?:$|,|asc\b|desc\b)/i.test(part),
  );
  if (nested || byPosition) {
    return undefined;
  }
  const whereParts = where === undefined ? [] : cut(after(where, 'where'), endOf(where));
  return {
    lead: sql.slice(0, select.at),
    columns: cut(after(select, 'select'), from.at),
    from: cut(after(from, 'from'), endOf(from)),
    where: whereParts,
    orderBy: ordering,
    limit: limitSlot,
    offset: offsetSlot,
    equalities: findEqualities(whereParts, slots),
  };
}

const COLUMN_EQUALS = /^\s*"((?:[^"]|"")*)"\."((?:[^"]|"")*)"\s*=\s*(any\()?$/;

/** The conjuncts of the form `"alias"."column" = ?`, within parentheses too as long as nothing but `and` joins them. */
function findEqualities(where: Template, slots: readonly Slot[]): Equality[] {
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

function findTables(sql: string): Map<string, string> {
  const tables = new Map<string, string>();
  const repeated = new Set<string>();
  const name = '(?:"(?:[^"]|"")*"\\.)?"(?:[^"]|"")*"';
  for (const [, table, alias] of sql.matchAll(
    new RegExp(`(?:from|join)\\s+(${name})\\s+as\\s+"((?:[^"]|"")*)"`, 'gi'),
  )) {
    const key = unquoted(alias!);
    if (tables.has(key) && tables.get(key) !== table) {
      repeated.add(key);
    }
    tables.set(key, table!);
  }
  repeated.forEach(alias => tables.delete(alias));
  return tables;
}

function unquoted(name: string): string {
  return name.replaceAll('""', '"');
}
