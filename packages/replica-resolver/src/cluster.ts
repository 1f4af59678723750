import { backoff } from './backoff.ts';
import { ReplicaResolverError } from './errors.ts';
import type { ResolverEvents } from './events.ts';
import type { Verdict } from './failures.ts';
import { Leadership } from './leadership.ts';
import { type Lsn, normaliseLsn } from './lsn.ts';
import { Lookout } from './lookout.ts';
import { Membership } from './membership.ts';
import { Node, type NodeSpec } from './node.ts';
import { type NodeEvent, type NodeSettings, serves, step } from './node-state.ts';
import type { ResolvedOptions } from './options.ts';
import type { Observation } from './probe.ts';
import { PrimaryWaiters } from './primary-waiters.ts';
import { ReplicationLag } from './replication-lag.ts';
import { messageOf, reportedError } from './reported-error.ts';
import { WriteLease } from './write-lease.ts';

/** Tells what happens. */
export type Emit = <Name extends keyof ResolverEvents>(name: Name, event: ResolverEvents[Name]) => void;

/** However many ask, there is a question to the primary only so often, in ms. */
const REFRESH = 10;
/** A timeline that only a token tells of is looked for so long at the most, in ms: whoever made it up must not hold reads. */
const LOOK = 750;
const AGAIN = 100;
/** So long after the start all nodes are new: none is spared (no slow start), in ms. */
const COLD = 5_000;

/** The servers, who of them takes writes, and how far the others are behind. */
export class Cluster {
  readonly #options: ResolvedOptions;
  readonly #emit: Emit;
  readonly #settings: NodeSettings;
  readonly #nodes = new Map<string, Node>();
  readonly #lookout: Lookout;
  readonly #lag: ReplicationLag;
  readonly #membership = new Membership();
  readonly #waiters: PrimaryWaiters;
  readonly #leadership: Leadership;
  #newest: Lsn = 0n;
  #mode: 'lsn' | 'time' = 'lsn';
  #servable: Node[] = [];
  /** The primary when a change was told last. */
  #told: Node | undefined;
  #change: PromiseWithResolvers<void> = Promise.withResolvers();
  readonly #startedAt: number = performance.now();
  #refreshedAt = Number.NEGATIVE_INFINITY;
  #stopped = false;

