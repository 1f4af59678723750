import { AsyncLocalStorage } from 'node:async_hooks';
import type { EntityManager } from '@mikro-orm/core';
import type { Segment } from '../fork-queue.ts';

/** The statement that the running code is part of, so that its filters, schema and session are those it was called with. */
interface Running {
  /** Let go of when the statement is over: a connection made meanwhile remembers this for as long as it lives. */
  em: EntityManager | undefined;
  segment: Segment<EntityManager> | undefined;
  /** The statement that this one is part of, by a hook. */
  parent: Running | undefined;
  /** Work that a hook has left behind runs on in the context of the statement when that is over. */
  over: boolean;
}

/** Which statements of the loader the running code is part of. */
export class RunningStatements {
  readonly #running = new AsyncLocalStorage<Running>();

  /** Runs a statement with the filters, schema and session context of its segment. */
  async runIn<T>(em: EntityManager, segment: Segment<EntityManager>, statement: () => Promise<T>): Promise<T> {
    const running: Running = { em, segment, parent: this.#running.getStore(), over: false };
    try {
      return await this.#running.run(running, statement);
    } finally {
      running.over = true;
      running.em = undefined;
      running.segment = undefined;
      running.parent = undefined;
    }
  }

  /** Whether the running code is part of a statement that the loader sends on `em`. */
  isRunningFor(em: EntityManager): boolean {
    const running = this.#running.getStore();
    return running?.em === em && !running.over;
  }

  /** Whether a statement on `em` waits for the running code. */
  isAwaitedBy(em: EntityManager): boolean {
    for (let running = this.#running.getStore(); running !== undefined; running = running.parent) {
      if (running.em === em && !running.over) {
        return true;
      }
    }
    return false;
  }

  /** The fork as it was for the statement on `em` that the running code is part of, if its state has changed since. */
  frozenOf(em: EntityManager): EntityManager | undefined {
    const running = this.#running.getStore();
    return running?.em === em && !running.over ? running.segment?.frozen : undefined;
  }
}
