import type { GraphQLNamedType, GraphQLOutputType } from 'graphql';

/*
 * What a type of the schema is, without a value of the package `graphql`: there may be two copies of it, of which `instanceof`
 * knows one, and majors 16 and 17 have the tags below in common.
 */

/** A type that has fields: an object or an interface. */
export interface FieldsType {
  readonly name: string;
  getFields(): Record<string, FieldDefinition>;
}

/** What we read of a field's definition. */
export interface FieldDefinition {
  readonly type: GraphQLOutputType;
  readonly args: readonly unknown[];
  /** Missing where the default resolver is used. */
  readonly resolve?: unknown;
}

const tagOf = (type: object): string => (type as { [Symbol.toStringTag]?: string })[Symbol.toStringTag] ?? '';

/** The type inside of lists and non-nulls. */
export function namedType(type: GraphQLOutputType): GraphQLNamedType {
  let inner: object = type;
  while ('ofType' in inner) {
    inner = inner.ofType as object;
  }
  return inner as GraphQLNamedType;
}

export function isObject(type: object): type is FieldsType {
  return tagOf(type) === 'GraphQLObjectType';
}

/** Interfaces and unions: types whose objects are of another type. */
export function isAbstract(type: object): boolean {
  return tagOf(type) === 'GraphQLInterfaceType' || tagOf(type) === 'GraphQLUnionType';
}

/** The definition of a field, if the type has it. */
export function fieldOf(type: object, name: string): FieldDefinition | undefined {
  return 'getFields' in type ? (type as FieldsType).getFields()[name] : undefined;
}

/** A connection of the GraphQL Cursor Connections Specification, or one that has `nodes` only. */
export function isConnection(type: object): boolean {
  const has = (name: string): boolean => fieldOf(type, name) !== undefined;
  return isObject(type) && has('pageInfo') && (has('edges') || has('nodes'));
}
