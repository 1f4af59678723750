import type { MikroORM } from '@mikro-orm/core';
import type { Model } from './model.ts';
import { defaultEntityManager, timedEntityManager } from './seam/entity-manager.ts';
import { OrmModel } from './seam/model.ts';
import { addressOf, hearNotices, type Pool, timeCreation, withPools } from './seam/pool-events.ts';
import { sideConnections } from './seam/side-connection.ts';
import { type Sending, timeConnection, type TimedConnection } from './seam/timed-connection.ts';
import type { OpenSideConnection } from './side-connection.ts';

/*
 * Only this file and those of seam/ touch MikroORM beyond its documented public API. What they rely on, all of 7.2:
 *
 * - `driver.connection` and `driver.replicas` are the connections that everything is sent on; see `seam/timed-connection.ts`;
 * - `config.get('entityManager')` is the class that EntityManagers are made of; see `seam/entity-manager.ts`;
 * - `driver.close()` is what ends an ORM.
 *
 * `test/query-timing/seam.test.ts` checks each and names the MikroORM version when one has moved.
 */

interface Driver {
  connection: TimedConnection;
  replicas: TimedConnection[];
  close(force?: boolean): Promise<void>;
}

/** What the extension does with an ORM. */
export interface Takeover extends Sending {
  close(): Promise<void>;
}

/** The seam of one ORM. */
export class Seam {
  readonly model: Model & { isSecretName(column: string): boolean };
  readonly openSide: OpenSideConnection;
  readonly #orm: MikroORM;
  readonly #driver: Driver;

  constructor(orm: MikroORM, secretColumns: readonly (string | RegExp)[]) {
    this.#orm = orm;
    this.#driver = orm.driver as unknown as Driver;
    this.model = new OrmModel(orm, secretColumns);
    this.openSide = sideConnections(() => this.#driver.connection.getNativeClient());
  }

  /** Class name of the entity of a table; not that of the pairs of a relation, which nobody has written. */
  entityOf(table: string): string | undefined {
    const entity = this.model.byTable(table);
    return entity === undefined || entity.pivot ? undefined : entity.name;
  }

  /** The fork that requests share which have none of their own. */
  get globalFork(): number | undefined {
    // Not `id`, which is that of the request that asks. There is no EntityManager while the ORM is constructed.
    return (this.#orm as unknown as { em?: { readonly _id?: number } }).em?._id;
  }

  /** To be called once, from `register(orm)`, before `orm.em` exists. */
  install(takeover: Takeover): void {
    const driver = this.#driver;
    const timed = new WeakSet<TimedConnection>();
    const { config } = this.#orm;
    const listen = (pool: Pool): void => {
      hearNotices(pool, takeover.notice);
      // One that another extension has opened: those of MikroORM's connections are timed by then, under their names.
      timeCreation(pool, took => takeover.created(addressOf(pool), took));
    };
    config.set('driverOptions', withPools(config.get('driverOptions'), listen) as never);
    const time = (connection: TimedConnection, role: 'primary' | 'replica'): void => {
      if (timed.has(connection)) {
        return;
      }
      timed.add(connection);
      const { options } = connection;
      if (options.driverOptions !== undefined) {
        options.driverOptions = withPools(options.driverOptions, listen);
      }
      timeConnection(connection, role, takeover);
    };
    time(driver.connection, 'primary');
    driver.replicas.forEach(replica => time(replica, 'replica'));
    // Another extension may put its own connections there, before or after this one.
    let replicas = driver.replicas;
    Object.defineProperty(driver, 'replicas', {
      get: () => replicas,
      set: (connections: TimedConnection[]) => {
        connections.forEach(connection => time(connection, 'replica'));
        replicas = connections;
      },
      configurable: true,
      enumerable: true,
    });

    const Base = (config.get('entityManager') ?? defaultEntityManager(this.#orm)) as never;
    config.set('entityManager', timedEntityManager(Base, takeover.recorder) as never);

    const close = driver.close.bind(driver);
    driver.close = async force => {
      await takeover.close();
      await close(force);
    };
  }
}
