import type { EntityMetadata, MikroORM } from '@mikro-orm/core';
import { type Capture, type CapturedStatement, capturing } from './captured-read.ts';
import type { Connection } from './connection.ts';

/** Options as `driver.find` and `driver.count` get them. */
export interface DriverOptions {
  readonly ctx?: object | undefined;
  readonly em?: object | undefined;
  readonly logging?: object | undefined;
  readonly connectionType?: 'read' | 'write' | undefined;
  readonly lockMode?: unknown;
  readonly refresh?: boolean | undefined;
  readonly populate?: unknown;
  readonly [option: string]: unknown;
}

/** A call of `driver.find` or `driver.count`, which every read of an EntityManager comes down to. */
export interface DriverRead {
  readonly method: 'find' | 'count';
  readonly meta: EntityMetadata;
  readonly where: unknown;
  readonly options: DriverOptions;
  /** Runs it as it is, with `options` in place of some of its own. */
  plain(options?: DriverOptions): Promise<unknown>;
  /** Lets MikroORM build its statement, up to where it would be sent. */
  capture(options?: DriverOptions): Promise<Capture<unknown>>;
}

interface Driver {
  find(entity: unknown, where: unknown, options?: DriverOptions): Promise<unknown>;
  count(entity: unknown, where: unknown, options?: DriverOptions): Promise<unknown>;
  createQueryBuilder(...args: unknown[]): Builder;
}

interface Builder {
  getConnection(): Connection;
}

/** The position of the logger context in `driver.createQueryBuilder(entity, ctx, type, convert, loggerContext, alias, em)`. */
const LOGGER_CONTEXT = 4;

/**
 * Hands every read of the driver to `answer`.
 *
 * Relies on `driver.find` and `driver.count` making their one QueryBuilder with `options.logging` as its logger context,
 * which is how their statement is told from others, and on `qb.execute()` asking `qb.getConnection()` for its connection.
 */
export function takeDriverReads(orm: MikroORM, answer: (read: DriverRead) => Promise<unknown>): void {
  const driver = orm.driver as unknown as Driver;
  const captures = new WeakMap<object, (statement: CapturedStatement) => void>();
  const createQueryBuilder = driver.createQueryBuilder.bind(driver);
  driver.createQueryBuilder = (...args) => {
    const builder = createQueryBuilder(...args);
    const marker = args[LOGGER_CONTEXT];
    const seen = typeof marker === 'object' && marker !== null ? captures.get(marker) : undefined;
    if (seen !== undefined) {
      const getConnection = builder.getConnection.bind(builder);
      const own = (): Connection => {
        const connection = getConnection();
        // Another extension that answers this statement in the database's place has to be left to it.
        return builder.getConnection === own && isDatabase(connection) ? capturing(connection, seen) : connection;
      };
      builder.getConnection = own;
    }
    return builder;
  };
  for (const method of ['find', 'count'] as const) {
    const original = driver[method].bind(driver);
    driver[method] = (entity, where, options = {}) => {
      const meta = orm.getMetadata().find(entity as never) as EntityMetadata | undefined;
      if (meta === undefined) {
        return original(entity, where, options);
      }
      const plain = (other = options): Promise<unknown> => original(entity, where, other);
      return answer({
        method,
        meta,
        where,
        options,
        plain,
        capture(other = options) {
          return new Promise(resolve => {
            const marker = { ...other.logging };
            // Seen only after an await within it: by then there is a promise of its result.
            captures.set(marker, statement => resolve({ statement, result }));
            const result = plain({ ...other, logging: marker });
            // It has sent nothing, as for an empty list of keys, or not through us.
            result.then(
              () => resolve({ result }),
              () => resolve({ result }),
            );
          });
        },
      });
    };
  }
}

/** A connection of MikroORM's, or a stand-in for several (a router of replicas): not an object that only answers. */
function isDatabase(connection: object): boolean {
  return 'getClient' in connection;
}
