import type { EntityManager, MikroORM } from '@mikro-orm/core';
import type { BatchChannel, BatchEvent } from './batch-channel.ts';
import type { KeyOf } from './batch-key.ts';
import { BatchLoaderError } from './errors.ts';
import type { ForkQueue, Segment } from './fork-queue.ts';
import type { Guard } from './guard.ts';
import { isolate } from './isolate.ts';
import type { Seam } from './seam.ts';
import { blameOf, isDatabaseError, isOfItsSize } from './seam/blame.ts';
import { type Entity, type LoadOptions, managerOf, metadataOf, serializedKey } from './seam/entity.ts';
import { scopeOf, traceOf } from './seam/guard-layer.ts';
import { type LazyKind, type Volunteers, runAlongside } from './volunteers.ts';
import type { ShapeKnowledge } from './shape/shape-knowledge.ts';

/** What the loads of one ORM share. */
export interface LoadContext {
  readonly orm: MikroORM;
  readonly seam: Seam;
  readonly channel: BatchChannel;
  readonly keyOf: KeyOf;
  readonly shapes: ShapeKnowledge;
  /** The most keys in one statement. */
  readonly maxBatchSize: number;
  /** With `peers`: what was not asked for. */
  readonly volunteers: Volunteers | undefined;
  /** With `onUnbatched`. */
  readonly guard: Guard | undefined;
  /** The most rows that one merged statement returns. */
  readonly maxRows: number;
  /** The queue of a fork, made on first use. */
  queueOf(em: EntityManager): ForkQueue<EntityManager>;
}

/** Members of a load's options that do not change what is read. */
export const NEUTRAL_OPTIONS: ReadonlySet<string> = new Set(['dataloader', 'failHandler']);

/**
 * Refuses a load that could only hang or read something else than it was asked for.
 *
 * @throws {BatchLoaderError} `CLOSED`, `FOREIGN_ENTITY` or `DETACHED`
 */
export function assertLoadable(
  context: LoadContext,
  em: EntityManager,
  segment: Segment<EntityManager>,
  entity: Entity,
): void {
  const { seam } = context;
  if (seam.closed) {
    throw closedError(named(entity));
  }
  if (seam.isForeign(entity)) {
    refuseForeign(entity);
  }
  // A call that was made before em.clear() is answered.
  if (segment.clears === context.queueOf(em).clears && seam.isDetached(entity)) {
    throw new BatchLoaderError(
      'DETACHED',
      `Cannot load ${named(entity)}: em.clear() detached it from its EntityManager. Find it again, or work on a fork of its own (em.fork()).`,
    );
  }
}

/** @throws {BatchLoaderError} `FOREIGN_ENTITY` */
export function refuseForeign(entity: Entity): never {
  throw new BatchLoaderError(
    'FOREIGN_ENTITY',
    `Cannot load ${named(entity)}: it is managed by another ORM instance. Use the EntityManager it came from.`,
  );
}

function closedError(what: string): BatchLoaderError {
  return new BatchLoaderError(
    'CLOSED',
    `Cannot load ${what}: the ORM was closed. Await every load before orm.close(), or call orm.reconnect().`,
  );
}

function named(entity: Entity): string {
  const name = metadataOf(entity).className;
  return managerOf(entity) ? `${name}[${serializedKey(entity)}]` : name;
}

/** A statement for some items: reads for all of them and says how many rows came. */
export interface StatementFor<Item> {
  readonly event: Pick<BatchEvent, 'kind' | 'entity' | 'relation' | 'strategy' | 'reason'>;
  /** Calls that the items stand for. */
  keys(items: readonly Item[]): number;
  run(items: readonly Item[]): Promise<number>;
  /** Of a lazy load: what peers and the guard have to know. */
  readonly lazy?: LazyStatement<Item>;
}

