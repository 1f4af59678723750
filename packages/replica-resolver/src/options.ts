import { checkBoolean, checkText, DAY, isObject, number, oneOf, shown, whole, wrong } from './checks.ts';
import type { Consistency } from './consistency.ts';
import { OptionsError } from './errors.ts';
import { checkPool, type PoolOptions } from './pool-options.ts';
import type { Strategy } from './selection.ts';
import type { TokenStore } from './token-store.ts';

/** What is said of one node beside where it is. */
export interface NodeOptions {
  /** Its share of reads beside the others'. 0: none while another can answer. @default 1 */
  readonly weight?: number | undefined;
  /** Where it stands: with `zone` in the resolver's options, nodes of the same zone answer first. */
  readonly zone?: string | undefined;
  readonly pool?: PoolOptions | undefined;
}

/** A node that a topology names. User, password, database and TLS are those of MikroORM's own config. */
export interface TopologyNode extends NodeOptions {
  readonly host: string;
  /** @default the port of MikroORM's own config */
  readonly port?: number | undefined;
  /** @default host:port */
  readonly name?: string | undefined;
}

/** Names that stand for several servers. */
export interface DnsTopology {
  /** A name with one A or AAAA record for each server, or an SRV name (`_postgresql._tcp.…`), whose ports and weights are taken. */
  readonly dns: string;
  /** For A and AAAA records. @default the port of MikroORM's own config */
  readonly port?: number | undefined;
}

/** Options of `replicaResolver()`; every one may be left out. */
export interface ReplicaResolverOptions {
  /** What reads may miss, where neither call nor scope says otherwise. @default 'session' */
  readonly consistency?: Consistency | undefined;
  /** A replica further behind than this gets no reads until it is back under half of it, in ms. @default 10000 */
  readonly maxLag?: number | undefined;
  /** How often each node is probed, in ms (±20 %). @default 1000 */
  readonly heartbeat?: number | undefined;
  /** How long a probe may take, in ms. @default 1000 */
  readonly probeTimeout?: number | undefined;
  /** How long a read waits for a replica that has not replayed what it needs, in ms. @default 20 */
  readonly wait?: number | undefined;
  /** How long a token is heeded, in ms; not less than `maxLag`. @default 60000 */
  readonly tokenTtl?: number | undefined;
  /** Signs tokens (HMAC-SHA256); the same in each process. At least 16 characters or bytes. @default none: tokens are clamped to what the primary has written */
  readonly secret?: string | Uint8Array | undefined;
  /** Keeps tokens by `run({ key })`, e.g. `redisTokenStore(client)`. */
  readonly tokenStore?: TokenStore | undefined;
  /** Where the database does not tell positions: how long after a write a session reads on the primary, in ms. @default 2000 */
  readonly pin?: number | undefined;
  /** Which replica answers, of those that may. @default 'p2c': the less loaded of two chosen at random */
  readonly strategy?: Strategy | undefined;
  /** Replicas whose round trip is longer than the shortest by more than this get no reads, in ms. @default 15 */
  readonly latencyWindow?: number | undefined;
  /** Nodes of this zone answer first. */
  readonly zone?: string | undefined;
  /** Until when the share of a replica that has come back grows from a tenth to all of it, in ms. @default 30000 */
  readonly slowStart?: number | undefined;
  /** By name or `host:port`: weight, zone and pool of the nodes in MikroORM's `replicas`, and of the primary. */
  readonly nodes?: Readonly<Record<string, NodeOptions>> | undefined;
  /** More replicas: a function that is asked every `topologyInterval`, or names in DNS. */
  readonly topology?: (() => Promise<readonly TopologyNode[]> | readonly TopologyNode[]) | DnsTopology | undefined;
  /** In ms. @default 30000 for a function, 60000 for DNS */
  readonly topologyInterval?: number | undefined;
  /** Pools of replicas; those of the primary are `primaryPool`. A node's own settings win. */
  readonly pool?: PoolOptions | undefined;
  readonly primaryPool?: PoolOptions | undefined;
  /**
   * What reads do when no replica may answer them.
   * - `'primary'`: go there, within `fallbackShare`; then `ReplicaResolverError` `NO_ELIGIBLE_NODE`;
   * - `'stale'`: as `'primary'`, and when that cannot answer, reads that promised nothing (`'eventual'`) go to the replica that is least behind;
   * - `'error'`: `NO_ELIGIBLE_NODE` at once.
   *
   * @default 'primary'
   */
  readonly onNoReplica?: 'primary' | 'stale' | 'error' | undefined;
  /** The part of the primary's connections that reads may take which replicas should have answered, 0 to 1. @default 0.5 */
  readonly fallbackShare?: number | undefined;
  /** How long such a read waits for its turn, in ms. @default 1000 */
  readonly fallbackWait?: number | undefined;
  /** How long a write waits while no server takes writes, in ms; 0: not at all. @default 5000 */
  readonly writeHold?: number | undefined;
  /** How often a read is begun again on another node. @default 2 */
  readonly retries?: number | undefined;
  /** The part of all reads that may be begun again, in 10 s; 10 always may. @default 0.2 */
  readonly retryShare?: number | undefined;
  /** How long a read may take with all its attempts before no other is made, in ms. @default 5000 */
  readonly readDeadline?: number | undefined;
  /**
   * When the answer to a transaction's commit is lost: look up what became of it, which costs a round trip for each commit.
   * Trap: a statement that commits by itself has no id that could be looked up; its outcome stays unknown. @default false
   */
  readonly resolveCommits?: boolean | undefined;
}

