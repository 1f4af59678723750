import type { Node } from './node.ts';
import type { Observation } from './probe.ts';
import { clusterDigest } from './token-text.ts';

/** Who belongs to the cluster: servers of one system, each of them once. */
export class Membership {
  #system: string | undefined;
  #cluster: string | undefined;

  /** The digest that tokens carry; `undefined` until a node has told its system. */
  get cluster(): string | undefined {
    return this.#cluster;
  }

  /**
   * Whether a node that has answered must not be used.
   * @param nodes all of them
   * @param leader the primary, or who was it last: the cluster is the one that it is of
   * @param mode in time mode nobody needs to tell what it is
   * @returns why not; `undefined`: it may be used
   */
  objectionTo(
    node: Node,
    { system, started }: Observation,
    nodes: Iterable<Node>,
    leader: Node | undefined,
    mode: 'lsn' | 'time',
  ): string | undefined {
    if (system !== undefined && system !== this.#system) {
      if (node === leader ? node.rejected === undefined : this.#system === undefined && !isAwaited(leader)) {
        this.#system = system;
        this.#cluster = clusterDigest(system);
      } else if (this.#system !== undefined) {
        return `It is of another cluster: its system identifier is ${system}, not ${this.#system}. Correct its address.`;
      }
    }
    if (node === leader) {
      return undefined;
    }
    if (system === undefined && mode === 'lsn' && leader?.observation?.system !== undefined) {
      return (
        `It does not tell its system and positions, which the primary does: it may be of another cluster (${node.silent ?? 'no answer'}). ` +
        'Grant its user execute on pg_control_system() and the other functions that the probe calls, or remove it.'
      );
    }
    const twin = twinOf(node, { system, started }, nodes);
    return (
      twin &&
      `It is the same server as ${twin.name}: both were started at the same microsecond. Remove one of them, or correct its address.`
    );
  }
}

/** Whoever answers before the primary does not decide what the cluster is: it may be the stranger. */
function isAwaited(leader: Node | undefined): boolean {
  return leader !== undefined && leader.observation === undefined && leader.lastError === undefined;
}

/** Only one that answers: where one way to a server is cut, the other one is welcome. */
function twinOf(
  node: Node,
  { system, started }: Pick<Observation, 'system' | 'started'>,
  nodes: Iterable<Node>,
): Node | undefined {
  if (started === undefined) {
    return undefined;
  }
  for (const other of nodes) {
    const { observation, health, rejected } = other;
    const same = observation?.started === started && observation.system === system;
    if (other !== node && same && rejected === undefined && health.state !== 'down') {
      return other;
    }
  }
  return undefined;
}
