import { defineConfig, MikroORM, type Options } from '@mikro-orm/postgresql';
import { batchLoader } from '@mikrokit/batch-loader';
import type { Servers } from './database/servers.ts';
import { entities } from './entities/index.ts';
import { SqlLogger } from './sql-log.ts';

/** Everything of Atlas lives in this schema, so that it can share a database with other things. */
export const SCHEMA = 'atlas';

/** The extensions of Atlas. This line is the difference between the two columns of the tour. */
const extensions = (): NonNullable<Options['extensions']> => [batchLoader()];

/** Atlas as it is meant to be. */
export function openOrm(servers: Servers): MikroORM {
  return new MikroORM({ ...config(servers), extensions: extensions() });
}

/** The same without extensions, for the tour to compare with. */
export function openPlainOrm(servers: Servers): MikroORM {
  return new MikroORM(config(servers));
}

function config({ primary, replicas }: Servers): Options {
  return defineConfig({
    entities,
    schema: SCHEMA,
    clientUrl: primary,
    replicas: replicas.map(clientUrl => ({ clientUrl })),
    // It has been reached already, and asking again would show up among the statements of somebody's first query.
    ensureDatabase: false,
    loggerFactory: SqlLogger.create,
    // A server that does not answer is reported, not waited for.
    driverOptions: { connectionTimeoutMillis: 5_000 },
  });
}
