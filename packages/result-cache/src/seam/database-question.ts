import { type DatabaseFacts, FACTS_SQL, FACTS_WITHOUT_SYSTEM_SQL, factsOf } from '../database-facts.ts';
import type { Compiled, Send } from './connection-watch.ts';

const INSUFFICIENT_PRIVILEGE = '42501';

/** Others may change foreign keys and triggers: the catalog is read again after this, in ms. */
const MOST_AGE = 300_000;

/**
 * Asks the database who it is and what is out of the ordinary in it, on the first connection that is used: before a
 * statement can be read from the cache or be told of. Asks again after a change of the schema, and every five minutes.
 */
export class DatabaseQuestion {
  readonly #address: string;
  readonly #answered: (facts: DatabaseFacts) => void;
  #asking: Promise<void> | undefined;
  #askAgainAt = 0;
  #facts: DatabaseFacts | undefined;

  /**
   * @param address what stands for the server where it does not say who it is
   * @param answered called with each answer
   */
  constructor(address: string, answered: (facts: DatabaseFacts) => void) {
    this.#address = address;
    this.#answered = answered;
  }

  get facts(): DatabaseFacts | undefined {
    return this.#facts;
  }

  /** To be called when what the database has said may no longer be true. */
  outdated(): void {
    this.#askAgainAt = 0;
  }

  /** @returns `undefined` if nothing is to be asked; rejects if the database does, and is asked again the next time */
  ask(send: Send, like: Compiled): Promise<void> | undefined {
    if (this.#asking !== undefined) {
      return this.#asking;
    }
    if (performance.now() < this.#askAgainAt) {
      return undefined;
    }
    this.#askAgainAt = performance.now() + MOST_AGE;
    this.#asking = this.#ask(send, like)
      .catch((error: unknown) => {
        this.#askAgainAt = 0;
        throw error;
      })
      .finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  async #ask(send: Send, like: Compiled): Promise<void> {
    const rowOf = async (sql: string): Promise<Record<string, unknown>> => {
      const { rows } = await send({ ...like, sql, parameters: [] });
      return rows[0] ?? {};
    };
    let row: Record<string, unknown>;
    try {
      row = await rowOf(FACTS_SQL);
    } catch (error) {
      if ((error as { code?: unknown }).code !== INSUFFICIENT_PRIVILEGE) {
        throw error;
      }
      row = await rowOf(FACTS_WITHOUT_SYSTEM_SQL);
    }
    this.#facts = factsOf(row, this.#address);
    this.#answered(this.#facts);
  }
}
