import { randomBytes } from 'node:crypto';
import type { CacheChannel, InvalidationCause } from './cache-channel.ts';
import { ResultCacheError } from './errors.ts';
import type { GuardedStore } from './guarded-store.ts';
import type { Counters } from './stats.ts';
import type { OpenIntent } from './store.ts';
import { EVERYTHING } from './tags.ts';

/** A change that is about to be made visible. */
export interface Change {
  readonly registry: string;
  /** As the store calls them; what blocks hits until the change is over. */
  readonly tags: readonly string[];
  readonly cause: InvalidationCause;
  /** Why it changes everything, if it does. */
  readonly everything: string | undefined;
  /** Whether a failure means that nothing was changed: not so for a text or a procedure that may have committed before it failed. */
  readonly atomic: boolean;
  /** What happens when the store cannot be told beforehand. */
  readonly onStoreError: 'open' | 'closed';
}

/** While a commit lasts, its intent is told again this often: a registry that was lost gets it back before it settles. */
const RENEW_INTENT = 500;

/**
 * Tells the store of writes: an intent before the change can be seen, its end after. Between the two, nothing that carries
 * one of its tags is a hit; after it, nothing that was read before it.
 */
export class Intents {
  readonly #guard: GuardedStore;
  readonly #channel: CacheChannel;
  readonly #counters: Counters;
  readonly #ttl: number;

  /** @param ttl how long a dead writer's intent blocks hits, in ms */
  constructor(guard: GuardedStore, channel: CacheChannel, counters: Counters, ttl: number) {
    this.#guard = guard;
    this.#channel = channel;
    this.#counters = counters;
    this.#ttl = ttl;
  }

  /**
   * Runs a commit, or a statement that commits itself.
   *
   * @param run makes the change visible
   * @param changed the tags that were really changed, once that is known; by default all of the intent's
   * @param grown the change as it is when the store has been told of it: a statement may have slipped in meanwhile
   * @throws {ResultCacheError} `NOT_INVALIDATED` if the store cannot be told and the change asks for that (`closed`)
   */
  async around<T>(
    first: Change,
    run: () => Promise<T>,
    changed?: (result: T) => readonly string[],
    grown?: () => Change,
  ): Promise<T> {
    const id = randomBytes(9).toString('base64url');
    const before = performance.now();
    let change = first;
    let told = await this.#open(change, id);
    for (;;) {
      const now = grown?.() ?? change;
      const isTold = now.tags.every(tag => change.tags.includes(tag));
      // A process that was stopped meanwhile may find its intent expired.
      if (isTold && (told === undefined || performance.now() - told <= this.#ttl / 2)) {
        break;
      }
      change = now;
      told = await this.#open(change, id);
    }
    const opened = performance.now() - before;
    const renewal = setInterval(() => {
      this.#guard.open(change.registry, { id, tags: change.tags, ttl: this.#ttl }).catch(() => undefined);
    }, RENEW_INTENT);
    let result: T;
    try {
      result = await run();
    } catch (error) {
      clearInterval(renewal);
      await this.#failed(change, id, told !== undefined, isServerError(error));
      throw error;
    }
    clearInterval(renewal);
    const after = performance.now();
    if (told === undefined) {
      this.#guard.missed(change.registry, id);
    } else {
      await this.#close(change, id, changed?.(result) ?? change.tags);
    }
    this.#counters.invalidationTime += opened + performance.now() - after;
    this.#told(change.cause, change.tags.length, change.everything);
    return result;
  }

  /** Makes what carries one of `tags` invalid now: of a change that others have made. @throws what the store throws */
  async invalidate(registry: string, tags: readonly string[], cause: InvalidationCause): Promise<void> {
    const id = randomBytes(9).toString('base64url');
    await this.#guard.ready();
    if (tags.includes(EVERYTHING)) {
      await this.#guard.renew(registry);
    } else {
      await this.#guard.close(registry, id, tags);
    }
    this.#told(cause, tags.length, tags.includes(EVERYTHING) ? cause : undefined);
  }

  /** Ends an intent whose writer is dead: whether it had committed is not known, so all that it names becomes invalid. */
  async expire(registry: string, intent: OpenIntent): Promise<void> {
    if (intent.tags.includes(EVERYTHING)) {
      await this.#guard.renew(registry);
    }
    await this.#guard.close(registry, intent.id, intent.tags);
    this.#told('expired intent', intent.tags.length, undefined);
  }

  /** @returns when the store was asked, or `undefined` if it could not be told */
  async #open(change: Change, id: string): Promise<number | undefined> {
    const asked = performance.now();
    let cause: unknown;
    try {
      await this.#guard.ready();
      if (this.#guard.listens) {
        await this.#guard.open(change.registry, { id, tags: change.tags, ttl: this.#ttl });
        return asked;
      }
    } catch (error) {
      cause = error;
    }
    if (change.onStoreError === 'closed') {
      // It may still arrive, and would block hits for nothing.
      this.#guard.missed(change.registry, id);
      throw notInvalidated(cause);
    }
    return undefined;
  }

  /** @param answered whether PostgreSQL has said that it failed */
  async #failed(change: Change, id: string, told: boolean, answered: boolean): Promise<void> {
    if (answered && change.atomic) {
      if (told) {
        await this.#guard.cancel(change.registry, id).catch(() => this.#guard.missed(change.registry, id));
      }
    } else if (!told) {
      this.#guard.missed(change.registry, id);
    } else if (answered) {
      await this.#close(change, id, change.tags);
    }
    // Else nobody knows whether it was committed: the intent blocks hits until it expires, and ends them then.
  }

  async #close(change: Change, id: string, tags: readonly string[]): Promise<void> {
    try {
      if (tags.includes(EVERYTHING)) {
        await this.#guard.renew(change.registry);
        await this.#guard.cancel(change.registry, id);
      } else if (!(await this.#guard.close(change.registry, id, tags))) {
        // The intent was lost or has expired: somebody may have filled an entry before the change, and taken it for new.
        await this.#guard.renew(change.registry);
      }
    } catch {
      this.#guard.missed(change.registry, id);
    }
  }

  #told(cause: InvalidationCause, tags: number, everything: string | undefined): void {
    this.#counters.invalidations += 1;
    this.#channel.publish(() => ({
      kind: 'invalidate',
      cause,
      tags,
      ...(everything === undefined ? {} : { everything }),
    }));
  }
}

/**
 * PostgreSQL has answered, and has not done it. Class 08 (connection) and 57 (shutdown) leave that open, and errors of the
 * socket (`EPIPE`) have a code, too, but no severity.
 */
function isServerError(error: unknown): boolean {
  const { code, severity } = (error ?? {}) as { code?: unknown; severity?: unknown };
  return typeof severity === 'string' && typeof code === 'string' && /^(?!08|57)[0-9A-Z]{5}$/.test(code);
}

function notInvalidated(cause: unknown): ResultCacheError {
  return new ResultCacheError(
    'NOT_INVALIDATED',
    "The store of the result cache cannot be told of this write, and onStoreError is 'closed', so it was not made. Retry when the store is back, or set onStoreError: 'open'.",
    { cause },
  );
}
