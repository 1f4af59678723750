import type { Cluster, Emit } from './cluster.ts';
import type { Consistency } from './consistency.ts';
import { DoubtedTokens } from './doubted-tokens.ts';
import { judge, type Verdict } from './failures.ts';
import { FallbackReads } from './fallback-reads.ts';
import { held } from './held.ts';
import { LearnedWrites } from './learned-writes.ts';
import { type Lsn, normaliseLsn } from './lsn.ts';
import type { Node } from './node.ts';
import type { ResolvedOptions } from './options.ts';
import { ReadAttempt } from './read-attempt.ts';
import { NotCaughtUp, ReadLease } from './read-lease.ts';
import { Course } from './read-course.ts';
import { type Needs, type OnReplica, nameOf, needsOf } from './read-needs.ts';
import { reportedError } from './reported-error.ts';
import { RetryBudget } from './retry-budget.ts';
import type { RouteChannel, RouteReason } from './route-channel.ts';
import { PoolReset, PoolTimeout } from './seam/node-pool.ts';
import { Selector } from './selection.ts';
import type { Session } from './session.ts';
import type { WriteLease } from './write-lease.ts';

/** A read that looks for a node. */
export interface Read {
  /** `open`: a transaction, a stream or a Kysely query, of which only the beginning can be made again. */
  readonly kind: 'statement' | 'open';
  readonly consistency: Consistency;
  readonly session: Session;
  /** Whatever it is made with, it is a part of what must not go back in time. */
  readonly remembers: boolean;
  /** Make sure before it is sent that the node shows enough, rather than with it. */
  readonly ensure: boolean;
  /** The statement, as far as it is known. */
  readonly text: string | undefined;
}

