import { setImmediate } from 'node:timers';
import { inspect } from 'node:util';
import type { EntityManager } from '@mikro-orm/core';
import { optionsKey } from './batch-key.ts';
import { chunks } from './chunks.ts';
import { BatchLoaderError } from './errors.ts';
import type { Segment, Shape } from './fork-queue.ts';
import { type LoadContext, NEUTRAL_OPTIONS, asError, assertLoadable, runStatement } from './load-context.ts';
import {
  type AnyCollection,
  type Entity,
  type LoadOptions,
  canTieConditions,
  collectionSchema,
  isFlatCondition,
  isOneToMany,
  isReadonly,
  metadataOf,
  orderOf,
  ownerCondition,
  refilling,
  relationOf,
  schemaOf,
} from './seam.ts';
import { type Part, planStatements } from './where-parts.ts';

interface CollectionCall {
  readonly collection: AnyCollection;
  readonly owner: Entity;
  readonly where: unknown;
  readonly whereKey: string;
  /** Load even if something else has initialised the collection in the meantime. */
  readonly force: boolean;
}

interface Pending {
  readonly key: string;
  readonly items: Promise<Entity[]>;
}

const EXCEPT = new Set([...NEUTRAL_OPTIONS, 'where', 'limit', 'offset', 'orderBy']);

/** Collections with a call on its way, per ORM. */
export type PendingCollections = WeakMap<AnyCollection, Pending>;

/**
 * `collection.load()`, `init()` and `loadItems()`: collections of one relation with the same options are one
 * `em.populate()` of their owners, which is linear in owners and rows, and leaves each collection as it would alone.
 *
 * One collection holds one list. Calls on it that want different ones are answered one after the other, each in a window
 * of its own, so that each caller finds its own items when its promise resolves.
 *
 * @returns the items that MikroORM is to put into a 1:M; for an M:N nothing, as it reads the collection itself
 */
export async function loadCollection(
  context: LoadContext,
  pending: PendingCollections,
  em: EntityManager,
  collection: AnyCollection,
  options: LoadOptions,
): Promise<Entity[]> {
  const { limit, offset } = validPaging(collection, options);
  const relation = relationOf(collection);
  const owner = collection.owner;
  const where = isEmptyCondition(options['where']) ? undefined : options['where'];
  const whereKey = where === undefined ? '' : context.keyOf(where);
  const order = orderOf(relation, options['orderBy'], limit !== undefined || offset !== undefined);
  const shapeKey = [
    'collection',
    relation.name,
    schemaOf(owner) ?? '',
    whereKind(where),
    limit ?? '',
    offset ?? '',
    order.length === 0 ? '' : context.keyOf(order),
    optionsKey(options, context.keyOf, EXCEPT),
  ].join('|');
  const key = `${shapeKey}|${whereKey}`;

  let waited = false;
  for (let other = pending.get(collection); other !== undefined; other = pending.get(collection)) {
    if (other.key === key) {
      return other.items;
    }
    waited = true;
    await delivered(other.items);
  }
  assertLoadable(context, em, owner);
  const shape: Shape<CollectionCall, Entity[], EntityManager> = {
    scope: metadataOf(owner),
    key: shapeKey,
    dedupe: false,
    run: (calls, segment) => run(context, em, segment, calls, { options, order, limit, offset }),
  };
  const call: CollectionCall = {
    collection,
    owner,
    where,
    whereKey,
    force: waited || where !== undefined || limit !== undefined || offset !== undefined,
  };
  const items = context.queueOf(em).load(shape, call, em.getTransactionContext());
  pending.set(collection, { key, items });
  try {
    return await items;
  } finally {
    pending.delete(collection);
  }
}

interface CollectionStatement {
  readonly options: LoadOptions;
  readonly order: readonly object[];
  readonly limit: number | undefined;
  readonly offset: number | undefined;
}

async function run(
  context: LoadContext,
  em: EntityManager,
  segment: Segment<EntityManager>,
  calls: readonly CollectionCall[],
  shape: CollectionStatement,
): Promise<(Entity[] | Error)[]> {
  const relation = relationOf(calls[0]!.collection);
  const tie = canTieConditions(relation);
  const plan = planStatements(calls, where => tie && whereKind(where) === 'some' && isFlatCondition(where, relation.targetMeta!));
  const failed = new Map<CollectionCall, Error>();
  await Promise.all(
    plan.flatMap(parts =>
      statementChunks(parts, context.maxBatchSize).map(async chunk => {
        const members = chunk.flatMap(part => part.calls);
        const conditionOf = new Map(chunk.flatMap(part => part.calls.map(call => [call, part] as const)));
        const errors = await runStatement(context, em, segment, members, {
          event: { kind: 'collection', entity: metadataOf(members[0]!.owner).className, relation: relation.name },
          keys: part => part.length,
          run: part => loadPart(context, em, part, conditionOf, shape),
        });
        for (const [call, error] of errors) {
          failed.set(call, asError(error));
        }
      }),
    ),
  );
  const oneToMany = isOneToMany(relation);
  return calls.map(call => failed.get(call) ?? (oneToMany ? call.collection.getItems(false) : []));
}

