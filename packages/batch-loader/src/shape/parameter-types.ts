import type { Send, TableFacts } from './catalog.ts';
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

const COMPARISON = /"((?:[^"]|"")*)"\."((?:[^"]|"")*)" (?:=|<>|!=|>|>=|<|<=|= any\(|<> all\()\s*$/;
const MATCH = /"((?:[^"]|"")*)"\."((?:[^"]|"")*)" (?:not )?i?like $/;
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
    let type: string | undefined;
    const column = COMPARISON.exec(before) ?? MATCH.exec(before);
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
    if (type === undefined || (type !== 'text' && MATCH.test(before))) {
      return undefined;
    }
    types[part] = type;
  }
  return types;
}

function unquoted(name: string): string {
  return name.replaceAll('""', '"');
}

/** Settings by which the answers travel: calls of one transaction ask at the same time, on one connection. */
const SETTINGS = 100;
let asked = 0;

/**
 * Asks PostgreSQL for the types of a statement's parameters: it infers them when it prepares the statement, as it does
 * for the literals MikroORM sends (docs: PREPARE, pg_prepared_statements).
 *
 * The statement is prepared in a block that catches its own error, so that an open transaction survives it. A savepoint
 * would not do: its rollback would undo what others have done in the transaction meanwhile.
 *
 * @param send all on one connection, within one transaction
 */
export async function inferTypes(text: StatementText, send: Send): Promise<SlotTypes> {
  const prepared = text.whole
    .map(part => (typeof part === 'number' ? `$${part + 1}` : part.replaceAll('\\?', '?')))
    .join('');
  let tag = '$mikrokit$';
  for (let attempt = 0; prepared.includes(tag); attempt++) {
    tag = `$mikrokit${attempt}$`;
  }
  const setting = `mikrokit.parameter_types_${asked++ % SETTINGS}`;
  await send(
    `do ${tag} begin
      execute 'prepare mikrokit_shape as ' || ?;
      perform set_config('${setting}', (select parameter_types::text[]::text from pg_prepared_statements where name = 'mikrokit_shape'), true);
      execute 'deallocate mikrokit_shape';
    exception when others then perform set_config('${setting}', sqlstate || ' ' || sqlerrm, true);
    end ${tag}`,
    [prepared],
  );
  const [row] = await send(
    `select setting, case when setting like '{%' then setting::text[] end as types from (select current_setting('${setting}') as setting) as s`,
    [],
  );
  if (row!['types'] === null) {
    return {
      reason: `PostgreSQL cannot tell the types of its parameters: SQLSTATE ${String(row!['setting'])}`,
    };
  }
  const types = (row!['types'] as string[]).map((type, slot) =>
    unlimited(text.slots[slot]!.kind === 'list' ? type.replace(/\[\]$/, '') : type),
  );
  const odd = types.find(type => ['unknown', 'record', 'void'].includes(type) || type.startsWith('any'));
  return odd === undefined ? { types } : { reason: `a parameter is of type ${odd}` };
}

/** By these names SQL means a length of one. */
function unlimited(type: string): string {
  return type.replace(/^character(?=$|\[)/, 'bpchar').replace(/^bit(?=$|\[)/, '"bit"');
}
