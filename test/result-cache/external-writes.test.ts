import { setTimeout as sleep } from 'node:timers/promises';
import { defineEntity, p } from '@mikro-orm/postgresql';
import { Client, Pool } from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
// Not yet among the exports of the package.
import {
  type ExternalWrites,
  externalWrites,
  type ExternalWritesOptions,
  type FollowContext,
  type Follower,
  forEntities,
} from '../../packages/result-cache/src/external-writes.ts';
import { followerQueries } from '../../packages/result-cache/src/external/change-log.ts';
import { openDatabase } from '../harness/database.ts';
import { openCluster } from '../harness/open-cluster.ts';
import { openOrm } from '../harness/orm.ts';

const TABLES = `
  create table city (id int primary key, name text);
  create table visit (id int primary key, city int references city on delete cascade, note text);
  create table other (id int primary key)`;

/** A follower that never looks by itself within a test. */
const NEVER = 1_000_000_000;

interface Setup {
  readonly url: string;
  readonly pool: Pool;
  readonly writer: Client;
  readonly external: ExternalWrites;
}

async function connect(url: string): Promise<Client> {
  const client = new Client(url);
  // A server that is stopped by a test.
  client.on('error', () => undefined);
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}

function openPool(url: string): Pool {
  const pool = new Pool({ connectionString: url, max: 4 });
  pool.on('error', () => undefined);
  onTestFinished(() => pool.end());
  return pool;
}

async function runAll(client: Client | Pool, statements: readonly string[]): Promise<void> {
  for (const sql of statements) {
    await client.query(sql);
  }
}

async function setUp(options: Partial<ExternalWritesOptions> = {}, ddl = TABLES, url?: string): Promise<Setup> {
  const at = url ?? (await openDatabase()).url;
  const [pool, writer] = [openPool(at), await connect(at)];
  await writer.query(ddl);
  const external = externalWrites({ tables: ['city', 'visit'], interval: NEVER, ...options });
  await runAll(writer, external.up());
  return { url: at, pool, writer, external };
}

const queryOf =
  (pool: Pool): FollowContext['query'] =>
  async (sql, params) => {
    let index = 0;
    return (
      await pool.query<object>(
        sql.replaceAll('?', () => `$${++index}`),
        params,
      )
    ).rows;
  };

/** A follower that has looked once, and what it calls. */
async function followed(
  { external, pool }: Pick<Setup, 'external' | 'pool'>,
  context: Partial<FollowContext> = {},
): Promise<{ follower: Follower; told: string[]; calls: string[][]; failures: unknown[]; take(): Promise<string[]> }> {
  const [told, calls, failures]: [string[], string[][], unknown[]] = [[], [], []];
  const follower = external.follow({
    query: queryOf(pool),
    invalidate: tables => {
      told.push(...tables.toSorted());
      calls.push(tables);
      return Promise.resolve();
    },
    clear: () => Promise.resolve(void told.push('*')),
    failed: error => failures.push(error),
    ...context,
  });
  onTestFinished(() => follower.stop());
  await follower.poll().catch(() => undefined);
  const take = async (): Promise<string[]> => {
    await follower.poll();
    return told.splice(0);
  };
  return { follower, told, calls, failures, take };
}

const rowsOf = async (client: Client | Pool): Promise<number> =>
  (await client.query<{ n: number }>('select count(*)::int as n from mikrokit.changes')).rows[0]!.n;

