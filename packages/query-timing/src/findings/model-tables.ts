import type { EntityModel, Model, RelationModel } from '../model.ts';

/** Of references to references. */
const LONGEST_CHAIN = 5;

/** Whether MikroORM has made the entity, for a table of pairs that has none: nobody asks for it by name. */
export function isMadeUp({ pivot, name, table }: EntityModel): boolean {
  return pivot && name === table;
}

/** What the mapped entities tell of tables and their columns. */
export class ModelTables {
  readonly model: Model;
  #read: readonly EntityModel[] | undefined = undefined;
  #byTable = new Map<string, readonly EntityModel[]>();
  /** What each column of a relation refers to: `book.author_id` to `author.id`. */
  #referred = new Map<string, string>();
  /** What is referred to. */
  #keys: ReadonlySet<string> = new Set();

  constructor(model: Model) {
    this.model = model;
  }

  /** Entities of a table: several in single-table inheritance. */
  entitiesOf(table: string | undefined): readonly EntityModel[] {
    this.#update();
    return table === undefined ? NONE : (this.#byTable.get(table) ?? NONE);
  }

  /**
   * What the values of a column identify: `author.id` for `author.id`, and for every column that refers to it, however many
   * tables lie between. Two columns whose values may be compared have the same.
   */
  identity(table: string, column: string): string {
    this.#update();
    let identity = `${table}.${column}`;
    for (let step = 0; step < LONGEST_CHAIN; step++) {
      const next = this.#referred.get(identity);
      if (next === undefined || next === identity) {
        break;
      }
      identity = next;
    }
    return identity;
  }

  /** Whether it holds the pairs of a many-to-many relation, with or without an entity of its own. */
  isPivot(table: string | undefined): boolean {
    return this.entitiesOf(table).some(({ pivot }) => pivot);
  }

  /** Whether it refers to another table's column. */
  isReference(table: string, column: string): boolean {
    this.#update();
    return this.#referred.has(`${table}.${column}`);
  }

  /** Whether it identifies rows: of a primary key, a unique one of one column, of a relation, or referred to by one. */
  isKey(table: string, column: string): boolean {
    return (
      this.isReference(table, column) ||
      this.entitiesOf(table).some(
        ({ primaryKey, indexes }) =>
          primaryKey.includes(column) ||
          indexes.some(({ columns, unique }) => unique && columns.length === 1 && columns[0] === column),
      ) ||
      this.#keys.has(`${table}.${column}`)
    );
  }

  #update(): void {
    const { entities } = this.model;
    if (entities === this.#read) {
      return;
    }
    this.#read = entities;
    this.#byTable = new Map(
      [...new Set(entities.map(({ table }) => table))].map(table => [
        table,
        entities.filter(entity => entity.table === table),
      ]),
    );
    this.#referred = new Map();
    for (const entity of entities) {
      for (const relation of entity.relations) {
        this.#refer(entity, relation);
      }
    }
    this.#keys = new Set(this.#referred.values());
  }

  #refer(entity: EntityModel, relation: RelationModel): void {
    const target = this.model.byName(relation.target);
    if (target === undefined) {
      return;
    }
    const { kind, owner, columns, referenced, pivotTable, inverseColumns } = relation;
    const refer = (table: string, from: readonly string[], to: string, keys: readonly string[]): void => {
      from.forEach((column, index) => {
        const key = keys[index];
        if (key !== undefined && `${table}.${column}` !== `${to}.${key}`) {
          this.#referred.set(`${table}.${column}`, `${to}.${key}`);
        }
      });
    };
    if (kind === 'm:n') {
      if (pivotTable !== undefined) {
        refer(pivotTable, columns, entity.table, entity.primaryKey);
        refer(pivotTable, inverseColumns, target.table, target.primaryKey);
      }
    } else if (kind === 'm:1' || owner) {
      refer(entity.table, columns, target.table, referenced);
    } else {
      refer(target.table, columns, entity.table, referenced.length > 0 ? referenced : entity.primaryKey);
    }
  }
}

const NONE: readonly never[] = [];
