import { defineConfig, MikroORM, type Options } from '@mikro-orm/postgresql';
import { batchLoader } from '@mikrokit/batch-loader';
import type { QueryTiming } from '@mikrokit/query-timing';
import type { ReplicaResolver } from '@mikrokit/replica-resolver';
import type { ResultCache } from '@mikrokit/result-cache';
import type { Servers } from './database/servers.ts';
import { entities } from './entities/index.ts';
import { replicaName, SqlLogger } from './sql-log.ts';

/** Everything of Atlas lives in this schema, so that it can share a database with other things. */
export const SCHEMA = 'atlas';

/**
 * Atlas as it is meant to be.
 *
 * @param reads whether its reads may be answered from the cache; its writes tell the cache in any case
 */
export function openOrm(servers: Servers, { cache, resolver, timing }: Extensions, reads = true): MikroORM {
  return new MikroORM({
    ...config(servers),
    extensions: [batchLoader(), cache, resolver, ...(timing === undefined ? [] : [timing])],
    ...(reads ? {} : { resultCache: { global: false } }),
  });
}

/** Those that the rest of Atlas asks something, too. */
export interface Extensions {
  readonly cache: ResultCache;
  readonly resolver: ReplicaResolver;
  /** Where somebody looks at what it tells. */
  readonly timing?: QueryTiming;
}

/**
 * With batch-loader alone, for the tour to measure it. To read only: the cache would not learn of its writes.
 *
 * @param timing for the part of the tour that shows what it tells
 */
export function openBatchingOrm(servers: Servers, ...timing: QueryTiming[]): MikroORM {
  return new MikroORM({ ...config(servers), extensions: [batchLoader(), ...timing] });
}

/** The same without it, for the tour to compare with. To read only as well. */
export function openPlainOrm(servers: Servers, ...timing: QueryTiming[]): MikroORM {
  return new MikroORM({ ...config(servers), extensions: timing });
}

function config({ primary, replicas }: Servers): Options {
  return defineConfig({
    entities,
    schema: SCHEMA,
    clientUrl: primary,
    replicas: replicas.map((clientUrl, i) => ({ name: replicaName(i), clientUrl })),
    // It has been reached already, and asking again would show up among the statements of somebody's first query.
    ensureDatabase: false,
    loggerFactory: SqlLogger.create,
    // A server that does not answer is reported, not waited for.
    driverOptions: { connectionTimeoutMillis: 5_000 },
  });
}
