import type { Node } from './node.ts';
import type { ReadLease } from './read-lease.ts';
import type { RouteReason } from './route-channel.ts';

/** One try of a read on one node. */
export class ReadAttempt {
  readonly type = 'read';
  readonly node: Node;
  readonly lease: ReadLease;
  /** Make sure that the connection shows enough before it is given out: what is sent on it cannot be sent again. */
  readonly ensure: boolean;
  /** Why the primary; for replicas, the lease tells. */
  readonly #why: RouteReason;

  constructor(node: Node, why: RouteReason, lease: ReadLease, ensure: boolean) {
    this.node = node;
    this.#why = why;
    this.lease = lease;
    this.ensure = ensure;
  }

  get reason(): RouteReason {
    if (this.#why !== 'replica') {
      return this.#why;
    }
    switch (this.lease.checked) {
      case 'not needed':
        return 'replica';
      case 'known':
        return 'replica-caught-up';
      case 'asked':
        return 'replica-checked';
      case 'waited':
        return 'replica-waited';
    }
  }
}
