import type { AsyncLocalStorage } from 'node:async_hooks';
import { type EntityManager, Utils, helper } from '@mikro-orm/core';
import type { Entity } from './entity.ts';
import type { EntityManagerClass } from './entity-manager.ts';
import type { ForkMarks } from './fork-marks.ts';
import type { Interceptor } from './intercept.ts';
import type { RunningStatements } from './running-statements.ts';

/** What the layer knows of the statements of the loader. */
interface Statements {
  readonly running: RunningStatements;
  readonly interceptor: Interceptor;
  readonly marks: ForkMarks;
  /** The flush that the running code is part of. */
  readonly flushes: AsyncLocalStorage<object>;
}

type FrozenState = Pick<UntypedEntityManager, 'applyFilters' | 'prepareOptions' | 'getTransactionSessionContext'>;

interface UntypedEntityManager {
  getContext(validate?: boolean): EntityManager;
  applyFilters(...args: unknown[]): unknown;
  prepareOptions(...args: unknown[]): unknown;
  getTransactionSessionContext(): unknown;
  tryFlush(entityName: unknown, options: unknown): Promise<void>;
  withSessionContext(transaction: unknown, run: (transaction: unknown) => unknown, on?: unknown): unknown;
  flush(): Promise<void>;
  persist(entities: unknown): unknown;
}

/** The EM mixin, within a statement: what MikroORM asks of the fork while it builds, sends and hydrates one of the loader's. */
export function statementLayer(
  Base: EntityManagerClass,
  { running, interceptor, marks, flushes }: Statements,
): EntityManagerClass {
  const frozenOf = (em: EntityManager): FrozenState | undefined =>
    running.frozenOf(em) as unknown as FrozenState | undefined;
  // MikroORM's methods take type parameters that a mixin over an unknown subclass cannot restate.
  const Untyped = Base as unknown as new (...args: unknown[]) => UntypedEntityManager;

  const Layered = class extends Untyped {
    // Filters may ask the database themselves.
    override applyFilters(...args: unknown[]): unknown {
      const frozen = frozenOf(this.getContext(false));
      return interceptor.outside(() => (frozen ? frozen.applyFilters(...args) : super.applyFilters(...args)));
    }

    override prepareOptions(...args: unknown[]): unknown {
      const frozen = frozenOf(this.getContext(false));
      return frozen ? frozen.prepareOptions(...args) : super.prepareOptions(...args);
    }

    override getTransactionSessionContext(): unknown {
      const frozen = frozenOf(this.getContext(false));
      return frozen ? frozen.getTransactionSessionContext() : super.getTransactionSessionContext();
    }

    // A batch runs its statements at once, and each may flush first. MikroORM queues concurrent flushes, but forgets the
    // queue when one fails: those behind it would never end. So they are not concurrent.
    override async tryFlush(entityName: unknown, options: unknown): Promise<void> {
      return interceptor.outside(() => this.#tryFlush(entityName, options));
    }

    async #tryFlush(entityName: unknown, options: unknown): Promise<void> {
      const em = this.getContext();
      if (!running.isRunningFor(em) || !em.getUnitOfWork().shouldAutoFlush(em.getMetadata().get(entityName as never))) {
        return super.tryFlush(entityName, options);
      }
      const flush = (marks.flushes.get(em) ?? Promise.resolve()).then(() => super.tryFlush(entityName, options));
      marks.flushes.set(
        em,
        flush.catch(() => undefined),
      );
      return flush;
    }

    // A statement that is only looked at needs no transaction for its session context.
    override withSessionContext(transaction: unknown, run: (transaction: unknown) => unknown, on?: unknown): unknown {
      return interceptor.dry ? run(transaction) : super.withSessionContext(transaction, run, on);
    }

    // A flush's hooks may load, and the flush waits for them: what they load must not wait for the flush.
    override flush(): Promise<void> {
      return flushes.run({}, () => super.flush());
    }

    // Hydrating a 1:M "persists" its items, known as they are, and has the next find of their class flush first.
    override persist(entities: unknown): unknown {
      const em = this.getContext();
      return running.isRunningFor(em) && Array.isArray(entities) && areManaged(em, entities)
        ? em
        : super.persist(entities);
    }
  };
  return Layered as unknown as EntityManagerClass;
}

/** Whether persisting these entities would tell `em` nothing. */
function areManaged(em: EntityManager, entities: readonly unknown[]): boolean {
  const removed = em.getUnitOfWork(false).getRemoveStack();
  const managed = (entity: unknown): boolean =>
    Utils.isEntity<Entity>(entity, true) && helper(entity).__managed && !removed.has(entity);
  return entities.every(managed);
}
