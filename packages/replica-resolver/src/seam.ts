import { AsyncLocalStorage } from 'node:async_hooks';
import type { MikroORM } from '@mikro-orm/core';
import type { Consistency } from './consistency.ts';
import { ReplicaResolverError } from './errors.ts';
import type { ResolvedOptions } from './options.ts';
import { defaultEntityManager, entityManagerMixin } from './seam/entity-manager.ts';
import { NodeSpecs } from './seam/node-specs.ts';
import { type ReadTraffic, routeReads, routeWrites, type SqlConnection } from './seam/routed-connections.ts';
import { type ConnectionSource, type DialectMaker, routeConnections } from './seam/routed-pool.ts';

/*
 * Only this file and those of seam/ touch MikroORM beyond its documented public API. What they rely on, all of 7.2:
 *
 * - `driver.connection` writes, and one entry of `driver.replicas` is what every read asks for (`driver.getConnection(type)`);
 * - what a connection sends goes through its Kysely, whose pool is asked for a physical connection each time; see
 *   `seam/routed-pool.ts`;
 * - `connection.execute()` is how statements are sent that are part of no transaction; see `seam/routed-connections.ts`;
 * - `driver.wrapVirtualExpressionInSubquery()` runs virtual entities by `driver.execute()` without naming a connection;
 * - `driver.connect()`, `close()` and `reconnect()` are all that opens and closes connections.
 *
 * `test/replica-resolver/seam.test.ts` checks each and names the MikroORM version when one has moved.
 */

/** What the extension does in MikroORM's place. */
export interface Takeover extends ReadTraffic {
  write<T>(send: () => Promise<T>): Promise<T>;
  readonly reading: ConnectionSource;
  readonly writing: ConnectionSource;
  readonly defaultsToPrimary: boolean;
  withConsistency<T>(consistency: Consistency, fn: () => T): T;
  close(): Promise<void>;
}

interface Driver {
  connection: SqlConnection;
  replicas: SqlConnection[];
  close(force?: boolean): Promise<void>;
  execute(...args: unknown[]): Promise<unknown>;
  wrapVirtualExpressionInSubquery(...args: unknown[]): Promise<unknown>;
  resolveConnectionType(options: object): 'read' | 'write';
  getConnection(type: 'read' | 'write'): SqlConnection;
  convertException(error: Error): Error;
}

/** The seam of one ORM. */
export class Seam {
  readonly #orm: MikroORM;
  readonly #driver: Driver;

  constructor(orm: MikroORM) {
    this.#orm = orm;
    this.#driver = orm.driver as unknown as Driver;
  }

  /** The nodes of the config as it is now. */
  specs(options: ResolvedOptions): NodeSpecs {
    return new NodeSpecs(this.#orm, this.#driver.connection.constructor, options);
  }

  /** Puts the takeover in MikroORM's place. To be called from `register(orm)`, before `orm.em` exists. */
  install(takeover: Takeover): void {
    const driver = this.#driver;
    const { config } = this.#orm;
    const Connection = driver.connection.constructor as new (
      config: unknown,
      options: undefined,
      type: string,
    ) => SqlConnection;
    routeWrites(driver.connection, send => takeover.write(send));
    routeConnections(driver.connection as unknown as DialectMaker, takeover.writing);
    const reading = new Connection(config, undefined, 'read');
    routeReads(reading, takeover);
    routeConnections(reading as unknown as DialectMaker, takeover.reading);
    driver.replicas = [reading];
    this.#routeVirtualEntities();

    const Base = config.get('entityManager') ?? defaultEntityManager(this.#orm);
    const mayRead = (): boolean => config.get('preferReadReplicas') && !takeover.defaultsToPrimary;
    config.set(
      'entityManager',
      entityManagerMixin(Base, {
        mayRead,
        withConsistency: (level, fn) => takeover.withConsistency(level, fn),
      }) as never,
    );

    const close = driver.close.bind(driver);
    driver.close = async force => {
      await close(force);
      await takeover.close();
    };
    const convert = driver.convertException.bind(driver);
    // What the resolver refuses is no error of the database.
    driver.convertException = error => (error instanceof ReplicaResolverError ? error : convert(error));
  }

  /** MikroORM sends them to the primary, whatever `connectionType` says. */
  #routeVirtualEntities(): void {
    const driver = this.#driver;
    const reading = new AsyncLocalStorage<true>();
    const wrap = driver.wrapVirtualExpressionInSubquery.bind(driver);
    driver.wrapVirtualExpressionInSubquery = (...args) => {
      const options = args[3] as { ctx?: unknown; connectionType?: string };
      return driver.resolveConnectionType(options) === 'read' ? reading.run(true, () => wrap(...args)) : wrap(...args);
    };
    const execute = driver.execute.bind(driver);
    driver.execute = (query, params, method, ctx, context, connection, ...rest) =>
      execute(
        query,
        params,
        method,
        ctx,
        context,
        connection ?? (!ctx && reading.getStore() ? driver.getConnection('read') : undefined),
        ...rest,
      );
  }
}
