import type { Entity } from './seam/entity.ts';

/** Entities that came out of one result. */
export interface PeerGroup {
  readonly members: readonly WeakRef<Entity>[];
}

/** What the groups have to know of entities. */
export interface Relations {
  /** Tells entities apart that cannot be loaded alike: the class, of a hierarchy its root. */
  kindOf(entity: Entity): object;
  /** Every entity that this one refers to by a to-one relation and that is not loaded, with the relation's name. */
  unloadedTargets(entity: Entity): Iterable<readonly [relation: string, target: Entity]>;
}

/**
 * Remembers which entities came out of one result. Weakly both ways: an entity leads to its group, a group to its members
 * while something else holds them, so a group is gone with the last of them.
 *
 * A reference is its target: `city.country.load()` does not say whose country it is, and `Ref` objects are shared like the
 * targets. So a target that is not loaded remembers the group of those that refer to it: the latest one, if there are
 * several, because results are walked through soon after they were read. Walking through an older one costs one query
 * more for what only it refers to. (Django's FETCH_PEERS puts its marks on instances too; there each has its own.)
 */
export class PeerGroups {
  readonly #max: number;
  readonly #relations: Relations;
  readonly #groupOf = new WeakMap<Entity, PeerGroup>();
  readonly #referrersOf = new WeakMap<Entity, PeerGroup>();

  /** @param max the most members of a group */
  constructor(max: number, relations: Relations) {
    this.#max = max;
    this.#relations = relations;
  }

  /** Makes peers of the entities of one result, class by class. */
  join(entities: readonly Entity[]): void {
    if (entities.length < 2) {
      return;
    }
    for (const alike of Map.groupBy(entities, entity => this.#relations.kindOf(entity)).values()) {
      for (let start = 0; start < alike.length; start += this.#max) {
        this.#group(alike.slice(start, start + this.#max));
      }
    }
  }

  /** The group of an entity that came out of a result. */
  groupOf(entity: Entity): PeerGroup | undefined {
    return this.#groupOf.get(entity);
  }

  /** The group of those that refer to this entity, if it was not loaded when they were. */
  referrersOf(target: Entity): PeerGroup | undefined {
    return this.#referrersOf.get(target);
  }

  /** The members of a group that are still there. */
  members(group: PeerGroup): Entity[] {
    return group.members.map(member => member.deref()).filter(member => member !== undefined);
  }

  /** What the group refers to by the relations that lead to `target`, and is not loaded. */
  siblings(group: PeerGroup, target: Entity): Set<Entity> {
    const targets = this.members(group).flatMap(member => [...this.#relations.unloadedTargets(member)]);
    const relations = new Set(targets.filter(([, one]) => one === target).map(([relation]) => relation));
    const siblings = new Set(targets.filter(([relation]) => relations.has(relation)).map(([, one]) => one));
    siblings.delete(target);
    return siblings;
  }

  #group(entities: readonly Entity[]): void {
    const known = this.#groupOf.get(entities[0]!);
    if (
      entities.length < 2 ||
      (known?.members.length === entities.length && entities.every(entity => this.#groupOf.get(entity) === known))
    ) {
      return;
    }
    const group: PeerGroup = { members: entities.map(entity => new WeakRef(entity)) };
    for (const entity of entities) {
      this.#groupOf.set(entity, group);
      for (const [, target] of this.#relations.unloadedTargets(entity)) {
        this.#referrersOf.set(target, group);
      }
    }
  }
}
