import { DAY, isObject, number, wrong } from './checks.ts';

/** A pool of connections to one node, in the words of pg-pool. */
export interface PoolOptions {
  /** Most connections. @default 10 */
  readonly max?: number | undefined;
  /** Connections kept open, and opened before a replica gets its first read. @default 0 */
  readonly min?: number | undefined;
  /** How long connecting may take, in ms. @default 1000 for replicas, 3000 for the primary */
  readonly connectionTimeoutMillis?: number | undefined;
  /** How long a statement waits for a free connection, in ms. @default 1000 for replicas (then another node answers), 30000 for the primary */
  readonly acquireTimeoutMillis?: number | undefined;
  /** A connection that nobody has used for so long is closed, in ms. @default 30000 */
  readonly idleTimeoutMillis?: number | undefined;
  /** A connection is closed after so long, ±10 %, in s. @default 1800 */
  readonly maxLifetimeSeconds?: number | undefined;
}

/** What pools are where nothing is said. */
export const REPLICA_POOL: Readonly<Record<keyof PoolOptions, number>> = {
  max: 10,
  min: 0,
  connectionTimeoutMillis: 1_000,
  acquireTimeoutMillis: 1_000,
  idleTimeoutMillis: 30_000,
  maxLifetimeSeconds: 1_800,
};
export const PRIMARY_POOL: Readonly<Record<keyof PoolOptions, number>> = {
  ...REPLICA_POOL,
  connectionTimeoutMillis: 3_000,
  acquireTimeoutMillis: 30_000,
};

/** Settings of one pool. @throws OptionsError */
export function checkPool(option: string, value: unknown): PoolOptions {
  if (value === undefined) {
    return {};
  }
  const defaults = option === 'primaryPool' ? PRIMARY_POOL : REPLICA_POOL;
  const limits: Record<keyof PoolOptions, readonly [least: number, most: number]> = {
    max: [1, 10_000],
    min: [0, 10_000],
    connectionTimeoutMillis: [1, DAY],
    acquireTimeoutMillis: [1, DAY],
    idleTimeoutMillis: [0, DAY],
    maxLifetimeSeconds: [0, DAY / 1000],
  };
  if (!isObject(value)) {
    throw wrong(option, `takes an object of ${Object.keys(limits).join(', ')}`, value, 'Pass { max: 10 }.');
  }
  for (const [name, setting] of Object.entries(value)) {
    const limit = Object.hasOwn(limits, name) ? limits[name as keyof PoolOptions] : undefined;
    if (limit === undefined) {
      throw wrong(
        `${option}.${name}`,
        `is not among ${Object.keys(limits).join(', ')}`,
        setting,
        'Remove it, or correct its name.',
      );
    }
    if (setting !== undefined) {
      number(
        `${option}.${name}`,
        setting,
        defaults[name as keyof PoolOptions],
        ...limit,
        name.endsWith('Millis') ? 'ms' : '',
      );
    }
  }
  const { min = 0, max = 10 } = value as PoolOptions;
  if (min > max) {
    throw wrong(`${option}.min`, `is not more than max (${max})`, min, 'Lower min or raise max.');
  }
  return value as PoolOptions;
}
