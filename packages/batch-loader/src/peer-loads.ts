import type { EntityManager, EntityMetadata, MikroORM } from '@mikro-orm/core';
import { type KeyOf, optionsKey } from './batch-key.ts';
import { type CollectionContents, isEmptyCondition } from './collection-contents.ts';
import { type CollectionStates, sharesLimit } from './collection-loads.ts';
import type { Segment } from './fork-queue.ts';
import { KeptAnswers, type Round } from './kept-answers.ts';
import { NEUTRAL_OPTIONS } from './load-context.ts';
import { type PeerGroup, PeerGroups } from './peer-groups.ts';
import { type Moment, ReadEpochs } from './read-epochs.ts';
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
  hasDateKey,
  haveOneManager,
  isLoaded,
  isRemoved,
  lacksLazy,
  lazyValue,
  loadsOthers,
  relations,
  unloadedCollection,
  wouldFlush,
} from './seam/peer-entities.ts';
import { layPeersOver } from './seam/peer-layer.ts';
import { isOneToMany, orderOf, relationOf } from './seam/relation.ts';
import type { Loaders } from './seam/takeover.ts';
import { type VolunteerKind, Volunteers } from './volunteers.ts';

/** Puts what was read into the collection that it was read for. */
type Fill = () => void;

/** Where a call was made. */
interface Place {
  readonly em: EntityManager;
  readonly segment: Segment<EntityManager>;
}

/** What a call asks for, and what it brings along. */
interface Ask<Item extends object> extends Place {
  readonly kind: VolunteerKind;
  readonly group: PeerGroup | undefined;
  readonly key: string;
  /** What calls have in common that differ in values only; `undefined` if what is read stays where the next call finds it. */
  readonly slot: string | undefined;
  peers(group: PeerGroup): Iterable<Item>;
  /** Loads it for a peer. @throws if it is refused at once */
  load(item: Item): Promise<unknown>;
  /** What is kept of what was loaded for a peer; `undefined` for nothing. */
  kept?(item: Item, loaded: unknown): unknown;
}

/** Rounds in vain after which no more are made for a group: who asks for each owner something else has no use for them. */
const ROUNDS_IN_VAIN = 2;

/** Options under which a collection's list can be kept aside until it is asked for. */
const KEEPABLE: ReadonlySet<string> = new Set([
  'where',
  'limit',
  'offset',
  'orderBy',
  'connectionType',
  'refresh',
  'dataloader',
]);
/**
 * Options that give the same on what is loaded and on what is not. Not `populate`: its joins and filters take away items of
 * a collection that is being loaded, and make relations `null` in one that is.
 */
