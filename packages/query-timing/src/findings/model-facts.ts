import type { EntityModel } from '../model.ts';
import type { Scan } from '../sql/scan.ts';
import { type Link, linkOf } from './link.ts';
import { ModelTables } from './model-tables.ts';
import { ShapeFacts } from './shape-facts.ts';

/** Of so many shapes it is remembered that others followed from them. */
const MOST_PARENTS = 200;
const MOST_LINKS = 5_000;

/** What the mapped entities tell of columns and shapes, worked out once for each. One for each ORM. */
export class ModelFacts extends ModelTables {
  readonly #shapes = new WeakMap<Scan, ShapeFacts>();
  readonly #parents = new Set<string>();
  readonly #links = new Map<string, Link | null>();
  #linksOf: readonly EntityModel[] | undefined = undefined;

  /** Its tables, and which columns of its rows are keys. */
  shape(scan: Scan): ShapeFacts {
    let facts = this.#shapes.get(scan);
    if (facts === undefined) {
      facts = new ShapeFacts(scan, this);
      this.#shapes.set(scan, facts);
    }
    return facts;
  }

  /** How values of one column lead to rows that are found by another, see {@link linkOf}. */
  link(table: string, column: string, otherTable: string, otherColumn: string): Link | undefined {
    const { entities } = this.model;
    if (this.#linksOf !== entities || this.#links.size >= MOST_LINKS) {
      this.#linksOf = entities;
      this.#links.clear();
    }
    const key = `${table}.${column} ${otherTable}.${otherColumn}`;
    let link = this.#links.get(key);
    if (link === undefined) {
      link = linkOf(this, table, column, otherTable, otherColumn) ?? null;
      this.#links.set(key, link);
    }
    return link ?? undefined;
  }

  /** Whether others followed from this shape: its call site is worth knowing. */
  isParent(id: string): boolean {
    return this.#parents.has(id);
  }

  addParent(id: string): void {
    if (this.#parents.size < MOST_PARENTS) {
      this.#parents.add(id);
    }
  }
}
