import { spawn } from 'node:child_process';
import { channel, subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { defineEntity, type EntityManager, p } from '@mikro-orm/postgresql';
import { type QueryRecord, queryTiming, type QueryTimingOptions } from '@mikrokit/query-timing';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { openDatabase } from '../harness/database.ts';
import { openOrm } from '../harness/orm.ts';
import { Book, entities, Library, sorted, Tag, type Timed, told } from './fixtures/library.ts';

let library: Library;
beforeAll(async () => {
  library = await Library.open();
});

/** Whatever listens does it badly: none of it may be felt by a query. */
const bad: Record<string, () => unknown> = {
  throws: () => {
    throw new Error('subscriber boom');
  },
  rejects: () => Promise.reject(new Error('subscriber boom')),
  'rejects late': () => sleep(5).then(() => Promise.reject(new Error('subscriber boom'))),
  'throws what is no error': () => {
    // oxlint-disable-next-line typescript/only-throw-error -- that is what is tested
    throw undefined;
  },
  'never settles': () => new Promise(() => undefined),
};

const read = async ({ orm }: Timed): Promise<unknown> =>
  (await orm.em.fork().find(Book, { id: { $lte: 2 } }, { orderBy: { id: 'asc' } })).map(({ title }) => title);
const answer = ['book 1', 'book 2'];

describe('subscribe(fn)', () => {
  test('is told of each query when it is over: a record that does not change any more', async () => {
    const timed = await library.timed();
    const copies: QueryRecord[] = [];
    const records: QueryRecord[] = [];
    timed.timing.subscribe(record => {
      copies.push({ ...record });
      records.push(record);
    });
    await read(timed);
    await timed.orm.em.fork().transactional(em => em.count(Tag));
    expect(copies).toHaveLength(4);
    expect(records.map(record => ({ ...record }))).toEqual(copies);
  });

  test('is told synchronously, in the asynchronous context of the caller', async () => {
    const timed = await library.timed();
    const scopes: unknown[] = [];
    timed.timing.subscribe(() => void scopes.push(timed.timing.scope()?.name));
    await timed.timing.run('here', () => read(timed));
    expect(scopes).toEqual(['here']);
  });

  test('ends with what it returned; the same function may be given twice', async () => {
    const timed = await library.timed();
    let calls = 0;
    const count = (): void => void calls++;
    const [first, second] = [timed.timing.subscribe(count), timed.timing.subscribe(count)];
    await read(timed);
    first();
    first();
    await read(timed);
    second();
    await read(timed);
    expect(calls).toBe(3);
  });

  test('one that ends itself, or others, or adds one, while it is told', async () => {
    const timed = await library.timed();
    const heard: string[] = [];
    const stopSelf = timed.timing.subscribe(() => {
      heard.push('self');
      stopSelf();
      timed.timing.subscribe(() => void heard.push('added'));
    });
    timed.timing.subscribe(() => void heard.push('other'));
    await read(timed);
    expect(heard).toEqual(['self', 'other']);
    await read(timed);
    expect(heard).toEqual(['self', 'other', 'other', 'added']);
  });

  test.each(Object.entries(bad))(
    'one that %s: answers are right, others are told, it is counted and called again',
    async (kind, fn) => {
      const timed = await library.timed();
      let calls = 0;
      timed.timing.subscribe(() => {
        calls++;
        return fn();
      });
      const others: QueryRecord[] = [];
      timed.timing.subscribe(record => void others.push(record));
      expect(await read(timed)).toEqual(answer);
      expect(await read(timed)).toEqual(answer);
      await sleep(20);
      expect([calls, others.length]).toEqual([2, 2]);
      expect(timed.timing.report().own.failures).toBe(kind === 'never settles' ? 0 : 2);
    },
  );

  test('one that is slow in its promise delays nothing', async () => {
    const timed = await library.timed();
    timed.timing.subscribe(() => sleep(5_000, undefined, { ref: false }) as never);
    const started = performance.now();
    await read(timed);
    await read(timed);
    expect(performance.now() - started).toBeLessThan(2_500);
  });

  test('one that changes what it is given harms nobody', async () => {
    const timed = await library.timed();
    timed.timing.subscribe(record => {
      for (const name of ['took', 'rows', 'site', 'error', 'scope', 'operation']) {
        Reflect.set(record, name, undefined);
      }
    });
    expect(await read(timed)).toEqual(answer);
    expect(await timed.timing.run('one', () => read(timed))).toEqual(answer);
    expect(() => timed.timing.report()).not.toThrow();
  });

  test('one that asks the database itself', async () => {
    const timed = await library.timed();
    let asked = 0;
    timed.timing.subscribe(({ entity }) => {
      if (entity === 'Book') {
        asked++;
        void timed.orm.em.fork().count(Tag);
      }
    });
    expect(await read(timed)).toEqual(answer);
    await expect.poll(() => timed.records.length).toBe(2);
    expect(asked).toBe(1);
  });
});

describe('on(name, fn) and whenQueryingForLongerThan(ms, fn)', () => {
  test.each(Object.entries(bad))('listeners that %s', async (kind, fn) => {
    const timed = await library.timed({ slow: 0 });
    const { timing } = timed;
    const listen = fn as () => void;
    timing.on('scope', listen);
    timing.on('finding', listen);
    timing.on('connection', listen);
    timing.whenQueryingForLongerThan(0, listen);
    const heard: string[] = [];
    timing.on('scope', ({ name }) => void heard.push(name));
    expect(await timing.run('one', () => read(timed))).toEqual(answer);
    expect(heard).toEqual(['one']);
    await sleep(20);
    expect(timing.report().own.failures).toBe(kind === 'never settles' ? 0 : 4);
  });
});

describe("the tracing channel 'mikrokit:query'", () => {
  const names = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const;

  function heard(): { name: string; record: QueryRecord }[] {
    const all: { name: string; record: QueryRecord }[] = [];
    const handlers = Object.fromEntries(
      names.map(name => [name, (record: unknown) => void all.push({ name, record: record as QueryRecord })]),
    );
    const tracing = tracingChannel('mikrokit:query');
    tracing.subscribe(handlers as never);
    onTestFinished(() => tracing.unsubscribe(handlers as never));
    return all;
  }

  test('tells of each query, one and the same object: begun, written, answered', async () => {
    const all = heard();
    const timed = await library.timed();
    all.length = 0;
    await timed.orm.em.fork().count(Tag);
    expect(all.map(({ name }) => name)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd']);
    expect(new Set(all.map(({ record }) => record)).size).toBe(1);
    expect(all[0]!.record).toBe(timed.records[0]);
    expect(told([all[0]!.record], 'operation', 'entity', 'rows')).toEqual([
      { shape: 'select count(*) as "count" from "tag" as "t0"', operation: 'count', entity: 'Tag', rows: 1 },
    ]);
  });

  test('tells of errors', async () => {
    const all = heard();
    const timed = await library.timed();
    all.length = 0;
    await timed.orm.em
      .fork()
      .execute('select 1 / 0')
      .catch(() => undefined);
    expect(all.map(({ name }) => name)).toEqual(['start', 'end', 'error', 'asyncStart', 'asyncEnd']);
    expect(all[2]!.record.error).toBe('22012');
  });

  test('one that throws is none of ours: Node tells of it as an uncaught exception, and the query is well', async () => {
    const uncaught: unknown[] = [];
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', error => void uncaught.push(error));
    onTestFinished(() => {
      process.removeAllListeners('uncaughtException');
      listeners.forEach(listener => void process.on('uncaughtException', listener));
    });
    const boom = (): never => {
      throw new Error('channel boom');
    };
    subscribe('tracing:mikrokit:query:start', boom);
    onTestFinished(() => void unsubscribe('tracing:mikrokit:query:start', boom));
    const timed = await library.timed();
    expect(await read(timed)).toEqual(answer);
    await sleep(5);
    expect(uncaught).toEqual([expect.objectContaining({ message: 'channel boom' })]);
  });
});

describe('messages of others that make no sense', () => {
  test.each(['mikrokit:batch', 'mikrokit:cache', 'mikrokit:route'])('%s', async name => {
    const timed = await library.timed();
    for (const message of [
      undefined,
      null,
      5,
      'text',
      {},
      [],
      { entity: 5, keys: 'x', kind: 'hit' },
      { kind: 'miss' },
    ]) {
      await timed.timing.run('one', async () => {
        channel(name).publish(message);
        expect(await read(timed)).toEqual(answer);
        channel(name).publish(message);
      });
    }
    expect(() => JSON.stringify(timed.timing.report())).not.toThrow();
  });
});

describe('a terminal', () => {
  const streams: Record<
    string,
    () => NonNullable<Exclude<QueryTimingOptions['terminal'], boolean | undefined>>['stream']
  > = {
    'that throws': () => ({
      write: () => {
        throw new Error('terminal boom');
      },
    }),
    'that rejects': () => ({ write: () => Promise.reject(new Error('terminal boom')) }),
    'that is closed': () => {
      const stream = new Writable({ write: (_, __, done) => done() });
      stream.destroy();
      return stream;
    },
    'that breaks': () => new Writable({ write: (_, __, done) => done(new Error('EPIPE')) }),
    'that hangs': () => new Writable({ write: () => undefined }),
  };

  test.each(Object.entries(streams))('%s', async (_, stream) => {
    const timed = await library.timed({ terminal: { stream: stream()! } });
    for (let each = 0; each < 20; each++) {
      expect(await timed.timing.run('one', () => read(timed))).toEqual(answer);
    }
    await timed.orm.close();
  });
});

describe('plans', () => {
  test('a server that lets nobody in for EXPLAIN, or that hangs there, delays nothing and fails nothing', async () => {
    const hanging = 'postgresql://nobody:none@127.0.0.1:1/none';
    const timed = await library.timed({ slow: 0, plans: { clientUrl: hanging } });
    expect(await timed.timing.run('one', () => read(timed))).toEqual(answer);
    await timed.timing.settled();
    expect(timed.timing.report().plans).toEqual([]);
    expect(timed.timing.report().own.failures).toBeGreaterThan(0);
    const started = performance.now();
    await timed.orm.close();
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  test('with them on, the pool sees no more connections, and answers are the same', async () => {
    const timed = await library.timed({ slow: 0, plans: {} }, { pool: { max: 1 } });
    expect(await read(timed)).toEqual(answer);
    await timed.timing.settled();
    expect(timed.timing.pools()).toMatchObject([{ acquired: 1, created: 1 }]);
    expect(told(timed.records, 'operation')).toHaveLength(1);
    expect(timed.timing.report().plans).toMatchObject([{ root: { type: expect.any(String) } }]);
  });
});

describe('the life of an ORM', () => {
  test('register() of a second ORM is refused, saying what to do', async () => {
    const timing = queryTiming({ terminal: false });
    await openOrm({ url: library.url, entities, extensions: [timing] });
    await expect(openOrm({ url: library.url, entities, extensions: [timing] })).rejects.toMatchObject({
      name: 'QueryTimingError',
      code: 'ARGUMENT',
      message: 'A timing is for one ORM, but was given a second one. Make another: extensions: [queryTiming()].',
    });
  });

  test('two ORMs with a timing each know of their own queries only', async () => {
    const [one, other] = [await library.timed(), await library.timed()];
    await one.orm.em.fork().count(Tag);
    await other.orm.em.fork().count(Book);
    expect(one.timing.report().totals.queries).toBe(1);
    expect(other.timing.report().shapes.map(({ tables }) => tables)).toEqual([['book']]);
  });

  test('two timings of one ORM both see everything', async () => {
    const second = queryTiming({ terminal: false, plans: false });
    const timed = await library.timed({}, { extensions: [second] });
    const before = second.report().totals.queries;
    await timed.orm.em.fork().transactional(em => em.count(Tag));
    expect(timed.timing.report().totals.queries).toBe(3);
    expect(second.report().totals.queries - before).toBe(3);
  });

  test('before it is registered everything can be asked', () => {
    const timing = queryTiming();
    expect(timing.report()).toMatchObject({ shapes: [], scopes: [], pools: [], findings: [], totals: { queries: 0 } });
    expect(timing.pools()).toEqual([]);
    expect(timing.driver()).toBeUndefined();
    expect(timing.run('one', () => timing.scope()!.name)).toBe('one');
    timing.reset();
  });

  test('entities that are discovered later are known by then', async () => {
    const timed = await library.timed({ slow: { overall: 60_000, entities: [['Late', 0]] } });
    const Late = defineEntity({ name: 'Late', properties: { id: p.integer().primary() } });
    await timed.orm.em.fork().execute('create table late (id int primary key)');
    await timed.orm.em.fork().execute('select * from late');
    timed.orm.discoverEntity(Late);
    await timed.orm.em.fork().find(Late, {});
    await timed.orm.em.fork().execute('select * from late');
    expect(timed.records.map(({ entity }) => entity)).toEqual([undefined, undefined, 'Late', 'Late']);
    expect(timed.timing.report().findings).toHaveLength(2);
  });

  test('closed twice, and closed with force', async () => {
    const timed = await library.timed();
    await timed.orm.em.fork().count(Tag);
    await timed.orm.close();
    await timed.orm.close();
    await timed.orm.close(true);
    expect(timed.timing.report().totals.queries).toBe(1);
  });

  test('after a reconnect everything is seen again, also what the other packages tell', async () => {
    const timed = await library.timed();
    await timed.orm.em.fork().count(Tag);
    await timed.orm.reconnect();
    await timed.orm.em.fork().transactional(em => em.count(Tag));
    channel('mikrokit:batch').publish({ entity: 'Tag', keys: 3, took: 1 });
    expect(timed.records.map(({ operation }) => operation)).toEqual(['count', 'begin', 'count', 'commit']);
    expect(timed.timing.report().batches).toMatchObject({ batches: 1, calls: 3 });
    await timed.orm.close();
    channel('mikrokit:batch').publish({ entity: 'Tag', keys: 3, took: 1 });
    expect(timed.timing.report().batches).toMatchObject({ batches: 1 });
  });

  test('the schema generator works, and is seen', async () => {
    const { url } = await openDatabase();
    const timing = queryTiming({ terminal: false, plans: false });
    const orm = await openOrm({ url, entities, extensions: [timing] });
    await orm.schema.create();
    await orm.schema.update();
    expect(await orm.schema.getUpdateSchemaSQL()).toBe('');
    await orm.schema.clear();
    await orm.em.fork().insert(Tag, { id: 1, name: 'seeded' });
    await orm.schema.drop();
    const kinds = new Set(timing.report().shapes.map(({ kind }) => kind));
    expect(sorted(kinds)).toEqual(expect.arrayContaining(['ddl', 'insert', 'select']));
  });

  test('closing leaves no listener behind', async () => {
    const count = (): unknown => ({
      exit: process.listenerCount('exit'),
      beforeExit: process.listenerCount('beforeExit'),
      channels: ['mikrokit:batch', 'mikrokit:cache', 'mikrokit:route'].map(name => channel(name).hasSubscribers),
    });
    const before = count();
    const stream = new Writable({ write: (_, __, done) => done() });
    const timed = await library.timed({ terminal: { stream }, plans: {}, slow: 0 });
    await timed.timing.run('one', () => read(timed));
    await timed.orm.em.fork().count(Tag);
    expect(count()).not.toEqual(before);
    await timed.orm.close();
    expect(count()).toEqual(before);
  });

  test.each(['closed', 'left open'])('a script ends by itself: %s', async mode => {
    const program = fileURLToPath(import.meta.resolve('./fixtures/ends-by-itself.ts'));
    const child = spawn(process.execPath, ['--conditions=@mikrokit/source', program, library.url, mode], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const tooLong = setTimeout(() => child.kill('SIGKILL'), 20_000);
    let said = '';
    let terminal = '';
    child.stdout.on('data', part => void (said += String(part)));
    child.stderr.on('data', part => void (terminal += String(part)));
    const [code] = (await once(child, 'close')) as [number | null];
    clearTimeout(tooLong);
    expect([code, said.trim()]).toEqual([0, mode === 'closed' ? 'asked closed' : 'asked']);
    expect(terminal).toContain('script');
    expect(terminal).toContain('pg_sleep');
  });
});

test('a subscriber of MikroORM, a filter and hooks of entities are called as without it', async () => {
  const calls: string[] = [];
  const timed = await library.timed(
    {},
    {
      subscribers: [
        {
          afterFlush: () => void calls.push('afterFlush'),
          beforeTransactionStart: () => void calls.push('beforeTransactionStart'),
          afterTransactionCommit: () => void calls.push('afterTransactionCommit'),
        } as never,
      ],
      onQuery: (sql: string) => {
        calls.push(sql.split(' ')[0]!);
        return sql;
      },
    },
  );
  const em = timed.orm.em.fork() as EntityManager;
  em.persist(em.create(Tag, { id: 77, name: 'x' }));
  await em.flush();
  await em.nativeDelete(Tag, { id: 77 });
  expect(calls).toEqual(['beforeTransactionStart', 'insert', 'afterTransactionCommit', 'afterFlush', 'delete']);
});
