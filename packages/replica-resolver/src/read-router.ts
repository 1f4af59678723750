import type { Cluster, Emit } from './cluster.ts';
import type { Consistency } from './consistency.ts';
import { ReplicaResolverError } from './errors.ts';
import { judge, type Verdict } from './failures.ts';
import { FallbackBudget, FallbackRefused } from './fallback-budget.ts';
import { held } from './held.ts';
import type { Lease } from './lease.ts';
import { LearnedWrites } from './learned-writes.ts';
import type { Node } from './node.ts';
import type { ResolvedOptions } from './options.ts';
import { ReadAttempt } from './read-attempt.ts';
import { NotCaughtUp, ReadLease } from './read-lease.ts';
import { type Needs, nameOf, needsOf } from './read-needs.ts';
import { RetryBudget } from './retry-budget.ts';
import type { RouteChannel, RouteReason } from './route-channel.ts';
import { PoolReset, PoolTimeout } from './seam/node-pool.ts';
import { Selector } from './selection.ts';
import type { Session } from './session.ts';
import { WriteLease } from './write-lease.ts';

/** A read that looks for a node. */
export interface Read {
  /** `open`: a transaction, a stream or a Kysely query, of which only the beginning can be made again. */
  readonly kind: 'statement' | 'open';
  readonly consistency: Consistency;
  readonly session: Session;
  /** Make sure before it is sent that the node shows enough, rather than with it. */
  readonly ensure: boolean;
  /** The statement, as far as it is known. */
  readonly text: string | undefined;
}

/** How long the first reads wait for a replica to be known, in ms. */
const START = 1_000;
const NOTHING = { floor: undefined, wait: 0, tellShown: false };
/** A replica that was so much further behind than one waits for does not arrive in that time. */
const HOPELESS = 50;

/** Finds a node for each read, and another one when that fails. */
export class ReadRouter {
  readonly #cluster: Cluster;
  readonly #options: ResolvedOptions;
  readonly #emit: Emit;
  readonly #channel: RouteChannel;
  readonly #selector: Selector;
  readonly #retries: RetryBudget;
  readonly #learned = new LearnedWrites();
  readonly #starting: Promise<void>;
  readonly #writeLease: (session: Session) => WriteLease;
  readonly fallback: FallbackBudget;
  readonly routes: Map<RouteReason, number> = new Map<RouteReason, number>();
  #started = false;

