import type { OpenQuery } from './open-query.ts';

/** A call of the EntityManager, from its begin to its end. */
export class Operation {
  readonly id: number;
  readonly name: string;
  readonly entity: string | undefined;
  readonly fork: number;
  /** The fork of the outermost call: a transaction has one of its own, and is part of what is done in that around it. */
  readonly outerFork: number;
  /**
   * The call that made this one: `find` of the `find` that populates its relations, `transactional` of what is in it. Until it is
   * over: a worker that begins its next round in the last one would make a chain without end.
   */
  parent: Operation | undefined;
  /** What the result cache said of it. */
  cache: string | undefined = undefined;
  /** A query whose rows it is making entities of. */
  #hydrating: OpenQuery | undefined = undefined;
  /** Queries that have failed, until they are sent again. */
  #failed: OpenQuery[] | undefined = undefined;
  #isOver = false;

  constructor(id: number, name: string, entity: string | undefined, fork: number, parent: Operation | undefined) {
    this.id = id;
    this.name = name;
    this.entity = entity;
    this.fork = fork;
    let open = parent;
    // What was begun in a call, and goes on after it (a timer), is not part of it.
    while (open?.isOver === true) {
      open = open.parent;
    }
    this.parent = open;
    this.outerFork = open?.outerFork ?? fork;
    // Whoever populates has made its entities.
    open?.hydrated();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The rows of `query` are there. */
  hydrates(query: OpenQuery): void {
    this.hydrated();
    this.#hydrating = query;
    // Its caller has not waited for the answer (an `AbortSignal`).
    if (this.#isOver) {
      this.hydrated();
    }
  }

  /** `query` has failed: whoever has sent it may send it again. */
  fails(query: OpenQuery): void {
    if (this.#isOver) {
      query.end();
    } else {
      (this.#failed ??= []).push(query);
    }
  }

  /** It has made its entities, or goes on to something else. */
  hydrated(): void {
    const query = this.#hydrating;
    if (query !== undefined) {
      this.#hydrating = undefined;
      query.end();
    }
  }

  /** It has returned, or failed. */
  end(): void {
    this.#isOver = true;
    this.hydrated();
    this.#failed?.forEach(query => query.end());
    this.#failed = undefined;
    this.parent = undefined;
  }
}
