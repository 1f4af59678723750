import type {
  CountOptions,
  EntityKey,
  EntityManager,
  EntityName,
  FilterQuery,
  FindOptions,
  Loaded,
} from '@mikro-orm/core';
import type { ExplainedStatement } from './batch-log.ts';
import type { CallMethod, CallRequest, PageAnswer, PageConditions } from './calls.ts';
import { BatchLoaderError } from './errors.ts';
import type { Page } from './page/page.ts';
import type { PageArguments } from './page/page-arguments.ts';
import { planPage } from './page/plan-page.ts';
import { type Batching, batchingOf, failureOf, findMetadata, isColumn } from './seam/batching.ts';
import type { LoadOptions } from './seam/entity.ts';

/** Options of {@link batch}. */
export interface BatchOptions {
  /** Writes each statement of this handle to MikroORM's log, with how its calls were merged and why. @default false */
  readonly explain?: boolean | undefined;
}

/** Options of {@link Batch.page}: which page, and those of `em.find()`. */
export type PageOptions<
  Entity,
  Hint extends string = never,
  Fields extends string = never,
  Excludes extends string = never,
> = Omit<FindOptions<Entity, Hint, Fields, Excludes>, keyof PageArguments | 'limit' | 'offset' | 'lockMode' | 'cache'> &
  PageArguments;

/** A sum or mean, as exact as the property: `null` without rows. */
export type Total<Value> =
  | (NonNullable<Value> extends number ? number : NonNullable<Value> extends bigint ? bigint : string)
  | null;

/**
 * The read half of the EntityManager, batched by shape: calls made in one batch window whose SQL is the same but for its
 * values become one statement, and each is answered as the same call on `em` alone would be.
 */
export interface Batch {
  /** `em.find()`. */
  readonly find: EntityManager['find'];
  /** `em.findOne()`; answered from the identity map where `em.findOne()` would be. */
  readonly findOne: EntityManager['findOne'];
  /** `em.findOneOrFail()`, with its fail handlers. With `strict: true` it is sent alone. */
  readonly findOneOrFail: EntityManager['findOneOrFail'];
  /** `em.count()`. */
  readonly count: EntityManager['count'];

  /** Whether there is any row; PostgreSQL stops at the first. */
  exists<Entity extends object, Hint extends string = never>(
    entity: EntityName<Entity>,
    where?: FilterQuery<NoInfer<Entity>>,
    options?: CountOptions<Entity, Hint>,
  ): Promise<boolean>;

  /**
   * The sum of a property over the rows that `em.find()` would return: a number where the property is one, a bigint where it is
   * one, else (`decimal`) a string with every digit.
   *
   * @returns `null` if there are no rows, or all values are null
   * @throws {BatchLoaderError} `ARGUMENT` if the property is not a column of the entity
   */
  sum<Entity extends object, Property extends EntityKey<Entity>>(
    entity: EntityName<Entity>,
    property: Property,
    where?: FilterQuery<NoInfer<Entity>>,
    options?: CountOptions<Entity>,
  ): Promise<Total<Entity[Property]>>;

  /** The mean; as {@link sum}, but a string for a bigint. */
  avg<Entity extends object, Property extends EntityKey<Entity>>(
    entity: EntityName<Entity>,
    property: Property,
    where?: FilterQuery<NoInfer<Entity>>,
    options?: CountOptions<Entity>,
  ): Promise<NonNullable<Entity[Property]> extends number ? number | null : string | null>;

  /** The least value, as the entity would hold it; `null` as for {@link sum}. */
  min<Entity extends object, Property extends EntityKey<Entity>>(
    entity: EntityName<Entity>,
    property: Property,
    where?: FilterQuery<NoInfer<Entity>>,
    options?: CountOptions<Entity>,
  ): Promise<NonNullable<Entity[Property]> | null>;

  /** The greatest value, as the entity would hold it; `null` as for {@link sum}. */
  max<Entity extends object, Property extends EntityKey<Entity>>(
    entity: EntityName<Entity>,
    property: Property,
    where?: FilterQuery<NoInfer<Entity>>,
    options?: CountOptions<Entity>,
  ): Promise<NonNullable<Entity[Property]> | null>;

