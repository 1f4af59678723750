import { type Placeholder, placeholders } from '../sql/placeholders.ts';
import type { Scan } from '../sql/scan.ts';
import type { ModelTables } from './model-tables.ts';
import { relationOn } from './relations.ts';
import { tablesOf, type TableUse } from './statement-tables.ts';

type Row = Readonly<Record<string, unknown>>;

const MOST_COLUMNS = 16;
/** What keys are called where no entity tells. */
const LOOKS_LIKE_KEY = /(?:^|_)(?:id|uuid|key|code)$|(?:Id|Uuid)$/;
/** `b1__author_id`: how MikroORM calls a column of a joined table. */
const OF_ALIAS = /^(.+?)__(.+)$/;

/** A column of a shape's rows that identifies something. */
export interface KeyColumn {
  /** What it is called in a row. */
  readonly key: string;
  readonly alias: string;
  readonly table: string;
  /** As the table calls it. */
  readonly column: string;
}

/** What is known of a shape beyond its text. */
export class ShapeFacts {
  readonly uses: readonly TableUse[];
  readonly #facts: ModelTables;
  readonly #scan: Scan;
  #columns: readonly KeyColumn[] | undefined = undefined;
  #placeholders: readonly Placeholder[] | undefined = undefined;

  constructor(scan: Scan, facts: ModelTables) {
    this.#scan = scan;
    this.#facts = facts;
    this.uses = tablesOf(scan.text);
  }

  /** The table that it is about. */
  get table(): string | undefined {
    return this.uses[0]?.table ?? this.#scan.tables[0];
  }

  /** It counts rows rather than reading them. */
  get isCount(): boolean {
    return /^select count\(/i.test(this.#scan.text);
  }

  /** Whether one row of its table may come several times, for each of those that are joined to it. */
  get multiplies(): boolean {
    return this.uses.some(use => use !== this.uses[0] && this.#relation(use)?.isMany !== false);
  }

  /** Where its values stand. @param sql a text of it, one that has no list of several */
  placeholders(sql: string): readonly Placeholder[] {
    this.#placeholders ??= placeholders(sql);
    return this.#placeholders;
  }

  /** Which columns of its rows are keys: worked out from the first row that is seen. */
  keyColumns(row: Row): readonly KeyColumn[] {
    this.#columns ??= this.#findKeyColumns(row);
    return this.#columns;
  }

  /** From the entity of its table to that of an alias that is joined: `books.publisher`; `undefined` if that cannot be told. */
  pathTo(alias: string): string | undefined {
    const steps: string[] = [];
    let current = alias;
    while (current !== this.uses[0]?.alias) {
      const use = this.uses.find(each => each.alias === current);
      const relation = use === undefined ? undefined : this.#relation(use);
      if (use === undefined || relation === undefined || steps.length > this.uses.length) {
        return undefined;
      }
      if (relation.property !== '') {
        steps.unshift(relation.property);
      }
      current = relation.from;
    }
    return steps.join('.');
  }

  /** How a table is joined to one before it. A table of pairs is half of a relation: its other half has the name. */
  #relation({ alias, table, on }: TableUse): { property: string; from: string; isMany: boolean } | undefined {
    if (on === undefined) {
      return undefined;
    }
    const [from, column] = on.left[0] === alias ? on.right : on.left;
    const own = on.left[0] === alias ? on.left[1] : on.right[1];
    const before = this.uses.find(use => use.alias === from);
    if (before === undefined) {
      return undefined;
    }
    if (this.#facts.isPivot(table)) {
      return { property: '', from, isMany: true };
    }
    if (this.#facts.isPivot(before.table)) {
      if (before.on === undefined) {
        // MikroORM reads a many-to-many relation from its pairs: whose relation that is, its caller knows.
        return { property: '', from, isMany: false };
      }
      const relation = this.#ownerOf(before)?.relations.find(
        each => each.pivotTable === before.table && each.inverseColumns.includes(column),
      );
      return relation && { property: relation.property, from, isMany: true };
    }
    const relation = relationOn(this.#facts, before.table, column, table, own);
    return (
      relation && { property: relation.property, from, isMany: relation.kind === '1:m' || relation.kind === 'm:n' }
    );
  }

  #ownerOf({ alias, on }: TableUse) {
    const from = on!.left[0] === alias ? on!.right[0] : on!.left[0];
    return this.#facts.entitiesOf(this.uses.find(use => use.alias === from)?.table)[0];
  }

  #findKeyColumns(row: Row): readonly KeyColumn[] {
    const found: KeyColumn[] = [];
    for (const key of Object.keys(row)) {
      const column = this.#keyColumn(key);
      if (column !== undefined) {
        found.push(column);
        if (found.length === MOST_COLUMNS) {
          break;
        }
      }
    }
    return found;
  }

  #keyColumn(key: string): KeyColumn | undefined {
    const [, prefix, rest] = OF_ALIAS.exec(key) ?? [];
    const joined = prefix === undefined ? undefined : this.uses.find(({ alias }) => alias === prefix);
    const name = joined === undefined ? key : rest!;
    // What has no alias in its name is of the first table that has such a column: that of MikroORM's statements.
    for (const { table, alias } of joined === undefined ? this.uses : [joined]) {
      for (const { properties } of this.#facts.entitiesOf(table)) {
        const column = properties.has(name) ? name : [...properties].find(([, property]) => property === name)?.[0];
        if (column !== undefined) {
          return this.#facts.isKey(table, column) ? { key, alias, table, column } : undefined;
        }
      }
      if (this.#facts.isKey(table, name)) {
        return { key, alias, table, column: name };
      }
    }
    const use = joined ?? this.uses[0];
    return use !== undefined && LOOKS_LIKE_KEY.test(name)
      ? { key, alias: use.alias, table: use.table, column: name }
      : undefined;
  }
}
