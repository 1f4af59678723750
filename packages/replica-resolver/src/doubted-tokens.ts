import type { Cluster, Emit } from './cluster.ts';
import { held } from './held.ts';
import { noEligibleNode } from './no-eligible-node.ts';
import type { Session } from './session.ts';

/** Tokens that say more than is known here. They may be right, or made up: whoever asks the servers finds out. */
export class DoubtedTokens {
  readonly #cluster: Cluster;
  readonly #emit: Emit;
  readonly #signed: boolean;

  /** @param signed tokens are: nobody can have made one up */
  constructor(cluster: Cluster, emit: Emit, signed: boolean) {
    this.#cluster = cluster;
    this.#emit = emit;
    this.#signed = signed;
  }

  /**
   * A token tells of a promotion that this process has not heard of: then the primary that it knows is an old one.
   * Afterwards it has heard of it, or the session has forgotten the token.
   * @throws ReplicaResolverError NO_ELIGIBLE_NODE when neither can be: the one that was promoted cannot be reached
   */
  async ofNewTimeline(session: Session, timeline: number): Promise<void> {
    const heard = await held(this.#cluster.hasHeardOf(timeline));
    if (heard === true) {
      return;
    }
    const { given } = session;
    if (given === undefined || (heard === undefined && this.#signed)) {
      throw noEligibleNode(this.#cluster);
    }
    session.forgetGiven(given);
    this.#emit('token.rejected', { why: 'future' });
  }

  /**
   * Nobody has got as far as the token of a session says: perhaps nobody ever wrote so much.
   * @returns whether it was made up, and is forgotten
   */
  async isForged(session: Session): Promise<boolean> {
    const { given } = session;
    if (given === undefined || given.lsn <= this.#cluster.newest) {
      return false;
    }
    await held(this.#cluster.refresh());
    const { primary, timeline, newest } = this.#cluster;
    if (primary === undefined || given.timeline !== timeline || given.lsn <= newest) {
      return false;
    }
    session.forgetGiven(given);
    this.#emit('token.rejected', { why: 'future' });
    return true;
  }
}
