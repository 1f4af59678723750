import { type EntityManager, Utils, helper } from '@mikro-orm/core';
import { type Batching, batching } from './batching.ts';
import { createFacades, type Facades, type LoaderFacade } from './data-loader.ts';
import type { AnyCollection, Entity, LoadOptions } from './entity.ts';
import type { EntityManagerClass } from './entity-manager.ts';
import type { ForkMarks } from './fork-marks.ts';
import type { Interceptor } from './intercept.ts';
import { type Lone, lone } from './lone.ts';
import { holdsOther } from './reload.ts';
import type { Loaders, Takeover } from './takeover.ts';

/** Who takes the loads over. */
interface Taking {
  readonly takeover: Takeover;
  readonly interceptor: Interceptor;
  readonly marks: ForkMarks;
  /** Whether the entity is managed by an EntityManager of another ORM. */
  isForeign(entity: Entity): boolean;
}

interface UntypedEntityManager {
  readonly config: EntityManager['config'];
  getContext(validate?: boolean): EntityManager;
  getDataLoader(type: string): Promise<LoaderFacade>;
  findOne(entityName: unknown, where: unknown, options?: LoadOptions): Promise<Entity | null>;
  find(entityName: unknown, where: unknown, options?: LoadOptions): Promise<Entity[]>;
  count(entityName: unknown, where?: unknown, options?: LoadOptions): Promise<number>;
  populate(entities: unknown, hints: unknown, options?: LoadOptions): Promise<unknown>;
  shouldRefresh(meta: unknown, entity: Entity, options: LoadOptions): boolean;
  prepareOptions(...args: unknown[]): unknown;
  fork(options?: unknown): EntityManager;
}

/** The EM mixin, for loads: every entry point of a lazy load, and MikroORM's own methods for the loader. */
export function loadLayer(
  Base: EntityManagerClass,
  { takeover, interceptor, marks, isForeign }: Taking,
): EntityManagerClass {
  const facadesOf = new WeakMap<Loaders, Facades>();
  const assertOwn = (entities: unknown): void => {
    for (const entity of Array.isArray(entities) ? entities : []) {
      if (Utils.isEntity<Entity>(entity, true) && isForeign(entity)) {
        takeover.refuseForeign(entity);
      }
    }
  };
  // MikroORM's methods take type parameters that a mixin over an unknown subclass cannot restate.
  const Untyped = Base as unknown as new (...args: unknown[]) => UntypedEntityManager;

  const Layered = class extends Untyped {
    readonly [holdsOther] = (collection: AnyCollection, options: LoadOptions): boolean =>
      takeover.holdsOther(collection, options);

    readonly [batching]: Batching = takeover.batching;

    readonly [lone]: Lone = {
      find: (entityName, where, options) => this.#isolated(options, () => super.find(entityName, where, options)),
      findOne: (entityName, where, options) => this.#isolated(options, () => super.findOne(entityName, where, options)),
      count: (entityName, where, options) => super.count(entityName, where, options),
      known: (entityName, where, options) => this.#known(entityName, where, options),
      populate: (entities, hints, options) => super.populate(entities, hints, options),
    };

    // Called by the load itself, which comes back with its options a promise job later: what happens on the fork in
    // between is after the call.
    override getDataLoader(type: 'ref' | '1:m' | 'm:n' | 'count'): Promise<LoaderFacade> {
      const loaders = takeover.loaders(this.getContext());
      let facades = facadesOf.get(loaders);
      if (facades === undefined) {
        facades = createFacades(loaders);
        facadesOf.set(loaders, facades);
      }
      return facades[type];
    }

    override async findOne(entityName: unknown, where: unknown, options: LoadOptions = {}): Promise<Entity | null> {
      // wrap(e).init()
      if (
        options['refresh'] === true &&
        options['dataloader'] !== false &&
        Utils.isEntity(where) &&
        helper(where).__em
      ) {
        return takeover.loaders(this.getContext()).reference(where, options);
      }
      return this.#beside(() => this.#isolated(options, () => super.findOne(entityName, where, options)));
    }

    override find(entityName: unknown, where: unknown, options: LoadOptions = {}): Promise<Entity[]> {
      return this.#beside(() => this.#isolated(options, () => super.find(entityName, where, options)));
    }

    override async populate(entities: unknown, hints: unknown, options: LoadOptions = {}): Promise<unknown> {
      assertOwn(entities);
      const targets = options['dataloader'] === false ? undefined : lazyTargets(entities, hints);
      if (targets === undefined) {
        return super.populate(entities, hints, options);
      }
      await takeover.populate(this.getContext(), targets, hints, options);
      return entities;
    }

    override fork(options?: unknown): EntityManager {
      const fork = super.fork(options);
      if (this.#forksForItself) {
        marks.throwaway.add(fork);
      }
      return fork;
    }

    /** Runs what a call asks the fork for on the way, apart from the statement of the call itself. */
    #beside<T>(run: () => T): T {
      return marks.throwaway.has(this as unknown as EntityManager) ? run() : interceptor.outside(run);
    }

    #known(entityName: unknown, where: unknown, options: LoadOptions): Entity | undefined {
      const em = this.getContext() as unknown as UntypedEntityManager;
      const prepared = em.prepareOptions(options) as LoadOptions;
      const uow = (em as unknown as EntityManager).getUnitOfWork(false);
      const entity = uow.tryGetById(entityName as never, where as never, prepared['schema'] as string | undefined);
      return entity &&
        (!helper(entity).__managed || !em.shouldRefresh(helper(entity).__meta, entity as Entity, prepared))
        ? (entity as Entity)
        : undefined;
    }

    #forksForItself = false;

    // With disableIdentityMap a find runs on a fork that MikroORM makes, synchronously, and clears afterwards.
    #isolated<T>(options: LoadOptions, find: () => Promise<T>): Promise<T> {
      if (!(options['disableIdentityMap'] ?? this.config.get('disableIdentityMap'))) {
        return find();
      }
      const em = this.getContext(false) as unknown as this;
      em.#forksForItself = true;
      try {
        return find();
      } finally {
        em.#forksForItself = false;
      }
    }
  };
  return Layered as unknown as EntityManagerClass;
}

/**
 * The entities of an `em.populate()` call that MikroORM makes for a lazy load: one entity, or the items of a collection
 * (a Set) with something to populate. `undefined` for an array, which is a user's own `em.populate([...])`.
 */
function lazyTargets(entities: unknown, hints: unknown): readonly Entity[] | undefined {
  if (entities instanceof Set) {
    return entities.size > 0 && Array.isArray(hints) && hints.length > 0 ? [...(entities as Set<Entity>)] : undefined;
  }
  return Utils.isEntity<Entity>(entities) ? [entities] : undefined;
}
