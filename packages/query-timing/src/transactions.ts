import type { Lease } from './lease.ts';
import type { OpenQuery } from './open-query.ts';

/** From when on a transaction is told of, in ms. */
export interface TransactionLimits {
  /** For so long nothing was sent in it. */
  readonly idleInTransaction: number;
  /** For so long it was open. */
  readonly longTransaction: number;
}

/** Which transaction of its connection a statement is part of, and what of that is too long. */
export class Transactions {
  readonly #limits: TransactionLimits;
  #next = 1;

  constructor(limits: TransactionLimits) {
    this.#limits = limits;
  }

  /** A statement is about to be sent. @param now in ms of `performance.now()` */
  note(lease: Lease, query: OpenQuery, now: number): void {
    const { control } = query.shape;
    if (lease.transaction !== undefined) {
      query.transaction = lease.transaction;
      lease.statements++;
      const idle = now - lease.quietSince;
      if (lease.quietSince > 0 && idle >= this.#limits.idleInTransaction) {
        query.idled = idle;
        query.before = lease.summary;
      }
      query.place = lease.statements;
    }
    if (control === undefined) {
      return;
    }
    query.operation = control.verb ?? query.operation;
    if (lease.transaction !== undefined && (control.ends || (control.begins && !control.leavesOpen))) {
      const lasted = now - lease.transactionAt;
      if (lasted >= this.#limits.longTransaction) {
        query.lasted = lasted;
      }
      lease.transaction = undefined;
    }
    if (control.begins && lease.transaction === undefined) {
      const transaction = this.#next++;
      query.transaction ??= transaction;
      if (control.leavesOpen) {
        lease.transaction = transaction;
        lease.transactionAt = now;
        lease.statements = 0;
      }
    }
  }
}
