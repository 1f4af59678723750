import type { Event } from './journal.ts';
import type { Moments } from './moments.ts';
import type { Subject } from './task.ts';

/** A version of a register that a server has. */
export interface EntryRow {
  readonly key: number;
  readonly version: number;
  readonly writer: string;
  readonly sent: number;
}

/** What is known of a run once it is over. */
export interface Facts {
  readonly id: string;
  readonly title: string;
  readonly subject: Subject;
  /** By process. */
  readonly journals: readonly (readonly Event[])[];
  readonly moments: Moments;
  /** Port by node. */
  readonly ports: Readonly<Record<string, number>>;
  /** The nodes that the fault strikes. */
  readonly faulty: readonly string[];
  /** The node that took writes at first, and the one that does in the end. */
  readonly primary: { readonly before: string; readonly after: string };
  /** What the primary has in the end. */
  readonly entries: readonly EntryRow[];
  /** What a server has that was the primary once; nothing where none was replaced. */
  readonly oldEntries: readonly EntryRow[];
  /** Connections that were open after each ORM was closed. */
  readonly held: number;
  /** Processes that did not end by themselves. */
  readonly stuck: number;
  /** What processes have said went wrong with themselves. */
  readonly failures: readonly string[];
  /** What the scenario has measured itself. */
  readonly measured: Readonly<Record<string, number>>;
}
