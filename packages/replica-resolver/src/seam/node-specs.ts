import type { Connection, MikroORM } from '@mikro-orm/core';
import { shown } from '../checks.ts';
import { OptionsError, ReplicaResolverError } from '../errors.ts';
import type { NodeSpec, ProbeConnection } from '../node.ts';
import type { NodeOptions, ResolvedOptions, TopologyNode } from '../options.ts';
import { type PoolOptions, PRIMARY_POOL, REPLICA_POOL } from '../pool-options.ts';
import { nodeClientClass } from './node-client.ts';
import { NodePool } from './node-pool.ts';
import type { PgClientClass, PgOptions, PgPool, PgPoolClass } from './pg.ts';

/** What MikroORM says of a pool. */
interface MikroPool {
  readonly min?: number;
  readonly max?: number;
  readonly idleTimeoutMillis?: number;
}

interface ReplicaConfig {
  readonly name?: string;
  readonly pool?: MikroPool;
  readonly driverOptions?: unknown;
}

type ConnectionClass = new (config: unknown, options?: unknown, type?: string) => Connection;

interface Internals {
  readonly options: { driverOptions?: unknown };
  createKyselyDialect(overrides: object): unknown;
}

/** A pool of pg that MikroORM has made for a connection, which says how it would connect. */
interface Template {
  readonly pool: PgPool;
  readonly driverOptions: Readonly<Record<string, unknown>>;
}

/** Hears of what a person should know. */
type Warn = (message: string) => void;

/**
 * The nodes of MikroORM's config, as it stands: read again for each connect, since a connection that is closed forgets its
 * own options and takes those of the primary (`Connection.close()`).
 *
 * Relies on `driver.createReplicas(make)` filling each entry of `replicas` from the main config, and on
 * `createKyselyDialect()` being where a connection's options become those of a pool.
 */
export class NodeSpecs {
  readonly #orm: MikroORM;
  readonly #Connection: ConnectionClass;
  readonly #options: ResolvedOptions;
  readonly #main: Template;

  constructor(orm: MikroORM, Connection: unknown, options: ResolvedOptions) {
    this.#orm = orm;
    this.#Connection = Connection as ConnectionClass;
    this.#options = options;
    this.#main = templateOf(new this.#Connection(orm.config));
  }

