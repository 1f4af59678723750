import type { ScopeReport } from './scope.ts';

const MOST_SCOPES = 200;
/** Queries that are kept one by one, of all scopes together. */
const MOST_RECORDS = 4_000;
/** So many of the slowest keep theirs when the others' go. */
const WORST = 5;

/** The scopes that are over. The queries of the newest, and of the slowest, are kept one by one. */
export class ScopeLog {
  #all: ScopeReport[] = [];
  #records = 0;

  get records(): number {
    return this.#records;
  }

  get size(): number {
    return this.#all.length;
  }

  add(scope: ScopeReport): void {
    this.#all.push(scope);
    this.#records += scope.records.length;
    if (this.#all.length > MOST_SCOPES || this.#records > MOST_RECORDS) {
      this.#trim();
    }
  }

  /** The newest first. */
  all(): readonly ScopeReport[] {
    return this.#all.toReversed();
  }

  clear(): void {
    this.#all = [];
    this.#records = 0;
  }

  #trim(): void {
    const worst = new Set(this.#all.toSorted((a, b) => spent(b) - spent(a)).slice(0, WORST));
    const spare = this.#all.length - MOST_SCOPES;
    if (spare > 0) {
      let left = spare;
      this.#all = this.#all.filter(scope => worst.has(scope) || left-- <= 0);
    }
    this.#records = this.#all.reduce((sum, scope) => sum + scope.records.length, 0);
    for (let index = 0; index < this.#all.length && this.#records > MOST_RECORDS; index++) {
      const scope = this.#all[index]!;
      // The last resort is the newest: one scope alone never has too many.
      if (scope.records.length > 0 && (!worst.has(scope) || index === this.#all.length - 1)) {
        this.#records -= scope.records.length;
        this.#all[index] = { ...scope, records: [] };
      }
    }
  }
}

function spent(scope: ScopeReport): number {
  return scope.wait + scope.send + scope.database + scope.after;
}
