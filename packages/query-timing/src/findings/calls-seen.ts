import type { Repeats } from './repeats.ts';

/** Calls that are remembered until what they populate is seen. */
const MOST = 512;

/** Of calls of the EntityManager, the first query that was sent for each. Most scopes have few: the first needs no map. */
export class CallsSeen {
  #id: number | undefined = undefined;
  #first: Repeats | undefined = undefined;
  #others: Map<number, Repeats> | undefined = undefined;

  get(id: number): Repeats | undefined {
    return id === this.#id ? this.#first : this.#others?.get(id);
  }

  set(id: number, first: Repeats): void {
    if (this.#id === undefined) {
      this.#id = id;
      this.#first = first;
      return;
    }
    const others = (this.#others ??= new Map());
    if (others.size >= MOST) {
      others.clear();
    }
    others.set(id, first);
  }
}