  /** @param warn called when the user's `onPoolCreated` fails for a pool that is made again */
  configured(warn: Warn): NodeSpec[] {
    const replicas = (this.#orm.config.get('replicas') ?? []) as unknown as readonly ReplicaConfig[];
    const made = (
      this.#orm.driver as unknown as { createReplicas(make: (config: unknown) => Connection): Connection[] }
    ).createReplicas(config => new this.#Connection(this.#orm.config, config, 'read'));
    const specs = [
      this.#spec(this.#main, 'primary', undefined, undefined, warn),
      ...made.map((connection, index) =>
        this.#spec(templateOf(connection), 'replica', replicas[index], undefined, warn),
      ),
    ];
    checkNames(specs);
    return specs;
  }

  /** A node that a topology names: as the main config has it, but elsewhere. */
  elsewhere(node: TopologyNode, warn: Warn): NodeSpec {
    return this.#spec(this.#main, 'replica', node.name === undefined ? {} : { name: node.name }, node, warn);
  }

  #spec(
    { pool: template, driverOptions }: Template,
    configured: 'primary' | 'replica',
    replica: ReplicaConfig | undefined,
    found: TopologyNode | undefined,
    warn: Warn,
  ): NodeSpec {
    const options: PgOptions = { ...template.options, password: template.options.password };
    if (found !== undefined) {
      options.host = found.host;
      options.port = found.port ?? options.port ?? 5432;
    }
    const address = `${options.host ?? 'localhost'}:${options.port || 5432}`;
    const name = replica?.name ?? address;
    const own: NodeOptions = { ...this.#options.nodes[name], ...this.#options.nodes[address], ...found };
    const pool = this.#pool(configured, replica?.pool, driverOptions, own.pool);
    const Client = template.Client;
    const created = driverOptions['onPoolCreated'] as ((pool: PgPool) => void) | undefined;
    return {
      name,
      address,
      configured,
      weight: own.weight ?? 1,
      zone: own.zone,
      openPool: (replayed, changed, broken, readCommitted) =>
        new NodePool(
          template.constructor as PgPoolClass,
          {
            ...options,
            password: options.password,
            max: pool.max,
            min: pool.min,
            idleTimeoutMillis: pool.idleTimeoutMillis,
            maxLifetimeSeconds: pool.maxLifetimeSeconds,
            Client: nodeClientClass(isolated(Client, readCommitted), {
              connectTimeout: pool.connectionTimeoutMillis,
              replayed,
              roleChanged: changed,
            }),
          },
          pool.acquireTimeoutMillis,
          toldOfEach(created, error =>
            warn(
              `onPoolCreated failed for another pool of ${name}: ${error instanceof Error ? error.message : shown(error)}`,
            ),
          ),
          broken,
        ),
      openProbe: (lost, readCommitted) =>
        openProbe(
          isolated(Client, () => readCommitted),
          options,
          lost,
        ),
    };
  }

  /** What is said nearest to the node wins. */
  #pool(
    configured: 'primary' | 'replica',
    replica: MikroPool | undefined,
    driverOptions: Readonly<Record<string, unknown>>,
    own: PoolOptions | undefined,
  ): Readonly<Record<keyof PoolOptions, number>> {
    const main = this.#orm.config.get('pool') as MikroPool | undefined;
    const general = configured === 'primary' ? this.#options.primaryPool : this.#options.pool;
    const defaults = configured === 'primary' ? PRIMARY_POOL : REPLICA_POOL;
    return {
      ...defaults,
      ...given(main),
      ...given(general),
      ...given(replica),
      ...given(driverOptions),
      ...given(own),
    };
  }
}

/** @throws OptionsError where two nodes have one name: whatever is said of it would be said of the wrong one */
function checkNames(specs: readonly NodeSpec[]): void {
  for (const [index, { name, address }] of specs.entries()) {
    const first = specs.findIndex(spec => spec.name === name);
    if (first < index) {
      throw new OptionsError(
        'replicas',
        `replicas have a name each, or that of their host:port, which no other node has, but got: "${name}" for ` +
          `${nth(first)} (${specs[first]!.address}) and ${nth(index)} (${address}). Give each its own name, or remove one.`,
      );
    }
  }
}

/** How the configuration calls it; the first is the primary. */
function nth(index: number): string {
  return index === 0 ? 'the primary' : `replicas[${index - 1}]`;
}

const POOL_OPTIONS = [
  'max',
  'min',
  'connectionTimeoutMillis',
  'acquireTimeoutMillis',
  'idleTimeoutMillis',
  'maxLifetimeSeconds',
] as const;

function given(options: object | undefined): Partial<Record<keyof PoolOptions, number>> {
  return Object.fromEntries(
    POOL_OPTIONS.flatMap(name => {
      const value = (options as Record<string, unknown> | undefined)?.[name];
      return typeof value === 'number' ? [[name, value]] : [];
    }),
  );
}

function templateOf(connection: Connection): Template {
  const { options, createKyselyDialect } = connection as unknown as Internals;
  const config = (connection as unknown as { config: { get(name: string): unknown } }).config;
  const set = options.driverOptions ?? config.get('driverOptions');
  const driverOptions: unknown = typeof set === 'function' ? (set as () => unknown)() : set;
  if (typeof driverOptions === 'object' && driverOptions !== null) {
    const what =
      'getExecutor' in driverOptions
        ? 'a Kysely instance'
        : 'createDriver' in driverOptions
          ? 'a Kysely dialect'
          : undefined;
    if (what !== undefined) {
      throw new ReplicaResolverError(
        'UNSUPPORTED',
        `replicaResolver() opens the connections to each node itself, but driverOptions has ${what} with its own. ` +
          'Give MikroORM the options of pg.Pool instead.',
      );
    }
  }
  let pool: PgPool | undefined;
  createKyselyDialect.call(connection, {
    ...(driverOptions as object | undefined),
    onPoolCreated: (made: PgPool) => void (pool = made),
  });
  return { pool: pool!, driverOptions: (driverOptions ?? {}) as Record<string, unknown> };
}

/** The first time a hook that throws is an error of whoever begins. Later there is nobody to tell, and the node must go on. */
function toldOfEach(
  created: ((pool: PgPool) => void) | undefined,
  failed: (error: unknown) => void,
): (pool: PgPool) => void {
  let again = false;
  return pool => {
    try {
      created?.(pool);
    } catch (error) {
      if (!again) {
        throw error;
      }
      failed(error);
    }
    again = true;
  };
}

/** As libpq takes it: a space within a value is escaped. */
const READ_COMMITTED = '-c default_transaction_isolation=read\\ committed';

/** A client that begins with that isolation where it is needed then; what the user's `options` say stays. */
function isolated(Base: PgClientClass, readCommitted: () => boolean): PgClientClass {
  return class extends Base {
    constructor(config: object) {
      const { options } = config as { options?: unknown };
      const own = typeof options === 'string' && options !== '' ? `${options} ${READ_COMMITTED}` : READ_COMMITTED;
      super(readCommitted() ? { ...config, options: own } : config);
    }
  };
}

function openProbe(Client: PgClientClass, options: PgOptions, lost: () => void): ProbeConnection {
  const client = new Client({
    ...options,
    password: options.password,
    // A probe has its own limit; a statement_timeout of the user's is not meant for it.
    statement_timeout: false,
    query_timeout: undefined,
    keepAlive: true,
  });
  let connecting: Promise<void> | undefined;
  let closed = false;
  client.on('error', () => undefined);
  client.on('end', () => {
    if (!closed) {
      lost();
    }
  });
  return {
    async connected() {
      connecting ??= client.connect().then(() => client.connection.stream.unref?.());
      await connecting;
    },
    async ask(text) {
      const { rows } = (await client.query(text)) as { rows: Record<string, unknown>[] };
      return rows[0] ?? {};
    },
    close() {
      closed = true;
      void client.end().catch(() => undefined);
      client.connection.stream.destroy();
    },
  };
}
