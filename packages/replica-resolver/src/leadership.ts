import { elect } from './election.ts';
import type { ResolverEvents } from './events.ts';
import type { Lsn } from './lsn.ts';
import type { Node } from './node.ts';
import type { NodeEvent } from './node-state.ts';

type Emit = <Name extends keyof ResolverEvents>(name: Name, event: ResolverEvents[Name]) => void;

/** What follows from a change of who takes writes. */
export interface LeadershipHooks {
  readonly emit: Emit;
  apply(node: Node, event: NodeEvent): void;
  /** There is another primary, the same one is back, or there is none. @param sameHistory its log goes on where it was */
  switched(node: Node, sameHistory: boolean): void;
  lost(): void;
  /** The timeline is another one: who follows it has to be looked at again. */
  timelineChanged(): void;
}

/** Who takes writes: elected of those who answer, until somebody else is. Never two, and never one of an older timeline. */
export class Leadership {
  readonly #hooks: LeadershipHooks;
  /** Where the history of a timeline began, at the least: what was replayed of the one before it when it was last looked at. */
  readonly #switchpoints = new Map<number, Lsn>();
  #primary: Node | undefined;
  /** Who takes writes until somebody else is known to. */
  #assumed: Node | undefined;
  #timeline: number | undefined;
  #splitBrain = '';

  /** @param assumed the one that the configuration calls so: writes need not wait for the first probe */
  constructor(assumed: Node | undefined, hooks: LeadershipHooks) {
    this.#primary = assumed;
    this.#assumed = assumed;
    this.#hooks = hooks;
  }

  get primary(): Node | undefined {
    return this.#primary;
  }

  /** The primary, or the last one while there is none. */
  get leader(): Node | undefined {
    return this.#primary ?? this.#assumed;
  }

  /** The newest that was ever seen of a primary. */
  get timeline(): number | undefined {
    return this.#timeline;
  }

  /** What was surely common to `timeline` and the one after it. */
  switchpointAfter(timeline: number): Lsn | undefined {
    return this.#switchpoints.get(timeline + 1);
  }

  /** Looks again who is the primary, now that `seen` has answered. */
  elect(nodes: Iterable<Node>, seen: Node): void {
    const byName = new Map([...nodes].map(node => [node.name, node]));
    const claims = [...byName.values()].filter(
      node =>
        node.observation !== undefined &&
        node.rejected === undefined &&
        (node === seen || (node.health.state !== 'down' && node.health.state !== 'suspect')),
    );
    const { primary, timeline, fenced, splitBrain } = elect(
      claims.map(node => ({
        node: node.name,
        inRecovery: node.observation!.inRecovery,
        readOnly: node.observation!.readOnly,
        timeline: node.observation!.timeline ?? 0,
      })),
      this.#primary?.name ?? this.#assumed?.name,
      this.#timeline ?? 0,
    );
    this.#tellSplitBrain(splitBrain, timeline);
    const elected = primary === undefined ? undefined : byName.get(primary);
    if (elected === undefined) {
      const current = this.#primary;
      if (current?.observation?.inRecovery === true) {
        this.lose(current, 'It is a standby.');
      } else if (current !== undefined && fenced.includes(current.name)) {
        this.lose(current, 'Another server has been promoted.');
      }
    } else if (elected !== this.#primary) {
      // Until the one that the configuration names has answered or failed, silence is no proof.
      if (this.#primary?.observation === undefined && this.#primary?.health.state === 'unknown') {
        return;
      }
      this.#switchTo(elected, timeline);
    } else {
      this.#noteTimeline(elected, timeline);
      if (elected.health.state !== 'primary') {
        this.#hooks.apply(elected, { type: 'primary' });
      }
    }
    for (const name of fenced) {
      const node = byName.get(name)!;
      if (node.health.state !== 'fenced') {
        const why = `It takes writes on timeline ${node.observation?.timeline}, and there is a newer one (${timeline}). Rebuild it as a standby.`;
        this.#hooks.emit('node.rejected', { node: name, why });
        this.#hooks.apply(node, { type: 'fence', why });
      }
    }
  }

  #switchTo(node: Node, timeline: number): void {
    const from = this.leader;
    const sameHistory = from === node && timeline === this.#timeline;
    this.#noteTimeline(node, timeline);
    this.#primary = node;
    this.#assumed = node;
    if (node.serializable) {
      // Its connections were made for a standby, and writes are serializable by the user's default.
      node.pool.reset('It takes writes now.', () => true);
    }
    this.#hooks.apply(node, { type: 'primary' });
    if (from !== undefined && from !== node) {
      const why = `${node.name} is the primary now.`;
      // Whatever it says when it is heard of again: no write may reach it until it says that it is a standby.
      if (from.observation?.inRecovery !== true) {
        this.#hooks.apply(from, { type: 'fence', why });
      }
      from.pool.reset(why);
    }
    this.#hooks.emit('primary.changed', { from: from === node ? undefined : from?.name, to: node.name, timeline });
    this.#hooks.switched(node, sameHistory);
  }

  #noteTimeline(node: Node, timeline: number): void {
    if (timeline === 0 || timeline === this.#timeline) {
      return;
    }
    if (this.#timeline !== undefined && timeline === this.#timeline + 1 && node.replayedBefore !== undefined) {
      this.#switchpoints.set(timeline, node.replayedBefore);
    }
    this.#timeline = timeline;
    this.#hooks.timelineChanged();
  }

  /** It takes no writes any more, and nobody else is known to. */
  lose(node: Node, why: string): void {
    if (this.#primary !== node) {
      return;
    }
    this.#primary = undefined;
    this.#hooks.emit('primary.lost', { node: node.name, why });
    this.#hooks.lost();
  }

  #tellSplitBrain(nodes: readonly string[], timeline: number): void {
    const names = nodes.join(' ');
    if (names !== '' && names !== this.#splitBrain) {
      this.#hooks.emit('split-brain', { nodes, timeline });
    }
    this.#splitBrain = names;
  }
}
