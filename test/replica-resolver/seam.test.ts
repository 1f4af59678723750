import { type MikroORM as AnyOrm, Utils } from '@mikro-orm/core';
import { EntityManager, type MikroORM } from '@mikro-orm/postgresql';
import { beforeAll, describe, expect, test } from 'vitest';
import { openDatabase } from '../harness/database.ts';
import { type OrmOptions, openOrm } from '../harness/orm.ts';
import { AuthorTitles, Book, entities, fill } from './fixtures/shelf.ts';

/*
 * What `packages/replica-resolver/src/seam.ts` and the files in `seam/` rely on in MikroORM, asked of MikroORM itself,
 * without the extension. A test that fails here after an update says which internal has moved.
 */

const moved = (internal: string): string => `MikroORM ${Utils.getORMVersion()} has moved ${internal}`;

type Method = (this: unknown, ...args: unknown[]) => unknown;
type Internals = Record<string, Method>;

let url: string;
beforeAll(async () => {
  ({ url } = await openDatabase());
  const orm = await openOrm({ url, entities });
  await orm.schema.create();
  await fill(orm.em.fork());
});
const open = (options: Partial<OrmOptions> = {}): Promise<MikroORM> =>
  openOrm({ url, entities, replicas: [{ name: 'one', clientUrl: url }], ...options });

/** Notes the arguments of calls of one of its methods. */
function spied(target: object, name: string): unknown[][] {
  const calls: unknown[][] = [];
  const original = (target as Internals)[name];
  expect(original, moved(name)).toBeTypeOf('function');
  Object.defineProperty(target, name, {
    configurable: true,
    writable: true,
    value(this: unknown, ...args: unknown[]): unknown {
      calls.push(args);
      return original!.apply(this, args);
    },
  });
  return calls;
}

interface Driver {
  readonly connection: object;
  replicas: object[];
  getConnection(type?: string): object;
  createReplicas(make: (config: Record<string, unknown>) => object): object[];
}
const driverOf = (orm: MikroORM): Driver => orm.driver as unknown as Driver;

describe('driver', () => {
  test('.connection writes, .replicas are what reads ask for', async () => {
    const driver = driverOf(await open());
    expect(driver.getConnection('write'), moved('driver.connection')).toBe(driver.connection);
    expect(driver.replicas, moved('driver.replicas')).toHaveLength(1);
    expect(driver.getConnection('read'), moved('driver.replicas')).toBe(driver.replicas[0]);
  });

  test('.replicas may be replaced in register(), and is what reads ask for from then on', async () => {
    let put: object | undefined;
    const orm = await open({
      extensions: [
        {
          register({ driver, config }: AnyOrm): void {
            const { connection } = driver as unknown as { connection: { constructor: unknown } };
            put = new (connection.constructor as new (...args: unknown[]) => object)(config, undefined, 'read');
            (driver as unknown as Driver).replicas = [put];
          },
        },
      ],
    });
    const calls = spied(put!, 'execute');
    await orm.em.fork().find(Book, {});
    expect(calls, moved('driver.replicas')).toHaveLength(1);
  });

  test('.createReplicas(make) fills each entry from the main config', async () => {
    const orm = await open({
      driverOptions: { application_name: 'main' },
      replicas: [{ name: 'one', host: 'elsewhere' }],
    });
    const configs: Record<string, unknown>[] = [];
    driverOf(orm).createReplicas(config => {
      configs.push(config);
      return {};
    });
    expect(configs, moved('driver.createReplicas()')).toEqual([
      expect.objectContaining({ name: 'one', host: 'elsewhere', driverOptions: { application_name: 'main' } }),
    ]);
  });

  test('.wrapVirtualExpressionInSubquery() runs virtual entities by driver.execute() without naming a connection', async () => {
    const orm = await open();
    const wraps = spied(orm.driver, 'wrapVirtualExpressionInSubquery');
    const executes = spied(orm.driver, 'execute');
    await orm.em.fork().find(AuthorTitles, {}, { connectionType: 'read' });
    expect(wraps, moved('driver.wrapVirtualExpressionInSubquery()')).toHaveLength(1);
    expect(wraps[0]?.[3], moved('the options of virtual entities')).toMatchObject({ connectionType: 'read' });
    expect(executes, moved('driver.execute() of virtual entities')).toHaveLength(1);
    const [, , method, ctx, , connection] = executes[0]!;
    expect([method, ctx, connection], moved('the arguments of driver.execute()')).toEqual([
      'all',
      undefined,
      undefined,
    ]);
  });

  test('.createEntityManager() takes its class from the config, and says its own as the fallback', async () => {
    const orm = await open();
    let fallback: unknown;
    const config = {
      get: (name: string, value: unknown): unknown => {
        expect(name, moved('config.entityManager')).toBe('entityManager');
        fallback = value;
        return class {};
      },
    };
    (orm.driver.createEntityManager as Method).call({ config }, false);
    expect(fallback, moved('the fallback class of driver.createEntityManager()')).toBe(EntityManager);
  });

  test('.connect(), .close() and .reconnect() are what opens and closes', async () => {
    const orm = await open();
    const closes = spied(orm.driver, 'close');
    await orm.reconnect();
    expect(closes, moved('driver.close() of orm.reconnect()')).toHaveLength(1);
    await orm.close();
    expect(closes, moved('driver.close() of orm.close()')).toHaveLength(2);
  });
});

