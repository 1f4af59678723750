import { AsyncLocalStorage } from 'node:async_hooks';
import type { MikroORM } from '@mikro-orm/core';
import type { CacheSetting } from '../policy.ts';
import { ReadFamily } from '../read-ahead.ts';
import { type BuilderRead, takeBuilderReads, type UserBuilder } from './builder-reads.ts';

/** What the extension does in place of the EntityManager's own cache. */
export interface EntityManagerTakeover {
  readBuilder(read: BuilderRead): Promise<unknown>;
  clearNamed(name: string): Promise<void>;
}

interface PreparedOptions {
  cache?: CacheSetting;
  logging?: object;
}

// MikroORM's methods take type parameters that a mixin over an unknown subclass cannot restate.
interface UntypedEntityManager {
  prepareOptions(options: PreparedOptions): PreparedOptions;
  createQueryBuilder(...args: unknown[]): UserBuilder & { cache(setting: CacheSetting): unknown };
  countBy(entity: unknown, groupBy: unknown, options?: PreparedOptions): Promise<unknown>;
  addFilter(...args: unknown[]): unknown;
  refresh(...args: unknown[]): Promise<unknown>;
  getSessionContext(): unknown;
}

type EntityManagerClass = new (...args: unknown[]) => UntypedEntityManager;

/** What the EntityManager's calls say of caching, found again where the driver runs them. */
export class CallSettings {
  /** By the logger context that MikroORM makes for each call, and hands on to what it populates. */
  readonly #settings = new WeakMap<object, { readonly setting: CacheSetting; readonly family: ReadFamily }>();
  /** Whether filters were added to an EntityManager, which nothing else tells of. */
  addedFilters = false;

  /** The `cache` option of the call that made `logging`. */
  of(logging: object | undefined): CacheSetting {
    return logging && this.#settings.get(logging)?.setting;
  }

  /** The reads of the call that made `logging`. */
  familyOf(logging: object | undefined): ReadFamily | undefined {
    return logging && this.#settings.get(logging)?.family;
  }

  /** @returns an EntityManager class that leaves caching to `takeover` */
  mixin(Base: unknown, takeover: EntityManagerTakeover): unknown {
    const settings = this.#settings;
    const counts = new AsyncLocalStorage<{ readonly setting: CacheSetting }>();
    const refreshing = new AsyncLocalStorage<true>();
    const noteFilters = (): void => void (this.addedFilters = true);

    return class extends (Base as EntityManagerClass) {
      override prepareOptions(options: PreparedOptions): PreparedOptions {
        const prepared = super.prepareOptions(options);
        const parent = options.logging && settings.get(options.logging);
        const setting = refreshing.getStore() ? false : (options.cache ?? parent?.setting);
        if (prepared.logging !== undefined) {
          settings.set(prepared.logging, { setting, family: parent?.family ?? new ReadFamily() });
        }
        prepared.cache = false;
        return prepared;
      }

      /** MikroORM's own cache is off: it would be asked with keys that leave out filters and raw SQL, and never told of writes. */
      tryCache(): Promise<undefined> {
        return Promise.resolve(undefined);
      }

      /** Nobody looks at it. */
      cacheKey(): unknown[] {
        return [];
      }

      storeCache(): Promise<void> {
        return Promise.resolve();
      }

      clearCache(name: string): Promise<void> {
        return takeover.clearNamed(name);
      }

      override createQueryBuilder(...args: unknown[]): UserBuilder & { cache(setting: CacheSetting): unknown } {
        const builder = super.createQueryBuilder(...args);
        const count = counts.getStore();
        if (count !== undefined) {
          builder.cache(count.setting as never);
        }
        return takeBuilderReads(builder, this, read => takeover.readBuilder(read));
      }

      /** Its one QueryBuilder knows nothing of the call's options. */
      override countBy(entity: unknown, groupBy: unknown, options?: PreparedOptions): Promise<unknown> {
        const setting = options?.cache;
        return setting === undefined
          ? super.countBy(entity, groupBy, options)
          : counts.run({ setting }, () => super.countBy(entity, groupBy, options));
      }

      /** Asks for what the database has now. The option `refresh` of a find does not: MikroORM's lazy loads set it, too. */
      override refresh(...args: unknown[]): Promise<unknown> {
        return refreshing.run(true, () => super.refresh(...args));
      }

      override addFilter(...args: unknown[]): unknown {
        noteFilters();
        return super.addFilter(...args);
      }
    };
  }
}

/** The session context of an EntityManager (row-level security), which decides what its statements return. */
export function sessionContextOf(em: object | undefined): unknown {
  return (em as UntypedEntityManager | undefined)?.getSessionContext?.();
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