/** One `em.populate()`: what `collection.init()` does for one owner, for all of them. */
async function loadPart(
  context: LoadContext,
  em: EntityManager,
  calls: readonly CollectionCall[],
  conditionOf: ReadonlyMap<CollectionCall, Part<CollectionCall>>,
  { options, order, limit, offset }: CollectionStatement,
): Promise<number> {
  const first = calls[0]!;
  const relation = relationOf(first.collection);
  const name = relation.name;
  const hints = Array.isArray(options['populate'])
    ? options['populate'].map((hint: unknown) => (hint === '*' ? hint : `${name}.${String(hint)}`))
    : [`${name}${options['ref'] ? ':ref' : ''}`];
  const parts = new Set(calls.map(call => conditionOf.get(call)!));
  const where = parts.size === 1 ? protectNot(first.where) : { $or: tiedConditions(relation, calls, parts, conditionOf) };
  const { limit: _limit, offset: _offset, ...rest } = options;
  const collections = calls.map(call => call.collection);
  const hasLimit = limit !== undefined || offset !== undefined;
  await refilling(
    calls.filter(call => call.force && call.collection.isInitialized() && !call.collection.isDirty()).map(call => call.collection),
    hasLimit ? collections : collections.filter(isReadonly),
    () =>
      context.seam.populateAll(
        em,
        calls.map(call => call.owner),
        hints,
        {
          refresh: true,
          ...rest,
          schema: collectionSchema(first.collection),
          where: { [name]: where },
          orderBy: { [name]: order },
          ...(hasLimit ? { populateHints: withLimit(options['populateHints'], name, limit, offset) } : {}),
        },
      ),
  );
  return calls.reduce((rows, call) => rows + (call.collection.isInitialized() ? call.collection.length : 0), 0);
}

function tiedConditions(
  relation: ReturnType<typeof relationOf>,
  calls: readonly CollectionCall[],
  parts: ReadonlySet<Part<CollectionCall>>,
  conditionOf: ReadonlyMap<CollectionCall, Part<CollectionCall>>,
): object[] {
  return [...parts].map(part => {
    const owners = calls.filter(call => conditionOf.get(call) === part).map(call => call.owner);
    return { $and: [ownerCondition(relation, owners), part.where] };
  });
}

/** A statement's parts in pieces of at most `size` calls. */
function statementChunks(parts: readonly Part<CollectionCall>[], size: number): (readonly Part<CollectionCall>[])[] {
  if (parts.length === 1) {
    return chunks(parts[0]!.calls, size).map(calls => [{ where: parts[0]!.where, calls: [...calls] }]);
  }
  const flat = parts.flatMap(part => part.calls.map(call => ({ part, call })));
  return chunks(flat, size).map(piece => {
    const byPart = new Map<Part<CollectionCall>, CollectionCall[]>();
    for (const { part, call } of piece) {
      const calls = byPart.get(part);
      if (calls) {
        calls.push(call);
      } else {
        byPart.set(part, [call]);
      }
    }
    return [...byPart].map(([part, calls]) => ({ where: part.where, calls }));
  });
}

// `limit` is what makes MikroORM number the rows of each owner; an offset alone needs one that is never reached.
const NO_LIMIT = 2 ** 31 - 1;

function withLimit(hints: unknown, name: string, limit: number | undefined, offset: number | undefined): object {
  const given = hints as Record<string, object> | undefined;
  return { ...given, [name]: { ...given?.[name], limit: limit ?? NO_LIMIT, offset: offset ?? 0 } };
}

function validPaging(collection: AnyCollection, options: LoadOptions): { limit: number | undefined; offset: number | undefined } {
  const valid = (name: 'limit' | 'offset'): number | undefined => {
    const value = options[name];
    if (value === undefined || value === null) {
      return undefined;
    }
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > NO_LIMIT) {
      const where = `${metadataOf(collection.owner).className}.${relationOf(collection).name}`;
      throw new BatchLoaderError(
        'ARGUMENT',
        `${where}.load({ ${name} }) takes a whole number from 0 to ${NO_LIMIT}, but got: ${inspect(value)}. Leave it out to load all items.`,
      );
    }
    return value;
  };
  return { limit: valid('limit'), offset: valid('offset') };
}

/** MikroORM takes a collection for partial if its condition has a property; `raw()` as the only key is a symbol. */
function whereKind(where: unknown): 'all' | 'raw' | 'some' {
  return where === undefined ? 'all' : Object.keys(where as object).length === 0 ? 'raw' : 'some';
}

/** MikroORM's populate takes a `$not` at the top for an operator on the primary key; inside `$and` it is what it says. */
function protectNot(where: unknown): unknown {
  return typeof where === 'object' && where !== null && Object.hasOwn(where, '$not') ? { $and: [where] } : where;
}

function isEmptyCondition(where: unknown): boolean {
  return where === undefined || where === null || (typeof where === 'object' && Reflect.ownKeys(where).length === 0);
}

/** Waits until a promise is settled and everything that awaited it has had its turn. */
async function delivered(promise: Promise<unknown>): Promise<void> {
  await promise.catch(() => undefined);
  await new Promise<void>(resolve => {
    setImmediate(resolve);
  });
}
