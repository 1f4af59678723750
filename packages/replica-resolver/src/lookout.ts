import { AsyncLocalStorage } from 'node:async_hooks';
import { Monitor } from './monitor.ts';
import type { Node } from './node.ts';
import type { Observation } from './probe.ts';
import { messageOf } from './reported-error.ts';

/** While there is no primary, or a node is not known well, it is looked at so often, in ms. */
const FAST = 200;

/** How often to look, in ms, and how long it may take. */
export interface LookoutOptions {
  readonly heartbeat: number;
  readonly probeTimeout: number;
  readonly maxLag: number;
}

/** Whom it tells, and whom it asks. */
export interface LookoutHooks {
  observed(node: Node, observation: Observation, rtt: number, at: number): void;
  missed(node: Node, error: unknown): void;
  hasPrimary(): boolean;
}

/** Looks at all nodes, each as often as is good for it. */
export class Lookout {
  readonly #options: LookoutOptions;
  readonly #hooks: LookoutHooks;
  readonly #monitors = new Map<Node, Monitor>();
  /** Beats and their timers belong to no request, whoever's statement has caused them. */
  readonly #outside: <T>(fn: () => T) => T = AsyncLocalStorage.snapshot();

  constructor(options: LookoutOptions, hooks: LookoutHooks) {
    this.#options = options;
    this.#hooks = hooks;
  }

  /** Does not look yet. */
  add(node: Node): void {
    const { probeTimeout } = this.#options;
    const monitor = new Monitor({
      observed: (observation, rtt, at) => this.#hooks.observed(node, observation, rtt, at),
      missed: error => this.#hooks.missed(node, error),
      cannotTell: error => void (node.silent = error === undefined ? undefined : messageOf(error)),
      serializable: () => {
        const news = !node.serializable;
        node.serializable = true;
        return news;
      },
      interval: () => this.#interval(node),
      timeout: () => (node.health.state === 'suspect' ? probeTimeout / 2 : probeTimeout),
      openProbe: lost => node.spec.openProbe(lost, node.needsReadCommitted),
    });
    this.#monitors.set(node, monitor);
  }

  remove(node: Node): void {
    this.#monitors.get(node)?.stop();
    this.#monitors.delete(node);
  }

  stop(): void {
    this.#monitors.forEach(monitor => monitor.stop());
  }

  /** Looks at a node now; a look that is under way counts. */
  async wake(node: Node): Promise<void> {
    await this.#outside(() => this.#monitors.get(node)?.wake());
  }

  async wakeAll(): Promise<void> {
    await this.#outside(() => Promise.all([...this.#monitors.values()].map(monitor => monitor.wake())));
  }

  /** Looks at a node with a question that is sent after this call; many callers are one question. */
  async fresh(node: Node): Promise<void> {
    await this.#outside(() => this.#monitors.get(node)?.fresh());
  }

  async freshAll(): Promise<void> {
    await this.#outside(() => Promise.all([...this.#monitors.values()].map(monitor => monitor.fresh())));
  }

  #interval({ health: { state, probeAt }, lag }: Node): number {
    const jitter = 0.8 + Math.random() * 0.4;
    if (!this.#hooks.hasPrimary() || state === 'unknown') {
      return FAST * jitter;
    }
    if (state === 'suspect') {
      return 0;
    }
    if (state === 'down') {
      return Math.max(FAST / 4, probeAt - performance.now());
    }
    // One that is about to be too far behind should not be so for long before it is noticed.
    const share = (lag ?? 0) > this.#options.maxLag / 2 ? 0.5 : 1;
    return this.#options.heartbeat * jitter * share;
  }
}
