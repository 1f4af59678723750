import { type EntityManager, type EntityMetadata, type EntityProperty, helper, Reference, wrap } from '@mikro-orm/core';
import { batch } from '../batch.ts';
import { metadataOf as classOf } from '../seam/entity.ts';
import { hasLoaded } from './metadata.ts';
import { columnsOf, isCollection, planOf, propertyOf } from './plan.ts';
import type { Wanted } from './wanted.ts';

/** What has to be there of entities of one class. */
interface Needs {
  readonly columns: readonly EntityProperty[];
  readonly lazy: readonly EntityProperty[];
  /** Relations, which nobody else resolves. */
  readonly relations: readonly string[];
}

/**
 * Sees to it that entities hold what a selection wants of them, which they may not: another field of the operation, or the
 * application, may have found them with less. Reads nothing for those that do.
 */
export class Completing {
  readonly #wanted: Wanted;
  readonly #needs = new Map<EntityMetadata, Needs>();

  constructor(wanted: Wanted) {
    this.#wanted = wanted;
  }

  /** What to populate beside the columns, when entities of this class are read anyway. */
  populate(meta: EntityMetadata): string[] {
    const { lazy, relations } = this.#needsOf(meta);
    return [...lazy.map(property => property.name), ...relations];
  }

  /** @param entities initialised ones */
  async complete(em: EntityManager, entities: readonly object[]): Promise<void> {
    const lacking = entities.filter(entity => this.#lacks(entity));
    await Promise.all(lacking.map(entity => this.#read(em, entity)));
  }

  #lacks(entity: object): boolean {
    const { columns, lazy, relations } = this.#needsOf(classOf(entity));
    return (
      columns.some(property => !hasLoaded(entity, property)) ||
      lazy.some(property => isUnread(entity, property)) ||
      relations.length > 0
    );
  }

  async #read(em: EntityManager, entity: object): Promise<void> {
    const meta = classOf(entity);
    const { columns, lazy, relations } = this.#needsOf(meta);
    if (columns.some(property => !hasLoaded(entity, property))) {
      // With every column, so that fields with other selections ask the same. It is here already, so no filter hides it.
      await batch(em).findOne(meta.class, helper(entity).getPrimaryKey() as never, { filters: false });
    }
    const missing = [
      ...lazy.filter(property => isUnread(entity, property)).map(property => property.name),
      ...relations,
    ];
    if (missing.length > 0) {
      await wrap(entity).populate(missing as never);
    }
  }

  #needsOf(meta: EntityMetadata): Needs {
    let needs = this.#needs.get(meta);
    if (needs === undefined) {
      const { populate, fields } = planOf(meta, this.#wanted);
      const names = (fields ?? columnsOf(meta)).filter(path => !path.includes('.'));
      const properties = names.map(name => propertyOf(meta, name)!).filter(property => !isCollection(property));
      const lazy = populate.map(path => propertyOf(meta, path)).filter(isLazyScalar);
      needs = {
        columns: properties.filter(property => !property.lazy),
        lazy,
        relations: populate.filter(path => !lazy.some(({ name }) => name === path)),
      };
      this.#needs.set(meta, needs);
    }
    return needs;
  }
}

function isLazyScalar(property: EntityProperty | undefined): property is EntityProperty {
  return property?.lazy === true && property.targetMeta === undefined;
}

function isUnread(entity: object, property: EntityProperty): boolean {
  const value = (entity as Record<string, unknown>)[property.name];
  return property.ref && value !== null
    ? !(value as { isInitialized?(): boolean })?.isInitialized?.()
    : value === undefined;
}

/** The entity behind a reference, loaded or not. */
export function entityOf(value: unknown): object | null | undefined {
  return Reference.unwrapReference(value as object) as object | null | undefined;
}