describe('what is seen', () => {
  test.each([
    ['insert', `insert into city values (7, 'x')`, ['public.city']],
    ['update', `update city set name = 'y' where id = 1`, ['public.city']],
    ['delete', 'delete from visit where id = 1', ['public.visit']],
    ['truncate', 'truncate visit', ['public.visit']],
    ['truncate cascade', 'truncate city cascade', ['public.city', 'public.visit']],
    ['copy', `copy city from program 'printf "9\\tnine\\n"'`, ['public.city']],
    [
      'merge',
      `merge into city using (values (1)) v(id) on city.id = v.id when matched then update set name = 'm'`,
      ['public.city'],
    ],
    ['on conflict', `insert into city values (1, 'x') on conflict (id) do update set name = 'z'`, ['public.city']],
    [
      'a CTE',
      `with a as (insert into city values (8, 'x') returning id) insert into visit select 8, id from a`,
      ['public.city', 'public.visit'],
    ],
    ['a foreign key cascade', 'delete from city where id = 1', ['public.city', 'public.visit']],
    ['a view that can be written to', `update seen set name = 'v' where id = 1`, ['public.city']],
    ['a function', `select write_city()`, ['public.city']],
    ['a trigger of another table', 'insert into other values (1)', ['public.visit']],
    [
      'replica role',
      `begin; set local session_replication_role = replica; update city set name = 'r'; commit`,
      ['public.city'],
    ],
    ['nothing of a table that is not named', 'delete from other', []],
    ['nothing of a read', 'select * from city', []],
    [
      'a transaction of many statements, once',
      `begin; update city set name = 'a'; update city set name = 'b'; update visit set note = 'c'; commit`,
      ['public.city', 'public.visit'],
    ],
  ])('%s', async (_name, sql, expected) => {
    const setup = await setUp();
    await setup.writer.query(`
      insert into city values (1, 'one'); insert into visit values (1, 1);
      create view seen as select * from city;
      create function write_city() returns void language sql as $$ update city set name = 'f' $$;
      create function write_visit() returns trigger language plpgsql as $$ begin update visit set note = 't'; return new; end $$;
      create trigger other_visit after insert on other for each row execute function write_visit()`);
    const { told, take } = await followed(setup);
    expect(told.splice(0)).toEqual(['*']);
    await setup.writer.query(sql);
    expect(await take()).toEqual(expected);
    expect(await take()).toEqual([]);
  });

  test('a statement without a transaction of its own: one row for each transaction and table', async () => {
    const { writer } = await setUp();
    await writer.query('begin');
    for (let id = 0; id < 5; id++) {
      await writer.query('insert into city values ($1)', [id]);
    }
    await writer.query('commit');
    expect(await rowsOf(writer)).toBe(1);
  });

  test('a transaction that began first and commits last, and one that is prepared', async () => {
    const setup = await setUp();
    const [first, second] = [await connect(setup.url), await connect(setup.url)];
    const { told, take } = await followed(setup);
    told.length = 0;
    await first.query('begin; insert into city values (1)');
    await second.query('begin; insert into visit values (1)');
    await setup.writer.query('insert into city values (2)');
    expect(await take()).toEqual(['public.city']);
    await second.query('commit');
    expect(await take()).toEqual(['public.visit']);
    expect(await take()).toEqual([]);
    await setup.writer.query('insert into visit values (3)');
    expect(await take()).toEqual(['public.visit']);
    await first.query('commit');
    expect(await take()).toEqual(['public.city']);
    expect(await take()).toEqual([]);
  });

  test('rollbacks and savepoints', async () => {
    const setup = await setUp();
    const { told, take } = await followed(setup);
    told.length = 0;
    const { writer } = setup;
    await writer.query('begin; insert into city values (1); rollback');
    expect(await take()).toEqual([]);
    await writer.query(
      'begin; insert into visit values (1); savepoint a; insert into city values (1); rollback to a; commit',
    );
    expect(await take()).toEqual(['public.visit']);
    await writer.query(
      'begin; savepoint a; insert into city values (1); rollback to a; savepoint b; insert into city values (2); release b; commit',
    );
    expect(await take()).toEqual(['public.city']);
  });

  test('partitions, in both directions, and those made later', async () => {
    const setup = await setUp(
      { tables: ['log', 'part_of.leaf'] },
      `create table log (id int, at int) partition by range (at);
       create table log_1 partition of log for values from (0) to (10) partition by range (at);
       create table log_1_a partition of log_1 for values from (0) to (5);
       create schema part_of;
       create table base (id int, at int) partition by range (at);
       create table part_of.leaf partition of base for values from (0) to (10);
       create table parent (id int primary key);
       insert into parent values (1);
       alter table log add foreign key (id) references parent on delete cascade`,
    );
    const { told, take, failures } = await followed(setup);
    told.length = 0;
    await setup.writer.query('insert into log values (1, 1)');
    expect(await take()).toContain('public.log');
    await setup.writer.query('insert into log_1_a values (1, 1)');
    expect(await take()).toEqual(['public.log', 'public.log_1', 'public.log_1_a']);
    await setup.writer.query('truncate log_1');
    expect(await take()).toContain('public.log');
    await setup.writer.query('insert into log values (1, 1)');
    await take();
    await setup.writer.query('delete from parent');
    expect(await take()).toContain('public.log');
    await setup.writer.query('insert into base values (1, 1)');
    expect(await take()).toEqual(['part_of.leaf', 'public.base']);
    expect(failures).toEqual([]);

    await setup.writer.query('create table log_2 partition of log for values from (10) to (20)');
    const later = await followed(setup);
    expect(later.failures).toMatchObject([
      { code: 'UNSEEN_WRITES', message: expect.stringContaining(`these have none: log_2.`) as string },
    ]);
    await runAll(setup.writer, [`select "mikrokit".watch('log_2')`]);
    await setup.writer.query('insert into log_2 values (null, 11)');
    expect(await take()).toEqual(['*']);
    await setup.writer.query('insert into log_2 values (null, 12)');
    expect(await take()).toEqual(['public.log', 'public.log_2']);
    expect((await followed(setup)).failures).toEqual([]);
  });

  test('tables with odd names', async () => {
    const names = ['we"ird Table', `it's`, 'Mixed', 'back\\slash', 'a?b $1 %I', 'select'];
    const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
    const setup = await setUp(
      { tables: [...names, 'Odd "Schema".dotted.table'], schema: 'Cache_Log' },
      `create schema ${quoted('Odd "Schema"')}; create table ${quoted('Odd "Schema"')}."dotted.table" (id int);
       ${names.map(name => `create table ${quoted(name)} (id int)`).join(';')}`,
    );
    const { told, take } = await followed(setup);
    told.length = 0;
    for (const name of names) {
      await setup.writer.query(`insert into ${quoted(name)} values (1)`);
      expect(await take()).toEqual([`public.${name}`]);
    }
    await setup.writer.query(`insert into "Odd ""Schema"""."dotted.table" values (1)`);
    expect(await take()).toEqual(['Odd "Schema".dotted.table']);
    await runAll(setup.writer, setup.external.down());
  });

  test('a user without rights on the schema, and a search path of its own', async () => {
    const setup = await setUp();
    const role = `writer_${setup.url.slice(-8)}`;
    await setup.writer.query(`create role ${role}; grant insert on city to ${role}`);
    const { told, take } = await followed(setup);
    told.length = 0;
    await setup.writer.query(`set role ${role}; set search_path = ''; insert into public.city values (1)`);
    await expect(setup.writer.query('select * from mikrokit.changes')).rejects.toMatchObject({ code: '42501' });
    expect(await take()).toEqual(['public.city']);
    await setup.writer.query(`reset role; drop owned by ${role}; drop role ${role}`);
  });

  test('serializable and repeatable read writers do not fail because of it', async () => {
    const setup = await setUp();
    const clients = [await connect(setup.url), await connect(setup.url)];
    for (const level of ['serializable', 'repeatable read']) {
      for (const client of clients) {
        await client.query(`begin isolation level ${level}; select 1 from other`);
      }
      for (const [index, client] of clients.entries()) {
        await client.query('insert into city values ($1)', [index + level.length * 10]);
        await client.query('update visit set note = null where id = $1', [index]);
        await client.query('insert into city values ($1)', [index + level.length * 10 + 5]);
      }
      for (const client of clients) {
        await client.query('commit');
      }
    }
    expect(await rowsOf(setup.writer)).toBe(8);
  });
});

