import type { GuardedStore } from './guarded-store.ts';

/*
 * Processes that share a store may not be the same program: during a deploy, one release partitions a table that the other
 * does not. A writer that knows nothing of a partition cannot name what it changes there. So each process says which columns
 * it tells apart, reads what the others say, and
 *
 * - changes `table?column=*` for columns that only others know;
 * - narrows entries by a column of `partitionBy` only when everybody has had the time to read of it.
 */

/** How often it is said and read, in ms. */
const EVERY = 3_000;
/** After this, whoever runs has read it several times, in ms. */
const SETTLED = 12_000;
/** What nobody has said for so long is no longer true, in ms. */
const FORGOTTEN = 60_000;
const KEY = 'columns';

interface Said {
  /** When it was said first, and last, in ms since 1970. */
  readonly since: number;
  readonly last: number;
}

/** The columns that the processes on one store tell apart, as `table?column`. */
export class SharedColumns {
  readonly #guard: GuardedStore;
  readonly #own: () => readonly string[];
  readonly #changed: () => void;
  #registry = '';
  #said = new Map<string, Said>();
  #settled: ReadonlySet<string> = new Set();
  #timer: NodeJS.Timeout | undefined;
  #first: Promise<void> | undefined;
  #isKnown = false;

  /**
   * @param own what this process tells apart
   * @param changed called when {@link isSettled} or {@link others} answer differently than before
   */
  constructor(guard: GuardedStore, own: () => readonly string[], changed: () => void) {
    this.#guard = guard;
    this.#own = own;
    this.#changed = changed;
  }

  /** Whether the others have been read, so that a write can name what they tell apart. */
  get isKnown(): boolean {
    return !this.#guard.store.shared || this.#isKnown;
  }

  /** Whether everybody knows of a column, so that what it tells apart is told apart by all writers. */
  isSettled(column: string): boolean {
    return !this.#guard.store.shared || this.#settled.has(column);
  }

  /** Columns that others tell apart, and this process does not. */
  others(): string[] {
    const own = new Set(this.#own());
    return [...this.#said.keys()].filter(column => !own.has(column));
  }

  /** Resolves when the others have been read once, or could not be: the next call tries again. The timer keeps no process alive. */
  ready(registry: string): Promise<void> | undefined {
    if (!this.#guard.store.shared || (this.#timer === undefined && registry === '')) {
      return undefined;
    }
    if (this.#timer === undefined) {
      this.#registry = registry;
      this.#timer = setInterval(() => void this.#exchange(), EVERY);
      this.#timer.unref();
    }
    if (!this.#isKnown) {
      this.#first ??= this.#exchange().finally(() => (this.#first = undefined));
    }
    return this.#first;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #exchange(): Promise<void> {
    try {
      if (!this.#guard.available) {
        return;
      }
      const found = await this.#guard.read({ registry: this.#registry, key: this.#key, tags: [], refresh: true });
      const now = Date.now();
      const said = new Map([...parsed(found.entry), ...this.#said].filter(([, { last }]) => now - last < FORGOTTEN));
      for (const [column, theirs] of parsed(found.entry)) {
        const known = said.get(column);
        said.set(column, {
          since: Math.max(known?.since ?? 0, theirs.since),
          last: Math.max(known?.last ?? 0, theirs.last),
        });
      }
      for (const column of this.#own()) {
        const known = said.get(column);
        said.set(column, { since: known?.since ?? now, last: now });
      }
      await this.#guard.fill(this.#key, Buffer.from(JSON.stringify([...said])), FORGOTTEN);
      this.#take(said, now);
      this.#isKnown = true;
    } catch {
      // Read again in a moment. A store that fails makes everything invalid before it is used again.
    }
  }

  get #key(): string {
    return `${KEY}:${this.#registry}`;
  }

  #take(said: Map<string, Said>, now: number): void {
    const settled = new Set([...said].filter(([, { since }]) => now - since >= SETTLED).map(([column]) => column));
    const isChanged =
      said.size !== this.#said.size ||
      settled.size !== this.#settled.size ||
      [...said.keys()].some(column => !this.#said.has(column)) ||
      [...settled].some(column => !this.#settled.has(column));
    this.#said = said;
    this.#settled = settled;
    if (isChanged) {
      this.#changed();
    }
  }
}

/** Nothing in the store is trusted to be what we have put there. */
function parsed(entry: Uint8Array | undefined): [string, Said][] {
  if (entry === undefined) {
    return [];
  }
  try {
    const list: unknown = JSON.parse(Buffer.from(entry).toString());
    return Array.isArray(list) ? list.filter(isSaid).slice(0, MOST_COLUMNS) : [];
  } catch {
    return [];
  }
}

const MOST_COLUMNS = 2_000;

function isSaid(pair: unknown): pair is [string, Said] {
  if (!Array.isArray(pair) || typeof pair[0] !== 'string') {
    return false;
  }
  const said = pair[1] as Partial<Said> | null;
  return Number.isFinite(said?.since) && Number.isFinite(said?.last);
}
