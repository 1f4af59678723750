import type { MikroORM } from '@mikro-orm/postgresql';
import type { Journal } from './journal.ts';
import type { Orders } from './orders.ts';
import type { Pending } from './pending.ts';
import type { Examined } from './subjects.ts';
import type { Order, Task } from './task.ts';

/** What the clients of one process share. */
export interface Office {
  readonly task: Task;
  readonly orm: MikroORM;
  readonly examined: Examined;
  readonly journal: Journal;
  /** For the readers of this process. */
  readonly orders: Orders;
  /** What is under way. */
  readonly pending: Pending;
  /** The newest version of each register that this process has been told of. */
  readonly known: Map<number, Order>;
  /** Orders a read in another process. */
  tellOthers(order: Order): void;
  readonly stopping: AbortSignal;
}

/** Somebody in this process is to read it, now and perhaps again later. */
export function accept({ known, orders }: Office, order: Order): void {
  if ((known.get(order.key)?.version ?? 0) <= order.version) {
    known.set(order.key, order);
  }
  orders.give(order);
}
