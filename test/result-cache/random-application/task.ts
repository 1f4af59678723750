import type { Flaw } from '../checker/disturbed-store.ts';

/** What one process of the application has to do; travels as JSON. */
export interface Task {
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly seed: number;
  /** Tells the processes of one seed apart. */
  readonly stream: number;
  readonly flaw?: Flaw | undefined;
}

/** What a process has found. */
export interface Findings {
  /** Cached reads that were compared with the database while it stood still. */
  readonly conclusive: number;
  /** Those during which somebody wrote to one of their tables. */
  readonly inconclusive: number;
  readonly mismatches: readonly string[];
  readonly hits: number;
  readonly misses: number;
  readonly bypassReasons: Readonly<Record<string, number>>;
  /** Kinds of writes by how often they succeeded, and failed. */
  readonly written: Readonly<Record<string, number>>;
  readonly refused: Readonly<Record<string, number>>;
}

export type Report =
  | { readonly kind: 'progress'; readonly conclusive: number; readonly writes: number }
  | { readonly kind: 'done'; readonly findings: Findings }
  | { readonly kind: 'failed'; readonly error: string };