type Filled = Required<
  Omit<
    ReplicaResolverOptions,
    'secret' | 'tokenStore' | 'zone' | 'topology' | 'topologyInterval' | 'pool' | 'primaryPool' | 'nodes'
  >
>;

/** The options with every default filled in. */
export type ResolvedOptions = { readonly [Name in keyof Filled]-?: NonNullable<Filled[Name]> } & {
  readonly secret: string | Uint8Array | undefined;
  readonly tokenStore: TokenStore | undefined;
  readonly zone: string | undefined;
  readonly topology: ReplicaResolverOptions['topology'];
  readonly topologyInterval: number;
  readonly pool: PoolOptions;
  readonly primaryPool: PoolOptions;
  readonly nodes: Readonly<Record<string, NodeOptions>>;
};

/** @throws OptionsError naming the first option that cannot be what was meant */
export function resolveOptions(options: ReplicaResolverOptions = {}): ResolvedOptions {
  if (!isObject(options)) {
    throw wrong('options', 'takes an object of options', options, 'Leave it out, or pass { maxLag: 10_000 }.');
  }
  const unknown = Object.keys(options).find(name => !KNOWN.has(name));
  if (unknown !== undefined) {
    throw new OptionsError(
      unknown,
      `replicaResolver() takes ${[...KNOWN].join(', ')}, but got: ${unknown}. Remove it, or correct its name.`,
    );
  }
  const ms = (name: keyof ReplicaResolverOptions, fallback: number, least: number, most = DAY): number =>
    number(name, options[name], fallback, least, most, 'ms');
  const maxLag = ms('maxLag', 10_000, 1);
  const tokenTtl = ms('tokenTtl', Math.max(60_000, maxLag), 1);
  if (tokenTtl < maxLag) {
    throw wrong(
      'tokenTtl',
      `is not less than maxLag (${maxLag} ms), or a session could lose sight of its own writes`,
      tokenTtl,
      'Raise tokenTtl or lower maxLag.',
    );
  }
  const topology = checkTopology(options.topology);
  return {
    consistency: checkConsistency('consistency', options.consistency === undefined ? 'session' : options.consistency),
    maxLag,
    heartbeat: ms('heartbeat', 1_000, 10, 60_000),
    probeTimeout: ms('probeTimeout', 1_000, 10, 60_000),
    wait: ms('wait', 20, 0, 60_000),
    tokenTtl,
    secret: checkSecret(options.secret),
    tokenStore: checkStore(options.tokenStore),
    pin: ms('pin', 2_000, 0),
    strategy: checkStrategy(options.strategy),
    latencyWindow: ms('latencyWindow', 15, 0),
    zone: checkText('zone', options.zone),
    slowStart: ms('slowStart', 30_000, 0),
    nodes: checkNodes(options.nodes),
    topology,
    topologyInterval: ms('topologyInterval', typeof topology === 'function' ? 30_000 : 60_000, 100),
    pool: checkPool('pool', options.pool),
    primaryPool: checkPool('primaryPool', options.primaryPool),
    onNoReplica: oneOf('onNoReplica', options.onNoReplica, 'primary', ['primary', 'stale', 'error'] as const),
    fallbackShare: number('fallbackShare', options.fallbackShare, 0.5, 0, 1, ''),
    fallbackWait: ms('fallbackWait', 1_000, 0),
    writeHold: ms('writeHold', 5_000, 0),
    retries: whole('retries', options.retries, 2, 0, 100),
    retryShare: number('retryShare', options.retryShare, 0.2, 0, 1, ''),
    readDeadline: ms('readDeadline', 5_000, 1),
    resolveCommits: checkBoolean('resolveCommits', options.resolveCommits),
  };
}

