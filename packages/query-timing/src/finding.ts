import type { CallSite } from './call-site.ts';

/** What can be found. */
export type FindingKind =
  | 'slow'
  | 'n+1'
  /** Several shapes repeated together: one cause. */
  | 'mn+1'
  /** The same query with the same values. */
  | 'duplicate'
  /** Only limit, offset or the last key change. */
  | 'paged-loop'
  /** Inserts, updates or deletes one by one, outside of one flush. */
  | 'write-loop'
  /** Something in a plan. */
  | 'plan'
  | 'missing-index'
  | 'missing-foreign-key-index'
  | 'unused-index'
  | 'duplicate-index'
  | 'idle-in-transaction'
  | 'long-transaction'
  | 'pool-wait';

/** Something worth changing, in one sentence, with what proves it and what would mend it. Bounded, without values. */
export interface Finding {
  /** The same for the same cause on another day: of kind, shape, relation, file and function, never of a line. */
  readonly id: string;
  readonly kind: FindingKind;
  readonly severity: 'info' | 'warning' | 'error';
  /** One sentence. */
  readonly title: string;
  /** What it is about: text of the shape, table, index … */
  readonly subject: string;
  /** `id` of the shape, where it is about one. */
  readonly shape: string | undefined;
  /** How many queries it is about (of one scope). */
  readonly count: number;
  /** What it cost, in µs. */
  readonly cost: number;
  readonly site: CallSite | undefined;
  /** The query whose rows led to it. */
  readonly parent: FindingParent | undefined;
  /** Code that mends it. */
  readonly fix: string | undefined;
  /** More sentences: numbers, plan nodes, what was not verified. */
  readonly evidence: readonly string[];
  /** Name of the scope it was found in. */
  readonly scope: string | undefined;
}

/** The query whose rows led to others. */
export interface FindingParent {
  /** `id` of its shape. */
  readonly shape: string;
  readonly text: string;
  readonly entity: string | undefined;
  readonly site: CallSite | undefined;
  /** Whether the parameters were found among the values of its rows; otherwise it is only the likely one. */
  readonly proved: boolean;
  /** The column they were found in. */
  readonly column: string | undefined;
}

/** A finding, as often as it was made. */
export interface CountedFinding extends Finding {
  /** In how many scopes, or how often. */
  readonly occurrences: number;
  /** In ms since the epoch. */
  readonly firstSeen: number;
  readonly lastSeen: number;
}
