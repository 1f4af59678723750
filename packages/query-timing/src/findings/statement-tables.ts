/** A table of a statement. */
export interface TableUse {
  /** Without its schema. */
  readonly table: string;
  /** What the statement calls it; the table's name if nothing else. */
  readonly alias: string;
  /** What it is joined on; the first condition, if that compares two columns. */
  readonly on: JoinCondition | undefined;
}

/** `left = right`, each a column of an alias. */
export interface JoinCondition {
  readonly left: readonly [alias: string, column: string];
  readonly right: readonly [alias: string, column: string];
}

const NAME = String.raw`(?:"(?:[^"]|"")+"|[a-z_][\w$]*)`;
const NO_ALIAS =
  'on|where|left|right|inner|full|outer|cross|join|natural|group|order|limit|offset|union|using|set|returning|values|for|window|having|except|intersect|lateral|fetch|as|tablesample|from|select|and|or';
const TABLE = new RegExp(
  String.raw`\b(?:from|join)\s+(?:only\s+)?(?:(${NAME})\.)?(${NAME})` +
    String.raw`(?:\s+(?:as\s+)?(?!(?:${NO_ALIAS})\b)(${NAME}))?` +
    String.raw`(?:\s+on\s+\(?\s*(${NAME})\.(${NAME})\s*=\s*(${NAME})\.(${NAME}))?`,
  'gi',
);

/** The tables of a select as its text names them, in their order. What is not written plainly is left out. */
export function tablesOf(text: string): readonly TableUse[] {
  const uses: TableUse[] = [];
  for (const [, , table, alias, ...on] of text.matchAll(TABLE)) {
    const [leftAlias, leftColumn, rightAlias, rightColumn] = on.map(name => name && bare(name));
    const name = bare(table!);
    uses.push({
      table: name,
      alias: alias === undefined ? name : bare(alias),
      on:
        leftAlias !== undefined && leftColumn !== undefined && rightAlias !== undefined && rightColumn !== undefined
          ? { left: [leftAlias, leftColumn], right: [rightAlias, rightColumn] }
          : undefined,
    });
  }
  return uses;
}

/** As PostgreSQL reads a name: without its quotes, or in small letters. */
function bare(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name.toLowerCase();
}
