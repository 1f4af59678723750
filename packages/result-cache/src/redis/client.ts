/**
 * What redisStore() uses of an ioredis 6 client: `new Redis()` and `new Cluster()` both are one. Declared here, so that the
 * types of this package do not need ioredis.
 */
export interface RedisClient {
  readonly status: string;
  readonly isCluster: boolean;
  readonly options: object;
  call(command: string, args: Argument[]): Promise<unknown>;
  callBuffer(command: string, args: Argument[]): Promise<unknown>;
  pipeline(): RedisPipeline;
  multi(): RedisPipeline;
  duplicate(): unknown;
  disconnect(): void;
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  removeListener(event: string, listener: (...args: unknown[]) => void): unknown;
}

/** Commands that are sent together. */
export interface RedisPipeline {
  call(command: string, args: Argument[]): unknown;
  callBuffer(command: string, args: Argument[]): unknown;
  exec(): Promise<[error: Error | null, result: unknown][] | null>;
}

/** A part of a command. */
export type Argument = string | Buffer | number;

/** The nodes of a Cluster. */
export interface ClusterNodes {
  nodes(role?: 'all' | 'master' | 'slave'): readonly RedisClient[];
}

/** The options of a client that matter here. */
export interface ClientOptions {
  readonly keyPrefix?: unknown;
  readonly enableOfflineQueue?: unknown;
  readonly maxRetriesPerRequest?: unknown;
  readonly enableAutoPipelining?: unknown;
  /** Of a Cluster. */
  readonly scaleReads?: unknown;
  readonly redisOptions?: ClientOptions | undefined;
  /** Of a connection to a replica of a Cluster. */
  readonly readOnly?: unknown;
}

export function optionsOf(client: RedisClient): ClientOptions {
  return client.options as ClientOptions;
}

const METHODS = ['call', 'callBuffer', 'pipeline', 'multi', 'duplicate', 'disconnect', 'on', 'removeListener'] as const;

/** Whether it has what a client has; never true for one of another library. */
export function isClient(value: unknown): value is RedisClient {
  const client = value as Partial<RedisClient> | null | undefined;
  return (
    typeof client === 'object' &&
    client !== null &&
    typeof client.options === 'object' &&
    client.options !== null &&
    METHODS.every(name => typeof client[name] === 'function')
  );
}
