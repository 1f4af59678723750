import type { Send, TableFacts } from './catalog.ts';
import { unquoted } from './identifiers.ts';
import { prepare } from './prepared.ts';
import type { StatementText } from './statement-text.ts';

/** The type of each slot where it stands, or why PostgreSQL cannot tell. */
export type SlotTypes = { readonly types: readonly string[] } | { readonly reason: string };

/** Types for which an unknown literal next to one of them is read as one (docs, 10.2, rule 2a). */
const COMPARED: ReadonlyMap<string, string> = new Map([
  ...['smallint', 'integer', 'bigint', 'numeric', 'double precision', 'real', 'boolean', 'uuid', 'date', 'text'].map(
    (type): [string, string] => [type, type],
  ),
  ...['timestamp with time zone', 'timestamp without time zone'].map((type): [string, string] => [type, type]),
  // It has no operators of its own.
  ['character varying', 'text'],
]);

/** The type that an unknown literal takes next to a column; `undefined` where only PostgreSQL can tell. */
export function comparedType(facts: TableFacts, column: string): string | undefined {
  return COMPARED.get(facts.types.get(column) ?? '');
}

// The column has to be the whole left side, and the parameter the whole right side: `interval '1 h' + "day" >= ?` and
// `"at" >= ? at time zone 'Europe/Oslo'` compare something else.
const LEFT = /(?:[(]|\b(?:where|and|or|not|on)\s)\s*"((?:[^"]|"")*)"\."((?:[^"]|"")*)" /.source;
const COMPARISON = new RegExp(`${LEFT}(?:=|<>|!=|>|>=|<|<=) $`, 'i');
const LIST = new RegExp(`${LEFT}(?:= any\\(|<> all\\()$`, 'i');
const MATCH = new RegExp(`${LEFT}(?:not )?i?like $`, 'i');
const RIGHT = /^\)*\s*(?:$|(?:and|or|where|inner|left|cross|as|order|limit|offset|group)\b)/i;
const COLUMN = /"((?:[^"]|"")*)"\."((?:[^"]|"")*)"/g;
// Rows are compared column by column.
const ROW = /\(((?:"(?:[^"]|"")*"\."(?:[^"]|"")*"(?:, )?)+)\) (?:<|>|<=|>=|=) \($/;
const COUNT = /(?:^|\s)(?:limit|offset) $/;

/**
 * The types of slots that are compared with a column, from the catalog alone.
 *
 * @param tableOf facts of the table behind an alias
 * @returns `undefined` if any slot stands elsewhere
 */
export function typesByColumn(
  text: StatementText,
  tableOf: (alias: string) => TableFacts | undefined,
): readonly string[] | undefined {
  const types: string[] = [];
  const typeOf = (alias: string, column: string): string | undefined =>
    COMPARED.get(tableOf(unquoted(alias))?.types.get(unquoted(column)) ?? '');
  let row: (string | undefined)[] = [];
  for (const [index, part] of text.whole.entries()) {
    if (typeof part !== 'number') {
      continue;
    }
    const before = text.whole[index - 1] as string;
    const after = text.whole[index + 1] as string;
    let type: string | undefined;
    const column =
      text.slots[part]!.kind === 'list' ? LIST.exec(before) : (COMPARISON.exec(before) ?? MATCH.exec(before));
    const rowColumns = ROW.exec(before);
    if (rowColumns) {
      row = [...rowColumns[1]!.matchAll(COLUMN)].map(match => typeOf(match[1]!, match[2]!));
      type = row.shift();
    } else if (row.length > 0 && before === ', ') {
      type = row.shift();
    } else if (column) {
      type = typeOf(column[1]!, column[2]!);
    } else if (COUNT.test(before)) {
      type = 'bigint';
    }
    const isWhole = row.length > 0 ? after === ', ' : RIGHT.test(after);
    if (type === undefined || !isWhole || (type !== 'text' && MATCH.test(before))) {
      return undefined;
    }
    types[part] = type;
  }
  return types;
}

/**
 * Asks PostgreSQL for the types of a statement's parameters: it infers them when it prepares the statement, as it does
 * for the literals MikroORM sends.
 *
 * @param send all on one connection, within one transaction
 */
export async function inferTypes(text: StatementText, send: Send): Promise<SlotTypes> {
  const sql = text.whole
    .map(part => (typeof part === 'number' ? `$${part + 1}` : part.replaceAll('\\?', '?')))
    .join('');
  const prepared = await prepare(sql, send);
  if ('error' in prepared) {
    return { reason: `PostgreSQL cannot tell the types of its parameters: SQLSTATE ${prepared.error}` };
  }
  const types = prepared.types.map((type, slot) =>
    unlimited(text.slots[slot]!.kind === 'list' ? type.replace(/\[\]$/, '') : type),
  );
  const odd = types.find(type => ['unknown', 'record', 'void'].includes(type) || type.startsWith('any'));
  return odd === undefined ? { types } : { reason: `a parameter is of type ${odd}` };
}

/** By these names SQL means a length of one. */
function unlimited(type: string): string {
  return type.replace(/^character(?=$|\[)/, 'bpchar').replace(/^bit(?=$|\[)/, '"bit"');
}