describe('own writes', () => {
  test('are not logged, but what their cascades and triggers write is', async () => {
    const setup = await setUp();
    await setup.writer.query('insert into city values (1); insert into visit values (1, 1)');
    const { told, take } = await followed(setup);
    told.length = 0;
    await setup.writer.query(setup.external.ownSession);
    await setup.writer.query(`update city set name = 'own'`);
    expect(await take()).toEqual([]);
    await setup.writer.query('delete from city');
    expect(await take()).toEqual(['public.visit']);
    await setup.writer.query(`set mikrokit.writer = 'another'; insert into city values (1)`);
    expect(await take()).toEqual(['public.city']);
    await setup.writer.query('reset mikrokit.writer; insert into city values (2)');
    expect(await take()).toEqual(['public.city']);
  });

  test('of one log are those of others in another', async () => {
    const setup = await setUp();
    const second = externalWrites({ tables: ['city'], schema: 'second', interval: NEVER });
    await runAll(setup.writer, second.up());
    const mine = await followed(setup);
    const theirs = await followed({ ...setup, external: second });
    await setup.writer.query(setup.external.ownSession);
    await setup.writer.query('insert into city values (1)');
    expect([await mine.take(), await theirs.take()]).toEqual([['*'], ['*', 'public.city']]);
    await runAll(setup.writer, second.down());
    await setup.writer.query('reset mikrokit.writer; insert into city values (2)');
    expect(await mine.take()).toEqual(['public.city']);
  });
});

