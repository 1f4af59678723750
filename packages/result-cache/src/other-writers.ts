import { AsyncLocalStorage } from 'node:async_hooks';
import type { ExternalWrites, Follower } from './external-writes.ts';
import type { Seam } from './seam.ts';

/** What {@link OtherWriters} does with what it learns. */
export interface OtherWritersContext {
  readonly seam: Pick<Seam, 'listener' | 'sendOnPrimary'>;
  /** @param tables `schema.table` */
  invalidate(tables: readonly string[]): Promise<void>;
  clear(): Promise<void>;
  failed(error: unknown): void;
  /** What stands for the contents of a store that outlives this process. */
  storeName(): Promise<string | undefined>;
}

/** Without a look at the change log for so long, the database is asked instead of the cache, in ms. */
const MOST_LAG = 10_000;

/** Follows what is written past the ORM, from when the database is known until the ORM closes. */
export class OtherWriters {
  readonly #external: ExternalWrites;
  readonly #context: OtherWritersContext;
  readonly #looking = new AsyncLocalStorage<true>();
  #following: Promise<void> | undefined;
  #follower: Follower | undefined;
  #listener: { end(): Promise<unknown> } | undefined;

  constructor(external: ExternalWrites, context: OtherWritersContext) {
    this.#external = external;
    this.#context = context;
  }

  /** Whether the running code looks at the change log. */
  get isLooking(): boolean {
    return this.#looking.getStore() === true;
  }

  /** Why what others have written may be unknown for longer than was promised. */
  get behind(): string | undefined {
    return (this.#follower?.lag ?? Infinity) < MOST_LAG ? undefined : 'the change log has not been read for too long';
  }

  follow(): void {
    this.#following ??= this.#follow();
  }

  async stop(): Promise<void> {
    await this.#following;
    await this.#follower?.stop();
    await this.#listener?.end();
  }

  async #follow(): Promise<void> {
    const { seam, invalidate, clear, failed, storeName } = this.#context;
    // Without a listener changes are found at the next look; without a name, the cache is cleared first.
    const listener = this.#external.notify ? await seam.listener().catch(() => undefined) : undefined;
    const name = await storeName().catch(() => undefined);
    this.#listener = listener;
    this.#follower = this.#external.follow({
      query: (sql, params) => this.#looking.run(true, () => seam.sendOnPrimary(sql, params)),
      invalidate,
      clear,
      failed,
      ...(name === undefined ? {} : { store: name }),
      ...(listener === undefined ? {} : { listener }),
    });
  }
}