/** A statement of lazy loads. */
export interface LazyStatement<Item> {
  readonly kind: LazyKind;
  /** What an item is known by, if it is a volunteer. */
  volunteer(item: Item): object;
  /** Options of the only call of the batch; `undefined` if it has several. */
  readonly alone: LoadOptions | undefined;
}

/**
 * Runs one statement in its segment, publishes it, and on failure keeps the error with the items that are to blame.
 *
 * Inside a transaction nothing is tried again: PostgreSQL has aborted it, so all items fail, and say why.
 *
 * @returns the errors of the items that failed
 */
export async function runStatement<Item extends object>(
  context: LoadContext,
  em: EntityManager,
  segment: Segment<EntityManager>,
  items: readonly Item[],
  statement: StatementFor<Item>,
): Promise<ReadonlyMap<Item, unknown>> {
  const { seam, channel } = context;
  if (seam.closed) {
    // MikroORM would connect again, and nobody would close that.
    const error = closedError(statement.event.entity);
    return new Map(items.map(item => [item, error]));
  }
  const transaction = em.getTransactionContext() as unknown;
  if (segment.transaction !== undefined && transaction !== segment.transaction) {
    const error = new BatchLoaderError(
      'TRANSACTION_ENDED',
      `Cannot load ${statement.event.entity}: its transaction ended before the load was sent. Await the load inside the transaction.`,
    );
    return new Map(items.map(item => [item, error]));
  }
  const { lazy } = statement;
  if (context.guard !== undefined && lazy?.alone !== undefined) {
    const { kind, alone } = lazy;
    const error = context.guard.sendsAlone(scopeOf(em), segment, { ...statement.event, kind }, alone, traceOf(alone));
    if (error !== undefined) {
      return new Map(items.map(item => [item, error]));
    }
  }
  const cameAlong = (item: Item): boolean =>
    lazy !== undefined && context.volunteers?.has(lazy.kind, lazy.volunteer(item)) === true;
  const attempt = async (part: readonly Item[]): Promise<void> => {
    const sentAt = performance.now();
    let rows = 0;
    const sentAlong = context.volunteers === undefined ? 0 : part.filter(cameAlong).length;
    let failure: unknown;
    try {
      rows = await seam.runIn(em, segment, () => statement.run(part));
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      channel.publish(() => ({
        ...statement.event,
        ...asked(statement.keys(part), sentAlong),
        distinct: part.length,
        rows,
        waited: sentAt - segment.openedAt,
        took: performance.now() - sentAt,
        ...(failure === undefined ? {} : { error: failure instanceof Error ? failure.name : typeof failure }),
      }));
    }
  };
  const aborts = (error: unknown): boolean => transaction !== undefined && isDatabaseError(error);
  const runAsked = (asked: readonly Item[]): Promise<Map<Item, unknown>> =>
    isolate(asked, attempt, error => (aborts(error) ? 'shared' : blameOf(error)));
  const failed =
    context.volunteers === undefined
      ? await runAsked(items)
      : await runAlongside(items, cameAlong, attempt, runAsked, error => {
          return !aborts(error) && (blameOf(error) !== 'shared' || isOfItsSize(error));
        });
  if (items.length > 1) {
    for (const [item, error] of failed) {
      if (aborts(error)) {
        failed.set(item, abortedError(statement.event.entity, items.length, error));
      }
    }
  }
  return failed;
}

function asked(keys: number, peers: number): Pick<BatchEvent, 'keys' | 'peers'> {
  return peers === 0 ? { keys } : { keys: keys - peers, peers };
}

function abortedError(entity: string, size: number, cause: unknown): BatchLoaderError {
  return new BatchLoaderError(
    'TRANSACTION_ABORTED',
    `One of ${size} loads of ${entity} in this batch failed inside a transaction. PostgreSQL aborts the whole transaction with it, so the others cannot be answered either; roll back. First error: ${(cause as Error).message}`,
    { cause },
  );
}

/** Rejections are Errors: DataLoader takes only those for failures of a single key. */
export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error), { cause: error });
}
