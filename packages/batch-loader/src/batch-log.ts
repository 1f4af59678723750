import type { EntityManager } from '@mikro-orm/core';
import type { CallMethod } from './calls.ts';
import type { Strategy } from './shape/merged-statement.ts';

/** A statement that `batch(em)` sent, for {@link Batch.explain}. */
export interface ExplainedStatement {
  /** Which method was called. */
  readonly method: CallMethod;
  /** Class name of the entity. */
  readonly entity: string;
  /** Calls answered by it. */
  readonly calls: number;
  /** How many calls became one statement; `alone` if it answers a single call in MikroORM's own way. */
  readonly strategy: Strategy | 'alone';
  /** Why that strategy, or why the call was not merged with others. */
  readonly why: string;
  /** The merged statement with a `?` for each parameter; of a call sent alone, nothing. */
  readonly sql?: string;
}

const KEPT = 200;

/** What was merged and what was not, by fork; the last 200 statements of each. */
export class BatchLog {
  readonly #statements = new WeakMap<EntityManager, ExplainedStatement[]>();

  /** @param write whether to write it to MikroORM's log too */
  add(em: EntityManager, statement: ExplainedStatement, write: boolean): void {
    if (write) {
      const { calls, method, entity, strategy, why } = statement;
      em.config.get('logger')(`[batch] ${calls} × ${method}(${entity}): ${strategy}, ${why}`);
    }
    let statements = this.#statements.get(em);
    if (statements === undefined) {
      statements = [];
      this.#statements.set(em, statements);
    }
    statements.push(statement);
    if (statements.length > KEPT) {
      statements.shift();
    }
  }

  of(em: EntityManager): readonly ExplainedStatement[] {
    return [...(this.#statements.get(em) ?? [])];
  }
}
