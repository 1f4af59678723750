/** Loads that bring peers along, as `BatchEvent` names them. */
export type LazyKind = 'reference' | 'collection' | 'count' | 'property';

/** What may bring peers along: a lazy load, or a call of `batch(em)` about one entity. */
export type VolunteerKind = LazyKind | 'call';

/** What nobody has asked for yet, and is loaded because a peer was: entities, or collections. */
export class Volunteers {
  readonly #volunteers: Readonly<Record<VolunteerKind, WeakSet<object>>> = {
    reference: new WeakSet(),
    collection: new WeakSet(),
    count: new WeakSet(),
    property: new WeakSet(),
    call: new WeakSet(),
  };

  add(kind: VolunteerKind, item: object): void {
    this.#volunteers[kind].add(item);
  }

  /** To be called when it is asked for after all, or was loaded. */
  delete(kind: VolunteerKind, item: object): void {
    this.#volunteers[kind].delete(item);
  }

  has(kind: VolunteerKind, item: object): boolean {
    return this.#volunteers[kind].has(item);
  }
}

/**
 * Runs a statement for items of which some only came along, so that they are never the reason why another fails: if it
 * fails, it is run again for those that were asked for.
 *
 * @param runAsked what to do without volunteers
 * @param mayTryAgain whether another try can make sense after this error
 * @returns the error of each item that failed; items that are not in the map succeeded
 */
export async function runAlongside<Item>(
  items: readonly Item[],
  cameAlong: (item: Item) => boolean,
  run: (items: readonly Item[]) => Promise<void>,
  runAsked: (items: readonly Item[]) => Promise<Map<Item, unknown>>,
  mayTryAgain: (error: unknown) => boolean,
): Promise<Map<Item, unknown>> {
  if (!items.some(cameAlong)) {
    return runAsked(items);
  }
  try {
    await run(items);
    return new Map();
  } catch (error) {
    const failed = new Map<Item, unknown>(items.map(item => [item, error]));
    // Asked of now: some may have been asked for in the meantime.
    const asked = items.filter(item => !cameAlong(item));
    if (asked.length > 0 && mayTryAgain(error)) {
      const own = await runAsked(asked);
      asked.forEach(item => (own.has(item) ? failed.set(item, own.get(item)) : failed.delete(item)));
    }
    return failed;
  }
}
