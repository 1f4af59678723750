import { Collection, type EntityManager, Reference, ScalarReference, helper } from '@mikro-orm/core';
import type { AnyCollection, Entity, LoadOptions } from './entity.ts';

/** On an EntityManager with peers: told of loads that MikroORM answers by itself. */
export const asking: unique symbol = Symbol.for('@mikrokit/batch-loader asking');

/** In the options of a count: `refresh: true` was asked for, of which MikroORM tells its loader nothing. */
export const afresh: unique symbol = Symbol.for('@mikrokit/batch-loader afresh');

/** What is asked for and was loaded before, for a peer, may be too old by now, or other than what is asked for. */
export interface Asked {
  isUnfitReference(entity: Entity, options: LoadOptions): boolean;
  isOldProperty(entity: Entity, name: string): boolean;
  /** Reads one property of an entity. */
  readAgain(em: EntityManager, entity: Entity, name: string): Promise<unknown>;
}

interface WithPeers extends EntityManager {
  readonly [asking]?: Asked;
}

const patched = Symbol.for('@mikrokit/batch-loader asks');

/**
 * A reference that is loaded, and a lazy scalar, answer without asking any loader, and a count does not say that it was to
 * be read anew. There is no way in but the prototypes; what belongs to an ORM without peers passes through. They keep no
 * state, and are patched once.
 */
export function tellWhatIsAsked(): void {
  const reference = Reference.prototype as unknown as Patched<LoadReference>;
  const scalar = ScalarReference.prototype as unknown as Patched<LoadScalar>;
  const collection = Collection.prototype as unknown as { loadCount: LoadCount & { [patched]?: true } };
  if (reference.load[patched]) {
    return;
  }
  const { load } = reference;
  reference.load = Object.assign(
    function (this: { entity: Entity }, options: LoadOptions = {}) {
      const em = managerOf(this.entity);
      const isUnfit =
        em?.[asking] !== undefined &&
        helper(this.entity).__initialized &&
        em[asking].isUnfitReference(this.entity, options);
      return load.call(this, isUnfit ? { ...options, refresh: true } : options);
    },
    { [patched]: true as const },
  );
  const loadScalar = scalar.load;
  scalar.load = Object.assign(
    async function (this: ScalarReferenceLike, options?: unknown) {
      const { entity } = this;
      const em = entity && managerOf(entity);
      const own = em?.[asking];
      const name = own && this.isInitialized() ? nameOf(entity!, this) : undefined;
      return name !== undefined && own!.isOldProperty(entity!, name)
        ? own!.readAgain(em!, entity!, name)
        : loadScalar.call(this, options);
    },
    { [patched]: true as const },
  );
  const { loadCount } = collection;
  collection.loadCount = Object.assign(
    function (this: AnyCollection, options: LoadOptions | boolean = {}) {
      const given = typeof options === 'boolean' ? { refresh: options } : options;
      return loadCount.call(
        this,
        given['refresh'] && managerOf(this.owner)?.[asking] ? { ...given, [afresh]: true } : options,
      );
    },
    { [patched]: true as const },
  );
}

interface ScalarReferenceLike {
  readonly entity: Entity | undefined;
  isInitialized(): boolean;
}

type LoadReference = (this: { entity: Entity }, options?: LoadOptions) => Promise<unknown>;
type LoadScalar = (this: ScalarReferenceLike, options?: unknown) => Promise<unknown>;
type LoadCount = (this: AnyCollection, options?: LoadOptions | boolean) => Promise<number>;
interface Patched<Load> {
  load: Load & { [patched]?: true };
}

function managerOf(entity: Entity): WithPeers | undefined {
  return helper(entity).__em as WithPeers | undefined;
}

/** The property that a scalar reference is the value of, which it keeps to itself. */
function nameOf(entity: Entity, reference: unknown): string | undefined {
  return Object.keys(helper(entity).__meta.properties).find(
    name => (entity as Record<string, unknown>)[name] === reference,
  );
}