const LOADABLE_LATER: ReadonlySet<string> = new Set([...NEUTRAL_OPTIONS, 'strategy', 'refresh']);
/** Options of a collection load for which {@link CollectionContents} knows whether the collection holds the answer. */
const COMPARED: ReadonlySet<string> = new Set([
  ...LOADABLE_LATER,
  'where',
  'limit',
  'offset',
  'filters',
  'orderBy',
  'fields',
  'exclude',
]);
/** Options of a count that decide more than what is counted. */
const NOT_COUNTABLE = ['flushMode', 'cache', 'lockMode', 'ctx', 'signal'];

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
  readonly groups: PeerGroups;
  readonly volunteers: Volunteers = new Volunteers();
  readonly epochs: ReadEpochs<EntityManager> = new ReadEpochs();
  readonly #seam: Seam;
  readonly #keyOf: KeyOf;
  readonly #contents: CollectionContents;
  #close: (em: EntityManager) => void = () => undefined;
  readonly #kept = new KeptAnswers<unknown>(this.epochs);
  /** Of calls in one window only the first brings its peers along; the others are among them. */
  readonly #brought = new WeakMap<Segment<EntityManager>, WeakMap<PeerGroup, Set<string>>>();
  /** Rounds nobody asked for yet. */
  readonly #rounds = new WeakMap<PeerGroup, Map<string, Round[]>>();
  /** Collections whose list is kept aside, and the list once it is read. */
  readonly #aside = new WeakMap<AnyCollection, { fill: Fill | undefined }>();
  readonly #pending: CollectionStates['pending'];

  /** @param max the most members of a group */
  constructor(max: number, seam: Seam, keyOf: KeyOf, { contents, pending }: Omit<CollectionStates, 'keeperOf'>) {
    this.groups = new PeerGroups(max, relations);
    this.#seam = seam;
    this.#keyOf = keyOf;
    this.#contents = contents;
    this.#pending = pending;
  }

  /** To be called once, from `register(orm)`, after the seam is installed. */
  install(orm: MikroORM): void {
    this.#close = layPeersOver(orm, {
      joined: entities => this.groups.join(entities),
      changed: em => this.epochs.changed(em),
      flushed: em => this.epochs.flushed(em),
      untraceable: em => this.epochs.untraceable(em),
      isUnfitReference: (entity, options) => this.#isUnfitReference(entity, options),
      isOldProperty: (entity, name) => this.#kept.release(entity, key => key === `property|${name}`) === 'old',
      readAgain: (em, entity, name) => this.#readAgain(em, entity, name),
    });
  }

  /** The entities that came out of the same result as this one, and are of the same fork: to load something for all. */
  peersOf(entity: Entity): Entity[] {
    return this.#usable(entity, this.#members(this.#groupOf(entity)));
  }

  /** The loaders of a segment, which bring peers along. */
  loaders(em: EntityManager, segment: Segment<EntityManager>, alone: Loaders): Loaders {
    const place: Place = { em, segment };
    return {
      reference: (entity, options) => this.#reference(place, alone, entity, options),
      collection: (collection, options) => this.#collection(place, alone, collection, options),
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
      group: this.#groupOf(entity),
      key: `property|${name}`,
      slot: undefined,
      peers: group =>
        this.#usable(entity, this.#members(group)).filter(
          peer => schemaOf(peer) === schemaOf(entity) && lacksLazy(peer, name),
        ),
      load: peer => load([peer]),
    };
    return this.#answer(ask, entity, () => load(entities)) as Promise<void>;
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
      group: this.#groupOf(entity),
      key: `call|${key}`,
      slot: `call|${method}|${meta.className}`,
      peers: group =>
        this.#usable(entity, this.#members(group)).filter(
          peer => schemaOf(peer) === schemaOf(entity) && peer.constructor === entity.constructor,
        ),
      load,
    };
    return this.#answer(ask, entity, real, !wouldFlush(place.em, meta), kept =>
      Array.isArray(kept) ? [...(kept as unknown[])] : kept,
    );
  }

  /** Called when a loaded collection is asked for. @returns whether it is to be read for the asker */
  isUnfitCollection(collection: AnyCollection, options: LoadOptions): boolean {
    const state = this.#kept.release(collection, key => key.startsWith('whole|'));
    return state === 'old' || (state === 'current' && asksForMore(options, COMPARED));
  }

  /** Where the list goes that is about to be put into a collection, if not there. */
  keeperOf(collection: AnyCollection): ((fill: Fill) => void) | undefined {
    if (!this.volunteers.has('collection', collection)) {
      return undefined;
    }
    const aside = this.#aside.get(collection);
    return fill => {
      if (aside !== undefined) {
        aside.fill = fill;
      } else if (!collection.isDirty() && !collection.isInitialized()) {
        // It may have been filled since, or added to; who did knows of no load that would take that away.
        fill();
      }
    };
  }

  /** What was loaded for a peer is not what was asked for, if that is a lock, or under other filters; or if it is old. */
  #isUnfitReference(entity: Entity, options: LoadOptions): boolean {
    const state = this.#kept.release(entity, key => key.startsWith('reference|'));
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
      group: wasLoaded ? undefined : this.#referrersOf(entity),
      key: `reference|${how}`,
      slot: undefined,
      peers: group =>
        this.#usable(entity, this.groups.siblings(group, entity)).filter(
          peer =>
            relations.kindOf(peer) === relations.kindOf(entity) &&
            schemaOf(peer) === schema &&
            !hasChanges(place.em, peer),
        ),
      load: peer => alone.reference(peer, options),
    };
    // wrap(e).init() takes back changes.
    const mayServe = !wasLoaded || !hasChanges(place.em, entity);
    return this.#answer(ask, entity, () => alone.reference(entity, options), mayServe) as Promise<Entity | null>;
  }

  #collection(place: Place, alone: Loaders, collection: AnyCollection, options: LoadOptions): Promise<Entity[]> {
    const relation = relationOf(collection);
    const real = (): Promise<Entity[]> => alone.collection(collection, options);
    const where = isEmptyCondition(options['where']) ? undefined : options['where'];
    const limited = (options['limit'] ?? options['offset']) != null;
    if (
      !isKeepable(collection, options) ||
      !sharesLimit(collection, { limited }) ||
      hasDateKey(collection.owner) ||
      (where !== undefined && place.segment.transaction !== undefined)
    ) {
      return real();
    }
    const whole = this.#isWhole(collection, options);
    const { owner } = collection;
    const ask: Ask<AnyCollection> = {
      ...place,
      kind: 'collection',
      group: this.#groupOf(owner),
      key: `${whole ? 'whole' : 'list'}|${optionsKey(options, this.#keyOf, NEUTRAL_OPTIONS)}`,
      slot: whole ? undefined : `list|${relation.name}`,
      peers: group =>
        this.#collections(
          owner,
          group,
          peer => (whole ? unloadedCollection(peer, relation.name) : collectionOf(peer, relation.name)),
          // One list at a time is on its way into a collection; a peer's must not take the place of one that was asked for.
        ).filter(peer => !peer.isDirty() && this.#pending.get(place.em)?.has(peer) !== true),
      load: peer => {
        if (whole) {
          this.#aside.delete(peer);
        } else {
          this.#aside.set(peer, { fill: undefined });
        }
        return alone.collection(peer, options);
      },
      kept: peer => (whole ? true : this.#aside.get(peer)?.fill),
    };
    const mayServe = (): boolean => !collection.isDirty() && !wouldFlush(place.em, relation.targetMeta);
    const fill = async (kept: unknown): Promise<Entity[]> => {
      if (!whole) {
        const pending = this.#pending.get(place.em)!;
        while (pending.has(collection)) {
          if (!this.volunteers.has('collection', collection)) {
            return real();
          }
          await pending.get(collection)!.items.catch(() => undefined);
        }
        if (!mayServe()) {
          return real();
        }
        // Filling a 1:M "persists" its items; inside a statement the seam knows better.
        const filled = this.#seam.runIn(place.em, place.segment, async () => (kept as Fill)());
        const items = filled.then(() => []);
        pending.set(collection, { key: `kept|${ask.key}`, segment: place.segment, items });
        try {
          await filled;
        } finally {
          pending.delete(collection);
        }
        this.#contents.remember(collection, options, where);
      }
      return isOneToMany(relation) ? collection.getItems(false) : [];
    };
    return this.#answer(ask, collection, real, mayServe(), fill) as Promise<Entity[]>;
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
      group: this.#groupOf(owner),
      key: `count|${optionsKey(options, this.#keyOf, NEUTRAL_OPTIONS)}`,
      slot: `count|${relation.name}`,
      peers: group => this.#collections(owner, group, peer => collectionOf(peer, relation.name)),
      load: peer => alone.count(peer, options),
    };
    const mayServe = !wouldFlush(place.em, relation.targetMeta);
    return this.#answer(ask, collection, real, mayServe) as Promise<number>;
  }

  /** Answers with what was kept, or makes the call and brings peers along. */
  #answer<Item extends object>(
    ask: Ask<Item>,
    item: Item,
    real: () => Promise<unknown>,
    mayServe = true,
    serve: (kept: unknown) => unknown = kept => kept,
  ): Promise<unknown> {
    const { em, segment, kind, key } = ask;
    const kept = this.#kept.take(item, key, em, ask.slot === undefined && kind === 'property');
    if (kept !== undefined && mayServe) {
      if (kept.segment === segment && this.volunteers.has(kind, item)) {
        // Not sent yet: it is asked for after all, as if it had not volunteered.
        this.volunteers.delete(kind, item);
        return real();
      }
      kept.round.served++;
      return kept.answer.then(found => (found === undefined ? real() : serve(found.value)));
    }
    const answer = real();
    let brought: readonly Promise<unknown>[] = [];
    try {
      brought = this.#bring(ask);
    } catch {
      // Looking at an entity can fail, as by a custom type that does not take its value. Who asked has nothing to do with it.
    }
    // Peers of another class are another statement. A loop's next step finds nothing under way that it has not begun; but
    // who asked for a collection has to see it before the next call that waits for it puts something else in.
    return brought.length === 0 || kind === 'collection'
      ? answer
      : Promise.allSettled([answer, ...brought]).then(() => answer);
  }

  /** @returns what is over when the peers are loaded; never rejects */
  #bring<Item extends object>(ask: Ask<Item>): readonly Promise<unknown>[] {
    const { em, segment, kind, group, key, slot } = ask;
    if (group === undefined || !this.#isFirst(segment, group, `${kind}|${slot ?? ''}|${key}`)) {
      return [];
    }
    const round = this.#newRound(group, slot);
    if (round === undefined) {
      return [];
    }
    const read = this.epochs.now(em);
    const brought: Promise<unknown>[] = [];
    for (const item of ask.peers(group)) {
      if (!this.volunteers.has(kind, item) && !this.#kept.has(item, key, em, slot === undefined)) {
        brought.push(this.#volunteer(ask, item, round, read));
      }
    }
    return brought;
  }

  #volunteer<Item extends object>(ask: Ask<Item>, item: Item, round: Round, read: Moment): Promise<unknown> {
    const { em, segment, kind, key } = ask;
    this.volunteers.add(kind, item);
    const over = <T>(value: T): T => {
      this.volunteers.delete(kind, item);
      return value;
    };
    let load: Promise<unknown>;
    try {
      load = ask.load(item);
    } catch {
      return Promise.resolve(over(undefined));
    }
    const answer = load.then(
      loaded => over(ask.kept === undefined ? { value: loaded } : whatIsKept(ask.kept(item, loaded))),
      () => over(undefined),
    );
    this.#kept.keep(item, key, { em, segment, read, round, answer });
    return answer;
  }

  #isFirst(segment: Segment<EntityManager>, group: PeerGroup, what: string): boolean {
    let groups = this.#brought.get(segment);
    if (groups === undefined) {
      groups = new WeakMap();
      this.#brought.set(segment, groups);
    }
    const brought = groups.get(group);
    if (brought === undefined) {
      groups.set(group, new Set([what]));
      return true;
    }
    const isNew = !brought.has(what);
    brought.add(what);
    return isNew;
  }

  /** @returns `undefined` if too many were in vain */
  #newRound(group: PeerGroup, slot: string | undefined): Round | undefined {
    const round: Round = { served: 0 };
    if (slot === undefined) {
      return round;
    }
    let slots = this.#rounds.get(group);
    if (slots === undefined) {
      slots = new Map();
      this.#rounds.set(group, slots);
    }
    const inVain = (slots.get(slot) ?? []).filter(({ served }) => served === 0);
    slots.set(slot, inVain);
    if (inVain.length >= ROUNDS_IN_VAIN) {
      return undefined;
    }
    inVain.push(round);
    return round;
  }

  /** Whether this is a load of the whole collection in its own order, after which it needs no other. */
  #isWhole(collection: AnyCollection, options: LoadOptions): boolean {
    const { where, limit, offset, connectionType, orderBy, refresh } = options;
    return (
      refresh === false &&
      isEmptyCondition(where) &&
      (limit ?? offset ?? connectionType) === undefined &&
      this.#keyOf(orderBy) === this.#keyOf(orderOf(relationOf(collection), undefined, false))
    );
  }

  #groupOf(entity: Entity): PeerGroup | undefined {
    this.#closeRun(entity);
    return this.groups.groupOf(entity);
  }

  #referrersOf(entity: Entity): PeerGroup | undefined {
    this.#closeRun(entity);
    return this.groups.referrersOf(entity);
  }

  /** A result that was mapped in this very turn has no groups yet. */
  #closeRun(entity: Entity): void {
    const em = managerOf(entity);
    if (em !== undefined) {
      this.#close(em);
    }
  }

  #members(group: PeerGroup | undefined): Entity[] {
    return group === undefined ? [] : this.groups.members(group);
  }

  #usable(entity: Entity, peers: Iterable<Entity>): Entity[] {
    return [...peers].filter(
      peer => peer !== entity && haveOneManager(peer, entity) && !this.#seam.isDetached(peer) && !isRemoved(peer),
    );
  }

  #collections(owner: Entity, group: PeerGroup, of: (peer: Entity) => AnyCollection | undefined): AnyCollection[] {
    return this.#usable(owner, this.#members(group))
      .filter(peer => schemaOf(peer) === schemaOf(owner))
      .map(of)
      .filter(collection => collection !== undefined);
  }
}

