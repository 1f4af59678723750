/** A finding that is known, as its file has it. */
export interface KnownFinding {
  /** What decides whether another one is the same. All the rest is for people who read the file, and is compared with nothing. */
  readonly id: string;
  readonly kind: string;
  /** Text of the shape, table, index …; without values, at most 4096 characters. */
  readonly sql: string;
  /** Relative to the folder of the baseline, with `/`. */
  readonly file?: string;
  readonly function?: string;
  /** The most queries of one scope that were seen with it. A higher number is not told of. */
  readonly count: number;
}

/** Findings that are known: in the order of file, function, kind and id. */
export interface Baseline {
  readonly version: 1;
  readonly findings: readonly KnownFinding[];
}

/** Of each of its texts, in characters. */
export const LONGEST = 4_096;