describe('connection', () => {
  test('.execute() hands its logger context on to .executeQuery(sql, send, context), and send may be called again', async () => {
    const orm = await open();
    const connection = driverOf(orm).replicas[0] as unknown as Internals;
    const mark = Symbol('mark');
    const told: unknown[] = [];
    const { executeQuery } = connection;
    connection['executeQuery'] = function (sql, send, context) {
      told.push((context as Record<symbol, unknown>)[mark]);
      (context as { connection: unknown }).connection = { type: 'read', name: 'named' };
      return executeQuery!.call(
        this,
        sql,
        async () => {
          await (send as () => Promise<unknown>)();
          return await (send as () => Promise<unknown>)();
        },
        context,
      );
    };
    const logged: unknown[] = [];
    const logger = orm.config.getLogger();
    logger.logQuery = context => void logged.push(context.connection?.name);
    const rows = await connection['execute']!.call(connection, 'select 1 as n', [], 'all', undefined, {
      [mark]: 'kept',
    });
    expect(rows, moved('what send() of connection.executeQuery() resolves with')).toEqual([{ n: 1 }]);
    expect(told, moved('the context of connection.executeQuery()')).toEqual(['kept']);
    expect(logged, moved("the logger's connection")).toEqual(['named']);
  });

  test('.createKyselyDialect(overrides) makes the pool and tells onPoolCreated; Kysely calls connect() of it', async () => {
    const orm = await open();
    const { connection } = driverOf(orm);
    let pool: object | undefined;
    const dialect = (connection as Internals)['createKyselyDialect']!.call(connection, {
      onPoolCreated: (made: object) => void (pool = made),
    }) as {
      createDriver(): {
        init(): Promise<void>;
        acquireConnection(): Promise<Internals>;
        releaseConnection(c: unknown): Promise<void>;
        destroy(): Promise<void>;
      };
    };
    expect(pool, moved('onPoolCreated of createKyselyDialect()')).toBeDefined();
    const calls = spied(pool!, 'connect');
    const driver = dialect.createDriver();
    await driver.init();
    const physical = await driver.acquireConnection();
    expect(calls, moved('pool.connect() of Kysely')).toHaveLength(1);
    for (const name of ['cancelQuery', 'killSession']) {
      expect(physical[name], moved(`${name}() of Kysely's connections`)).toBeTypeOf('function');
    }
    await driver.releaseConnection(physical);
    await driver.destroy();
  });

  test('closes and forgets its own options: the specs are read from the config each time', async () => {
    const orm = await open({ replicas: [{ name: 'one', clientUrl: url, driverOptions: { application_name: 'own' } }] });
    const [replica] = driverOf(orm).replicas as unknown as {
      options: Record<string, unknown>;
      close(): Promise<void>;
    }[];
    expect(replica!.options['driverOptions'], moved('connection.options')).toEqual({ application_name: 'own' });
    await replica!.close();
    expect(replica!.options['driverOptions'], `${moved('Connection.close()')}: it may be simpler now`).toBeUndefined();
  });
});

