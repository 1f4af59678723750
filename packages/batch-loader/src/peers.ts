import type { EntityManager } from '@mikro-orm/core';
import { type PeerGroup, PeerGroups } from './peer-groups.ts';
import type { Seam } from './seam.ts';
import { type AnyCollection, type Entity, managerOf, schemaOf } from './seam/entity.ts';
import { haveOneManager, isRemoved, relations } from './seam/peer-entities.ts';

/** Who the peers of an entity are at the moment of a load. */
export class Peers {
  readonly #groups: PeerGroups;
  readonly #seam: Seam;
  #close: (em: EntityManager) => void = () => undefined;

  /** @param max the most members of a group */
  constructor(max: number, seam: Seam) {
    this.#groups = new PeerGroups(max, relations);
    this.#seam = seam;
  }

  /** To be called once, with what closes the run of results that a fork is in the middle of. */
  install(close: (em: EntityManager) => void): void {
    this.#close = close;
  }

  /** Makes peers of the entities of one result. */
  join(entities: readonly Entity[]): void {
    this.#groups.join(entities);
  }

  /** What a group refers to by the relations that lead to `target`, and is not loaded. */
  siblings(group: PeerGroup, target: Entity): Set<Entity> {
    return this.#groups.siblings(group, target);
  }

  /** The group of an entity that came out of a result. */
  groupOf(entity: Entity): PeerGroup | undefined {
    this.#closeRun(entity);
    return this.#groups.groupOf(entity);
  }

  /** The group of those that refer to this entity, if it was not loaded when they were. */
  referrersOf(entity: Entity): PeerGroup | undefined {
    this.#closeRun(entity);
    return this.#groups.referrersOf(entity);
  }

  /** A result that was mapped in this very turn has no groups yet. */
  #closeRun(entity: Entity): void {
    const em = managerOf(entity);
    if (em !== undefined) {
      this.#close(em);
    }
  }

  /** The members of a group that are still there. */
  members(group: PeerGroup | undefined): Entity[] {
    return group === undefined ? [] : this.#groups.members(group);
  }

  /** Of these, the peers of an entity that something can be loaded for now, on its fork. */
  usable(entity: Entity, peers: Iterable<Entity>): Entity[] {
    return [...peers].filter(
      peer => peer !== entity && haveOneManager(peer, entity) && !this.#seam.isDetached(peer) && !isRemoved(peer),
    );
  }

  /** The collections of the peers of an owner. */
  collections(owner: Entity, group: PeerGroup, of: (peer: Entity) => AnyCollection | undefined): AnyCollection[] {
    return this.usable(owner, this.members(group))
      .filter(peer => schemaOf(peer) === schemaOf(owner))
      .map(of)
      .filter(collection => collection !== undefined);
  }
}
