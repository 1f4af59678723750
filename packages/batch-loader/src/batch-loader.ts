import type { EntityManager, MikroORM } from '@mikro-orm/core';
import { BatchChannel } from './batch-channel.ts';
import { BatchLog } from './batch-log.ts';
import { BatchedCalls } from './batched-calls.ts';
import { createKeyOf } from './batch-key.ts';
import { createSchedule } from './batch-window.ts';
import { CollectionContents } from './collection-contents.ts';
import { type CollectionStates, loadCollection } from './collection-loads.ts';
import { countCollection } from './count-loads.ts';
import { ForkQueue, type Segment } from './fork-queue.ts';
import { type LoadContext, refuseForeign } from './load-context.ts';
import { Guard } from './guard.ts';
import { type BatchLoaderOptions, resolveOptions } from './options.ts';
import { PeerLoads } from './peer-loads.ts';
import { ExactDates } from './page/exact-dates.ts';
import { populate } from './populate-loads.ts';
import { readBatched } from './read-batched.ts';
import { loadReference } from './reference-loads.ts';
import { Seam } from './seam.ts';
import type { Entity } from './seam/entity.ts';
import { rawFragment } from './seam/condition.ts';
import { layGuardOver } from './seam/guard-layer.ts';
import type { Loaders } from './seam/takeover.ts';
import { ShapeKnowledge } from './shape/shape-knowledge.ts';

/** The extension, for MikroORM's `extensions: [...]`. One may be given to several ORMs. */
export interface BatchLoader {
  /** Called by MikroORM while it is constructed. */
  register(orm: MikroORM): void;
}

/**
 * Batches MikroORM's lazy loads: `ref.load()`, `collection.load()`/`loadItems()`/`init()`/`loadCount()`, lazy scalars
 * and `wrap(e).init()`/`populate()`. Calls made in one batch window become one query; each is answered as the same call
 * alone would be. Nothing changes in the code that makes them.
 *
 * ```ts
 * const orm = await MikroORM.init({ entities: [Author, Book], extensions: [batchLoader()] });
 * ```
 *
 * `{ dataloader: false }` in a load's options sends that load alone.
 *
 * Trap: it takes the place of MikroORM's `dataloader` setting, whatever it says.
 *
 * @throws {OptionsError} at once, for an unknown option or a wrong value
 */
export function batchLoader(options?: BatchLoaderOptions): BatchLoader {
  const resolved = resolveOptions(options);
  return {
    register(orm) {
      const queues = new WeakMap<EntityManager, ForkQueue<EntityManager>>();
      const schedule = createSchedule(resolved.batchWindow);
      const keyOf = createKeyOf(rawFragment);
      const contents = new CollectionContents(keyOf);
      const pending: CollectionStates['pending'] = new WeakMap();
      const seam = new Seam(orm, keyOf);
      const peers =
        resolved.peers &&
        new PeerLoads(Math.min(resolved.peers.max, resolved.maxBatchSize), seam, keyOf, { contents, pending });
      const guard = resolved.onUnbatched === 'ignore' ? undefined : new Guard(resolved.onUnbatched, resolved.threshold);
      const collections: CollectionStates = {
        pending,
        contents,
        keeperOf: collection => peers?.collections.keeperOf(collection),
      };
      const context: LoadContext = {
        orm,
        seam,
        channel: new BatchChannel(),
        shapes: new ShapeKnowledge(() => seam.tableNames()),
        keyOf,
        maxBatchSize: resolved.maxBatchSize,
        volunteers: peers?.volunteers,
        guard,
        maxRows: resolved.maxRows,
        queueOf(em) {
          let queue = queues.get(em);
          if (queue === undefined) {
            queue = new ForkQueue(schedule);
            queues.set(em, queue);
            seam.guardSnapshots(em);
          }
          return queue;
        },
      };
      const segmentOf = (em: EntityManager): Segment<EntityManager> =>
        context.queueOf(em).current(seam.surroundings(em));
      // One set per segment: a load takes its place in the segment that is open when it is called.
      const loaders = new WeakMap<Segment<EntityManager>, Loaders>();
      const createLoaders = (em: EntityManager, segment: Segment<EntityManager>): Loaders => ({
        reference: (entity, loadOptions) => loadReference(context, em, segment, entity, loadOptions),
        collection: (collection, loadOptions) =>
          loadCollection(context, collections, em, segment, collection, loadOptions),
        count: (collection, loadOptions) => countCollection(context, em, segment, collection, loadOptions),
      });
      const dates = new ExactDates();
      dates.install(orm.driver.getPlatform());
      const log = new BatchLog();
      const calls = new BatchedCalls(context, log);
      seam.install({
        batching: {
          read: (em, call) => readBatched(context, calls, peers, em, segmentOf(em), call),
          log: em => log.of(em),
          pages: { platform: orm.driver.getPlatform(), dates },
        },
        loaders(em) {
          const segment = segmentOf(em);
          let own = loaders.get(segment);
          if (own === undefined) {
            own = createLoaders(em, segment);
            own = peers?.loaders(em, segment, own) ?? own;
            loaders.set(segment, own);
          }
          return own;
        },
        populate(em, entities, hints, loadOptions) {
          const segment = segmentOf(em);
          const load = (some: readonly Entity[]): Promise<void> =>
            populate(context, em, segment, some, hints, loadOptions);
          return peers?.populate({ em, segment }, entities, hints, loadOptions, load) ?? load(entities);
        },
        refuseForeign,
        holdsOther: (collection, loadOptions) =>
          peers?.collections.isUnfit(collection, loadOptions) || contents.differ(collection, loadOptions),
        stateChanges(em) {
          peers?.epochs.changed(em);
          queues.get(em)?.freeze(() => em.fork({ keepTransactionContext: true, disableContextResolution: true }));
        },
        clears(em) {
          peers?.epochs.changed(em);
          queues.get(em)?.clear();
        },
        send: em => queues.get(em)?.send(),
        settle: async em => queues.get(em)?.settle(seam.surroundings(em).flush),
      });
      peers?.install(orm);
      if (guard !== undefined) {
        layGuardOver(orm, guard, em => seam.isRunningFor(em));
      }
    },
  };
}