describe('up and down', () => {
  test('up twice, down twice, and nothing is left', async () => {
    const setup = await setUp();
    await setup.writer.query('insert into city values (1)');
    await runAll(setup.writer, setup.external.up());
    expect(await rowsOf(setup.writer)).toBe(1);
    for (let round = 0; round < 2; round++) {
      await runAll(setup.writer, setup.external.down());
    }
    const { rows } = await setup.writer.query(`
      select nspname::text as name from pg_namespace where nspname = 'mikrokit'
      union all select tgname::text from pg_trigger where not tgisinternal
      union all select proname::text from pg_proc where proname in ('watch', 'log_change')`);
    expect(rows).toEqual([]);
    await setup.writer.query('insert into city values (2)');
    // Without the log, everybody is told why.
    const { failures, follower } = await followed(setup);
    expect(failures).toMatchObject([{ code: 'UNSEEN_WRITES', message: expect.stringContaining('Run up()') as string }]);
    await expect(follower.poll()).rejects.toMatchObject({ code: 'UNSEEN_WRITES' });
    expect(failures).toHaveLength(1);
    expect(follower.lag).toBe(Infinity);
    await runAll(setup.writer, setup.external.up());
    await follower.poll();
    expect(follower.lag).toBeLessThan(10_000);
  });

  test('a schema in which somebody keeps something stays', async () => {
    const { writer, external } = await setUp();
    await writer.query('create table mikrokit.mine (id int)');
    await runAll(writer, external.down());
    expect((await writer.query('select * from mikrokit.mine')).rows).toEqual([]);
  });

  test('up again takes no lock that waits for writers', async () => {
    const { writer, external, url } = await setUp();
    const busy = await connect(url);
    await busy.query('begin; insert into city values (1)');
    await writer.query(`set lock_timeout = '200ms'`);
    await runAll(writer, external.up());
    await busy.query('commit');
  });

  test('a view is refused', async () => {
    const { writer } = await setUp();
    await writer.query('create view seen as select * from city');
    await expect(runAll(writer, externalWrites({ tables: ['seen'] }).up())).rejects.toMatchObject({
      code: '42809',
      message: expect.stringContaining('takes tables, but public.seen is none') as string,
    });
  });

  test.each([
    [{}, /tables.*must be an array/],
    [{ tables: [] }, /must be an array/],
    [{ tables: ['a', ''] }, /must be an array/],
    [{ tables: ['a.'] }, /must be an array/],
    [{ tables: ['a'], table: 'b' }, /no option 'table'/],
    [{ tables: ['a'], schema: 'public' }, /a schema of its own/],
    [{ tables: ['a'], schema: 'x"y' }, /a schema of its own/],
    [{ tables: ['a'], interval: 0 }, /interval must be/],
    [{ tables: ['a'], retention: 1 }, /retention must be/],
    [{ tables: ['a'], notify: 1 }, /notify/],
  ])('refuses %o', (options, message) => {
    expect(() => externalWrites(options as never)).toThrow(message);
  });
});

