import type { Subject } from './task.ts';

/** Percentiles of the time that reads took, in ms. */
export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

/** What came out of a run. Times are in ms; `Infinity` is never. */
export interface Figures extends Numbers {
  readonly id: string;
  readonly title: string;
  readonly subject: Subject;
  /** Before the fault, while it lasted, and from 1 s after it on. Slow reads do not count. */
  readonly before: Percentiles;
  readonly during: Percentiles;
  readonly after: Percentiles;
  /** What failed reads and writes said, most frequent first. */
  readonly errors: readonly string[];
  /** The first few reads that were out of date, in words. */
  readonly examples: readonly string[];
  /** What the processes thought of nodes, in words. */
  readonly states: readonly string[];
  /** What the scenario has measured itself. */
  readonly measured: Readonly<Record<string, number>>;
}

/** What pass lines are about. */
export interface Numbers {
  readonly reads: number;
  /** Reads with a token in another process than the one that wrote. */
  readonly elsewhere: number;
  readonly failedReads: number;
  /** Reads with a token that found less than what the token stands for. */
  readonly stale: number;
  readonly writes: number;
  readonly failedWrites: number;
  /** Writes that said that nobody knows what became of them. */
  readonly unknown: number;
  /** Writes that said they had failed, and are there. */
  readonly mislabelled: number;
  /** Acknowledged writes without a token. */
  readonly tokenless: number;
  /** Acknowledged versions that are not there in the end, though nothing excuses it. */
  readonly lost: number;
  /** Acknowledged by a primary that was replaced, before it was known to be: asynchronous replication may lose them. */
  readonly lostAsync: number;
  /** Writes that went to the old primary after the process had heard of the new one. */
  readonly misrouted: number;
  /** The share of reads that replicas answered: of all, and while the fault lasted. */
  readonly onReplicas: number;
  readonly onReplicasDuring: number;
  /** The share of the faulty nodes from 1 s after the fault struck on, and in the first 2 s in which they answer again. */
  readonly onFaulty: number;
  readonly onHealed: number;
  /** From the fault, or from when its connections break, until the last process gives no more reads to the node. */
  readonly ejectMs: number;
  /** From the fault until the last read begins that fails or takes more than a second. */
  readonly lastHurtMs: number;
  /** The longest read from the fault on. */
  readonly worstReadMs: number;
  /** From healing until each faulty node has answered a read. */
  readonly recoverMs: number;
  /** From the promotion until each process knows, and until each has written to the new primary. */
  readonly detectMs: number;
  readonly resumeMs: number;
  /** The longest time in which no write was acknowledged. */
  readonly writeGapMs: number;
  /** How often a faulty node was taken for dead while the fault lasted, and how often its state changed; the most of all processes. */
  readonly downs: number;
  readonly stateChanges: number;
  /** Reads on the primary for want of a replica at one time: the most of one process, and the most beyond what is allowed. */
  readonly fallback: number;
  readonly overBudget: number;
  readonly unhandled: number;
  readonly held: number;
  readonly stuck: number;
  /** Processes that went wrong otherwise, as one whose ORM does not close. */
  readonly broken: number;
}
