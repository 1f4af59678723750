import {
  type EntityManager,
  type EntityMetadata,
  type EntityProperty,
  ReferenceKind,
  Utils,
  helper,
} from '@mikro-orm/core';
import type { ExplainedStatement } from '../batch-log.ts';
import type { CallRequest } from '../calls.ts';
import type { PageContext } from '../page/plan-page.ts';
import type { Entity, LoadOptions } from './entity.ts';

/** What `batch(em)` asks of the extension that is registered in the ORM of `em`. */
export interface Batching {
  readonly pages: PageContext;
  read(em: EntityManager, call: CallRequest): Promise<unknown>;
  log(em: EntityManager): readonly ExplainedStatement[];
}

/** Where an EntityManager with the extension carries it. */
export const batching: unique symbol = Symbol('@mikrokit/batch-loader batching');

export function batchingOf(em: unknown): Batching | undefined {
  return (em as { [batching]?: Batching } | null | undefined)?.[batching];
}

export function findMetadata(em: EntityManager, entity: unknown): EntityMetadata {
  return em.getMetadata().get(entity as never);
}

/** The error of `em.findOneOrFail()`. */
export function failureOf(em: EntityManager, entity: unknown, where: unknown, options: LoadOptions): unknown {
  const fail = (options['failHandler'] ?? em.config.get('findOneOrFailHandler')) as (
    name: string,
    where: unknown,
  ) => unknown;
  const key: unknown = Utils.isEntity<Entity>(where) ? helper(where).getPrimaryKey() : where;
  return fail(Utils.className(entity as never), key);
}

/** Whether a property is a single column, or computed like one. */
export function isColumn(meta: EntityMetadata, property: string): boolean {
  const known: EntityProperty | undefined = Object.hasOwn(meta.properties, property)
    ? meta.properties[property]
    : undefined;
  return (
    known?.kind === ReferenceKind.SCALAR &&
    known.fieldNames.length === 1 &&
    (known.persist !== false || known.formula !== undefined)
  );
}