function whatIsKept(value: unknown): { value: unknown } | undefined {
  return value === undefined ? undefined : { value };
}

/** Whether a reference is loaded as it is by default, by which of the two ways; `undefined` if it is not. */
function referenceKind(options: LoadOptions): 'load' | 'init' | undefined {
  // `ref.load()` gives its relation's filters along, `wrap(e).init()` the schema: `ref.load({ refresh: true })` is no init().
  const isInit = options['refresh'] === true && !Object.hasOwn(options, 'filters');
  for (const name in options) {
    if (
      options[name] !== undefined &&
      !NEUTRAL_OPTIONS.has(name) &&
      !(isInit && (name === 'refresh' || name === 'schema'))
    ) {
      return undefined;
    }
  }
  return isInit ? 'init' : 'load';
}

function isKeepable(collection: AnyCollection, options: LoadOptions): boolean {
  for (const name in options) {
    if (options[name] !== undefined && !KEEPABLE.has(name)) {
      return false;
    }
  }
  // `init()` reads the items of an M:N anew, and with them their changes away.
  return options['refresh'] === false || (options['refresh'] === undefined && isOneToMany(relationOf(collection)));
}

function asksForMore(options: LoadOptions, known: ReadonlySet<string>): boolean {
  return Object.keys(options).some(name => options[name] !== undefined && !known.has(name));
}

function isBare(options: LoadOptions): boolean {
  return Object.values(options).every(value => value === undefined);
}
