import { AsyncLocalStorage } from 'node:async_hooks';
import type { MikroORM } from '@mikro-orm/core';
import { checkConsistency } from '../options.ts';
import type { Consistency } from '../consistency.ts';

interface PreparedOptions {
  consistency?: Consistency;
  logging?: { consistency?: Consistency };
}

interface TransactionOptions {
  readonly readOnly?: boolean;
  readonly isolationLevel?: string;
  readonly ctx?: unknown;
}

// MikroORM's methods take type parameters that a mixin over an unknown subclass cannot restate.
interface UntypedEntityManager {
  prepareOptions(options: PreparedOptions): PreparedOptions;
  getConnection(type?: string): unknown;
  transactional(work: unknown, options?: TransactionOptions): Promise<unknown>;
  begin(options?: TransactionOptions): Promise<unknown>;
  clone(...args: unknown[]): Promise<unknown>;
  stream(...args: unknown[]): AsyncIterableIterator<unknown>;
  countBy(entity: unknown, groupBy: unknown, options?: PreparedOptions): Promise<unknown>;
  getTransactionContext(): unknown;
}

type EntityManagerClass = new (...args: unknown[]) => UntypedEntityManager;

/** What the EntityManager leaves to the resolver. */
export interface EntityManagerTakeover {
  /** Whether a read-only transaction that begins now may run on a replica. */
  mayRead(): boolean;
  withConsistency<T>(consistency: Consistency, fn: () => T): T;
}

/**
 * An EntityManager whose calls take `consistency`, whose read-only transactions begin on the read side, and whose `clone()`
 * finds what it has just written.
 *
 * Relies on `prepareOptions()` making the `logging` object that a call hands down to the connection, and on
 * `transactional()` and `begin()` asking `getConnection()` first of all for the connection they begin on.
 */
export function entityManagerMixin(Base: unknown, takeover: EntityManagerTakeover): unknown {
  /** Set while a read-only transaction looks for its connection. */
  const beginning = new AsyncLocalStorage<{ open: boolean }>();

  return class extends (Base as EntityManagerClass) {
    override prepareOptions(options: PreparedOptions): PreparedOptions {
      const prepared = super.prepareOptions(options);
      const { consistency } = prepared;
      if (consistency !== undefined) {
        checkConsistency('consistency', consistency);
        prepared.logging!.consistency = consistency;
        delete prepared.consistency;
      }
      return prepared;
    }

    override getConnection(type?: string): unknown {
      const begins = beginning.getStore();
      if (begins?.open === true) {
        begins.open = false;
        return super.getConnection('read');
      }
      return super.getConnection(type);
    }

    override transactional(work: unknown, options?: TransactionOptions): Promise<unknown> {
      return this.#onReplica(options)
        ? beginning.run({ open: true }, () => super.transactional(work, options))
        : super.transactional(work, options);
    }

    override begin(options?: TransactionOptions): Promise<unknown> {
      return this.#onReplica(options)
        ? beginning.run({ open: true }, () => super.begin(options))
        : super.begin(options);
    }

    /** It begins when its first row is asked for, which may be outside of the scope that it was made in. */
    override stream(...args: unknown[]): AsyncIterableIterator<unknown> {
      const inside = AsyncLocalStorage.snapshot();
      const rows = super.stream(...args);
      return {
        next: () => inside(() => rows.next()),
        return: value => inside(() => rows.return?.(value) ?? Promise.resolve({ done: true, value })),
        throw: error => inside(() => rows.throw?.(error) ?? Promise.reject(error as Error)),
        [Symbol.asyncIterator]() {
          return this;
        },
      };
    }

    /** It reads what it has inserted. */
    override clone(...args: unknown[]): Promise<unknown> {
      return takeover.withConsistency('strong', () => super.clone(...args));
    }

    /** Its QueryBuilder is not told of the call's options. */
    override countBy(entity: unknown, groupBy: unknown, options?: PreparedOptions): Promise<unknown> {
      const consistency = options?.consistency;
      return consistency === undefined
        ? super.countBy(entity, groupBy, options)
        : takeover.withConsistency(checkConsistency('consistency', consistency), () =>
            super.countBy(entity, groupBy, options),
          );
    }

    /** A standby has no serializable transactions. */
    #onReplica(options: TransactionOptions | undefined): boolean {
      return (
        options?.readOnly === true &&
        options.ctx === undefined &&
        this.getTransactionContext() === undefined &&
        !/serializable/i.test(options.isolationLevel ?? '') &&
        takeover.mayRead()
      );
    }
  };
}

/** The class that the driver makes EntityManagers of, where the config names none. None is made for it: there is no metadata yet. */
export function defaultEntityManager(orm: MikroORM): unknown {
  let fallback: unknown;
  const config = {
    get(_name: string, value: unknown): unknown {
      fallback = value;
      return class {};
    },
  };
  (orm.driver.createEntityManager as (this: unknown, useContext: boolean) => unknown).call({ config }, false);
  return fallback;
}
