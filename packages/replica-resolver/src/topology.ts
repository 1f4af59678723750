import { resolve4, resolve6, resolveSrv } from 'node:dns/promises';
import type { Cluster, Emit } from './cluster.ts';
import { OptionsError } from './errors.ts';
import type { NodeSpec } from './node.ts';
import { checkNode, type DnsTopology, type ResolvedOptions, shown, type TopologyNode } from './options.ts';

/** Where nodes that a topology names are made. */
interface Specs {
  elsewhere(node: TopologyNode): NodeSpec;
}

/** Asks again and again which replicas there are, and adds and takes out nodes. */
export class Topology {
  readonly #ask: () => Promise<readonly TopologyNode[]>;
  readonly #interval: number;
  readonly #cluster: Cluster;
  readonly #specs: Specs;
  readonly #emit: Emit;
  /** Those that a topology has named, by name; the configured ones stay. */
  #named = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  /** Resolves when it was asked once. */
  readonly first: Promise<void>;

  /** @returns `undefined` where there is none */
  static start(options: ResolvedOptions, cluster: Cluster, specs: Specs, emit: Emit): Topology | undefined {
    const { topology } = options;
    if (topology === undefined) {
      return undefined;
    }
    const ask =
      typeof topology === 'function'
        ? async (): Promise<readonly TopologyNode[]> => checked(await topology())
        : (): Promise<readonly TopologyNode[]> => lookUp(topology);
    return new Topology(ask, options.topologyInterval, cluster, specs, emit);
  }

  private constructor(
    ask: () => Promise<readonly TopologyNode[]>,
    interval: number,
    cluster: Cluster,
    specs: Specs,
    emit: Emit,
  ) {
    this.#ask = ask;
    this.#interval = interval;
    this.#cluster = cluster;
    this.#specs = specs;
    this.#emit = emit;
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
      this.#emit('topology.failed', { error: (error as Error).message });
    }
    if (!this.#stopped) {
      this.#timer = setTimeout(() => void this.#look(), this.#interval).unref();
    }
  }

  #apply(nodes: readonly TopologyNode[]): void {
    const named = new Set<string>();
    for (const node of nodes) {
      const spec = this.#specs.elsewhere(node);
      const known = this.#cluster.node(spec.name) ?? this.#cluster.node(spec.address);
      if (known === undefined) {
        named.add(spec.name);
        this.#cluster.add(spec);
        void this.#cluster.wake(this.#cluster.node(spec.name)!);
      } else if (this.#named.has(known.name)) {
        named.add(known.name);
      }
    }
    for (const name of this.#named) {
      if (!named.has(name)) {
        this.#cluster.remove(name);
      }
    }
    this.#named = named;
  }
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
async function lookUp({ dns, port }: DnsTopology): Promise<readonly TopologyNode[]> {
  if (dns.startsWith('_')) {
    const records = await resolveSrv(dns);
    const lowest = Math.min(...records.map(record => record.priority));
    return records
      .filter(record => record.priority === lowest)
      .map(record => ({ host: record.name, port: record.port, weight: Math.max(1, record.weight) }));
  }
  const answers = await Promise.allSettled([resolve4(dns), resolve6(dns)]);
  const hosts = answers.flatMap(answer => (answer.status === 'fulfilled' ? answer.value : []));
  if (hosts.length === 0) {
    throw (answers[0] as PromiseRejectedResult).reason as Error;
  }
  return hosts.map(host => ({ host, ...(port === undefined ? {} : { port }) }));
}
