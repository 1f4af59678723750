import type { Logger } from '@mikro-orm/core';
import { type EntityManager, PostgreSqlDriver } from '@mikro-orm/postgresql';
import { replicaResolver } from '@mikrokit/replica-resolver';
import { Kysely } from '@mikro-orm/sql';
import type { Pool } from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import { createDatabase } from '../harness/database-plain.ts';
import { createOrm } from '../harness/orm-plain.ts';
import { recordQueries } from '../harness/recorder.ts';
import {
  openReplicated,
  type Replicated,
  type ReplicatedOptions,
  type ReplicatedOrm,
} from './fixtures/open-replicated.ts';
import { Book, entities, fill } from './fixtures/shelf.ts';

/* What MikroORM's config says of connections, and where MikroORM itself does not do what it says. */

let servers: Replicated;
let plain: ReplicatedOrm;
beforeAll(async () => {
  servers = await openReplicated();
  plain = await open();
  await plain.orm.schema.create();
  await fill(plain.orm.em.fork());
  await servers.cluster.caughtUp();
});
const open = (options: Omit<ReplicatedOptions, 'entities'> = {}): Promise<ReplicatedOrm> =>
  servers.open({ entities, ...options });

/** Which server answers a read. */
async function whoReads({ orm }: ReplicatedOrm): Promise<string> {
  return await portOf(orm.em.fork() as EntityManager, 'read');
}
async function portOf(em: EntityManager, connectionType: 'read' | 'write'): Promise<string> {
  const [row] = await em.execute<{ port: number }[]>('select inet_server_port() as port', [], { connectionType });
  return servers.nodes.find(node => node.port === row!.port)?.name ?? 'unknown';
}
const settingOf = async (em: EntityManager, name: string, connectionType: 'read' | 'write'): Promise<string> => {
  const [row] = await em.execute<{ value: string }[]>(`select current_setting('${name}') as value`, [], {
    connectionType,
  });
  return row!.value;
};

describe('orm.reconnect()', () => {
  test('replicas stay replicas', async () => {
    const replicated = await open();
    for (let round = 0; round < 3; round++) {
      expect(await whoReads(replicated)).toMatch(/^replica/);
      await replicated.orm.reconnect();
      await replicated.resolver.ready();
    }
    expect(await whoReads(replicated)).toMatch(/^replica/);
    expect(replicated.resolver.snapshot().nodes.map(({ name }) => name)).toEqual([
      expect.stringContaining(String(servers.cluster.primary.port)),
      'replica-1',
      'replica-2',
    ]);
  });

  test('with another database: of each node', async () => {
    const other = await createDatabase({ cluster: servers.cluster });
    await servers.cluster.caughtUp();
    const nodes = servers.cluster.replicas.map(({ name, port }) => ({ name, host: '127.0.0.1', port }));
    const { orm, resolver } = await open({ dbName: servers.database, clientUrl: undefined, replicas: nodes } as never);
    const em = orm.em.fork() as EntityManager;
    const names = async (): Promise<unknown[]> =>
      await Promise.all(
        (['read', 'write'] as const).map(async connectionType => {
          const [row] = await em.execute<{ name: string }[]>('select current_database() as name', [], {
            connectionType,
          });
          return row!.name;
        }),
      );
    expect(await names()).toEqual([servers.database, servers.database]);
    await orm.reconnect({ dbName: other.name });
    await resolver.ready();
    expect(await names()).toEqual([other.name, other.name]);
    expect(await portOf(em, 'read')).toMatch(/^replica/);
    await orm.close(true);
  });

  test('after close() the ORM connects again when it is used again', async () => {
    const { orm, resolver } = await open();
    await orm.close();
    await orm.connect();
    await resolver.ready();
    expect(await orm.em.fork().count(Book)).toBe(3);
  });
});

describe('driverOptions', () => {
  const applicationNames = async ({ orm }: ReplicatedOrm): Promise<string[]> => {
    const em = orm.em.fork() as EntityManager;
    return [await settingOf(em, 'application_name', 'write'), await settingOf(em, 'application_name', 'read')];
  };

  test('as an object of the main config hold for every node', async () => {
    const replicated = await open({ driverOptions: { application_name: 'everywhere' } });
    expect(await applicationNames(replicated)).toEqual(['everywhere', 'everywhere']);
  });

  test('of a replica hold for that one', async () => {
    const replicas = servers.replicas.map(replica => ({
      ...replica,
      driverOptions: { application_name: `of ${replica.name}` },
    }));
    const replicated = await open({ driverOptions: { application_name: 'main' }, replicas });
    expect(await applicationNames(replicated)).toEqual(['main', expect.stringMatching(/^of replica-[12]$/)]);
  });

  test('as a function', async () => {
    const replicas = servers.replicas.map(replica => ({
      ...replica,
      driverOptions: (() => ({ application_name: `fn of ${replica.name}` })) as never,
    }));
    const replicated = await open({
      driverOptions: (() => ({ application_name: 'fn' })) as never,
      replicas,
    });
    expect(await applicationNames(replicated)).toEqual(['fn', expect.stringMatching(/^fn of replica-[12]$/)]);
  });

  /** As MikroORM makes it. */
  const dialect = (): never =>
    (plain.orm.em.getConnection() as unknown as { createKyselyDialect(options: object): never }).createKyselyDialect(
      {},
    );

  test.each<[string, () => object]>([
    ['a Kysely dialect', dialect],
    ['a Kysely instance', () => new Kysely({ dialect: dialect() })],
  ])('%s is refused before anything is connected, saying what to pass instead', async (what, make) => {
    const message =
      `replicaResolver() opens the connections to each node itself, but driverOptions has ${what} with its own. ` +
      'Give MikroORM the options of pg.Pool instead.';
    const config = { url: servers.url, entities, extensions: [replicaResolver()] };
    await expect(createOrm({ ...config, driverOptions: make() })).rejects.toThrow(message);
    await expect(
      createOrm({ ...config, extensions: [replicaResolver()], driverOptions: (() => make()) as never }),
    ).rejects.toThrow(message);
    await expect(
      createOrm({
        ...config,
        extensions: [replicaResolver()],
        replicas: [{ ...servers.replicas[0]!, driverOptions: (() => make()) as never }],
      }),
    ).rejects.toThrow(message);
  });
});

