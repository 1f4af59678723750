import { AsyncLocalStorage } from 'node:async_hooks';
import pg from 'pg';
import { now } from './clock.ts';
import type { Journal } from './journal.ts';

/** A write under way. */
export interface Operation {
  /** What it will have written, if it does. */
  planned: readonly { readonly register: string; readonly value: number | undefined }[];
  /** Whether a statement that commits itself has changed a row; `true` from the start for a transaction. */
  changed: boolean;
  /** When PostgreSQL answered its last statement: its COMMIT, in the end. */
  answeredAt: number;
  recorded: boolean;
}

const operations = new AsyncLocalStorage<Operation>();

/** Runs a write, and notes when it was committed and when it resolved. What fails is noted nowhere: it may or may not have happened. */
export async function noted(
  journal: Journal,
  transaction: boolean,
  run: (operation: Operation) => Promise<void>,
): Promise<Operation> {
  const operation: Operation = { planned: [], changed: transaction, answeredAt: 0, recorded: false };
  await operations.run(operation, () => run(operation));
  noteCommit(journal, operation);
  return operation;
}

export function noteAck(journal: Journal, { planned, changed }: Operation): void {
  const at = now();
  for (const { register, value } of changed ? planned : []) {
    journal.write({ kind: 'ack', at, register, value });
  }
}

/** To be called at the latest before anything is done about a commit that a crash could prevent. */
export function noteCommit(journal: Journal, operation: Operation | undefined = operations.getStore()): void {
  if (operation === undefined || operation.recorded || !operation.changed || operation.answeredAt === 0) {
    return;
  }
  operation.recorded = true;
  for (const { register, value } of operation.planned) {
    journal.write({ kind: 'commit', at: operation.answeredAt, register, value });
  }
}

/** Below MikroORM, Kysely and every cache: the moment in which the driver has PostgreSQL's answer. */
export function watchAnswers(): void {
  const prototype = pg.Client.prototype as { query: (...args: unknown[]) => unknown };
  const query = prototype.query;
  prototype.query = function (this: unknown, ...args: unknown[]): unknown {
    const sent = query.apply(this, args);
    const operation = operations.getStore();
    if (operation === undefined || !(sent instanceof Promise)) {
      return sent;
    }
    return (sent as Promise<{ command?: string; rowCount?: number }>).then(result => {
      operation.answeredAt = now();
      operation.changed ||= WRITES.test(String(args[0])) && (result.rowCount ?? 0) > 0;
      return result;
    });
  };
}

const WRITES = /^\s*(insert|update|with)\b/i;