  constructor(specs: readonly NodeSpec[], options: ResolvedOptions, emit: Emit) {
    this.#options = options;
    this.#emit = emit;
    this.#settings = {
      maxLag: options.maxLag,
      slowStart: options.slowStart,
      backoff: attempt => backoff(attempt),
    };
    this.#lag = new ReplicationLag(options.maxLag);
    this.#waiters = new PrimaryWaiters(options.writeHold);
    this.#lookout = new Lookout(options, {
      observed: (node, observation, rtt, at) => this.#observed(node, observation, rtt, at),
      missed: (node, error) => this.#missed(node, error),
      hasPrimary: () => this.#leadership.primary !== undefined,
    });
    specs.forEach(spec => this.add(spec));
    const assumed = [...this.#nodes.values()].find(node => node.spec.configured === 'primary');
    this.#told = assumed;
    this.#leadership = new Leadership(assumed, {
      emit,
      apply: (node, event) => this.#apply(node, event),
      switched: (node, sameHistory) => this.#switched(node, sameHistory),
      lost: () => {
        this.#changed();
        void this.wakeAll();
      },
      timelineChanged: () => this.#changed(),
    });
  }

  get nodes(): IterableIterator<Node> {
    return this.#nodes.values();
  }

  get primary(): Node | undefined {
    return this.#leadership.primary;
  }

  /** Replicas that may get reads, whatever they need to show. */
  get servable(): readonly Node[] {
    return this.#servable;
  }

  /** Whether there is any node beside the primary. */
  get hasReplicas(): boolean {
    return this.#nodes.size > (this.#leadership.primary === undefined ? 0 : 1);
  }

  get mode(): 'lsn' | 'time' {
    return this.#mode;
  }

  get timeline(): number | undefined {
    return this.#leadership.timeline;
  }

  /** The digest that tokens carry; `undefined` until a node has told. */
  get id(): string | undefined {
    return this.#membership.cluster;
  }

  /** The newest position that the primary is known to have written. */
  get newest(): Lsn {
    return this.#newest;
  }

  get heldWrites(): number {
    return this.#waiters.size;
  }

  /** A position at or after everything that was committed before `at` (ms of `performance.now()`); `undefined`: not known. */
  floorSince(at: number): Lsn | undefined {
    return this.#lag.floorSince(at);
  }

  /** What was surely common to `timeline` and the one after it. */
  switchpointAfter(timeline: number): Lsn | undefined {
    return this.#leadership.switchpointAfter(timeline);
  }

  node(name: string): Node | undefined {
    return this.#nodes.get(name) ?? [...this.#nodes.values()].find(node => node.spec.address === name);
  }

  add(spec: NodeSpec): void {
    const node: Node = new Node(
      spec,
      replayed =>
        spec.openPool(
          replayed,
          () => void this.wake(node),
          error => this.#lostIdle(node, error),
          () => node.needsReadCommitted,
        ),
      this.#settings,
      performance.now(),
    );
    this.#nodes.set(spec.name, node);
    this.#lookout.add(node);
  }

  /** Takes a node out: no more reads, and its connections end when they are idle. */
  remove(name: string): void {
    const node = this.#nodes.get(name);
    if (node === undefined || node === this.#leadership.primary) {
      return;
    }
    this.#nodes.delete(name);
    this.#lookout.remove(node);
    this.#changed();
    void node.pool.end(DRAIN);
  }

  /** Begins to look. Resolves when each node has answered or failed once. */
  async start(): Promise<void> {
    await this.wakeAll();
    // Of replicas that were asked before the primary had answered it is not known how far behind they are.
    const unclear = [...this.#nodes.values()].filter(
      ({ observation, health }) => observation !== undefined && health.state === 'unknown',
    );
    if (!this.#stopped) {
      await Promise.all(unclear.map(node => this.wake(node)));
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#lookout.stop();
    this.#waiters.rejectAll(
      new ReplicaResolverError('NO_PRIMARY', 'A write was waiting for a primary when the ORM was closed.'),
    );
    this.#tellChange();
    await Promise.all([...this.#nodes.values()].map(node => node.pool.end(DRAIN)));
  }

  /** Looks at a node now. */
  async wake(node: Node): Promise<void> {
    await this.#lookout.wake(node);
  }

  /** Looks at all nodes now. */
  async wakeAll(): Promise<void> {
    await this.#lookout.wakeAll();
  }

  /** Asks the primary where it is, in a question that is sent after this call; many callers are one question. */
  async refresh(): Promise<void> {
    const primary = this.#leadership.primary;
    if (primary === undefined) {
      return;
    }
    const wait = this.#refreshedAt + REFRESH - performance.now();
    if (wait > 0) {
      await after(wait);
    }
    this.#refreshedAt = performance.now();
    await this.#lookout.fresh(primary);
  }

  /**
   * Looks for a timeline that somebody else knows of, for 750 ms at the most, or `writeHold` if that is less. Only answers
   * to questions that were sent after this call count.
   * @returns whether it is known now; `undefined`: not, and not all nodes have answered
   */
  async hasHeardOf(timeline: number): Promise<boolean | undefined> {
    const deadline = performance.now() + Math.min(this.#options.writeHold, LOOK);
    const late = after(deadline - performance.now());
    for (;;) {
      // One that hangs is not waited for beyond the deadline.
      const answered = await Promise.race([this.#lookout.freshAll().then(() => true), late]);
      if ((this.#leadership.timeline ?? 0) >= timeline) {
        return true;
      }
      const all = [...this.#nodes.values()].every(
        ({ health }) => health.state !== 'down' && health.state !== 'suspect',
      );
      if (answered === true && all) {
        return false;
      }
      if (answered !== true || performance.now() >= deadline) {
        return undefined;
      }
      await Promise.race([after(AGAIN), late]);
    }
  }

  /**
   * Resolves when the primary or the servable replicas are others than now, or when it is stopped. No timer: combine it with
   * the deadline of whoever waits.
   */
  nextChange(): Promise<void> {
    return this.#change.promise;
  }

  /** The primary, or the one that will be it within `writeHold`. @throws ReplicaResolverError NO_PRIMARY */
  primaryForWrite(): Node | Promise<Node> {
    return this.#leadership.primary ?? this.#waiters.wait();
  }

  /** A commit of this process. @param lsn as the server said it */
  committed(lsn: Lsn): { readonly cluster: string; readonly timeline: number; readonly lsn: Lsn } | undefined {
    const node = this.#leadership.primary;
    const normalised = normaliseLsn(lsn, node?.observation?.walSegmentSize ?? 16_777_216);
    if (normalised > this.#newest) {
      this.#newest = normalised;
    }
    const { cluster } = this.#membership;
    return cluster === undefined || this.#leadership.timeline === undefined
      ? undefined
      : { cluster, timeline: this.#leadership.timeline, lsn: normalised };
  }

  succeeded(node: Node): void {
    node.reads++;
    const { health } = node;
    const next = step(health, { type: 'success' }, 0, this.#settings);
    if (next !== health) {
      this.#apply(node, { type: 'success' });
    }
  }

  /** A statement or a connection of a user failed. */
  failed(node: Node, error: unknown, { severity, shuttingDown }: Verdict): void {
    if (severity === 'none' && !shuttingDown) {
      return;
    }
    const why = reportedError(error);
    node.lastError = why;
    if (shuttingDown) {
      this.#apply(node, { type: 'shutting-down', why });
    } else if (severity !== 'none') {
      this.#apply(node, { type: 'fault', severity, why });
    }
    void this.wake(node);
    if (node === this.#leadership.primary || this.#leadership.primary === undefined) {
      void this.wakeAll();
    }
  }

  drain(node: Node, drained: boolean): void {
    this.#apply(node, { type: drained ? 'drain' : 'undrain' });
  }

  #observed(node: Node, observation: Observation, rtt: number, at: number): void {
    const moved = node.observation?.timeline !== observation.timeline;
    if (node.observation === undefined && node.pool.max >= observation.maxConnections) {
      this.#emit('warning', {
        message:
          `The pool of ${node.name} may hold ${node.pool.max} connections, but its server takes ${observation.maxConnections} ` +
          'from all processes together, and one is for the probes. Lower max, or raise max_connections.',
      });
    }
    node.observation = observation;
    node.measured(rtt);
    if (observation.inRecovery && observation.server !== undefined && observation.lsn !== undefined) {
      node.replayed.note(observation.server, observation.lsn, at);
    }
    node.position =
      observation.lsn === undefined ? undefined : normaliseLsn(observation.lsn, observation.walSegmentSize);
    this.#judgeMode();
    if (!this.#belongs(node, observation)) {
      return;
    }
    if (observation.inRecovery && node.health.state === 'fenced') {
      this.#apply(node, { type: 'unfence' });
    }
    this.#leadership.elect(this.#nodes.values(), node);
    if (node === this.#leadership.primary) {
      if (node.position !== undefined) {
        this.#lag.primaryWasAt(at, node.position);
        this.#newest = node.position > this.#newest ? node.position : this.#newest;
      }
      this.#apply(node, { type: 'beat', role: 'primary', lag: 0 });
    } else {
      this.#measureLag(node, at);
      this.#apply(node, {
        type: 'beat',
        role: observation.inRecovery ? 'replica' : 'primary',
        lag: this.#mode === 'time' ? 0 : node.lag,
        cold: performance.now() - this.#startedAt < COLD,
        wanted: this.#leadership.primary === undefined && this.#servable.length === 0,
      });
      if (node.health.state === 'warming' || node.health.state === 'up') {
        void node.pool.warm().catch(() => undefined);
      }
    }
    if (moved) {
      this.#changed();
    }
  }

  /** Whether a node is what it should be. */
  #belongs(node: Node, observation: Observation): boolean {
    const { leader } = this.#leadership;
    const why = this.#membership.objectionTo(node, observation, this.#nodes.values(), leader, this.#mode);
    if (why === undefined) {
      node.rejected = undefined;
      return true;
    }
    if (node.rejected !== why) {
      node.rejected = why;
      this.#emit('node.rejected', { node: node.name, why });
      this.#apply(node, { type: 'fence', why });
    }
    return false;
  }

  #switched(node: Node, sameHistory: boolean): void {
    if (!sameHistory) {
      this.#lag.forgetPrimary();
    }
    this.#newest = 0n;
    this.#changed();
    this.#waiters.resolveAll(node);
    void this.wakeAll();
  }

  #measureLag(node: Node, at: number): void {
    if (node.observation?.inRecovery === true && node.position !== undefined) {
      node.replayedBefore = node.position;
    }
    const { ms, bytes, relative } = this.#lag.replicaWasAt(
      at,
      node.position,
      this.#leadership.primary?.health.state === 'primary',
    );
    node.lag = ms;
    node.lagBytes = bytes;
    node.lagRelative = relative;
  }

  #missed(node: Node, error: unknown): void {
    node.lastError = messageOf(error);
    this.#apply(node, { type: 'missed', why: node.lastError });
  }

  #lostIdle(node: Node, error: Error): void {
    node.lastError = error.message;
    void this.wake(node);
  }

  /**
   * Only time can tell where the primary does not tell its positions, or, while it was never heard of, nobody does. A replica
   * that does not tell what the primary does is no reason to do without it for all.
   */
  #judgeMode(): void {
    const { leader } = this.#leadership;
    const heard = [...this.#nodes.values()].filter(node => node.observation !== undefined);
    const asked = leader === undefined || leader.observation !== undefined || leader.lastError !== undefined;
    const silent = leader?.observation !== undefined ? [leader] : heard;
    const mode = asked && silent.every(isSilent) ? 'time' : 'lsn';
    if (mode === this.#mode) {
      return;
    }
    this.#mode = mode;
    if (mode === 'time') {
      const node = silent[0]!;
      this.#emit('time-mode', { why: `${node.name} does not tell positions: ${node.silent ?? 'they are null'}` });
    }
    this.#changed();
    // What each of them may be used for is another matter now.
    void this.wakeAll();
  }

  #apply(node: Node, event: NodeEvent): void {
    const before = node.health;
    const health = step(before, event, performance.now(), this.#settings);
    node.health = health;
    if (health.state !== before.state) {
      this.#emit('node.state', { node: node.name, from: before.state, to: health.state, why: health.why });
      if (health.state === 'down' || health.state === 'fenced') {
        if (node === this.#leadership.primary && health.state === 'down') {
          // It may be slow rather than gone, and transactions cannot be begun again elsewhere: until there is another primary.
          node.pool.reset(health.why, client => client.lease instanceof WriteLease);
        } else {
          node.pool.reset(health.why);
        }
        if (node === this.#leadership.primary) {
          this.#leadership.lose(node, health.why);
        }
      }
      if (health.state === 'suspect') {
        void this.wake(node);
      }
      this.#changed();
    }
  }

  #changed(): void {
    const before = this.#servable;
    this.#servable = [...this.#nodes.values()].filter(
      node =>
        node !== this.#leadership.primary &&
        serves(node.health.state) &&
        node.rejected === undefined &&
        this.#follows(node),
    );
    const same =
      this.#servable.length === before.length && this.#servable.every((node, index) => node === before[index]);
    if (!same || this.#leadership.primary !== this.#told) {
      this.#told = this.#leadership.primary;
      this.#tellChange();
    }
  }

  #tellChange(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }

  /** Whether a replica is known to be on the primary's timeline: the same position on another one is other data (T3). */
  #follows(node: Node): boolean {
    return (
      this.#mode === 'time' ||
      this.#leadership.timeline === undefined ||
      node.observation?.timeline === this.#leadership.timeline
    );
  }
}

/** How long the pool of a node that is taken out waits for what is under way, in ms. */
const DRAIN = 10_000;

function after(ms: number): Promise<void> {
  return new Promise(resolve => void setTimeout(resolve, ms).unref());
}

function isSilent({ observation }: Node): boolean {
  return observation?.system === undefined || observation.lsn === undefined;
}
