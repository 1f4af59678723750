import dns from 'node:dns/promises';
import { shown } from './checks.ts';
import type { Cluster, Emit } from './cluster.ts';
import { OptionsError } from './errors.ts';
import type { Node, NodeSpec } from './node.ts';
import { checkNode, type DnsTopology, type ResolvedOptions, type TopologyNode } from './options.ts';

/** Where nodes that a topology names are made. */
interface Specs {
  elsewhere(node: TopologyNode, warn: (message: string) => void): NodeSpec;
}

/** Asks again and again which replicas there are, and adds and takes out nodes. */
export class Topology {
  readonly #ask: () => Promise<readonly TopologyNode[]>;
  readonly #interval: number;
  readonly #cluster: Cluster;
  readonly #specs: Specs;
  readonly #emit: Emit;
  readonly #added: (node: Node) => void;
  /** Those that a topology has named, by name; the configured ones stay. */
  readonly #named = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  /** Resolves when it was asked once. */
  readonly first: Promise<void>;

  /**
   * @param added called with each node that it adds
   * @returns `undefined` where there is none
   */
  static start(
    options: ResolvedOptions,
    cluster: Cluster,
    specs: Specs,
    emit: Emit,
    added: (node: Node) => void,
  ): Topology | undefined {
    const { topology } = options;
    if (topology === undefined) {
      return undefined;
    }
    const ask =
      typeof topology === 'function'
        ? async (): Promise<readonly TopologyNode[]> => checked(await topology())
        : (): Promise<readonly TopologyNode[]> => lookUp(topology);
    return new Topology(ask, options.topologyInterval, cluster, specs, emit, added);
  }

  private constructor(
    ask: () => Promise<readonly TopologyNode[]>,
    interval: number,
    cluster: Cluster,
    specs: Specs,
    emit: Emit,
    added: (node: Node) => void,
  ) {
    this.#ask = ask;
    this.#interval = interval;
    this.#cluster = cluster;
    this.#specs = specs;
    this.#emit = emit;
    this.#added = added;
    this.first = this.#look();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    try {
      const nodes = await this.#ask();
      if (!this.#stopped) {
        this.#apply(nodes);
      }
    } catch (error) {
      this.#emit('topology.failed', { error: error instanceof Error ? error.message : shown(error) });
    }
    if (!this.#stopped) {
      this.#timer = setTimeout(() => void this.#look(), this.#interval).unref();
    }
  }

  #apply(nodes: readonly TopologyNode[]): void {
    const warn = (message: string): void => this.#emit('warning', { message });
    const specs = nodes.map(node => this.#specs.elsewhere(node, warn));
    for (const name of this.#named) {
      const known = this.#cluster.node(name);
      if (known !== undefined && !specs.some(spec => isSame(spec, known.spec))) {
        this.#cluster.remove(name);
      }
      // The primary is not taken out, but once it is no longer that.
      if (this.#cluster.node(name) === undefined) {
        this.#named.delete(name);
      }
    }
    for (const spec of specs) {
      if (this.#cluster.node(spec.name) === undefined && this.#cluster.node(spec.address) === undefined) {
        this.#cluster.add(spec);
        this.#named.add(spec.name);
        const node = this.#cluster.node(spec.name)!;
        this.#added(node);
        void this.#cluster.wake(node);
      }
    }
  }
}

/** Whether a node is still what the topology says of it: a pod that comes back elsewhere may have its old name. */
function isSame(said: NodeSpec, known: NodeSpec): boolean {
  return (
    said.name === known.name &&
    said.address === known.address &&
    said.weight === known.weight &&
    said.zone === known.zone
  );
}

function checked(nodes: unknown): readonly TopologyNode[] {
  if (!Array.isArray(nodes)) {
    throw new OptionsError(
      'topology',
      `topology() returns an array of { host, port?, name?, weight?, zone? }, but returned: ${shown(nodes)}.`,
    );
  }
  nodes.forEach((node: unknown, index) => {
    checkNode(`topology()[${index}]`, node);
    const { host, port } = node as { host?: unknown; port?: unknown };
    if (typeof host !== 'string' || host === '' || (port !== undefined && !Number.isInteger(port))) {
      throw new OptionsError(
        'topology',
        `topology() returns nodes with a host and a port, but number ${index} has: ${shown(host)}, ${shown(port)}.`,
      );
    }
  });
  return nodes as TopologyNode[];
}

/** An SRV name begins with an underscore (RFC 2782); of its records those of the lowest priority are taken. */
async function lookUp({ dns: name, port }: DnsTopology): Promise<readonly TopologyNode[]> {
  // As methods: `dns.setServers()` puts others in their place.
  if (name.startsWith('_')) {
    const records = await dns.resolveSrv(name);
    const lowest = Math.min(...records.map(record => record.priority));
    return records
      .filter(record => record.priority === lowest)
      .map(record => ({ host: record.name, port: record.port, weight: Math.max(1, record.weight) }));
  }
  const answers = await Promise.allSettled([dns.resolve4(name), dns.resolve6(name)]);
  const hosts = answers.flatMap(answer => (answer.status === 'fulfilled' ? answer.value : []));
  if (hosts.length === 0) {
    throw (answers[0] as PromiseRejectedResult).reason as Error;
  }
  return hosts.map(host => ({ host, ...(port === undefined ? {} : { port }) }));
}
