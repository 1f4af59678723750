import { LRUCache } from 'lru-cache';

/** What a value takes beside its characters and those of its key: two strings, and its place in the map. */
const OVERHEAD = 200;

/** Stands where a value is being asked for. Each asking has one of its own. */
export class Asked {
  readonly names: readonly string[];

  constructor(names: readonly string[]) {
    this.names = names;
  }
}

/**
 * Values of keys in Redis, as far as they are known here, within a limit of memory. `''` is a key that is not there.
 *
 * A value comes on one connection and the news that it has changed on another, so the answer may be older than news that
 * came before it. Hence a mark is left where a value is being asked for, and any news takes the mark away as it would the
 * value: an answer that does not find its mark is used, but not remembered (Redis, Client-side caching reference,
 * "Avoiding race conditions").
 */
export class Known {
  readonly #values: LRUCache<string, string | Asked>;

  constructor(maxBytes: number) {
    this.#values = new LRUCache<string, string | Asked>({
      maxSize: maxBytes,
      sizeCalculation: (value, name) => name.length + (typeof value === 'string' ? value.length : 0) + OVERHEAD,
    });
  }

  get bytes(): number {
    return this.#values.calculatedSize;
  }

  /** @returns the values of all of them, or `undefined` if one is not known */
  get(names: readonly string[]): readonly string[] | undefined {
    const values: string[] = [];
    for (const name of names) {
      const value = this.#values.get(name);
      if (typeof value !== 'string') {
        return undefined;
      }
      values.push(value);
    }
    return values;
  }

  /** To be called before the command is sent; then {@link learn} or {@link giveUp}. */
  ask(names: readonly string[]): Asked {
    const asked = new Asked(names);
    for (const name of names) {
      // The mark of an earlier asking stays: its answer will do.
      if (!this.#values.has(name)) {
        this.#values.set(name, asked);
      }
    }
    return asked;
  }

  learn(asked: Asked, values: readonly string[]): void {
    asked.names.forEach((name, index) => {
      const value = values[index]!;
      const present = this.#values.peek(name);
      if (present === asked) {
        this.#values.set(name, value);
      } else if (typeof present === 'string' && present !== value) {
        // One of them is old: the news are on their way.
        this.#values.delete(name);
      }
    });
  }

  giveUp(asked: Asked): void {
    for (const name of asked.names) {
      if (this.#values.peek(name) === asked) {
        this.#values.delete(name);
      }
    }
  }

  /** Drops what is known to be another value than this. */
  compare(names: readonly string[], values: readonly string[]): void {
    names.forEach((name, index) => {
      if (this.#values.peek(name) !== values[index]) {
        this.#values.delete(name);
      }
    });
  }

  forget(names: readonly string[]): void {
    names.forEach(name => this.#values.delete(name));
  }

  clear(): void {
    this.#values.clear();
  }
}
