import { setImmediate } from 'node:timers';
import { inspect } from 'node:util';
import type { EntityManager } from '@mikro-orm/core';
import { optionsKey } from './batch-key.ts';
import { chunks } from './chunks.ts';
import { type CollectionContents, isEmptyCondition } from './collection-contents.ts';
import {
  type CollectionCall,
  type CollectionShape,
  NO_LIMIT,
  canStandTogether,
  loadCollections,
  whereKind,
} from './collection-statement.ts';
import { BatchLoaderError } from './errors.ts';
import type { Segment } from './fork-queue.ts';
import { type LoadContext, NEUTRAL_OPTIONS, asError, assertLoadable, runStatement } from './load-context.ts';
import { type AnyCollection, type Entity, type LoadOptions, metadataOf, schemaOf } from './seam/entity.ts';
import type { KeeperOf } from './seam/refilling.ts';
import { isOneToMany, orderOf, relationOf } from './seam/relation.ts';
import { limitByIndex } from './shape/partition-limit.ts';
import { planStatements } from './where-parts.ts';

interface Pending {
  readonly key: string;
  readonly segment: Segment<EntityManager>;
  readonly items: Promise<Entity[]>;
}

/** What is known of the collections of one ORM. */
export interface CollectionStates {
  /** Collections with a call on its way, by fork: a transaction's fork must not wait for the fork that waits for it. */
  readonly pending: WeakMap<EntityManager, Map<AnyCollection, Pending>>;
  readonly contents: CollectionContents;
  /** Takes the list of a collection that is not to have it yet. */
  readonly keeperOf: KeeperOf;
}

const EXCEPT: ReadonlySet<string> = new Set([...NEUTRAL_OPTIONS, 'where', 'limit', 'offset', 'orderBy']);

/**
 * `collection.load()`, `init()` and `loadItems()`: collections of one relation with the same options are one
 * `em.populate()` of their owners, which is linear in owners and rows, and leaves each collection as it would alone.
 *
 * One collection holds one list. Calls on it that want different ones are answered one after the other, each in a window
 * of its own, so that each caller finds its own items when its promise resolves.
 *
 * @param options with the relation's filters and orders merged in, as MikroORM gives them to its loader
 * @returns the items that MikroORM is to put into a 1:M; for an M:N nothing, as it reads the collection itself
 */
export function loadCollection(
  context: LoadContext,
  states: CollectionStates,
  em: EntityManager,
  segment: Segment<EntityManager>,
  collection: AnyCollection,
  options: LoadOptions,
  force: boolean = collection.isInitialized(),
): Promise<Entity[]> {
  const shape = shapeOf(collection, options);
  const { owner } = collection;
  const where = isEmptyCondition(options['where']) ? undefined : options['where'];
  const whereKey = where === undefined ? '' : context.keyOf(where);
  const shapeKey = keyOfShape(context, collection, shape, where);
  const key = `${shapeKey}|${whereKey}`;

  let pending = states.pending.get(em);
  if (pending === undefined) {
    pending = new Map();
    states.pending.set(em, pending);
  }
  const queue = context.queueOf(em);
  const other = pending.get(collection);
  if (other !== undefined) {
    if (other.key === key && other.segment === segment) {
      return other.items;
    }
    const turn = delivered(other.items).then(() =>
      loadCollection(context, states, em, segment, collection, options, true),
    );
    queue.hold(turn, segment);
    return turn;
  }
  assertLoadable(context, em, segment, owner);
  const items = queue.load<CollectionCall, Entity[]>(
    metadataOf(owner),
    shapeKey,
    () => ({ dedupe: false, run: (calls, sent) => run(context, states, em, sent, calls, shape) }),
    { collection, owner, where, whereKey, force: force || where !== undefined || shape.limited },
    segment,
  );
  pending.set(collection, { key, segment, items });
  return items;
}

function shapeOf(collection: AnyCollection, options: LoadOptions): CollectionShape {
  const limit = validCount(collection, options, 'limit');
  const offset = validCount(collection, options, 'offset');
  const limited = limit !== undefined || offset !== undefined;
  return {
    options,
    limit,
    offset,
    limited,
    order: limited ? orderOf(relationOf(collection), options['orderBy'], true) : (options['orderBy'] as object[]),
  };
}

