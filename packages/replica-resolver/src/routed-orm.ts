import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, type Emit } from './cluster.ts';
import { positionNow, resolvedOutcome } from './commit-outcome.ts';
import type { Consistency } from './consistency.ts';
import { CommitOutcomeUnknownError, ReplicaResolverError } from './errors.ts';
import { judge } from './failures.ts';
import { held } from './held.ts';
import type { Lsn } from './lsn.ts';
import type { Node, NodeSpec } from './node.ts';
import type { ResolvedOptions } from './options.ts';
import type { ReadAttempt } from './read-attempt.ts';
import { type Read, ReadRouter } from './read-router.ts';
import type { ReadLease } from './read-lease.ts';
import { RouteChannel } from './route-channel.ts';
import { PoolReset } from './seam/node-pool.ts';
import type { NodeClient } from './seam/node-client.ts';
import type { Session, Sessions } from './session.ts';
import { WriteAttempt } from './write-attempt.ts';
import { WriteLease, type Writers } from './write-lease.ts';

/** While the primary has no room for another connection, it is asked again after this, in ms. */
const AGAIN = 50;

/** One ORM's servers, from its first connection to its close; a reconnect makes another one. */
export class RoutedOrm {
  readonly cluster: Cluster;
  readonly router: ReadRouter;
  readonly #options: ResolvedOptions;
  readonly #sessions: Sessions;
  readonly #channel = new RouteChannel();
  readonly #attempts = new AsyncLocalStorage<ReadAttempt | WriteAttempt>();
  readonly starting: Promise<void>;
  #stopped = false;

  constructor(specs: readonly NodeSpec[], options: ResolvedOptions, sessions: Sessions, emit: Emit) {
    this.#options = options;
    this.#sessions = sessions;
    this.cluster = new Cluster(specs, options, emit);
    this.starting = this.cluster.start();
    this.router = new ReadRouter(this.cluster, options, emit, this.#channel, this.starting, () =>
      this.#writeLease(this.cluster.primary!),
    );
  }