describe('hooks', () => {
  test('onPoolCreated is told of the pool of each node', async () => {
    const ports: unknown[] = [];
    const replicated = await open({
      driverOptions: { onPoolCreated: (pool: Pool) => void ports.push(pool.options.port) },
    });
    await whoReads(replicated);
    expect(new Set(ports)).toEqual(new Set(servers.nodes.map(({ port }) => port)));
    expect(ports).toHaveLength(3);
  });

  test('onCreateConnection is told of each physical connection once, onReserveConnection each time', async () => {
    const calls: string[] = [];
    const note = (what: string) => async (connection: { executeQuery(query: object): Promise<unknown> }) => {
      const { rows } = (await connection.executeQuery({
        sql: 'select inet_server_port() as port',
        parameters: [],
      })) as { rows: { port: number }[] };
      const { name } = servers.nodes.find(({ port }) => port === rows[0]!.port)!;
      calls.push(`${what} ${name.replace(/-\d/, '')}`);
    };
    const replicated = await open({
      onCreateConnection: note('create') as never,
      onReserveConnection: note('reserve') as never,
      replicas: [servers.replicas[0]!],
    });
    const em = replicated.orm.em.fork();
    calls.length = 0;
    await em.count(Book);
    await em.count(Book);
    await em.count(Book, {}, { connectionType: 'write' });
    await em.count(Book, {}, { connectionType: 'write' });
    expect(calls).toEqual([
      'create replica',
      'reserve replica',
      'reserve replica',
      'create primary',
      'reserve primary',
      'reserve primary',
    ]);
  });
});

describe('loggers', () => {
  test('are told which server answered', async () => {
    const replicated = await open({ resolver: { slowStart: 0, latencyWindow: 60_000 } });
    using recorder = recordQueries(replicated.orm);
    const ports = Array.from({ length: 20 }, () => whoReads(replicated));
    const answered = await Promise.all(ports);
    expect(
      recorder
        .take()
        .map(({ via, name }) => `${via} ${name}`)
        .toSorted(),
    ).toEqual(answered.map(name => `read ${name}`).toSorted());
    expect(new Set(answered)).toEqual(new Set(['replica-1', 'replica-2']));
    await replicated.orm.em.fork().execute('select 1');
    expect(recorder.take().map(({ via, name }) => `${via} ${name}`)).toEqual(['write 127.0.0.1']);
  });

  test('a read that the primary answers for want of a replica is named by that', async () => {
    const replicated = await open({ resolver: { consistency: 'strong' } });
    using recorder = recordQueries(replicated.orm);
    await replicated.orm.em.fork().count(Book);
    const [query] = recorder.take();
    expect(query?.name).toBe(`127.0.0.1:${servers.cluster.primary.port}`);
  });

  test('of slow queries are told which server answered, too', async () => {
    const told: unknown[] = [];
    const logger = {
      logQuery: ({ connection, namespace }) => void told.push([namespace, connection?.type, connection?.name]),
    } as Partial<Logger>;
    const replicated = await open({
      slowQueryThreshold: 20,
      slowQueryLoggerFactory: () => logger as Logger,
      replicas: [servers.replicas[0]!],
    });
    await replicated.orm.em.fork().execute('select pg_sleep(0.05)', [], { connectionType: 'read' });
    expect(told).toEqual([['slow-query', 'read', 'replica-1']]);
  });
});

describe('a replica that is down', () => {
  test('is not noticed by reads, and answers again when it is back', async () => {
    const replicated = await open();
    const [first] = servers.cluster.replicas;
    await first!.stop('immediate');
    try {
      const answered = await Promise.all(Array.from({ length: 10 }, () => whoReads(replicated)));
      expect(new Set(answered)).toEqual(new Set(['replica-2']));
    } finally {
      await first!.start();
    }
    const deadline = performance.now() + 15_000;
    while ((await whoReads(replicated)) !== 'replica-1') {
      expect(performance.now()).toBeLessThan(deadline);
      await new Promise(resolve => void setTimeout(resolve, 20));
    }
  });
});

test('a driver class of one’s own works as MikroORM’s', async () => {
  class Own extends PostgreSqlDriver {}
  const replicated = await open({ driver: Own as never });
  expect(await whoReads(replicated)).toMatch(/^replica/);
  expect(replicated.orm.driver).toBeInstanceOf(Own);
});
