import { type KeyOf, optionsKey } from './batch-key.ts';
import { type CollectionContents, isEmptyCondition } from './collection-contents.ts';
import { type CollectionStates, sharesLimit } from './collection-loads.ts';
import { NEUTRAL_OPTIONS } from './load-context.ts';
import type { Ask, PeerAnswers, Place } from './peer-answers.ts';
import { COMPARED, asksForMore, isKeepable } from './peer-options.ts';
import type { Peers } from './peers.ts';
import type { Seam } from './seam.ts';
import type { AnyCollection, Entity, LoadOptions } from './seam/entity.ts';
import { collectionOf, hasDateKey, unloadedCollection, wouldFlush } from './seam/peer-entities.ts';
import { isOneToMany, orderOf, relationOf } from './seam/relation.ts';
import type { Loaders } from './seam/takeover.ts';

/** Puts what was read into the collection that it was read for. */
type Fill = () => void;

/**
 * Loads collections for peers. A whole one is put where MikroORM keeps it; the list of one with a condition, a limit or an
 * order is kept aside until it is asked for.
 */
export class PeerCollections {
  readonly #seam: Seam;
  readonly #keyOf: KeyOf;
  readonly #peers: Peers;
  readonly #answers: PeerAnswers;
  readonly #contents: CollectionContents;
  readonly #pending: CollectionStates['pending'];
  /** Collections whose list is kept aside, and the list once it is read. */
  readonly #aside = new WeakMap<AnyCollection, { fill: Fill | undefined }>();

  constructor(
    seam: Seam,
    keyOf: KeyOf,
    peers: Peers,
    answers: PeerAnswers,
    { contents, pending }: Omit<CollectionStates, 'keeperOf'>,
  ) {
    this.#seam = seam;
    this.#keyOf = keyOf;
    this.#peers = peers;
    this.#answers = answers;
    this.#contents = contents;
    this.#pending = pending;
  }

  /** Loads a collection, and those of the peers of its owner. */
  load(place: Place, alone: Loaders, collection: AnyCollection, options: LoadOptions): Promise<Entity[]> {
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
      group: this.#peers.groupOf(owner),
      key: `${whole ? 'whole' : 'list'}|${optionsKey(options, this.#keyOf, NEUTRAL_OPTIONS)}`,
      slot: whole ? undefined : `list|${relation.name}`,
      peers: group =>
        this.#peers
          .collections(
            owner,
            group,
            peer => (whole ? unloadedCollection(peer, relation.name) : collectionOf(peer, relation.name)),
            // One list at a time is on its way into a collection; a peer's must not take the place of one that was asked for.
          )
          .filter(peer => !peer.isDirty() && this.#pending.get(place.em)?.has(peer) !== true),
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
          if (!this.#answers.volunteers.has('collection', collection)) {
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
    return this.#answers.answer(ask, collection, real, mayServe(), fill) as Promise<Entity[]>;
  }

  /** Called when a loaded collection is asked for. @returns whether it is to be read for the asker */
  isUnfit(collection: AnyCollection, options: LoadOptions): boolean {
    const state = this.#answers.kept.release(collection, key => key.startsWith('whole|'));
    return state === 'old' || (state === 'current' && asksForMore(options, COMPARED));
  }

  /** Where the list goes that is about to be put into a collection, if not there. */
  keeperOf(collection: AnyCollection): ((fill: Fill) => void) | undefined {
    if (!this.#answers.volunteers.has('collection', collection)) {
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
}
