import { AsyncLocalStorage } from 'node:async_hooks';
import type { MikroORM } from '@mikro-orm/core';
import type { Emit } from './cluster.ts';
import { shown } from './checks.ts';
import type { Consistency } from './consistency.ts';
import { OptionsError, ReplicaResolverError } from './errors.ts';
import type { ResolverEvents } from './events.ts';
import type { Node } from './node.ts';
import { checkConsistency, type ReplicaResolverOptions, resolveOptions, type ResolvedOptions } from './options.ts';
import type { ReplicaResolver, Scope } from './resolver.ts';
import { Events } from './resolver-events.ts';
import { notRegistered, RoutedOrm } from './routed-orm.ts';
import { Seam, type Takeover } from './seam.ts';
import type { PoolCounts } from './seam/node-pool.ts';
import { type Session, Sessions } from './session.ts';
import { type Snapshot, snapshotOf } from './snapshot.ts';
import { Topology } from './topology.ts';
import { decodeToken, encodeToken } from './token-text.ts';
import { mergeTokens } from './token.ts';

/**
 * Sends reads to replicas that are healthy and show enough, and writes to whichever server takes them.
 *
 * ```ts
 * const resolver = replicaResolver({ maxLag: 5_000 });
 * MikroORM.init({ clientUrl, replicas: [{ clientUrl: replicaUrl }], extensions: [resolver], … });
 * ```
 *
 * One resolver is for one ORM.
 * @throws OptionsError for an option that cannot be what was meant
 */
export function replicaResolver(options?: ReplicaResolverOptions): ReplicaResolver {
  return new Resolver(resolveOptions(options));
}

class Resolver implements ReplicaResolver {
  readonly #options: ResolvedOptions;
  readonly #sessions = new Sessions();
  readonly #events = new Events();
  #seam: Seam | undefined;
  #routed: RoutedOrm | undefined;
  /** Until something is asked of the ORM again: what there was when it was closed. */
  #closed: { readonly routed: RoutedOrm | undefined } | undefined;
  #topology: Topology | undefined;
  /** By name: a reconnect, or a topology, makes other nodes. */
  readonly #drained = new Set<string>();
  /** What goes on for as long as the ORM is no part of the request that happens to be the first. */
  readonly #outside: <T>(fn: () => T) => T = AsyncLocalStorage.snapshot();

  constructor(options: ResolvedOptions) {
    this.#options = options;
  }

