import type { CachedRead } from './cached-read.ts';
import type { GuardedStore } from './guarded-store.ts';
import { Recent } from './recent.ts';
import type { Found } from './store.ts';

/** The reads of one call: what it was made for, and what it populates. */
export class ReadFamily {
  /** The key of the first one. */
  root: string | undefined;
  /** What was asked for ahead, by key. */
  ahead: Map<string, Promise<Found | undefined>> | undefined;
  /** What the others asked for, in their order. */
  asked: Ask[] | undefined;
}

type Ask = Pick<CachedRead<unknown>, 'registry' | 'key' | 'tags'>;

const MOST_FAMILIES = 2_000;
const MOST_MEMBERS = 12;

/**
 * A call that populates relations asks the store once for each of them, one after the other. Those that a call asked for the
 * last time are asked for with its first one this time: one round trip instead of several. What comes back was valid after
 * the call began, which is all that a hit has to be.
 */
export class ReadAhead {
  readonly #guard: GuardedStore;
  readonly #families = new Recent<readonly Ask[]>(MOST_FAMILIES);

  constructor(guard: GuardedStore) {
    this.#guard = guard;
  }

  /** @returns what was asked for ahead; `undefined` if the store has to be asked now */
  take(read: CachedRead<unknown>): Promise<Found | undefined> | undefined {
    const { family, key } = read;
    if (family === undefined || !this.#guard.store.shared) {
      return undefined;
    }
    if (family.root === undefined) {
      family.root = key;
      for (const ask of this.#families.get(key) ?? []) {
        family.ahead ??= new Map();
        family.ahead.set(
          ask.key,
          this.#guard.read(ask).catch(() => undefined),
        );
      }
      return undefined;
    }
    family.asked ??= [];
    if (family.asked.length < MOST_MEMBERS) {
      family.asked.push({ registry: read.registry, key, tags: read.tags });
      this.#families.set(family.root, family.asked);
    }
    const ahead = family.ahead?.get(key);
    family.ahead?.delete(key);
    return ahead;
  }
}
