import type { EntityManager, EntityMetadata, MikroORM } from '@mikro-orm/core';
import { type KeyOf, optionsKey } from './batch-key.ts';
import { isEmptyCondition } from './collection-contents.ts';
import type { CollectionStates } from './collection-loads.ts';
import type { Segment } from './fork-queue.ts';
import { NEUTRAL_OPTIONS } from './load-context.ts';
import { type Ask, PeerAnswers, type Place } from './peer-answers.ts';
import { PeerCollections } from './peer-collections.ts';
import { LOADABLE_LATER, NOT_COUNTABLE, asksForMore, isBare, referenceKind } from './peer-options.ts';
import { Peers } from './peers.ts';
import type { ReadEpochs } from './read-epochs.ts';
import type { Seam } from './seam.ts';
import { afresh } from './seam/asking.ts';
import {
  type AnyCollection,
  type Entity,
  type LoadOptions,
  hasPrimaryKey,
  managerOf,
  schemaOf,
} from './seam/entity.ts';
import {
  collectionOf,
  hasChanges,
  isLoaded,
  lacksLazy,
  lazyValue,
  loadsOthers,
  relations,
  wouldFlush,
} from './seam/peer-entities.ts';
import { layPeersOver } from './seam/peer-layer.ts';
import { relationOf } from './seam/relation.ts';
import type { Loaders } from './seam/takeover.ts';
import type { Volunteers } from './volunteers.ts';

/**
 * Has the first lazy load on an entity load the same for its peers, in one statement: the peers' calls are made with it,
 * as volunteers. What they read is handed out when it is asked for, if it still is what a query would return.
 *
 * References, lazy scalars and whole collections are put where MikroORM keeps them; counts, and collections with a
 * condition, a limit or an order, are kept aside. Not brought along is what would do more than read: `refresh`, locks,
 * `populate`, `fields`, `filters`; and inside a transaction what has a condition, which may fail for the row of a peer and
 * end the transaction of all.
 */
export class PeerLoads {
  readonly collections: PeerCollections;
  readonly #answers = new PeerAnswers();
  readonly #peers: Peers;
  readonly #seam: Seam;
  readonly #keyOf: KeyOf;

  /** @param max the most members of a group */
  constructor(max: number, seam: Seam, keyOf: KeyOf, states: Omit<CollectionStates, 'keeperOf'>) {
    this.#peers = new Peers(max, seam);
    this.#seam = seam;
    this.#keyOf = keyOf;
    this.collections = new PeerCollections(seam, keyOf, this.#peers, this.#answers, states);
  }

  get volunteers(): Volunteers {
    return this.#answers.volunteers;
  }

  get epochs(): ReadEpochs<EntityManager> {
    return this.#answers.epochs;
  }

  /** To be called once, from `register(orm)`, after the seam is installed. */
  install(orm: MikroORM): void {
    const close = layPeersOver(orm, {
      joined: entities => this.#peers.join(entities),
      changed: em => this.epochs.changed(em),
      flushed: em => this.epochs.flushed(em),
      untraceable: em => this.epochs.untraceable(em),
      isUnfitReference: (entity, options) => this.#isUnfitReference(entity, options),
      isOldProperty: (entity, name) => this.#answers.kept.release(entity, key => key === `property|${name}`) === 'old',
      readAgain: (em, entity, name) => this.#readAgain(em, entity, name),
    });
    this.#peers.install(close);
  }

  /** The loaders of a segment, which bring peers along. */
  loaders(em: EntityManager, segment: Segment<EntityManager>, alone: Loaders): Loaders {
    const place: Place = { em, segment };
    return {
      reference: (entity, options) => this.#reference(place, alone, entity, options),
      collection: (collection, options) => this.collections.load(place, alone, collection, options),
      count: (collection, options) => this.#count(place, alone, collection, options),
    };
  }

  /** Lazy properties: a single one of a single entity brings peers along. */
  populate(
    place: Place,
    entities: readonly Entity[],
    hints: unknown,
    options: LoadOptions,
    load: (entities: readonly Entity[]) => Promise<void>,
  ): Promise<void> {
    const [entity] = entities as [Entity];
    const name: unknown = Array.isArray(hints) && hints.length === 1 ? hints[0] : undefined;
    if (entities.length > 1 || typeof name !== 'string' || !isBare(options) || !lacksLazy(entity, name)) {
      return load(entities);
    }
    const ask: Ask<Entity> = {
      ...place,
      kind: 'property',
      group: this.#peers.groupOf(entity),
      key: `property|${name}`,
      slot: undefined,
      peers: group =>
        this.#peers
          .usable(entity, this.#peers.members(group))
          .filter(peer => schemaOf(peer) === schemaOf(entity) && lacksLazy(peer, name)),
      load: peer => load([peer]),
    };
    return this.#answers.answer(ask, entity, () => load(entities)) as Promise<void>;
  }

  /**
   * A call of `batch(em)` about one entity: it is made for its peers as well. Not inside a transaction, which a condition
   * that fails for the row of a peer would end for all.
   *
   * @param real makes the call
   * @param load makes the same call about a peer
   */
  call(
    place: Place,
    { entity, meta, method, key }: { entity: Entity; meta: EntityMetadata; method: string; key: string },
    real: () => Promise<unknown>,
    load: (peer: Entity) => Promise<unknown>,
  ): Promise<unknown> {
    if (place.segment.transaction !== undefined) {
      return real();
    }
    const ask: Ask<Entity> = {
      ...place,
      kind: 'call',
      group: this.#peers.groupOf(entity),
      key: `call|${key}`,
      slot: `call|${method}|${meta.className}`,
      peers: group =>
        this.#peers
          .usable(entity, this.#peers.members(group))
          .filter(peer => schemaOf(peer) === schemaOf(entity) && peer.constructor === entity.constructor),
      load,
    };
    return this.#answers.answer(ask, entity, real, !wouldFlush(place.em, meta), kept =>
      Array.isArray(kept) ? [...(kept as unknown[])] : kept,
    );
  }

  /** What was loaded for a peer is not what was asked for, if that is a lock, or under other filters; or if it is old. */
  #isUnfitReference(entity: Entity, options: LoadOptions): boolean {
    const state = this.#answers.kept.release(entity, key => key.startsWith('reference|'));
    const em = managerOf(entity);
    return (
      (state === 'old' || (state === 'current' && asksForMore(options, LOADABLE_LATER))) &&
      em !== undefined &&
      !hasChanges(em, entity)
    );
  }

  async #readAgain(em: EntityManager, entity: Entity, name: string): Promise<unknown> {
    const segment = { ...this.#seam.surroundings(em), openedAt: performance.now(), clears: 0 };
    // Within a statement of ours a refresh of one property leaves the others' snapshot alone.
    await this.#seam.runIn(em, segment, () =>
      this.#seam.findOneAlone(em, entity, { fields: [name], refresh: true, schema: schemaOf(entity) }),
    );
    return lazyValue(entity, name);
  }

