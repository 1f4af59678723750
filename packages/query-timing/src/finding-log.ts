import type { CountedFinding, Finding } from './finding.ts';

/** Findings that are kept; of more the least costly goes. */
const MOST = 500;

/** What was found, each once, with how often. */
export class FindingLog {
  readonly #all = new Map<string, CountedFinding>();
  readonly #known: ReadonlySet<string>;
  #dropped = 0;

  /** @param known ids that are not told of: those of a baseline */
  constructor(known: ReadonlySet<string>) {
    this.#known = known;
  }

  get size(): number {
    return this.#all.size;
  }

  get dropped(): number {
    return this.#dropped;
  }

  /** Whether it is told of at all. */
  isTold(id: string): boolean {
    return !this.#known.has(id);
  }

  /** @returns it as it is now; `undefined` if it is known and not to be told of */
  add(finding: Finding): CountedFinding | undefined {
    if (this.#known.has(finding.id)) {
      return undefined;
    }
    const counted = this.counted(finding);
    if (counted.occurrences === 1 && this.#all.size >= MOST) {
      this.#dropLeast();
    }
    this.#all.set(finding.id, counted);
    return counted;
  }

  /** As it would be if it were added now. */
  counted(finding: Finding): CountedFinding {
    const now = Date.now();
    const before = this.#all.get(finding.id);
    // The costliest stands for all of them.
    const shown = before !== undefined && before.cost > finding.cost ? before : finding;
    return {
      ...shown,
      occurrences: (before?.occurrences ?? 0) + 1,
      firstSeen: before?.firstSeen ?? now,
      lastSeen: now,
    };
  }

  /** The most costly first, by all that they have cost. */
  all(): readonly CountedFinding[] {
    return [...this.#all.values()].toSorted((a, b) => costOf(b) - costOf(a));
  }

  clear(): void {
    this.#all.clear();
    this.#dropped = 0;
  }

  #dropLeast(): void {
    let least: CountedFinding | undefined;
    for (const each of this.#all.values()) {
      if (least === undefined || each.cost < least.cost) {
        least = each;
      }
    }
    if (least !== undefined) {
      this.#all.delete(least.id);
      this.#dropped++;
    }
  }
}

/** Findings whose cost is that of all their queries already. */
const SUMMED: ReadonlySet<Finding['kind']> = new Set([
  'plan',
  'missing-index',
  'missing-foreign-key-index',
  'unused-index',
  'duplicate-index',
]);

function costOf({ kind, cost, occurrences }: CountedFinding): number {
  return SUMMED.has(kind) ? cost : cost * occurrences;
}
