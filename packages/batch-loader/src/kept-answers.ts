import type { EntityManager } from '@mikro-orm/core';
import type { Segment } from './fork-queue.ts';
import type { Moment, ReadEpochs } from './read-epochs.ts';

/** How often the answers of one round were asked for: a round nobody asks for was in vain. */
export interface Round {
  served: number;
}

/** An answer that was read before it was asked for. */
export interface KeptAnswer<Answer> {
  readonly em: EntityManager;
  readonly segment: Segment<EntityManager>;
  readonly read: Moment;
  readonly round: Round;
  /** Never rejects: `undefined` if it could not be read, in which case it has to be asked for alone. */
  readonly answer: Promise<{ readonly value: Answer } | undefined>;
}

/**
 * Answers read for peers, until they are asked for: once, on the fork that read them, with nothing in between that may
 * have changed them. They go with what they are kept for.
 */
export class KeptAnswers<Answer> {
  readonly #epochs: ReadEpochs<EntityManager>;
  readonly #kept = new WeakMap<object, Map<string, KeptAnswer<Answer>>>();

  constructor(epochs: ReadEpochs<EntityManager>) {
    this.#epochs = epochs;
  }

  keep(of: object, key: string, answer: KeptAnswer<Answer>): void {
    let kept = this.#kept.get(of);
    if (kept === undefined) {
      kept = new Map();
      this.#kept.set(of, kept);
    }
    // What has become useless must not accumulate on an entity that lives on.
    for (const [other, { em, read }] of kept) {
      if (!this.#epochs.isManagedCurrent(em, read)) {
        kept.delete(other);
      }
    }
    kept.set(key, answer);
  }

  /** @param managed whether the answer is in the identity map, so that a flush does not make it old */
  has(of: object, key: string, em: EntityManager, managed: boolean): boolean {
    return this.#current(of, key, em, managed) !== undefined;
  }

  /** The answer, which is then kept no longer. */
  take(of: object, key: string, em: EntityManager, managed: boolean): KeptAnswer<Answer> | undefined {
    const answer = this.#current(of, key, em, managed);
    this.#kept.get(of)?.delete(key);
    return answer;
  }

  /**
   * Forgets what is kept, because it is where MikroORM keeps it, and is asked for now.
   *
   * @returns `'old'` if some of it was, `undefined` if there was none
   */
  release(of: object, keys: (key: string) => boolean): 'current' | 'old' | undefined {
    const kept = this.#kept.get(of);
    let state: 'current' | 'old' | undefined;
    for (const [key, { em, read }] of kept ?? []) {
      if (keys(key)) {
        state = state === 'old' || !this.#epochs.isManagedCurrent(em, read) ? 'old' : 'current';
        kept!.delete(key);
      }
    }
    return state;
  }

  #current(of: object, key: string, em: EntityManager, managed: boolean): KeptAnswer<Answer> | undefined {
    const answer = this.#kept.get(of)?.get(key);
    if (answer === undefined || answer.em !== em) {
      return undefined;
    }
    const current = managed ? this.#epochs.isManagedCurrent(em, answer.read) : this.#epochs.isCurrent(em, answer.read);
    return current ? answer : undefined;
  }
}
