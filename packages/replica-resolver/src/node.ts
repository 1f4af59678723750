import type { Lsn } from './lsn.ts';
import { type NodeHealth, type NodeSettings, initialHealth, rampOf } from './node-state.ts';
import type { Observation } from './probe.ts';
import { Replayed } from './replayed.ts';
import type { NodePool } from './seam/node-pool.ts';
import type { Candidate } from './selection.ts';

/** A connection of its own for probes, outside every pool: a full pool says nothing of a server. */
export interface ProbeConnection {
  /** Resolves when it is connected. */
  connected(): Promise<void>;
  ask(text: string): Promise<Record<string, unknown>>;
  close(): void;
}

/** Where a node is, and how to get there. */
export interface NodeSpec {
  readonly name: string;
  /** `host:port` */
  readonly address: string;
  /** What the configuration calls it; what it is, it says itself. */
  readonly configured: 'primary' | 'replica';
  readonly weight: number;
  readonly zone: string | undefined;
  /**
   * @param replayed what the connections tell each other
   * @param changed the server has said that it begins or ends to be a standby
   * @param broken an idle connection was lost
   * @param readCommitted whether a connection made now is to have that as its default, see `Node.serializable`
   */
  openPool(
    replayed: Replayed,
    changed: () => void,
    broken: (error: Error) => void,
    readCommitted: () => boolean,
  ): NodePool;
  /** @param lost the connection has ended by itself @param readCommitted as of `openPool` */
  openProbe(lost: () => void, readCommitted: boolean): ProbeConnection;
}

/** Of so many probes the median counts: one that was slow says nothing of the way. */
const PROBES = 5;

/** A server, and what is known of it now. */
export class Node implements Candidate {
  readonly spec: NodeSpec;
  readonly pool: NodePool;
  readonly replayed: Replayed = new Replayed();
  readonly #settings: NodeSettings;
  readonly #rtts: number[] = [];
  health: NodeHealth;
  observation: Observation | undefined;
  /** What it has replayed or written at the last beat, normalised. */
  position: Lsn | undefined;
  /** What it had replayed when it was last seen as a standby. */
  replayedBefore: Lsn | undefined;
  lag: number | undefined;
  lagBytes: number | undefined;
  lagRelative = false;
  rtt: number | undefined;
  lastError: string | undefined;
  reads = 0;
  /** Why it must not be used, whatever its health. */
  rejected: string | undefined;
  /** Why it does not tell its system and positions; `undefined`: it does, or was not asked yet. */
  silent: string | undefined;
  /**
   * It was a standby whose transactions are serializable by default, which standbys refuse (0A000). Only while it is one its
   * connections get another default: on a primary the user's is meant.
   */
  serializable = false;
  /** For the choice that is being made. */
  caughtUp: boolean | undefined;

  constructor(spec: NodeSpec, openPool: (replayed: Replayed) => NodePool, settings: NodeSettings, now: number) {
    this.spec = spec;
    this.pool = openPool(this.replayed);
    this.#settings = settings;
    this.health = initialHealth(now);
  }

  get name(): string {
    return this.spec.name;
  }

  get weight(): number {
    return this.spec.weight;
  }

  get zone(): string | undefined {
    return this.spec.zone;
  }

  get load(): number {
    return this.pool.load;
  }

  get ramp(): number {
    return this.health.state === 'warming' ? rampOf(this.health, performance.now(), this.#settings) : 1;
  }

  /** Whether a connection made now needs another isolation than the default. */
  get needsReadCommitted(): boolean {
    return this.serializable && this.observation?.inRecovery !== false;
  }

  /** Takes the round trip of a probe into account, in ms. */
  measured(rtt: number): void {
    this.#rtts.push(rtt);
    if (this.#rtts.length > PROBES) {
      this.#rtts.shift();
    }
    const sorted = this.#rtts.toSorted((a, b) => a - b);
    this.rtt = sorted[Math.floor((sorted.length - 1) / 2)];
  }
}