describe('the follower', () => {
  test('begins by clearing, and again after each restart', async () => {
    const setup = await setUp();
    const one = await followed(setup);
    expect(one.told.splice(0)).toEqual(['*']);
    await one.follower.stop();
    await setup.writer.query('insert into city values (1)');
    expect(one.told).toEqual([]);
    const two = await followed(setup);
    expect(two.told).toEqual(['*']);
  });

  test('of a named store goes on from where the others were, and shares the work', async () => {
    const setup = await setUp();
    const store = 'redis/app';
    const one = await followed(setup, { store });
    expect(one.told.splice(0)).toEqual(['*']);
    await setup.writer.query('insert into city values (1)');
    expect(await one.take()).toEqual(['public.city']);
    await one.follower.stop();
    await setup.writer.query('insert into visit values (1)');
    const two = await followed(setup, { store });
    const three = await followed(setup, { store });
    const stranger = await followed(setup, { store: 'redis/other' });
    expect([two.told.splice(0), three.told.splice(0), stranger.told.splice(0)]).toEqual([['public.visit'], [], ['*']]);
    await setup.writer.query('insert into city values (2)');
    expect([await two.take(), await three.take(), await stranger.take()]).toEqual([
      ['public.city'],
      [],
      ['public.city'],
    ]);
  });

  test('clears when triggers were gone or disabled, and says which are', async () => {
    const setup = await setUp();
    const { told, take, failures } = await followed(setup, { store: 'redis' });
    told.length = 0;
    const disable = 'alter table city disable trigger mikrokit_external_writes';
    const enable = 'alter table city enable always trigger mikrokit_external_writes';
    await runAll(setup.writer, [disable, 'insert into city values (1)', 'select 1']);
    expect(await take()).toEqual(['*']);
    expect(failures.map(String)).toEqual([expect.stringContaining('these have none: city.')]);
    await runAll(setup.writer, ['insert into city values (2)', enable]);
    expect(await take()).toEqual(['*']);
    // Gone, and back before anybody looks.
    await runAll(setup.writer, ['drop trigger mikrokit_external_writes on visit', 'insert into visit values (1)']);
    await runAll(setup.writer, setup.external.up());
    const late = await followed(setup, { store: 'redis' });
    expect([await take(), late.told]).toEqual([['*'], ['*']]);
    expect(await take()).toEqual([]);
    expect(failures).toHaveLength(1);
  });

  test('calls again what has failed', async () => {
    const setup = await setUp();
    let works = true;
    const told: string[] = [];
    const { follower, failures } = await followed(setup, {
      store: 'redis',
      invalidate: tables =>
        works ? Promise.resolve(void told.push(...tables)) : Promise.reject(new Error('store is down')),
    });
    works = false;
    await setup.writer.query('insert into city values (1)');
    for (let round = 0; round < 3; round++) {
      await expect(follower.poll()).rejects.toThrow('store is down');
    }
    expect(failures).toHaveLength(1);
    // Another of the same store does not take it for done either.
    const peer = await followed(setup, { store: 'redis' });
    expect(peer.told).toEqual(['public.city']);
    await setup.writer.query('insert into visit values (1)');
    works = true;
    await follower.poll();
    expect(told).toEqual(['public.visit']);
  });

  test.each(['as it is when nobody has analysed it', 'analysed'])(
    'a look reads little of a long log, %s',
    async state => {
      const { writer } = await setUp();
      await writer.query(`insert into mikrokit.changes (xid, "schema", "table")
      select (10000000000 + n)::text::xid8, 'public', 'city' from generate_series(1, 400000) n`);
      if (state === 'analysed') {
        await writer.query('analyze mikrokit.changes; analyze mikrokit.state');
      }
      await writer.query(followerQueries('mikrokit').begin);
      const look = followerQueries('mikrokit')
        .look.replace('?', () => `'1000:1000:'`)
        .replace('?', () => `'redis'`);
      const { rows } = await writer.query<{ 'QUERY PLAN': string }>(`explain ${look}`);
      const plan = rows.map(row => row['QUERY PLAN']);
      expect(plan.join('\n')).not.toMatch(/Seq Scan on (?:changes|pg_class)/);
      // Above that, PostgreSQL begins to compile a query.
      expect(Number(/cost=[\d.]+\.\.([\d.]+)/.exec(plan[0]!)![1])).toBeLessThan(100_000);
    },
  );

  test('looks each interval, and at once when it is notified', async () => {
    const ticking = await setUp({ interval: 20 });
    const one = await followed(ticking);
    one.told.length = 0;
    await ticking.writer.query('insert into city values (1)');
    await expect.poll(() => one.told, { timeout: 5_000, interval: 5 }).toEqual(['public.city']);

    const notified = await setUp({ notify: true });
    const listener = await connect(notified.url);
    const two = await followed(notified, { listener });
    two.told.length = 0;
    // After its LISTEN, which nobody waits for.
    await listener.query('select 1');
    await notified.writer.query('insert into city values (1)');
    await expect.poll(() => two.told, { timeout: 5_000, interval: 5 }).toEqual(['public.city']);
  });

  test('prunes what is old, never what is open, and a slow one learns that it has missed something', async () => {
    const setup = await setUp({ retention: 1_000 });
    const open = await connect(setup.url);
    await open.query('begin; insert into visit values (1)');
    const [quick, slow] = [await followed(setup), await followed(setup)];
    quick.told.length = slow.told.length = 0;
    await setup.writer.query('insert into city select 1');
    await setup.writer.query('insert into city select 2');
    expect(await quick.take()).toEqual(['public.city']);
    await sleep(1_100);
    await quick.take();
    await sleep(1_100);
    await quick.take();
    // All are younger than the open transaction.
    expect(await rowsOf(setup.writer)).toBe(2);
    expect(await slow.take()).toEqual(['public.city']);
    await open.query('commit');
    expect([await quick.take(), await slow.take()]).toEqual([['public.visit'], ['public.visit']]);
    await setup.writer.query('insert into city select 3');
    await quick.take();
    await expect
      .poll(async () => (await quick.take(), await sleep(100), await rowsOf(setup.writer)), { timeout: 10_000 })
      .toBe(0);
    expect(await slow.take()).toEqual(['*']);
    await setup.writer.query('insert into city select 4');
    expect([await quick.take(), await slow.take()]).toEqual([['public.city'], ['public.city']]);
  });

  test(
    'clears after a crash, a restart and a failover, and never follows a standby',
    { timeout: 120_000 },
    async () => {
      const cluster = await openCluster({ embedded: true, replicas: 1 });
      const url = await cluster.createDatabase('app');
      const setup = await setUp({}, TABLES, url);
      let { pool } = setup;
      const query: FollowContext['query'] = (sql, params) => queryOf(pool)(sql, params);
      const [one, late] = [await followed(setup, { store: 'redis', query }), await followed(setup, { query })];
      const cleared = async (): Promise<void> => {
        // The second finds a server whose new start is known already.
        for (const { told, take } of [one, late]) {
          told.length = 0;
          await expect.poll(() => take().catch(() => 'down'), { timeout: 20_000 }).toEqual(['*']);
          expect(await take()).toEqual([]);
        }
      };
      await setup.writer.query('insert into city values (1)');
      await cluster.caughtUp();
      const replica = cluster.replicas[0]!;
      const standby = await followed({ ...setup, pool: openPool(replica.url('app')) });
      expect([standby.told, standby.failures.length]).toEqual([[], 1]);
      for (const mode of ['immediate', 'fast'] as const) {
        await cluster.primary.stop(mode);
        await cluster.primary.start();
        await cleared();
      }
      // A backend that is killed: PostgreSQL restarts without ending, and its start time stays the same.
      const startTime = 'select pg_postmaster_start_time()::text as at';
      const before = await cluster.primary.query(startTime);
      const victim = await connect(url);
      const pid = (await victim.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]!.pid;
      process.kill(pid, 'SIGKILL');
      await cleared();
      expect(await cluster.primary.query(startTime)).toEqual(before);
      await cluster.caughtUp();
      await cluster.primary.stop('immediate');
      await replica.query('select pg_promote()');
      pool = openPool(replica.url('app'));
      await cleared();
      await replica.query('insert into visit values (1)', [], 'app');
      expect(await late.take()).toEqual(['public.visit']);
    },
  );

  test.each([
    ['each for itself', undefined],
    ['sharing a store', 'redis'],
  ])('misses nothing that 8 writers commit in any order: two, %s', { timeout: 120_000 }, async (_name, store) => {
    const tables = Array.from({ length: 8 }, (_, index) => `public.t${index}`);
    const setup = await setUp(
      { tables, interval: 3, retention: 1_000 },
      tables.map(name => `create table ${name} (id bigserial primary key, n int)`).join(';'),
    );
    // By table, how many rows were committed for sure, and how many a reader has seen that came after an invalidation.
    const committed = new Map<string, number>();
    const shared = new Map<string, number>();
    const followers = [];
    for (let index = 0; index < 2; index++) {
      const seen = store === undefined ? new Map<string, number>() : shared;
      const fill = async (names: readonly string[]): Promise<void> => {
        for (const name of names) {
          const { rows } = await setup.pool.query<{ n: number }>(`select count(*)::int as n from ${name}`);
          seen.set(name, Math.max(seen.get(name) ?? 0, rows[0]!.n));
        }
      };
      const one = await followed(setup, { store, invalidate: fill, clear: () => fill(tables) });
      const check = async (): Promise<string[]> => {
        const before = [...committed];
        await one.follower.poll();
        return before.filter(([name, count]) => (seen.get(name) ?? 0) < count).map(([name]) => name);
      };
      followers.push({ ...one, check });
    }
    let writing = true;
    const checks = followers.map(async follower => {
      let rounds = 0;
      while (writing) {
        expect(await follower.check()).toEqual([]);
        rounds += 1;
        await sleep(Math.random() * 5);
      }
      expect(await follower.check()).toEqual([]);
      return rounds;
    });
    const writers = Promise.all(
      tables.map(async own => {
        const client = await connect(setup.url);
        for (let round = 0; round < 200; round++) {
          const other = tables[Math.floor(Math.random() * 8)]!;
          const chosen = round % 7 === 0 ? [...new Set([own, other])] : [round % 2 === 0 ? own : other];
          await client.query('begin');
          for (const name of chosen) {
            await client.query(`insert into ${name} (n) values ($1)`, [round]);
          }
          await sleep(Math.random() * 4);
          const ends = round % 11 === 0 ? 'rollback' : 'commit';
          await client.query(ends);
          if (ends === 'commit') {
            chosen.forEach(name => committed.set(name, (committed.get(name) ?? 0) + 1));
          }
        }
      }),
    );
    const [rounds] = await Promise.all([Promise.all(checks), writers.finally(() => (writing = false))]);
    for (const round of rounds) {
      expect(round).toBeGreaterThan(10);
    }
    expect(followers.flatMap(({ failures }) => failures)).toEqual([]);
  });
});

