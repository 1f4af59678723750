/** Tells whoever has asked. One that throws is counted, and hurts nobody. */
export class Subscribers<Event> {
  #all: readonly ((event: Event) => void)[] = [];
  readonly #failed: (error: unknown) => void;

  /** @param failed told of what a subscriber throws, or rejects with */
  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  get some(): boolean {
    return this.#all.length > 0;
  }

  /** @returns ends it */
  add(fn: (event: Event) => void): () => void {
    // Its own function: the same one may be given twice, and each end ends one.
    const own = (event: Event): void => fn(event);
    this.#all = [...this.#all, own];
    return () => void (this.#all = this.#all.filter(each => each !== own));
  }

  tell(event: Event): void {
    for (const fn of this.#all) {
      try {
        const returned: unknown = fn(event);
        if (returned instanceof Promise) {
          returned.catch(this.#failed);
        }
      } catch (error) {
        this.#failed(error);
      }
    }
  }
}
