import { type EntityMetadata, type EntityName, type EntityProperty, ReferenceKind } from '@mikro-orm/core';
import type { FieldNode, GraphQLNamedType, GraphQLSchema } from 'graphql';
import { familyOf, metadataOf } from './metadata.ts';
import { fieldOf, isAbstract, isConnection, isObject, namedType } from './schema-types.ts';
import { type Selected, selectedFields, type SelectionInfo } from './selection.ts';

/** What a selection asks of the entities at one place of the result. */
export interface Wanted {
  /** By the name of the property. */
  readonly properties: Map<string, Wanted>;
  /** A field is computed from columns that nobody named: all of this entity's are needed. */
  everyColumn: boolean;
  /** A reference will not do, whatever the columns: the row tells the class, or a resolver starts from its collections. */
  row: boolean;
}

/** How the names of the schema relate to those of the entities. */
export interface Names {
  /** GraphQL type → entity, where the names differ. */
  readonly types: Readonly<Record<string, EntityName>>;
  /** GraphQL type → field → property, where the names differ. */
  readonly properties: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** GraphQL type → field → paths of the properties that its resolver reads. */
  readonly dependencies: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
  /** Whether a relation whose field takes arguments is read all the same. */
  readonly populateWithArguments: boolean;
  /** Whether relations whose field has a resolver of its own are left to it. */
  readonly leaveResolvers: boolean;
}

/** Entities of this class may be what a place of the result holds. */
interface Candidate {
  readonly meta: EntityMetadata;
  readonly type: string;
}

export const nothing = (): Wanted => ({ properties: new Map(), everyColumn: false, row: false });

/** Reads the selections below fields of GraphQL type `type`, whose values are entities of one of `metas`. */
export class WantedReader {
  readonly #info: SelectionInfo;
  readonly #names: Names;
  readonly #typeOfClass: ReadonlyMap<object, string>;

  constructor(info: SelectionInfo, names: Names) {
    this.#info = info;
    this.#names = names;
    this.#typeOfClass = new Map(Object.entries(names.types).map(([type, entity]) => [metadataOf(entity).class, type]));
  }