const KNOWN: ReadonlySet<string> = new Set<keyof ReplicaResolverOptions>([
  'consistency',
  'maxLag',
  'heartbeat',
  'probeTimeout',
  'wait',
  'tokenTtl',
  'secret',
  'tokenStore',
  'pin',
  'strategy',
  'latencyWindow',
  'zone',
  'slowStart',
  'nodes',
  'topology',
  'topologyInterval',
  'pool',
  'primaryPool',
  'onNoReplica',
  'fallbackShare',
  'fallbackWait',
  'writeHold',
  'retries',
  'retryShare',
  'readDeadline',
  'resolveCommits',
]);

const LEVELS = ['session', 'monotonic', 'strong', 'eventual'];

/** @throws OptionsError */
export function checkConsistency(option: string, value: unknown): Consistency {
  if (typeof value === 'string' && LEVELS.includes(value)) {
    return value as Consistency;
  }
  const bounded =
    isObject(value) && Object.keys(value).length === 1 ? (value as { bounded?: unknown }).bounded : undefined;
  if (typeof bounded === 'number' && bounded > 0 && bounded <= DAY) {
    return value as Consistency;
  }
  throw wrong(
    option,
    `is one of ${LEVELS.map(level => `'${level}'`).join(', ')} or { bounded: ms } with 0 < ms <= ${DAY}`,
    value,
    `Pass 'session' to see what the session has written.`,
  );
}

/** What is said of one node. @throws OptionsError */
export function checkNode(option: string, value: unknown): NodeOptions {
  if (!isObject(value)) {
    throw wrong(option, 'takes an object of weight, zone, pool', value, 'Pass { weight: 1 }.');
  }
  const { weight, zone, pool } = value as NodeOptions;
  number(`${option}.weight`, weight, 1, 0, 1_000_000, '');
  checkText(`${option}.zone`, zone);
  checkPool(`${option}.pool`, pool);
  return value as NodeOptions;
}

function checkNodes(value: unknown): Readonly<Record<string, NodeOptions>> {
  if (value === undefined) {
    return {};
  }
  if (!isObject(value)) {
    throw wrong('nodes', 'takes an object of node names', value, "Pass { 'replica-1': { weight: 2 } }.");
  }
  for (const [name, node] of Object.entries(value)) {
    checkNode(`nodes[${shown(name)}]`, node);
  }
  return value as Readonly<Record<string, NodeOptions>>;
}

function checkTopology(value: unknown): ReplicaResolverOptions['topology'] {
  if (value === undefined || typeof value === 'function') {
    return value as ReplicaResolverOptions['topology'];
  }
  const { dns, port } = isObject(value) ? (value as { dns?: unknown; port?: unknown }) : {};
  if (typeof dns !== 'string' || dns === '') {
    throw wrong(
      'topology',
      'is a function that returns nodes, or { dns: name, port? }',
      value,
      "Pass async () => [{ host: 'replica-1' }].",
    );
  }
  whole('topology.port', port, 5432, 1, 65_535);
  return value as DnsTopology;
}

function checkStrategy(value: unknown): Strategy {
  if (typeof value === 'function') {
    return value as Strategy;
  }
  return oneOf('strategy', value, 'p2c', ['p2c', 'round-robin', 'random'] as const);
}

function checkStore(value: unknown): TokenStore | undefined {
  const store = value as Partial<TokenStore> | undefined;
  if (
    value !== undefined &&
    !(isObject(value) && typeof store?.get === 'function' && typeof store.raise === 'function')
  ) {
    throw wrong('tokenStore', 'has get(key) and raise(key, token, ttl)', value, 'Pass redisTokenStore(client).');
  }
  return value as TokenStore | undefined;
}

function checkSecret(value: unknown): string | Uint8Array | undefined {
  if (value === undefined || ((typeof value === 'string' || value instanceof Uint8Array) && value.length >= 16)) {
    return value as string | Uint8Array | undefined;
  }
  // Never shown: it may be the real one, cut short.
  throw new OptionsError(
    'secret',
    `secret is a text or bytes of at least 16, but got ${typeof value === 'string' ? `a text of ${value.length} characters` : `a value of type ${typeof value}`}. Make one with randomBytes(32).`,
  );
}