  register(orm: MikroORM): void {
    if (this.#seam !== undefined) {
      throw new ReplicaResolverError(
        'ARGUMENT',
        'A resolver routes one ORM, but was given a second one. Make another: extensions: [replicaResolver()].',
      );
    }
    const seam = new Seam(orm);
    this.#seam = seam;
    const routed = (): RoutedOrm => this.#start();
    // Wrong settings are told of now, not with the first query.
    seam.specs(this.#options).configured(() => undefined);
    const takeover: Takeover = {
      read: (read, chosen, send) => routed().read(read, chosen, send),
      open: (consistency, begin) => routed().open(consistency, begin),
      write: send => routed().write(send),
      get routed() {
        return routed().routed;
      },
      reading: { connect: () => routed().connectToRead(), counts: () => this.#counts('replica') },
      writing: { connect: () => routed().connectToWrite(), counts: () => this.#counts('primary') },
      defaultsToPrimary: this.#options.consistency === 'strong',
      withConsistency: (consistency, fn) => this.#sessions.runWith(consistency, fn),
      close: () => this.#close(),
    };
    seam.install(takeover);
  }

  run<T>(scope: Scope, fn: () => T): T {
    if (typeof scope !== 'object' || scope === null || typeof fn !== 'function') {
      throw new ReplicaResolverError(
        'ARGUMENT',
        `run() takes a scope and a function, but got: ${shown(scope)}, ${shown(fn)}. Call run({}, () => …).`,
      );
    }
    const consistency =
      scope.consistency === undefined ? undefined : checkConsistency('consistency', scope.consistency);
    const session = this.#sessions.open(consistency);
    this.#advance(session, scope.token);
    if (scope.key !== undefined) {
      this.#useStore(session, scope.key);
    }
    return this.#sessions.run(session, fn);
  }

  withConsistency<T>(consistency: Consistency, fn: () => T): T {
    return this.#sessions.runWith(checkConsistency('consistency', consistency), fn);
  }

  token(): string | undefined {
    return this.#textOf(this.#sessions.current);
  }

  wrote(): boolean {
    return this.#sessions.current.wrote;
  }

  advance(token: string | null | undefined): void {
    this.#advance(this.#sessions.current, token, true);
  }

  snapshot(): Snapshot {
    const known = this.#known();
    return known === undefined ? NEVER_OPENED : snapshotOf(known.cluster, known.router);
  }

  drain(node: string): void {
    this.#drain(node, true);
  }

  undrain(node: string): void {
    this.#drain(node, false);
  }

  on<Name extends keyof ResolverEvents>(event: Name, listener: (event: ResolverEvents[Name]) => void): () => void {
    if (typeof listener !== 'function') {
      throw new ReplicaResolverError(
        'ARGUMENT',
        `on() takes the name of an event and a function, but got: ${shown(listener)}.`,
      );
    }
    return this.#events.on(event, listener);
  }

  async ready(timeout = 5_000): Promise<void> {
    const { cluster, starting } = this.#start();
    const deadline = performance.now() + timeout;
    await within(timeout, Promise.all([starting, this.#topology?.first]));
    while (cluster.primary?.observation === undefined) {
      if (performance.now() >= deadline) {
        const nodes = [...cluster.nodes].map(({ name, health }) => `${name}: ${health.state}, ${health.why}`);
        throw new ReplicaResolverError(
          'NO_PRIMARY',
          `ready() waits until the primary is known, but after ${timeout} ms: ${nodes.join('; ')}.`,
          { retryable: true },
        );
      }
      await sleep(10);
    }
  }

  #start(): RoutedOrm {
    if (this.#routed === undefined) {
      if (this.#seam === undefined) {
        throw notRegistered();
      }
      const specs = this.#seam.specs(this.#options);
      const emit: Emit = (name, event) => this.#events.emit(name, event);
      const configured = specs.configured(message => emit('warning', { message }));
      const routed = this.#outside(() => new RoutedOrm(configured, this.#options, this.#sessions, emit));
      this.#routed = routed;
      this.#closed = undefined;
      const { cluster } = routed;
      const added = (node: Node): void => {
        if (this.#drained.has(node.name)) {
          cluster.drain(node, true);
        }
      };
      [...cluster.nodes].forEach(added);
      this.#topology = this.#outside(() => Topology.start(this.#options, cluster, specs, emit, added));
    }
    return this.#routed;
  }

  async #close(): Promise<void> {
    const routed = this.#routed;
    this.#routed = undefined;
    this.#closed = { routed: routed ?? this.#closed?.routed };
    this.#topology?.stop();
    this.#topology = undefined;
    await routed?.stop();
  }

  /** For what only looks: nothing begins once the ORM is closed. @returns `undefined` when it was closed without ever beginning */
  #known(): RoutedOrm | undefined {
    return this.#closed === undefined ? this.#start() : this.#closed.routed;
  }

  #drain(name: string, drained: boolean): void {
    const cluster = this.#known()?.cluster;
    const node = cluster?.node(name);
    if (cluster === undefined || node === undefined) {
      const names = [...(cluster?.nodes ?? [])].map(each => each.name).join(', ');
      throw new OptionsError(
        'node',
        `drain() and undrain() take the name or host:port of a node (${names}), but got: ${shown(name)}.`,
      );
    }
    cluster.drain(node, drained);
    if (drained) {
      this.#drained.add(node.name);
    } else {
      this.#drained.delete(node.name);
    }
  }

  #advance(session: Session, text: unknown, written = false): void {
    if (text === undefined || text === null || text === '') {
      return;
    }
    const { secret, tokenTtl } = this.#options;
    const decoded = decodeToken(typeof text === 'string' ? text : '', {
      cluster: this.#routed?.cluster.id,
      secret,
      now: Date.now(),
      ttl: tokenTtl,
    });
    if ('rejected' in decoded) {
      this.#events.emit('token.rejected', { why: decoded.rejected });
    } else if (decoded.token.lsn === 0n && secret !== undefined) {
      // A commit whose position nobody knows. Apart from positions, or the next one would cover it.
      const { at } = decoded.token;
      void session.pin(performance.now() + tokenTtl - (Date.now() - at), at, written);
    } else if (written) {
      session.received(decoded.token);
    } else {
      session.advance(decoded.token);
    }
  }

  #textOf(session: Session): string | undefined {
    const { secret } = this.#options;
    const own = session.own(this.#options.tokenTtl);
    const token = mergeTokens(own, session.given);
    const { pinnedUntil, pinnedAt } = session;
    if (pinnedUntil > performance.now() && !(own !== undefined && own.at >= pinnedAt)) {
      // Where it is is not known: whoever gets this reads on the primary for as long.
      const cluster = token?.cluster ?? this.#routed?.cluster.id ?? UNKNOWN_CLUSTER;
      const timeline = token?.timeline ?? this.#routed?.cluster.timeline ?? 1;
      return encodeToken({ cluster, timeline, lsn: 0n, at: pinnedAt }, secret);
    }
    return token && encodeToken(token, secret);
  }

  #useStore(session: Session, key: string): void {
    const { tokenStore, tokenTtl } = this.#options;
    if (tokenStore === undefined) {
      throw new ReplicaResolverError(
        'ARGUMENT',
        'run({ key }) reads the token of the key from a tokenStore, but the resolver has none. Pass replicaResolver({ tokenStore: redisTokenStore(client) }).',
      );
    }
    session.waitFor(
      tokenStore.get(key).then(
        token => this.#advance(session, token),
        () => {
          // It is not known what the session must see.
          void session.pin(performance.now() + tokenTtl, Date.now(), false);
        },
      ),
    );
    session.publish = async () => {
      const text = this.#textOf(session);
      if (text !== undefined) {
        await tokenStore.raise(key, text, tokenTtl).catch((error: unknown) => {
          this.#events.emit('warning', {
            message: `The token store did not take a token: ${(error as Error).message}`,
          });
        });
      }
    };
  }

  #counts(role: 'primary' | 'replica'): PoolCounts {
    const sum = { total: 0, idle: 0, waiting: 0, max: 0 };
    // Whoever counts connections does not want one.
    const cluster = this.#routed?.cluster;
    for (const node of cluster?.nodes ?? []) {
      if ((node === cluster?.primary) === (role === 'primary')) {
        const { total, idle, waiting, max } = node.pool.counts;
        sum.total += total;
        sum.idle += idle;
        sum.waiting += waiting;
        sum.max += max;
      }
    }
    return sum;
  }
}

/** In tokens of a process that has not heard from its cluster yet. */
const UNKNOWN_CLUSTER = '000000000000';

/** Of an ORM that was closed without a query. */
const NEVER_OPENED: Snapshot = {
  mode: 'lsn',
  cluster: undefined,
  timeline: undefined,
  primary: undefined,
  nodes: [],
  fallback: { inUse: 0, waiting: 0, limit: 0 },
  heldWrites: 0,
  routes: {},
};

/** Waits for it, but no longer than so many ms. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise(resolve => void (timer = setTimeout(resolve, ms)));
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise(resolve => void setTimeout(resolve, ms));
}
