import type { WriteSet } from './write-set.ts';

/** What a transaction has written so far, savepoints taken into account. */
export class OpenTransaction {
  /** What statements that are over have written. */
  #writes: WriteSet;
  /** What those that still run may write. */
  readonly #running = new Set<WriteSet>();
  /** Bare names no longer mean what they usually do. */
  #isElsewhere = false;
  #isolation: string;
  #isDoubtful = false;
  #areSavepointsKnown = true;
  readonly #savepoints: { readonly name: string; readonly writes: WriteSet }[] = [];

  /** @param isolation as `begin` names it, or the database's default */
  constructor(writes: WriteSet, isolation: string) {
    this.#writes = writes;
    this.#isolation = isolation;
  }

  /** In lower case; `unknown` if it cannot be told. */
  get isolation(): string {
    return this.#isolation;
  }

  /** Whether its statements each see what is committed before them (read committed), so that a cached result may be one. */
  get seesCommits(): boolean {
    return this.#isolation === 'read committed' || this.#isolation === 'read uncommitted';
  }

  /** Whether it may be over already, so that what is sent next may commit itself. */
  get isDoubtful(): boolean {
    return this.#isDoubtful;
  }

  /** To be called when a text that was to end it has failed, before or after it did so. @param writes the text's */
  doubt(writes: WriteSet): void {
    this.#isDoubtful = true;
    this.#writes.addAll(writes);
    this.isolated();
    this.lostSavepoints();
  }

  /** All that it has written or may be writing. */
  get writes(): WriteSet {
    const all = this.#writes.copy();
    this.#running.forEach(writes => all.addAll(writes));
    if (this.#isElsewhere && !all.isEmpty) {
      all.addEverything('a write with another search_path');
    }
    return all;
  }

  /** To be called when its search path is changed: its tables are others than their names tell. */
  moved(): void {
    this.#isElsewhere = true;
  }

  /** Whether a read of `tables` may see what is not committed. */
  touches(tables: readonly string[]): boolean {
    return (
      this.#isElsewhere || this.#writes.touches(tables) || [...this.#running].some(writes => writes.touches(tables))
    );
  }

  /** Runs a statement that writes. @param run resolves with what it has really written, if that is known */
  async during<T>(writes: WriteSet, run: () => Promise<{ result: T; exact: WriteSet | undefined }>): Promise<T> {
    this.#running.add(writes);
    let written = writes;
    try {
      const { result, exact } = await run();
      written = exact ?? writes;
      return result;
    } finally {
      this.#running.delete(writes);
      this.#writes.addAll(written);
    }
  }

  /** Its isolation was changed after it began. */
  isolated(): void {
    this.#isolation = 'unknown';
  }

  /** Savepoints were made that are not known: rolling back to one undoes nothing that is kept here. */
  lostSavepoints(): void {
    this.#areSavepointsKnown = false;
  }

  savepoint(name: string): void {
    this.#savepoints.push({ name, writes: this.#writes.copy() });
  }

  /** What was written since is undone; the savepoint itself stays. */
  rollbackTo(name: string): void {
    const index = this.#savepoints.findLastIndex(savepoint => savepoint.name === name);
    if (index >= 0 && this.#areSavepointsKnown) {
      this.#savepoints.length = index + 1;
      this.#writes = this.#savepoints[index]!.writes.copy();
    }
  }

  release(name: string): void {
    const index = this.#savepoints.findLastIndex(savepoint => savepoint.name === name);
    if (index >= 0) {
      this.#savepoints.length = index;
    }
  }
}