function keyOfShape(
  { keyOf }: LoadContext,
  { owner, property }: AnyCollection,
  shape: CollectionShape,
  where: unknown,
): string {
  const order = shape.order.length === 0 ? '' : keyOf(shape.order);
  const paging = shape.limited ? `${shape.limit},${shape.offset}` : '';
  return `collection|${property.name}|${schemaOf(owner) ?? ''}|${whereKind(where)}|${paging}|${order}|${optionsKey(shape.options, keyOf, EXCEPT)}`;
}

async function run(
  context: LoadContext,
  { pending, contents, keeperOf }: CollectionStates,
  em: EntityManager,
  segment: Segment<EntityManager>,
  calls: readonly CollectionCall[],
  shape: CollectionShape,
): Promise<(Entity[] | Error)[]> {
  const relation = relationOf(calls[0]!.collection);
  const failed = new Map<CollectionCall, Error>();
  const most = sharesLimit(calls[0]!.collection, shape) ? context.maxBatchSize : 1;
  try {
    const statements = planStatements(calls, where => canStandTogether(relation, where)).flatMap(parts =>
      chunks(parts.length === 1 ? parts[0]!.calls : parts.flatMap(part => part.calls), most),
    );
    await Promise.all(
      statements.map(async statement => {
        const errors = await runStatement(context, em, segment, statement, {
          event: { kind: 'collection', entity: metadataOf(calls[0]!.owner).className, relation: relation.name },
          keys: part => part.length,
          lazy: {
            kind: 'collection',
            volunteer: call => call.collection,
            alone: calls.length === 1 ? { ...shape.options, where: calls[0]!.where } : undefined,
          },
          run: part => load(context, em, part, shape, keeperOf),
        });
        for (const [call, error] of errors) {
          failed.set(call, asError(error));
        }
      }),
    );
  } finally {
    const own = pending.get(em)!;
    calls.forEach(call => own.delete(call.collection));
  }
  const oneToMany = isOneToMany(relation);
  return calls.map(call => {
    const { collection, where } = call;
    const error = failed.get(call);
    if (error !== undefined) {
      return error;
    }
    if (keeperOf(collection) === undefined) {
      contents.remember(collection, shape.options, where);
    }
    return oneToMany ? collection.getItems(false) : [];
  });
}

/** MikroORM numbers the rows of owners by the first column of their key: owners that differ in another would share a limit. */
export function sharesLimit({ owner }: AnyCollection, { limited }: Pick<CollectionShape, 'limited'>): boolean {
  return !limited || !metadataOf(owner).compositePK;
}

function load(
  { seam, shapes }: LoadContext,
  em: EntityManager,
  calls: readonly CollectionCall[],
  shape: CollectionShape,
  keeperOf: KeeperOf,
): Promise<number> {
  const loaded = (): Promise<number> => loadCollections(seam, em, calls, shape, keeperOf);
  if (!shape.limited) {
    return loaded();
  }
  return seam.interceptor.rewriting(
    async (query, target) =>
      target.send(
        (await limitByIndex(
          query,
          table => shapes.factsOf(table, target),
          date => seam.formatDate(date),
        )) ?? query,
      ),
    loaded,
  );
}

function validCount(collection: AnyCollection, options: LoadOptions, name: 'limit' | 'offset'): number | undefined {
  const value = options[name];
  if (value === undefined || value === null) {
    return undefined;
  }
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > NO_LIMIT) {
    const relation = `${metadataOf(collection.owner).className}.${relationOf(collection).name}`;
    throw new BatchLoaderError(
      'ARGUMENT',
      `${relation}.load({ ${name} }) takes a whole number from 0 to ${NO_LIMIT}, but got: ${inspect(value)}. Leave it out to load all items.`,
    );
  }
  return value;
}

/** Waits until a promise is settled and everything that awaited it has had its turn. */
async function delivered(promise: Promise<unknown>): Promise<void> {
  await promise.catch(() => undefined);
  await new Promise<void>(resolve => {
    setImmediate(resolve);
  });
}
