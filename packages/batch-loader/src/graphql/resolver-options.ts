import type { Collection, EntityManager, FilterObject, FilterQuery, QueryOrderMap } from '@mikro-orm/core';
import type { GraphQLResolveInfo } from 'graphql';
import { BatchLoaderError } from '../errors.ts';
import type { HintsOptions } from './hints.ts';

/** A resolver as GraphQL calls it. */
export type Resolver<Source, Args, Context> = (
  parent: Source,
  args: Args,
  context: Context,
  info: GraphQLResolveInfo,
) => Promise<unknown>;

/** The entity that a reference or collection leads to. */
export type TargetOf<Value> =
  NonNullable<Value> extends Collection<infer Item>
    ? Item
    : NonNullable<Value> extends { unwrap(): infer Target }
      ? Target
      : NonNullable<Value>;

/** How the schema and the context relate to MikroORM; the same for all resolvers of an application, mostly. */
export interface ResolverOptions<Context> {
  /** The EntityManager of the request. @default `context.em` */
  em?: ((context: Context) => EntityManager) | undefined;
  /** What `hints()` is told about names and computed fields. */
  hints?: Omit<HintsOptions, 'path' | 'orderBy'> | undefined;
}

/** Which of the related entities a field is for. Members left out, or `undefined`, ask for nothing. */
export interface RelationFind<Target> {
  where?:
    | FilterQuery<Target>
    | { [Key in keyof FilterObject<Target>]?: FilterObject<Target>[Key] | undefined }
    | undefined;
  orderBy?: QueryOrderMap<Target> | QueryOrderMap<Target>[] | undefined;
  /** Of each parent. */
  limit?: number | null | undefined;
  /** Of each parent. */
  offset?: number | null | undefined;
}

/** @throws {BatchLoaderError} `ARGUMENT` if the context has no EntityManager */
export function managerOf<Context>(options: ResolverOptions<Context>, context: Context): EntityManager {
  const em = options.em ? options.em(context) : (context as { em?: EntityManager } | undefined)?.em;
  if (typeof em?.getContext !== 'function') {
    throw new BatchLoaderError(
      'ARGUMENT',
      `A resolver needs the EntityManager of its request as context.em, but got: ${typeof em}. Put a fork there (em: orm.em.fork()), or say where it is: { em: context => … }.`,
    );
  }
  return em;
}