  /**
   * @param starting resolves when each node was looked at once
   * @param writeLease for reads that turned out to write
   */
  constructor(
    cluster: Cluster,
    options: ResolvedOptions,
    emit: Emit,
    channel: RouteChannel,
    starting: Promise<void>,
    writeLease: (session: Session) => WriteLease,
  ) {
    this.#writeLease = writeLease;
    this.#cluster = cluster;
    this.#options = options;
    this.#emit = emit;
    this.#channel = channel;
    this.#selector = new Selector({
      strategy: options.strategy,
      window: options.latencyWindow,
      zone: options.zone,
      random: Math.random,
    });
    this.#retries = new RetryBudget({
      share: options.retryShare,
      window: 10_000,
      minimum: 10,
      now: () => performance.now(),
    });
    this.fallback = new FallbackBudget({
      limit: () => this.fallbackLimit,
      maxWait: options.fallbackWait,
      maxQueue: 1_000,
    });
    this.#starting = Promise.race([starting, after(START)]).then(() => void (this.#started = true));
  }

  /** How many of the primary's connections such reads may take. */
  get fallbackLimit(): number {
    return Math.ceil(this.#options.fallbackShare * (this.#cluster.primary?.pool.max ?? 0));
  }

  /** Runs `send` with an attempt, and again with another one where that may help. */
  async read<T>(read: Read, send: (attempt: ReadAttempt) => Promise<T>): Promise<T> {
    const began = performance.now();
    this.#retries.read();
    if (!this.#started) {
      await held(this.#starting);
    }
    if (read.session.pending !== undefined) {
      await read.session.pending;
    }
    const tried: Node[] = [];
    let primaryBecause: RouteReason | undefined =
      read.text !== undefined && this.#learned.has(read.text) ? 'primary-learned' : undefined;
    let retriesLeft = this.#options.retries;
    let last = false;
    let behind = false;
    let full = false;
    for (let number = 1; ; number++) {
      const attempt: ReadAttempt | undefined = await this.#choose(read, tried, primaryBecause, last, behind).catch(
        (error: unknown) => {
          // Nothing is wrong but that all are busy: they will not be for ever.
          if (full && isNoNode(error) && performance.now() - began < this.#options.readDeadline) {
            return undefined;
          }
          throw error;
        },
      );
      if (attempt === undefined) {
        tried.length = 0;
        continue;
      }
      try {
        const result = await send(attempt);
        this.#answered(read, attempt, number, began);
        return result;
      } catch (error) {
        attempt.lease.released?.();
        const node: Node = attempt.node;
        const role = node === this.#cluster.primary ? 'primary' : 'replica';
        if (error instanceof NotCaughtUp) {
          this.#emit('stale.prevented', { node: node.name, behind: Number(error.behind) });
          tried.push(node);
          behind = true;
          if (await this.#forged(read)) {
            tried.length = 0;
          }
          continue;
        }
        full ||= error instanceof PoolTimeout;
        const verdict = verdictOf(error, attempt.lease, read.kind, role);
        this.#cluster.failed(node, error, verdict);
        if (verdict.learn && read.text !== undefined) {
          this.#learned.add(read.text);
        }
        const onPrimary = role === 'primary' && verdict.action !== 'surface';
        if (
          verdict.action === 'surface' ||
          retriesLeft === 0 ||
          performance.now() - began > this.#options.readDeadline
        ) {
          throw error;
        }
        retriesLeft--;
        // A node that is down gets no more of them: that is no storm. The last one is for the server that is surest.
        last = retriesLeft === 0 || !(node.health.state === 'down' || this.#retries.take());
        if (last) {
          retriesLeft = 0;
        }
        primaryBecause = verdict.action === 'primary' ? 'primary-refused' : undefined;
        if (!onPrimary) {
          tried.push(node);
        } else {
          await this.#cluster.primaryForWrite();
        }
        this.#emit('read.retried', {
          from: node.name,
          to: verdict.action === 'primary' ? 'the primary' : 'another node',
          why: (error as Error).message,
          attempt: number + 1,
        });
      }
    }
  }

  /**
   * @param last no other attempt follows: the primary, if there is one
   * @param behind a replica has not shown enough
   */
  async #choose(
    read: Read,
    tried: readonly Node[],
    primaryBecause: RouteReason | undefined,
    last: boolean,
    behind: boolean,
  ): Promise<ReadAttempt> {
    if (primaryBecause !== undefined) {
      return await this.#onPrimary(read, primaryBecause, false);
    }
    let needs = this.#needs(read);
    if ('primary' in needs && needs.primary === 'primary-not-caught-up') {
      // Bounded staleness, and no position is new enough: one is asked for.
      await held(this.#cluster.refresh());
      needs = this.#needs(read);
    }
    if ('primary' in needs) {
      if (needs.unheardOf !== undefined && !(await this.#hears(read, needs.unheardOf))) {
        return await this.#choose(read, tried, primaryBecause, last, behind);
      }
      return await this.#onPrimary(read, needs.primary, false);
    }
    const { floor } = needs;
    const candidates: Node[] = [];
    for (const node of last && this.#cluster.primary !== undefined ? [] : this.#cluster.servable) {
      if (!tried.includes(node)) {
        // One that keeps up will have it in time: to prefer the one that is known to would send all reads to it.
        node.caughtUp =
          floor === undefined
            ? undefined
            : node.replayed.latest >= floor || (node.lag !== undefined && node.lag <= this.#options.wait);
        candidates.push(node);
      }
    }
    const node = this.#selector.pick(candidates);
    if (node !== undefined) {
      const late =
        floor !== undefined && !node.caughtUp && (node.lag ?? 0) > HOPELESS * Math.max(1, this.#options.wait);
      // One wait for all attempts: the second has had the time of the first.
      const wait = late || tried.length > 0 ? 0 : this.#options.wait;
      return new ReadAttempt(
        node,
        'replica',
        new ReadLease({ floor, wait, tellShown: needs.tellShown, unlikely: node.caughtUp === false }),
        read.ensure,
      );
    }
    if (this.#cluster.primary !== undefined && !this.#cluster.hasReplicas) {
      return await this.#onPrimary(read, 'primary-only', false);
    }
    return await this.#onPrimary(read, behind ? 'primary-not-caught-up' : 'primary-no-replica', true);
  }

  /**
   * A token tells of a promotion that this process has not heard of: the primary that it knows is an old one.
   * @returns whether to go on; otherwise the read has other needs now
   */
  async #hears({ session }: Read, timeline: number): Promise<boolean> {
    const heard = await held(this.#cluster.hasHeardOf(timeline));
    if (heard === undefined) {
      throw this.#noNode(undefined);
    }
    if (!heard) {
      // Every node denies it.
      session.forgetToken();
      this.#emit('token.rejected', { why: 'future' });
    }
    return false;
  }

  #needs({ consistency, session }: Read): Needs {
    return needsOf(consistency, session, this.#cluster, this.#options, this.#emit);
  }

  /** @param budgeted replicas should have answered: only so many may, or writes find no connection */
  async #onPrimary(read: Read, why: RouteReason, budgeted: boolean): Promise<ReadAttempt> {
    let released: (() => void) | undefined;
    if (budgeted) {
      if (this.#options.onNoReplica === 'error') {
        throw this.#noNode(undefined);
      }
      try {
        released = await this.#admit();
      } catch (error) {
        if (!(error instanceof FallbackRefused)) {
          throw error;
        }
        this.#emit('fallback.budget', { inUse: this.fallback.inUse, limit: error.limit, refused: true });
        const stale = this.#leastBehind(read);
        if (stale !== undefined) {
          return new ReadAttempt(stale, 'stale', new ReadLease(NOTHING), read.ensure);
        }
        throw this.#noNode(error);
      }
    }
    try {
      const node = this.#cluster.primary ?? (await this.#cluster.primaryForWrite());
      if (why === 'primary-refused' || why === 'primary-learned') {
        return new ReadAttempt(node, why, this.#writeLease(read.session), false);
      }
      const tellShown = read.consistency === 'monotonic' && this.#cluster.mode === 'lsn';
      return new ReadAttempt(node, why, new ReadLease({ floor: undefined, wait: 0, tellShown }, released), false);
    } catch (error) {
      released?.();
      const stale = this.#leastBehind(read);
      if (stale !== undefined) {
        return new ReadAttempt(stale, 'stale', new ReadLease(NOTHING), read.ensure);
      }
      throw error;
    }
  }

  async #admit(): Promise<() => void> {
    const { fallback } = this;
    if (this.#cluster.primary === undefined) {
      await this.#cluster.primaryForWrite();
    }
    if (fallback.waiting > 0) {
      this.#emit('fallback.budget', { inUse: fallback.inUse, limit: fallback.inUse, refused: false });
    }
    return await fallback.acquire();
  }

  /** For reads that promised nothing, where that is wanted. */
  #leastBehind({ consistency }: Read): Node | undefined {
    if (this.#options.onNoReplica !== 'stale' || consistency !== 'eventual') {
      return undefined;
    }
    return [...this.#cluster.nodes]
      .filter(node => node.health.state === 'lagging' && node.rejected === undefined)
      .sort((a, b) => (a.lag ?? Number.POSITIVE_INFINITY) - (b.lag ?? Number.POSITIVE_INFINITY))[0];
  }

  /** Nobody has got as far as a token says: perhaps nobody ever wrote so much. */
  async #forged({ session, consistency }: Read): Promise<boolean> {
    const { token } = session;
    if (typeof consistency === 'object' || token === undefined || token.lsn <= this.#cluster.newest) {
      return false;
    }
    await held(this.#cluster.refresh());
    if (
      token.timeline === this.#cluster.timeline &&
      this.#cluster.primary !== undefined &&
      token.lsn > this.#cluster.newest
    ) {
      session.forgetToken();
      this.#emit('token.rejected', { why: 'future' });
      return true;
    }
    return false;
  }

  #noNode(cause: unknown): ReplicaResolverError {
    const nodes = [...this.#cluster.nodes].map(({ name, health, lag }) => {
      return `${name}: ${health.state}${lag === undefined ? '' : ` (${Math.round(lag)} ms behind)`}, ${health.why}`;
    });
    return new ReplicaResolverError(
      'NO_ELIGIBLE_NODE',
      `A read needs a replica that may answer it, or a place on the primary, but there is none: ${nodes.join('; ')}. ` +
        'It may be tried again; if it lasts, raise fallbackShare or add a replica.',
      { cause, retryable: true },
    );
  }

  #answered(read: Read, attempt: ReadAttempt, number: number, began: number): void {
    const { node, lease } = attempt;
    this.#cluster.succeeded(node);
    const { reason } = attempt;
    this.routes.set(reason, (this.routes.get(reason) ?? 0) + 1);
    if (lease instanceof ReadLease && lease.shown !== undefined && this.#cluster.timeline !== undefined) {
      read.session.shown({ timeline: this.#cluster.timeline, lsn: lease.shown });
    }
    this.#channel.publish(() => ({
      node: node.name,
      role: node === this.#cluster.primary ? 'primary' : 'replica',
      reason,
      kind: read.kind,
      consistency: nameOf(read.consistency),
      attempt: number,
      took: performance.now() - began,
    }));
  }
}

function verdictOf(error: unknown, lease: Lease, kind: Read['kind'], role: 'primary' | 'replica'): Verdict {
  if (error instanceof PoolTimeout || error instanceof PoolReset) {
    return { action: 'other-node', severity: 'none' };
  }
  if (lease instanceof WriteLease && lease.sent) {
    return { action: 'surface', severity: 'none' };
  }
  // Of what is open only the beginning is tried here, and that changes nothing.
  const sent = lease.sent && kind !== 'open';
  return judge(error, { phase: sent ? 'sent' : 'connect', work: kind === 'open' ? 'begin' : 'read', role });
}

function isNoNode(error: unknown): boolean {
  return error instanceof ReplicaResolverError && error.code === 'NO_ELIGIBLE_NODE';
}

function after(ms: number): Promise<void> {
  return new Promise(resolve => void setTimeout(resolve, ms).unref());
}