describe('EntityManager', () => {
  test.each<[string, (em: EntityManager) => Promise<unknown>]>([
    ['transactional()', em => em.transactional(() => Promise.resolve(), { readOnly: true })],
    [
      'begin()',
      async em => {
        await em.begin({ readOnly: true });
        await em.rollback();
      },
    ],
  ])('.%s asks getConnection() first of all for the connection it begins on', async (name, call) => {
    const asked: unknown[] = [];
    class Spy extends EntityManager {
      override getConnection(type?: 'read' | 'write'): never {
        asked.push(type);
        return super.getConnection('read') as never;
      }
    }
    const orm = await open({ entityManager: Spy as never });
    const begins = spied(driverOf(orm).replicas[0]!, 'begin');
    await call(orm.em.fork() as EntityManager);
    expect(asked.length, moved(`em.getConnection() of em.${name}`)).toBeGreaterThan(0);
    expect(begins, moved(`the connection of em.${name}`)).toHaveLength(1);
  });

  test('.prepareOptions() makes the logging object that a call hands down to its connection', async () => {
    class Spy extends EntityManager {}
    const { prepareOptions } = EntityManager.prototype as unknown as Internals;
    expect(prepareOptions, moved('em.prepareOptions()')).toBeTypeOf('function');
    Object.defineProperty(Spy.prototype, 'prepareOptions', {
      value(this: unknown, options: unknown): unknown {
        const prepared = prepareOptions!.call(this, options) as { logging: Record<string, unknown> };
        prepared.logging['consistency'] = 'handed down';
        return prepared;
      },
    });
    const orm = await open({ entityManager: Spy as never });
    const calls = spied(driverOf(orm).replicas[0]!, 'execute');
    await orm.em.fork().find(Book, {});
    await orm.em.fork().findOne(Book, 1);
    await orm.em.fork().count(Book);
    const contexts = calls.map(([, , , , context]) => (context as { consistency?: unknown }).consistency);
    expect(contexts, moved('the logging object of em.prepareOptions()')).toEqual([
      'handed down',
      'handed down',
      'handed down',
    ]);
  });
});

describe('pg, which MikroORM brings', () => {
  type Submittable = { submit(connection: unknown): Error | null; callback: unknown; _result: object };
  type Inside = Internals & {
    readonly connection: { on(event: string, listener: (message: { parameterName: string }) => void): void };
    readonly processID: unknown;
    readonly _queryQueue: unknown[];
    readonly _types: unknown;
    readonly _queryable: unknown;
    readonly _ending: unknown;
  };
  type PoolOfPg = {
    Client: { new (options: object): Inside; Query: new (config: object) => Submittable };
    options: object;
  };

  async function poolOf(orm: MikroORM): Promise<PoolOfPg> {
    return (await (driverOf(orm).connection as unknown as Internals)['getNativeClient']!()) as PoolOfPg;
  }

  test('tells settings that the server reports, and has what a statement is sent with', async () => {
    const { Client, options } = await poolOf(await open());
    const client = new Client(options);
    const reported: string[] = [];
    client.connection.on('parameterStatus', ({ parameterName }) => void reported.push(parameterName));
    await client['connect']!();
    expect(reported, moved("pg's parameterStatus")).toContain('in_hot_standby');
    expect(client.processID, moved("pg's client.processID")).toBeTypeOf('number');
    expect(client._queryQueue, moved("pg's client._queryQueue")).toEqual([]);
    expect([client._queryable, client._ending], moved("pg's client._queryable, _ending")).toEqual([true, false]);
    expect(client['getTransactionStatus']!(), moved("pg's client.getTransactionStatus()")).toBe('I');
    expect(client['_getActiveQuery']!() ?? undefined, moved("pg's client._getActiveQuery()")).toBeUndefined();
    await client['end']!();
  });

  test('submits what is given to query() when its turn comes, and answers in the order of the queue', async () => {
    const { Client, options } = await poolOf(await open());
    const client = new Client(options);
    await client['connect']!();
    const order: string[] = [];
    const query = (name: string): [Submittable, Promise<void>] => {
      const made = new Client.Query({ text: `select '${name}' as name` });
      const answered = new Promise<void>(resolve => {
        made.callback = () => {
          order.push(`answer ${name}`);
          resolve();
        };
      });
      const submit = made.submit.bind(made);
      made.submit = connection => {
        order.push(`submit ${name}`);
        return submit(connection);
      };
      return [made, answered];
    };
    const [first, one] = query('one');
    const [second, two] = query('two');
    client['query']!(first);
    client['query']!(second);
    await Promise.all([one, two]);
    await client['end']!();
    expect(order, moved("the queue of pg's client")).toEqual(['submit one', 'answer one', 'submit two', 'answer two']);
    expect(first._result, moved("pg's query._result")).toHaveProperty('_types');
  });
});