describe('with MikroORM', () => {
  const City = defineEntity({
    name: 'City',
    tableName: 'city',
    properties: { id: p.integer().primary(), name: p.string(), friends: () => p.manyToMany(City) },
  });
  const Audit = defineEntity({
    name: 'Audit',
    tableName: 'audit_entry',
    schema: 'audit',
    properties: { id: p.integer().primary() },
  });

  test('entities name their tables, the migration runs, and the schema generator leaves it alone', async () => {
    const orm = await openOrm({
      entities: [City, Audit],
      schemaGenerator: { ignoreSchema: ['mikrokit'], ignoreTriggers: true },
    });
    expect(forEntities(orm).toSorted()).toEqual(['audit.audit_entry', 'city', 'city_friends']);
    const external = externalWrites({ tables: forEntities(orm), interval: NEVER });
    const connection = orm.em.getConnection();
    for (const sql of external.up()) {
      await connection.execute(sql);
    }
    const told: string[] = [];
    const follower = external.follow({
      query: (sql, params) => connection.execute(sql, params),
      invalidate: tables => Promise.resolve(void told.push(...tables)),
      clear: () => Promise.resolve(void told.push('*')),
      failed: error => told.push(String(error)),
      store: 'memory',
    });
    onTestFinished(() => follower.stop());
    await follower.poll();
    await connection.execute(`insert into audit.audit_entry values (1)`);
    await follower.poll();
    await follower.poll();
    expect(told).toEqual(['*', 'audit.audit_entry']);
    expect(await orm.schema.getUpdateSchemaSQL()).not.toMatch(/mikrokit/);
    await follower.stop();
  });

  test('tables in several schemas need their names', async () => {
    const Tenant = defineEntity({
      name: 'Tenant',
      tableName: 'tenant',
      schema: '*',
      properties: { id: p.integer().primary() },
    });
    const orm = await openOrm({ entities: [City, Tenant] });
    expect(() => forEntities(orm)).toThrow(/must name the schemas of Tenant/);
    expect(forEntities(orm, ['a', 'b'])).toEqual(expect.arrayContaining(['a.tenant', 'b.tenant', 'city']));
  });
});
