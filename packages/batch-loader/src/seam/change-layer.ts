import { type EntityManager, TransactionPropagation } from '@mikro-orm/core';
import type { EntityManagerClass } from './entity-manager.ts';
import type { FilterValues } from './filter-values.ts';
import type { ForkMarks } from './fork-marks.ts';
import type { RunningStatements } from './running-statements.ts';
import type { Takeover } from './takeover.ts';

/** Who is told of changes. */
interface Told {
  readonly takeover: Takeover;
  readonly filters: FilterValues;
  readonly marks: ForkMarks;
  readonly running: RunningStatements;
}

interface UntypedEntityManager {
  getContext(validate?: boolean): EntityManager;
  setFilterParams(...args: unknown[]): void;
  addFilter(...args: unknown[]): void;
  setSessionContext(...args: unknown[]): void;
  clearSessionContext(): void;
  get schema(): string | undefined;
  set schema(schema: string | null | undefined);
  begin(...args: unknown[]): Promise<void>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
  transactional(callback: (em: EntityManager) => Promise<unknown>, options?: unknown): Promise<unknown>;
  clear(): void;
}

/** Propagations that take the open transaction away from its EntityManager while the new one lasts. */
const SUSPENDING: ReadonlySet<string | undefined> = new Set<string | undefined>([
  TransactionPropagation.REQUIRES_NEW,
  TransactionPropagation.NOT_SUPPORTED,
]);

/** The EM mixin, for changes: filters, schema, session, transactions and `clear()`, all that decides what a load returns. */
export function changeLayer(Base: EntityManagerClass, { takeover, filters, marks, running }: Told): EntityManagerClass {
  // A hook of a running batch that waited for it would wait for itself.
  const settle = async (em: EntityManager): Promise<void> => {
    if (!running.isAwaitedBy(em)) {
      await takeover.settle(em);
    }
  };
  // MikroORM's methods take type parameters that a mixin over an unknown subclass cannot restate.
  const Untyped = Base as unknown as new (...args: unknown[]) => UntypedEntityManager;

  const Layered = class extends Untyped {
    override setFilterParams(...args: unknown[]): void {
      takeover.stateChanges(this.getContext());
      super.setFilterParams(...args);
    }

    override addFilter(...args: unknown[]): void {
      takeover.stateChanges(this.getContext(false));
      filters.added(args[0]);
      super.addFilter(...args);
    }

    override setSessionContext(...args: unknown[]): void {
      takeover.stateChanges(this.getContext());
      super.setSessionContext(...args);
    }

    override clearSessionContext(): void {
      takeover.stateChanges(this.getContext(false));
      super.clearSessionContext();
    }

    override get schema(): string | undefined {
      return super.schema;
    }

    override set schema(schema: string | null | undefined) {
      takeover.stateChanges(this.getContext(false));
      super.schema = schema;
    }

    override async begin(...args: unknown[]): Promise<void> {
      await settle(this.getContext(false));
      await super.begin(...args);
    }

    override async commit(): Promise<void> {
      await settle(this.getContext(false));
      await super.commit();
    }

    override async rollback(): Promise<void> {
      await settle(this.getContext(false));
      await super.rollback();
    }

    override async transactional(
      callback: (em: EntityManager) => Promise<unknown>,
      options?: unknown,
    ): Promise<unknown> {
      const outer = this.getContext(false);
      if (SUSPENDING.has((options as { propagation?: string } | undefined)?.propagation)) {
        // It takes the open transaction away from the loads that were made in it.
        await settle(outer);
      } else {
        takeover.send(outer);
      }
      return super.transactional(async em => {
        const result = await callback(em);
        // Loads that the callback started and did not await are part of it.
        await settle(em);
        return result;
      }, options);
    }

    override clear(): void {
      const em = this.getContext();
      if (!marks.throwaway.has(em)) {
        marks.cleared.add(em);
        takeover.clears(em);
      }
      super.clear();
    }
  };
  return Layered as unknown as EntityManagerClass;
}
