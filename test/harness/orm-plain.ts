import { MikroORM, type Options } from '@mikro-orm/postgresql';
import { createDatabase, type DatabaseOptions } from './database-plain.ts';

/** MikroORM's own options, and where its database comes from. */
export interface OrmOptions extends Partial<Options>, DatabaseOptions {
  readonly entities: NonNullable<Options['entities']>;
  /** An existing database, with its tables, that stays when the ORM closes. @default a new one, dropped at the close */
  readonly url?: string | undefined;
}

/**
 * A MikroORM whose tables exist. `close()` (or `await using`) ends its connections and drops the database made for it.
 * No vitest needed: for benches and examples.
 */
export async function createOrm({ url, cluster, ...options }: OrmOptions): Promise<MikroORM> {
  if (url !== undefined) {
    return await MikroORM.init({ ...defaults, ...options, clientUrl: url });
  }
  const database = await createDatabase({ cluster });
  try {
    const orm = await MikroORM.init({ ...defaults, ...options, clientUrl: database.url });
    const close = orm.close.bind(orm);
    orm.close = async force => {
      try {
        await close(force);
      } finally {
        await database.drop();
      }
    };
    await orm.schema.create().catch(async (error: unknown) => {
      await orm.close(true);
      throw error;
    });
    return orm;
  } catch (error) {
    await database.drop();
    throw error;
  }
}

/** Silent, and without MikroORM's own look-up of the database before the first query, which a recorder would see. */
const defaults = { debug: false, logger: () => {}, ensureDatabase: false } satisfies Partial<Options>;