  #reference(place: Place, alone: Loaders, entity: Entity, options: LoadOptions): Promise<Entity | null> {
    const how = referenceKind(options);
    if (how === undefined || !hasPrimaryKey(entity) || loadsOthers(entity)) {
      return alone.reference(entity, options);
    }
    const wasLoaded = isLoaded(entity);
    const schema = schemaOf(entity);
    const ask: Ask<Entity> = {
      ...place,
      kind: 'reference',
      group: wasLoaded ? undefined : this.#peers.referrersOf(entity),
      key: `reference|${how}`,
      slot: undefined,
      peers: group =>
        this.#peers
          .usable(entity, this.#peers.siblings(group, entity))
          .filter(
            peer =>
              relations.kindOf(peer) === relations.kindOf(entity) &&
              schemaOf(peer) === schema &&
              !hasChanges(place.em, peer),
          ),
      load: peer => alone.reference(peer, options),
    };
    // wrap(e).init() takes back changes.
    const mayServe = !wasLoaded || !hasChanges(place.em, entity);
    return this.#answers.answer(
      ask,
      entity,
      () => alone.reference(entity, options),
      mayServe,
    ) as Promise<Entity | null>;
  }

  #count(place: Place, alone: Loaders, collection: AnyCollection, options: LoadOptions): Promise<number> {
    const real = (): Promise<number> => alone.count(collection, options);
    const hasCondition = !isEmptyCondition(options['where']);
    if (
      Object.hasOwn(options, afresh) ||
      NOT_COUNTABLE.some(name => options[name] !== undefined) ||
      (hasCondition && place.segment.transaction !== undefined)
    ) {
      return real();
    }
    const relation = relationOf(collection);
    const { owner } = collection;
    const ask: Ask<AnyCollection> = {
      ...place,
      kind: 'count',
      group: this.#peers.groupOf(owner),
      key: `count|${optionsKey(options, this.#keyOf, NEUTRAL_OPTIONS)}`,
      slot: `count|${relation.name}`,
      peers: group => this.#peers.collections(owner, group, peer => collectionOf(peer, relation.name)),
      load: peer => alone.count(peer, options),
    };
    const mayServe = !wouldFlush(place.em, relation.targetMeta);
    return this.#answers.answer(ask, collection, real, mayServe) as Promise<number>;
  }
}