  /** Adds what the nodes ask for to `wanted`. */
  read(wanted: Wanted, nodes: readonly FieldNode[], type: GraphQLNamedType, metas: readonly EntityMetadata[]): void {
    const candidates = metas.flatMap(familyOf).map(meta => ({ meta, type: this.#typeName(meta) }));
    for (const selected of selectedFields(this.#info, nodes, type)) {
      const name = selected.node.name.value;
      if (name === '__typename') {
        continue;
      }
      const owners = candidates.filter(candidate => this.#mayBe(candidate, selected.conditions, type, candidates));
      const known = owners.map(owner => this.#readField(wanted, selected, owner));
      // An object type has one resolver, whatever the class: if a subclass has the property, that is what it reads.
      if (isObject(selected.type) ? owners.length > 0 && !known.includes(true) : known.includes(false)) {
        wanted.everyColumn = true;
      }
    }
    if (isAbstract(type) && candidates.length > metas.length) {
      wanted.row = true;
    }
  }

  /** Follows a path of fields, and `edges { node }`/`nodes` of connections, down to the selections from entities. */
  open(
    nodes: readonly FieldNode[],
    type: GraphQLNamedType,
    path: readonly string[] = [],
  ): { nodes: readonly FieldNode[]; type: GraphQLNamedType }[] {
    const below = (from: { nodes: readonly FieldNode[]; type: GraphQLNamedType }, name: string) => {
      const field = fieldOf(from.type, name);
      const found = selectedFields(this.#info, from.nodes, from.type).filter(({ node }) => node.name.value === name);
      return field && found.length > 0
        ? [{ nodes: found.map(({ node }) => node), type: namedType(field.type) as GraphQLNamedType }]
        : [];
    };
    let places = [{ nodes, type }];
    for (const name of path) {
      places = places.flatMap(place => below(place, name));
    }
    return places.flatMap(place =>
      isConnection(place.type)
        ? [...below(place, 'nodes'), ...below(place, 'edges').flatMap(edge => below(edge, 'node'))]
        : [place],
    );
  }

  /** @returns whether it is known what the field reads */
  #readField(wanted: Wanted, { node, type }: Selected, { meta, type: ownType }: Candidate): boolean {
    const field = node.name.value;
    const { properties, dependencies } = this.#names;
    const reads = own(dependencies[type.name], field) ?? own(dependencies[ownType], field);
    const name = own(properties[type.name], field) ?? own(properties[ownType], field) ?? field;
    for (const path of reads ?? []) {
      this.readPath(wanted, path.split('.'), meta);
    }
    const property = columnOrRelation(meta, name);
    if (property === undefined) {
      // An abstract class has no entities whose field it could be.
      return reads !== undefined || meta.abstract;
    }
    this.#readProperty(wanted, property, node, type);
    return true;
  }

  #readProperty(wanted: Wanted, property: EntityProperty, node: FieldNode, type: GraphQLNamedType): void {
    const field = fieldOf(type, node.name.value);
    const target = field && namedType(field.type);
    if (property.targetMeta === undefined || target === undefined) {
      at(wanted, property.name);
      return;
    }
    // Its resolver starts from the reference, or from the collection, which a reference to its owner does not have.
    const leave = (): void => {
      if (isToOne(property)) {
        at(wanted, property.name);
      } else {
        wanted.row = true;
      }
    };
    const isLeft =
      (field!.args.length > 0 && !this.#names.populateWithArguments) ||
      (field!.resolve !== undefined && this.#names.leaveResolvers);
    if (isLeft) {
      leave();
      return;
    }
    const places = this.open([node], target);
    if (places.length === 0) {
      if (this.#countsOnly(node, target)) {
        leave();
      } else {
        at(wanted, property.name);
      }
    }
    for (const place of places) {
      this.read(at(wanted, property.name), place.nodes, place.type, targetsOf(property));
    }
  }

  /** Adds a path of properties, as `dependencies` and `orderBy` name them. @throws {TypeError} if there is no such property */
  readPath(wanted: Wanted, path: readonly string[], meta: EntityMetadata): void {
    let place = wanted;
    let metas = [meta];
    for (const name of path) {
      if (name === '*') {
        place.everyColumn = true;
        return;
      }
      const property = metas
        .flatMap(familyOf)
        .map(each => columnOrRelation(each, name))
        .find(Boolean);
      if (property === undefined) {
        throw new TypeError(
          `A path of properties must lead through ${metas.map(each => each.className).join(' or ') || 'relations'}, but got: '${path.join('.')}'. There is no column or relation '${name}'.`,
        );
      }
      place = at(place, name);
      metas = property.targetMeta ? targetsOf(property) : [];
    }
  }

  /** Whether an object of the candidate's class can meet all conditions. In doubt it can: too much is loaded, never too little. */
  #mayBe(
    { type }: Candidate,
    conditions: readonly string[],
    declared: GraphQLNamedType,
    candidates: readonly Candidate[],
  ): boolean {
    const { schema } = this.#info;
    const own = isObject(declared) ? declared : schema.getType(type);
    return conditions.every(name => {
      const condition = schema.getType(name);
      if (name === type || name === own?.name || condition === undefined) {
        return true;
      }
      if (own === undefined || isAbstract(own)) {
        return (
          isAbstract(condition) ||
          !(candidates.some(other => other.type === name) || Object.hasOwn(this.#names.types, name))
        );
      }
      return isAbstract(condition) && isSubType(schema, condition, own);
    });
  }

  #countsOnly(node: FieldNode, type: GraphQLNamedType): boolean {
    return (
      isConnection(type) &&
      selectedFields(this.#info, [node], type).every(
        selected => !['edges', 'nodes', 'pageInfo'].includes(selected.node.name.value),
      )
    );
  }

  #typeName(meta: EntityMetadata): string {
    return this.#typeOfClass.get(meta.class) ?? meta.className;
  }
}

/** Foreign key or inverse of one: the value is an entity, not a collection. */
export function isToOne(property: EntityProperty): boolean {
  return property.kind === ReferenceKind.MANY_TO_ONE || property.kind === ReferenceKind.ONE_TO_ONE;
}

function targetsOf(property: EntityProperty): EntityMetadata[] {
  return property.polymorphTargets ?? [property.targetMeta!];
}

/** A property that a find can read; not a getter without a column, nor the columns that an embeddable is kept in. */
function columnOrRelation(meta: EntityMetadata, name: string): EntityProperty | undefined {
  const property = own(meta.properties as Record<string, EntityProperty>, name);
  const isRead = property !== undefined && (property.persist !== false || property.formula !== undefined);
  return isRead && (property.embedded === undefined || meta.embeddable) ? property : undefined;
}

function at(wanted: Wanted, name: string): Wanted {
  let below = wanted.properties.get(name);
  if (below === undefined) {
    below = nothing();
    wanted.properties.set(name, below);
  }
  return below;
}

/** Names come from clients and schemas: `constructor` is no property of a table of names. */
function own<T>(record: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return record !== undefined && Object.hasOwn(record, name) ? record[name] : undefined;
}

function isSubType(
  schema: GraphQLSchema,
  condition: GraphQLNamedType,
  type: GraphQLNamedType | { name: string },
): boolean {
  return schema.isSubType(condition as never, type as never);
}
