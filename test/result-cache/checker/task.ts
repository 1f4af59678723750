import type { Flaw } from './disturbed-store.ts';

/** Which cache is examined. */
export type Subject = 'result-cache' | 'cache-aside' | 'leases' | 'version vector' | "MikroORM's cache";

/** What one process of a run has to do; travels as JSON. */
export interface Task {
  readonly subject: Subject;
  readonly databaseUrl: string;
  readonly replicaUrls: readonly string[];
  readonly redisUrl: string;
  /** What all keys in Redis begin with. */
  readonly prefix: string;
  readonly journal: string;
  readonly readers: number;
  readonly writers: number;
  /** What a writer waits for at most between two writes, in ms. */
  readonly pause: number;
  readonly killed: number;
  readonly flaw?: Flaw | undefined;
  /** Of `redisStore()`, in ms. */
  readonly grace: number;
  /** Of `resultCache()`, in ms. */
  readonly intentTtl: number;
}

/** What a process says of itself. */
export type Report =
  | { readonly kind: 'ready' }
  | { readonly kind: 'progress'; readonly reads: number; readonly hits: number; readonly misses: number }
  | { readonly kind: 'failed'; readonly error: string };
