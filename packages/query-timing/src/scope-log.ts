import type { OpenScope } from './open-scope.ts';
import type { ScopeReport } from './scope.ts';

const MOST_SCOPES = 200;
/** Queries that are kept one by one, of all scopes together. */
const MOST_RECORDS = 4_000;
/** So many of the slowest keep theirs when the others' go. */
const WORST = 5;

/** The scopes that are over. The queries of the newest, and of the slowest, are kept one by one. */
export class ScopeLog {
  readonly #told: (finding: string) => boolean;
  #all: OpenScope[] = [];
  #records = 0;

  /** @param told whether a finding is told of */
  constructor(told: (finding: string) => boolean) {
    this.#told = told;
  }

  get records(): number {
    return this.#records;
  }

  add(scope: OpenScope): void {
    this.#all.push(scope);
    this.#records += scope.kept;
    // Half more than is kept in the end: to look for the slowest each time would cost more than they do.
    if (this.#all.length >= MOST_SCOPES * 1.5 || this.#records >= MOST_RECORDS * 1.5) {
      this.#trim();
    }
  }

  /** A scope as it is told of. */
  reportOf(scope: OpenScope): ScopeReport {
    const report = scope.report();
    return { ...report, findings: report.findings.filter(({ id }) => this.#told(id)) };
  }

  /** The newest first. */
  all(): readonly ScopeReport[] {
    this.#trim();
    return this.#all.toReversed().map(scope => this.reportOf(scope));
  }

  clear(): void {
    this.#all = [];
    this.#records = 0;
  }

  #trim(): void {
    const worst = new Set(this.#all.toSorted((a, b) => b.took - a.took).slice(0, WORST));
    let spare = this.#all.length - MOST_SCOPES;
    if (spare > 0) {
      this.#all = this.#all.filter(scope => worst.has(scope) || spare-- <= 0);
    }
    this.#records = this.#all.reduce((sum, scope) => sum + scope.kept, 0);
    for (const scope of this.#all) {
      if (this.#records <= MOST_RECORDS) {
        break;
      }
      if (!worst.has(scope)) {
        this.#records -= scope.kept;
        scope.forgetRecords();
      }
    }
  }
}
