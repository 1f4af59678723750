/** What is under way, so that what hangs for ever is noted as well. */
export class Pending {
  readonly #giveUps = new Set<() => void>();

  /** @param giveUp notes that it hangs @returns notes its end, unless it was given up before */
  add(giveUp: () => void): (end: () => void) => void {
    this.#giveUps.add(giveUp);
    return end => {
      if (this.#giveUps.delete(giveUp)) {
        end();
      }
    };
  }

  giveUp(): void {
    this.#giveUps.forEach(giveUp => giveUp());
    this.#giveUps.clear();
  }
}
