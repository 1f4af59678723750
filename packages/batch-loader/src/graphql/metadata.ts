import {
  EntitySchema,
  type EntityMetadata,
  type EntityName,
  type EntityProperty,
  helper,
  ReferenceKind,
} from '@mikro-orm/core';

/**
 * What MikroORM knows of an entity: it leaves the metadata on the class when it discovers it, which is how its own entities
 * find theirs (`wrap(e)`). So nobody has to hand us an EntityManager, and resolvers can be made before the ORM is.
 *
 * @throws {TypeError} for something that is no entity, or that no ORM has discovered yet
 */
export function metadataOf(entity: EntityName): EntityMetadata {
  const target = EntitySchema.is(entity) ? entity.meta.class : entity;
  const meta = (target as { prototype?: { __meta?: EntityMetadata } } | undefined)?.prototype?.__meta;
  if (meta === undefined) {
    const name = (target as { name?: string } | undefined)?.name ?? typeof entity;
    throw new TypeError(
      `An entity class or schema that MikroORM has discovered is needed, but got: ${name}. List it in \`entities\`, and resolve only after MikroORM.init().`,
    );
  }
  return meta;
}

/** Whether the row that an entity was made from had this column; of an embeddable, all of its columns. */
export function hasLoaded(entity: object, property: EntityProperty): boolean {
  const { __loadedProperties: loaded } = helper(entity);
  return (
    // Written by the application, as in an entity that it has just made.
    (entity as Record<string, unknown>)[property.name] !== undefined ||
    loaded.has(property.name) ||
    (property.kind === ReferenceKind.EMBEDDED &&
      !property.object &&
      Object.values(property.embeddedProps).every(({ name }) => loaded.has(name)))
  );
}

/** The entity itself and every one that extends it, in single-table and table-per-type inheritance. */
export function familyOf(meta: EntityMetadata): EntityMetadata[] {
  const family = new Set([meta]);
  for (const member of family) {
    for (const child of member.tptChildren ?? []) {
      family.add(child);
    }
    for (const subclass of Object.values(member.discriminatorMap ?? {})) {
      const child = metadataOf(subclass);
      if (child.prototype instanceof meta.class) {
        family.add(child);
      }
    }
  }
  return [...family];
}