  /**
   * A page by keyset: the rows before or after a place in an order, found by that place rather than by counting from the
   * start. Ties are broken by the primary key. Pages of many parents, with cursors and sizes of their own, are one
   * statement, and so is `total` with its rows where an index finds them.
   *
   * Keyset pagination: Markus Winand, https://use-the-index-luke.com/no-offset. The result is a connection of the GraphQL Cursor
   * Connections Specification and has the properties of MikroORM's `Cursor`.
   *
   * @throws {BatchLoaderError} `ARGUMENT` for a size or an order that cannot be, `CURSOR` for a cursor that is not of this
   * entity and order, whoever made it
   */
  page<
    Entity extends object,
    Hint extends string = never,
    Fields extends string = never,
    Excludes extends string = never,
  >(
    entity: EntityName<Entity>,
    where: FilterQuery<NoInfer<Entity>>,
    options?: PageOptions<Entity, Hint, Fields, Excludes>,
  ): Promise<Page<Loaded<Entity, Hint, Fields, Excludes>>>;

  /** What `batch()` has sent for this fork, and why so: the last 200 statements. */
  explain(): readonly ExplainedStatement[];
}

/**
 * The read half of `em`, batched. Cheap: call it where you read.
 *
 * ```ts
 * const lists = await Promise.all(
 *   authors.map(author => batch(em).find(Book, { author, pages: { $gt: author.patience } }, { limit: 3 })),
 * );  // one statement
 * ```
 *
 * Trap: calls are merged within a batch window; one that is awaited before the next is made is a window of its own.
 *
 * @throws {BatchLoaderError} `NOT_REGISTERED` if the ORM of `em` has no `batchLoader()` among its extensions
 */
export function batch(em: EntityManager, options: BatchOptions = {}): Batch {
  const batching = batchingOf(em);
  if (batching === undefined) {
    throw new BatchLoaderError(
      'NOT_REGISTERED',
      'batch(em) takes an EntityManager of an ORM with the extension, but this one has none. Add batchLoader() to `extensions` in the config of MikroORM.',
    );
  }
  return createBatch(em, batching, options.explain === true) as Batch;
}

type UntypedBatch = Record<keyof Batch, (...args: never[]) => unknown>;

function createBatch(em: EntityManager, batching: Batching, explain: boolean): UntypedBatch {
  const read = async (
    method: CallMethod,
    entity: unknown,
    where: unknown,
    options: LoadOptions = {},
    special: Pick<CallRequest, 'property' | 'totalOptions'> = {},
  ): Promise<unknown> => {
    const fork = em.getContext() as EntityManager;
    const meta = findMetadata(fork, entity);
    return batching.read(fork, {
      method,
      entity,
      meta,
      where,
      options,
      explain,
      ...special,
    });
  };
  const aggregate =
    (method: 'sum' | 'avg' | 'min' | 'max') =>
    async (entity: unknown, property: string, where: unknown = {}, options?: LoadOptions): Promise<unknown> => {
      const meta = findMetadata(em, entity);
      if (!isColumn(meta, property)) {
        throw new BatchLoaderError(
          'ARGUMENT',
          `batch(em).${method}(${meta.className}, property) takes the name of a property with one column, but got: '${String(property)}'. Name a column of ${meta.className}.`,
        );
      }
      return read(method, entity, where, options, { property });
    };
  return {
    find: (entity: unknown, where: unknown, options?: LoadOptions) => read('find', entity, where, options),
    findOne: (entity: unknown, where: unknown, options?: LoadOptions) => read('findOne', entity, where, options),
    findOneOrFail: async (entity: unknown, where: unknown, options: LoadOptions = {}) => {
      if (options['strict'] === true) {
        return em.findOneOrFail(entity as never, where as never, options as never);
      }
      const found = await read('findOne', entity, where, options);
      if (found === null) {
        throw failureOf(em, entity, where, options);
      }
      return found;
    },
    count: (entity: unknown, where: unknown = {}, options?: LoadOptions) => read('count', entity, where, options),
    exists: (entity: unknown, where: unknown = {}, options?: LoadOptions) => read('exists', entity, where, options),
    page: async (entity: unknown, where: unknown, options: LoadOptions = {}) => {
      const plan = planPage(findMetadata(em, entity), batching.pages, where, options);
      if (!plan.total) {
        return plan.toPage((await read('find', entity, plan.where, plan.options)) as object[]);
      }
      const conditions: PageConditions = { rows: plan.where, total: plan.countWhere };
      const { rows, total } = (await read('page', entity, conditions, plan.options, {
        totalOptions: plan.countOptions,
      })) as PageAnswer;
      return plan.toPage(rows, total);
    },
    sum: aggregate('sum'),
    avg: aggregate('avg'),
    min: aggregate('min'),
    max: aggregate('max'),
    explain: () => batching.log(em.getContext() as EntityManager),
  };
}
