import type { EntityModel, Model, RelationModel } from '../model.ts';
import type { Scan } from '../sql/scan.ts';
import { type Link, linkOf } from './link.ts';
import { ShapeFacts } from './shape-facts.ts';

/** Of so many shapes it is remembered that others followed from them. */
const MOST_PARENTS = 200;
const LONGEST_CHAIN = 5;
const MOST_LINKS = 5_000;

/** What the mapped entities tell of columns and shapes, worked out once for each. One for each ORM. */
export class ModelFacts {
  readonly model: Model;
  readonly #shapes = new WeakMap<Scan, ShapeFacts>();
  readonly #parents = new Set<string>();
  #read: readonly EntityModel[] | undefined = undefined;
  #byTable = new Map<string, readonly EntityModel[]>();
  /** What each column of a relation refers to: `book.author_id` to `author.id`. */
  #referred = new Map<string, string>();
  readonly #links = new Map<string, Link | null>();
  /** What is referred to. */
  #keys: ReadonlySet<string> = new Set();

  constructor(model: Model) {
    this.model = model;
  }

  /** Its tables, and which columns of its rows are keys. */
  shape(scan: Scan): ShapeFacts {
    let facts = this.#shapes.get(scan);
    if (facts === undefined) {
      facts = new ShapeFacts(scan, this);
      this.#shapes.set(scan, facts);
    }
    return facts;
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

  /** How values of one column lead to rows that are found by another, see {@link linkOf}. */
  link(table: string, column: string, otherTable: string, otherColumn: string): Link | undefined {
    this.#update();
    const key = `${table}.${column} ${otherTable}.${otherColumn}`;
    let link = this.#links.get(key);
    if (link === undefined) {
      link = linkOf(this, table, column, otherTable, otherColumn) ?? null;
      if (this.#links.size >= MOST_LINKS) {
        this.#links.clear();
      }
      this.#links.set(key, link);
    }
    return link ?? undefined;
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

  /** The others followed from this shape: its call site is worth knowing. */
  isParent(id: string): boolean {
    return this.#parents.has(id);
  }

  addParent(id: string): void {
    if (this.#parents.size < MOST_PARENTS) {
      this.#parents.add(id);
    }
  }

  #update(): void {
    const { entities } = this.model;
    if (entities === this.#read) {
      return;
    }
    this.#read = entities;
    this.#links.clear();
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
