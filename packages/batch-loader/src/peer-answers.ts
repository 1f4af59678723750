import type { EntityManager } from '@mikro-orm/core';
import type { Segment } from './fork-queue.ts';
import { KeptAnswers, type Round } from './kept-answers.ts';
import type { PeerGroup } from './peer-groups.ts';
import { type Moment, ReadEpochs } from './read-epochs.ts';
import { type VolunteerKind, Volunteers } from './volunteers.ts';

/** Where a call was made. */
export interface Place {
  readonly em: EntityManager;
  readonly segment: Segment<EntityManager>;
}

/** What a call asks for, and what it brings along. */
export interface Ask<Item extends object> extends Place {
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

/** Makes the calls of peers with one that is asked for, and keeps their answers until they are asked for, whatever their kind. */
export class PeerAnswers {
  readonly volunteers: Volunteers = new Volunteers();
  readonly epochs: ReadEpochs<EntityManager> = new ReadEpochs();
  readonly kept: KeptAnswers<unknown> = new KeptAnswers(this.epochs);
  /** Of calls in one window only the first brings its peers along; the others are among them. */
  readonly #brought = new WeakMap<Segment<EntityManager>, WeakMap<PeerGroup, Set<string>>>();
  /** Rounds nobody asked for yet. */
  readonly #rounds = new WeakMap<PeerGroup, Map<string, Round[]>>();

  /** Answers with what was kept, or makes the call and brings peers along. */
  answer<Item extends object>(
    ask: Ask<Item>,
    item: Item,
    real: () => Promise<unknown>,
    mayServe = true,
    serve: (kept: unknown) => unknown = kept => kept,
  ): Promise<unknown> {
    const { em, segment, kind, key } = ask;
    const kept = this.kept.take(item, key, em, ask.slot === undefined && kind === 'property');
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
      if (!this.volunteers.has(kind, item) && !this.kept.has(item, key, em, slot === undefined)) {
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
    this.kept.keep(item, key, { em, segment, read, round, answer });
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
}

function whatIsKept(value: unknown): { value: unknown } | undefined {
  return value === undefined ? undefined : { value };
}