  /** Runs a statement that reads, where it should be run; `send` may be called again. */
  read<T>(
    read: {
      readonly consistency: Consistency | undefined;
      readonly text: string | undefined;
      readonly ensure: boolean;
    },
    routed: (node: string) => void,
    send: () => Promise<T>,
  ): Promise<T> {
    return this.router.read(this.#read('statement', read), attempt => {
      routed(attempt.node.name);
      return this.#attempts.run(attempt, send);
    });
  }

  /** Whether what is running has its node already. */
  get routed(): boolean {
    return this.#attempts.getStore()?.type === 'read';
  }

  /** Runs the beginning of what is open: a transaction or a stream. */
  open<T>(consistency: Consistency | undefined, begin: () => Promise<T>): Promise<T> {
    const read = this.#read('open', { consistency, text: undefined, ensure: true });
    return this.router.read(read, attempt => this.#attempts.run(attempt, begin));
  }

  /** Runs a statement that may write; again if it was not sent, or to a server that turned out to be a standby. */
  async write<T>(send: () => Promise<T>): Promise<T> {
    for (let again = false; ; again = true) {
      const attempt = new WriteAttempt();
      try {
        return await this.#attempts.run(attempt, send);
      } catch (error) {
        const { lease } = attempt;
        if (again || lease === undefined) {
          throw error;
        }
        const verdict = judge(error, { phase: lease.sent ? 'sent' : 'connect', work: 'write', role: 'primary' });
        const { primary } = this.cluster;
        if (primary !== undefined) {
          this.cluster.failed(primary, error, verdict);
        }
        // Whatever the error is: what was sent may have been done, and errors may be raised by a procedure that has committed.
        if (lease.sent || verdict.action !== 're-resolve') {
          throw error;
        }
        await held(this.cluster.wakeAll());
      }
    }
  }

  /** A connection for whoever asks the pool of the read side. */
  connectToRead(): Promise<NodeClient> {
    const attempt = this.#attempts.getStore();
    if (attempt?.type === 'read') {
      return connectFor(attempt);
    }
    // Nobody routes it: a Kysely of the user's.
    const read = this.#read('open', { consistency: undefined, text: undefined, ensure: true });
    return this.#attempts.exit(() => this.router.read(read, connectFor));
  }

  /** A connection for whoever asks the pool of the write side: to the primary, waited for if there is none. */
  async connectToWrite(): Promise<NodeClient> {
    const deadline = performance.now() + this.#options.writeHold;
    for (;;) {
      const node = await this.cluster.primaryForWrite();
      try {
        const lease = this.#writeLease(node);
        const client = await node.pool.connect(lease);
        const attempt = this.#attempts.getStore();
        if (attempt?.type === 'write') {
          attempt.lease = lease;
        }
        this.#channel.publish(() => ({
          node: node.name,
          role: 'primary',
          reason: 'primary',
          kind: attempt === undefined ? 'open' : 'statement',
          consistency: 'strong',
          attempt: 1,
          took: 0,
        }));
        return client;
      } catch (error) {
        const verdict = judge(error, { phase: 'connect', work: 'write', role: 'primary' });
        this.cluster.failed(node, error, verdict);
        const again = error instanceof PoolReset || verdict.action === 're-resolve';
        if (this.#stopped || !again || isRefusal(error) || performance.now() >= deadline) {
          throw error;
        }
        if (this.cluster.primary === node) {
          await sleep(AGAIN);
        }
      }
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.cluster.stop();
  }

  #read(
    kind: Read['kind'],
    { consistency, text, ensure }: { consistency: Consistency | undefined; text: string | undefined; ensure: boolean },
  ): Read {
    const sessions = this.#sessions;
    return {
      kind,
      ensure,
      text,
      consistency: consistency ?? sessions.consistency ?? this.#options.consistency,
      remembers: (sessions.consistency ?? this.#options.consistency) === 'monotonic',
      session: sessions.current,
    };
  }

  #writeLease(node: Node): WriteLease {
    const { cluster } = this;
    return new WriteLease({
      positions: cluster.mode === 'lsn',
      resolveOutcome: this.#options.resolveCommits,
      session: () => this.#sessions.current,
      committed: (writers, lsn) => this.#committed(writers, lsn),
      lost: async (writers, error, id) => {
        await this.#committed(writers, undefined);
        if (cluster.mode === 'lsn') {
          // This process stays on the primary for a while; others can be told where it must have been.
          await this.#committed(writers, await positionNow(cluster));
        }
        const outcome = id === undefined ? 'unknown' : await resolvedOutcome(cluster, node, id);
        return outcome === 'committed'
          ? undefined
          : outcome === 'aborted'
            ? (error as Error)
            : new CommitOutcomeUnknownError(node.name, { cause: error, transactionId: id });
      },
    });
  }

  async #committed(writers: Writers, lsn: Lsn | undefined): Promise<void> {
    if (lsn !== undefined && this.cluster.id === undefined && this.cluster.mode === 'lsn') {
      await held(this.starting);
    }
    const token = lsn === undefined ? undefined : this.cluster.committed(lsn);
    if (token !== undefined) {
      await toldTo(writers, session => session.written({ ...token, at: Date.now() }));
      return;
    }
    const pin = this.cluster.mode === 'time' ? this.#options.pin : this.#options.tokenTtl;
    await toldTo(writers, session => session.pin(performance.now() + pin, Date.now(), true));
  }
}

/** Takes a connection to the attempt's node, and makes sure of what cannot be looked at afterwards. */
function connectFor({ node, lease, ensure }: ReadAttempt): Promise<NodeClient> {
  const connecting = node.pool.connect(lease);
  return ensure ? madeSure(connecting, lease) : connecting;
}

async function madeSure(connecting: Promise<NodeClient>, lease: ReadLease): Promise<NodeClient> {
  const client = await connecting;
  try {
    await lease.ensure(client);
    return client;
  } catch (error) {
    client.release?.();
    throw error;
  }
}

/** Tells all of them at once, before anything is waited for. */
async function toldTo(writers: Writers, tell: (session: Session) => Promise<void> | undefined): Promise<void> {
  await Promise.all([...writers].map(async session => await tell(session)));
}

/** A wrong password or database: waiting does not help, and the user should hear of it at once. */
function isRefusal(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && (code.startsWith('28') || code === '3D000');
}

export function notRegistered(): ReplicaResolverError {
  return new ReplicaResolverError(
    'NOT_REGISTERED',
    'A resolver works for the ORM that has it in its extensions, but none has yet. Pass it: extensions: [resolver].',
  );
}