/** How long the first reads wait for a replica to be known, in ms. */
const START = 1_000;
const NONE: readonly Node[] = [];
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
  readonly #writeLease: () => WriteLease;
  readonly #doubted: DoubtedTokens;
  readonly fallback: FallbackReads;
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
    writeLease: () => WriteLease,
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
    this.fallback = new FallbackReads(cluster, options, emit);
    this.#doubted = new DoubtedTokens(cluster, emit, options.secret !== undefined);
    this.#starting = Promise.race([starting, after(START)]).then(() => void (this.#started = true));
  }

  /** Runs `send` with an attempt, and again with another one where that may help. */
  async read<T>(read: Read, send: (attempt: ReadAttempt) => Promise<T>): Promise<T> {
    const began = performance.now();
    const learned = read.text !== undefined && this.#learned.has(read.text);
    this.#retries.read();
    // The usual read: a replica is there, and nothing has to be waited for.
    const atOnce = this.#started && !learned && read.session.pending === undefined;
    const needs = atOnce ? this.#needsNow(read) : undefined;
    const first = needs === undefined || 'primary' in needs ? undefined : this.#toReplica(read, needs, NONE);
    let course: Course;
    if (first === undefined) {
      course = new Course(began, learned, this.#options.retries, needs);
    } else {
      try {
        const result = await send(first);
        this.#answered(read, first, 1, began);
        return result;
      } catch (error) {
        course = new Course(began, learned, this.#options.retries);
        await this.#again(read, course, first, error);
      }
    }
    if (!this.#started) {
      await held(this.#starting);
    }
    while (read.session.pending !== undefined) {
      await read.session.pending;
    }
    for (;;) {
      const attempt = await this.#choose(read, course);
      try {
        const result = await send(attempt);
        this.#answered(read, attempt, course.attempt, began);
        return result;
      } catch (error) {
        await this.#again(read, course, attempt, error);
      }
    }
  }

  /** Prepares another attempt. @throws `error` if there is to be none */
  async #again(read: Read, course: Course, attempt: ReadAttempt, error: unknown): Promise<void> {
    attempt.lease.released?.();
    if (error instanceof NotCaughtUp) {
      await this.#notCaughtUp(read, course, attempt.node, error);
    } else {
      await this.#failed(read, course, attempt, error);
    }
    course.attempt++;
  }

  async #notCaughtUp(read: Read, course: Course, node: Node, { behind }: NotCaughtUp): Promise<void> {
    this.#emit('stale.prevented', { node: node.name, behind: Number(behind) });
    course.tried.push(node);
    course.behind = true;
    // Of what a bound asks for no token is the reason.
    if (typeof read.consistency !== 'object' && (await this.#doubted.isForged(read.session))) {
      course.tried.length = 0;
    }
  }

  async #failed(read: Read, course: Course, { node, lease }: ReadAttempt, error: unknown): Promise<void> {
    const role = node === this.#cluster.primary ? 'primary' : 'replica';
    const verdict = verdictOf(error, lease, read.kind, role);
    this.#cluster.failed(node, error, verdict);
    course.full ||= error instanceof PoolTimeout;
    if (verdict.learn && read.text !== undefined) {
      this.#learned.add(read.text);
    }
    if (verdict.action === 'surface' || course.retriesLeft === 0 || course.took > this.#options.readDeadline) {
      throw error;
    }
    course.retriesLeft--;
    // A node that is down gets no more of them: that is no storm. The last one is for the server that is surest.
    course.last = course.retriesLeft === 0 || !(node.health.state === 'down' || this.#retries.take());
    if (course.last) {
      course.retriesLeft = 0;
    }
    course.refused = verdict.action === 'primary';
    if (role === 'replica') {
      course.tried.push(node);
    }
    this.#emit('read.retried', {
      from: node.name,
      to: course.refused ? 'the primary' : 'another node',
      why: reportedError(error),
      attempt: course.attempt + 1,
    });
  }

  async #choose(read: Read, course: Course): Promise<ReadAttempt> {
    if (course.refused) {
      return this.#toPrimary(
        read,
        await this.fallback.primary(course),
        course.learned ? 'primary-learned' : 'primary-refused',
      );
    }
    const needs = await this.#needs(read, course);
    if ('primary' in needs) {
      return this.#toPrimary(read, await this.fallback.primary(course), needs.primary);
    }
    for (;;) {
      const replica =
        course.last && this.#cluster.primary !== undefined ? undefined : this.#toReplica(read, needs, course.tried);
      if (replica !== undefined) {
        return replica;
      }
      if (this.#cluster.primary !== undefined && !this.#cluster.hasReplicas) {
        return this.#toPrimary(read, this.#cluster.primary, 'primary-only');
      }
      const fallback = await this.fallback.find(read.consistency, course);
      if (fallback !== undefined && 'stale' in fallback) {
        return new ReadAttempt(fallback.stale, 'stale', new ReadLease(NOTHING), read.ensure);
      }
      if (fallback !== undefined) {
        const why = course.behind ? 'primary-not-caught-up' : 'primary-no-replica';
        return this.#toPrimary(read, fallback.primary, why, fallback.released);
      }
    }
  }

  #toReplica(read: Read, { floor, tellShown }: OnReplica, tried: readonly Node[]): ReadAttempt | undefined {
    const { wait } = this.#options;
    const { servable } = this.#cluster;
    const candidates = tried.length === 0 ? servable : servable.filter(node => !tried.includes(node));
    for (const node of candidates) {
      // One that keeps up will have it in time: to prefer the one that is known to would send all reads to it.
      node.caughtUp =
        floor === undefined ? undefined : node.replayed.latest >= floor || (node.lag !== undefined && node.lag <= wait);
    }
    const node = this.#selector.pick(candidates);
    if (node === undefined) {
      return undefined;
    }
    const unlikely = node.caughtUp === false;
    const late = unlikely && (node.lag ?? 0) > HOPELESS * Math.max(1, wait);
    // One wait for all attempts: the second has had the time of the first.
    const patience = late || tried.length > 0 ? 0 : wait;
    const shown = tellShown || this.#remembers(read) ? this.#shown(read, node) : undefined;
    const needs = { floor, wait: patience, tellShown: shown !== undefined, unlikely, shown };
    return new ReadAttempt(node, 'replica', new ReadLease(needs), read.ensure);
  }

  #toPrimary(read: Read, node: Node, why: RouteReason, released?: () => void): ReadAttempt {
    const shown = this.#remembers(read) ? this.#shown(read, node) : undefined;
    const refused = why === 'primary-refused' || why === 'primary-learned';
    const needs = {
      floor: undefined,
      wait: 0,
      tellShown: shown !== undefined,
      shown,
      writes: this.#writeLease(),
      refused,
    };
    return new ReadAttempt(node, why, new ReadLease(needs, released), false);
  }

  /** What a session that must not go back in time has seen, whatever the single read was made with. */
  #remembers({ remembers, consistency }: Read): boolean {
    return this.#cluster.mode === 'lsn' && (remembers || consistency === 'monotonic');
  }

  #shown({ session }: Read, node: Node): (lsn: Lsn) => void {
    return lsn => {
      const { timeline } = this.#cluster;
      if (timeline !== undefined) {
        session.shown({ timeline, lsn: normaliseLsn(lsn, node.observation?.walSegmentSize ?? 16_777_216) });
      }
    };
  }

  async #needs(read: Read, course: Course): Promise<Needs> {
    let needs = course.takeNeeds() ?? this.#needsNow(read);
    while ('primary' in needs && needs.unheardOf !== undefined) {
      await this.#doubted.ofNewTimeline(read.session, needs.unheardOf);
      needs = this.#needsNow(read);
    }
    if ('primary' in needs && needs.primary === 'primary-not-caught-up') {
      // Bounded staleness, and no position is new enough: one is asked for.
      await held(this.#cluster.refresh());
      needs = this.#needsNow(read);
    }
    return needs;
  }

  #needsNow({ consistency, session }: Read): Needs {
    const { tokenTtl, pin, secret } = this.#options;
    return needsOf(consistency, session, this.#cluster, { tokenTtl, pin, signed: secret !== undefined }, this.#emit);
  }

  #answered(read: Read, { node, reason }: ReadAttempt, attempt: number, began: number): void {
    this.#cluster.succeeded(node);
    this.routes.set(reason, (this.routes.get(reason) ?? 0) + 1);
    this.#channel.publish(() => ({
      node: node.name,
      role: node === this.#cluster.primary ? 'primary' : 'replica',
      reason,
      kind: read.kind,
      consistency: nameOf(read.consistency),
      attempt,
      took: performance.now() - began,
    }));
  }
}

function verdictOf(error: unknown, lease: ReadLease, kind: Read['kind'], role: 'primary' | 'replica'): Verdict {
  if (error instanceof PoolTimeout || error instanceof PoolReset) {
    return { action: 'other-node', severity: 'none' };
  }
  if (lease.mayHaveWritten) {
    return { action: 'surface', severity: 'none' };
  }
  // Of what is open only the beginning is tried here, and that changes nothing.
  const sent = lease.sent && kind !== 'open';
  return judge(error, { phase: sent ? 'sent' : 'connect', work: kind === 'open' ? 'begin' : 'read', role });
}

function after(ms: number): Promise<void> {
  return new Promise(resolve => void setTimeout(resolve, ms).unref());
}
