import { type Clauses, readClauses } from './clauses.ts';
import { unquoted } from './identifiers.ts';
import { cutTemplate, findSlots, type Slot, type Template } from './slots.ts';
import { scanStatement, type Unreadable } from './statement-scan.ts';

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
