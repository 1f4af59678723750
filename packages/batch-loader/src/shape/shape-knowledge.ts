import { Recent } from '../recent.ts';
import { Catalog, type Send, type TableFacts } from './catalog.ts';
import { inferTypes, type SlotTypes, typesByColumn } from './parameter-types.ts';
import { prepare } from './prepared.ts';
import type { Unreadable } from './statement-scan.ts';
import { readStatement, type StatementText } from './statement-text.ts';

/** Where statements may be sent; see the seam's QueryTarget. */
interface Target {
  /** Whether it is an open transaction. */
  readonly isTransaction: boolean;
  send(query: { sql: string; params: readonly unknown[] }): Promise<Record<string, unknown>[]>;
  pinned<T>(run: (send: Send) => Promise<T>): Promise<T>;
}

const KEPT = 2_000;

/** What is known of shapes and of the tables in them; bounded, and shared by all forks of an ORM. */
export class ShapeKnowledge {
  readonly #texts = new Recent<string, StatementText | Unreadable>(KEPT);
  readonly #types = new Recent<string, SlotTypes>(KEPT);
  /** Questions on their way. */
  readonly #asked = new Map<string, Promise<SlotTypes>>();
  readonly #taken = new Recent<string, true>(KEPT);
  readonly #catalog: Catalog;

  /** @param tables names, quoted as in SQL, that are likely to be met */
  constructor(tables: () => readonly string[]) {
    this.#catalog = new Catalog(tables);
  }

  read(sql: string, parameters: number): StatementText | Unreadable {
    let text = this.#texts.get(sql);
    if (text === undefined) {
      text = readStatement(sql, parameters);
      this.#texts.set(sql, text);
    }
    return text;
  }

  /** Types of the slots where they stand. A transaction waits for nobody else's question; see the catalog. */
  async types(text: StatementText, on: Target): Promise<SlotTypes> {
    const known = this.#types.get(text.shape);
    if (known) {
      return known;
    }
    let asked = on.isTransaction ? undefined : this.#asked.get(text.shape);
    if (asked === undefined) {
      asked = this.#findTypes(text, on);
      if (!on.isTransaction) {
        this.#asked.set(text.shape, asked);
        const over = (): void => void this.#asked.delete(text.shape);
        asked.then(over, over);
      }
    }
    const types = await asked;
    // 42P18: there is nothing to infer a type from, and never will be. Other errors may pass.
    if (!('reason' in types) || !types.reason.includes('SQLSTATE') || types.reason.includes('42P18')) {
      this.#types.set(text.shape, types);
    }
    return types;
  }

  /**
   * Whether PostgreSQL takes a merged statement of this form. Asked only inside a transaction, and once: outside of one the
   * calls would simply be sent alone after a failure, inside PostgreSQL aborts everything with the statement.
   *
   * @param form tells statements apart that differ in values only
   * @param literal gives the statement with its values
   */
  async isTaken(form: string, literal: () => string, on: Target): Promise<boolean> {
    if (!on.isTransaction || this.#taken.get(form) === true) {
      return true;
    }
    const prepared = await on.pinned(send => prepare(literal(), send));
    return 'types' in prepared;
  }

  /** To be called when a merged statement of this form succeeded. */
  takes(form: string): void {
    this.#taken.set(form, true);
  }

  /** To be called when a merged statement failed: a column may have another type by now. */
  forget(text: StatementText): void {
    this.#types.delete(text.shape);
    this.#catalog.forget();
  }

  factsOf(table: string, on: Target): Promise<TableFacts> {
    return this.#catalog.of(table, (sql, params) => on.send({ sql, params }), on.isTransaction);
  }

  async #findTypes(text: StatementText, on: Target): Promise<SlotTypes> {
    const facts = new Map<string, TableFacts>();
    for (const [alias, table] of text.tables) {
      facts.set(alias, await this.factsOf(table, on));
    }
    const types = typesByColumn(text, alias => facts.get(alias));
    return types ? { types } : on.pinned(send => inferTypes(text, send));
  }
}
