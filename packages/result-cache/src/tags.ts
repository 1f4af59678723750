import { hash } from 'node:crypto';

/*
 * Tags stand for what an entry was read from and for what a write changes. An entry carries, for each table,
 *
 * - `table`: anything in it; or, if only rows with one value of a tracked column matter,
 * - `table?column=value`, and `table?column=*`: rows of which the value is not known.
 *
 * A write to a table changes `table`, and of each tracked column either the values that its rows had and have, or `*`.
 * Entries that read what cannot be told carry `*`, which every write changes.
 */

/** Every write changes it. */
export const ANY = '*';

/** Names everything in an intent: no entry is a hit while it is open, and closing it renews the epoch. */
export const EVERYTHING = 'EVERYTHING';

/** @param table `schema.name` */
export function tableTag(table: string): string {
  return table;
}

export function valueTag(table: string, column: string, value: string): string {
  return `${table}?${column}=${value}`;
}

export function unknownTag(table: string, column: string): string {
  return `${table}?${column}=*`;
}

/** The tag of entries with a name of their own (`cache: ['name', ttl]`). */
export function nameTag(name: string): string {
  return `#${name}`;
}

/**
 * What a store calls a tag: 96 bits of SHA-256, so that values (an e-mail address as a primary key) do not stand in keys
 * of Redis. Two tags that met would only end more entries than needed.
 */
export class TagIds {
  readonly #known = new Map<string, string>();
  readonly database: string;

  constructor(database: string) {
    this.database = database;
  }

  of(tag: string): string {
    let id = this.#known.get(tag);
    if (id === undefined) {
      id = hash('sha256', `${this.database}\0${tag}`, 'base64url').slice(0, 16);
      if (this.#known.size >= MOST_KNOWN) {
        this.#known.clear();
      }
      this.#known.set(tag, id);
    }
    return id;
  }
}

const MOST_KNOWN = 20_000;
