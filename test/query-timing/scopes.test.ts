import { EventEmitter, once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EntityManager } from '@mikro-orm/postgresql';
import { RequestContext } from '@mikro-orm/core';
import type { ScopeReport } from '@mikrokit/query-timing';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Author, Book, kyselyOf, Library, Tag, type Timed } from './fixtures/library.ts';

let library: Library;
let timed: Timed;
beforeAll(async () => {
  library = await Library.open();
});
let ended: ScopeReport[];
beforeEach(async () => {
  timed = await library.timed();
  ended = [];
  timed.timing.on('scope', scope => void ended.push(scope));
});

const fork = (): EntityManager => timed.orm.em.fork() as EntityManager;
/** The scopes that are over: kind, name, and what was asked in each. */
const scopes = (): unknown[] =>
  ended.map(({ kind, name, records }) => [kind, name, records.map(({ shape }) => shape.summary)]);
describe('run()', () => {
  test('its queries are counted together, and returned is what the function returns', async () => {
    const books = await timed.timing.run('list', async () => {
      const em = fork();
      await em.count(Tag);
      return await em.find(Book, { author: 1 });
    });
    expect(books).toHaveLength(3);
    expect(ended).toEqual([
      {
        id: expect.any(Number),
        kind: 'job',
        name: 'list',
        start: expect.any(Number),
        took: expect.any(Number),
        open: false,
        queries: 2,
        errors: 0,
        rows: 4,
        wait: expect.any(Number),
        send: expect.any(Number),
        database: expect.any(Number),
        after: expect.any(Number),
        shapes: 2,
        findings: [],
        records: [
          expect.objectContaining({ operation: 'count', scope: ended[0]!.id }),
          expect.objectContaining({ operation: 'find', scope: ended[0]!.id }),
        ],
      },
    ]);
    const [{ start, took, wait, send, database, after, records }] = ended as [ScopeReport];
    expect(Math.abs(start - Date.now())).toBeLessThan(60_000);
    expect(took).toBeGreaterThan(wait + send + database + after - 1_000);
    expect(database).toBeCloseTo(records[0]!.database + records[1]!.database);
  });

  test('of a kind and with a name', async () => {
    await timed.timing.run({ name: 'GET /books', kind: 'request' }, () => fork().count(Book));
    await timed.timing.run({ name: 'nightly' }, () => fork().count(Tag));
    expect(scopes()).toEqual([
      ['request', 'GET /books', ['select book']],
      ['job', 'nightly', ['select tag']],
    ]);
  });

  test('is over when its promise is settled, not before', async () => {
    const running = timed.timing.run('slow', async () => {
      await sleep(20);
      await fork().count(Tag);
    });
    expect(ended).toEqual([]);
    await running;
    expect(scopes()).toEqual([['job', 'slow', ['select tag']]]);
  });

  test('of a function that returns at once: is over at once', () => {
    expect(timed.timing.run('nothing', () => 5)).toBe(5);
    expect(scopes()).toEqual([['job', 'nothing', []]]);
  });

  test('of one that fails: the same error, and its queries', async () => {
    const failing = timed.timing.run('failing', async () => {
      await fork().count(Tag);
      await fork().execute('select 1 / 0');
    });
    await expect(failing).rejects.toThrow('division by zero');
    expect(ended).toMatchObject([{ name: 'failing', queries: 2, errors: 1, open: false }]);
  });

  test('of one that throws', () => {
    const error = new Error('as planned');
    const throwing = (): never => {
      throw error;
    };
    expect(() => timed.timing.run('throwing', throwing)).toThrow(error);
    expect(ended).toMatchObject([{ name: 'throwing', queries: 0, open: false }]);
  });

  test('of one that returns a thenable, which is awaited as a promise is', async () => {
    const thenable = (): PromiseLike<number> => ({
      // oxlint-disable-next-line unicorn/no-thenable -- that is what is tested
      then: (resolve, reject) => fork().count(Tag).then(resolve, reject),
    });
    expect(await timed.timing.run('thenable', thenable)).toBe(2);
    expect(scopes()).toEqual([['job', 'thenable', ['select tag']]]);
  });

  test('within another: each has its own queries', async () => {
    await timed.timing.run('outer', async () => {
      await fork().count(Tag);
      await timed.timing.run('inner', () => fork().count(Book));
      await fork().count(Author);
    });
    expect(scopes()).toEqual([
      ['job', 'inner', ['select book']],
      ['job', 'outer', ['select tag', 'select author']],
    ]);
  });

  test('many at once do not mix, whatever their forks', async () => {
    const shared = fork();
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        timed.timing.run(`run ${index}`, async () => {
          await sleep(index % 3);
          await shared.count(Book, { id: index });
          await Promise.all([shared.count(Tag), kyselyOf(shared).selectFrom('tag').select('id').execute()]);
        }),
      ),
    );
    expect(ended).toHaveLength(20);
    for (const { name, records, id } of ended) {
      expect(
        records.map(({ shape, scope }) => [shape.summary, scope]),
        name,
      ).toEqual([
        ['select book', id],
        ['select tag', id],
        ['select tag', id],
      ]);
    }
    expect(new Set(ended.map(({ id }) => id)).size).toBe(20);
  });

  test('holds through timers, promises of all kinds, event emitters, and iterators', async () => {
    const emitter = new EventEmitter();
    await timed.timing.run('asynchronous', async () => {
      await new Promise<void>(resolve => {
        setTimeout(
          () =>
            void fork()
              .count(Tag)
              .then(() => resolve()),
          1,
        );
      });
      await new Promise<void>(resolve => {
        setImmediate(
          () =>
            void fork()
              .count(Tag)
              .then(() => resolve()),
        );
      });
      await new Promise<void>(resolve => {
        process.nextTick(
          () =>
            void fork()
              .count(Tag)
              .then(() => resolve()),
        );
      });
      queueMicrotask(() => emitter.emit('go'));
      await once(emitter, 'go');
      await fork().count(Tag);
      await Promise.all([1, 2].map(() => fork().count(Tag)));
      await Promise.race([fork().count(Tag), sleep(10_000, undefined, { ref: false })]);
      await Promise.allSettled([fork().count(Tag)]);
      await Promise.any([Promise.reject(new Error('as planned')), fork().count(Tag)]);
      async function* tags(): AsyncGenerator<number> {
        yield await fork().count(Tag);
        yield await fork().count(Tag);
      }
      for await (const each of tags()) void each;
    });
    expect(ended).toMatchObject([{ name: 'asynchronous', queries: 11 }]);
  });

  test('its listeners on emitters of somebody else run where the event is emitted', async () => {
    const emitter = new EventEmitter();
    let asked: Promise<number> | undefined;
    await timed.timing.run('listening', async () => {
      emitter.on('event', () => {
        asked = fork().count(Tag);
      });
      await fork().count(Book);
    });
    await timed.timing.run('emitting', async () => {
      emitter.emit('event');
      await asked;
    });
    expect(scopes()).toEqual([
      ['job', 'listening', ['select book']],
      ['job', 'emitting', ['select tag']],
    ]);
  });

  test('what is begun in it and goes on after its end belongs to its fork', { retry: 3 }, async () => {
    let late: Promise<unknown> | undefined;
    await timed.timing.run('started a server', async () => {
      await fork().count(Book);
      late = sleep(20).then(async () => {
        const em = fork();
        await em.count(Tag);
        await em.count(Tag);
      });
    });
    await late;
    await timed.timing.settled();
    expect(scopes()).toEqual([
      ['job', 'started a server', ['select book']],
      ['fork', expect.stringMatching(/^fork \d+$/), ['select tag', 'select tag']],
    ]);
  });

  test('a query that is not awaited is of the scope as long as it runs', async () => {
    let forgotten: Promise<unknown> | undefined;
    await timed.timing.run('forgetful', async () => {
      forgotten = fork().execute('select pg_sleep(0.05)');
      await fork().count(Book);
    });
    await forgotten;
    expect(timed.records).toHaveLength(2);
    expect(timed.timing.report().totals.queries).toBe(2);
  });
});

// A pause of the machine ends the scope of a fork, too.
describe('outside of run()', { retry: 3 }, () => {
  test('the queries of a fork are together, in a scope that ends when nothing was asked for a second', async () => {
    const one = fork();
    const other = fork();
    await one.count(Tag);
    await other.count(Book);
    await one.count(Author);
    await other.find(Book, {});
    expect(ended).toEqual([]);
    await expect.poll(() => ended.length, { timeout: 5_000 }).toBe(2);
    expect(scopes()).toEqual([
      ['fork', `fork ${one.id}`, ['select tag', 'select author']],
      ['fork', `fork ${other.id}`, ['select book', 'select book']],
    ]);
    // It was over with its last query, not when that was noticed.
    expect(ended[0]!.took / 1000).toBeLessThan(1_000);
  });

  test('a pause ends the scope of a fork: what comes later is another piece of work', async () => {
    const em = fork();
    for (const pause of [0, 0, 150, 0, 0]) {
      await sleep(pause);
      await em.count(Tag);
    }
    await timed.timing.settled();
    const { id } = em;
    expect(scopes()).toEqual([
      ['fork', `fork ${id}`, ['select tag', 'select tag']],
      ['fork', `fork ${id}`, ['select tag', 'select tag', 'select tag']],
    ]);
  });

  test('lazy loads, transactions and QueryBuilders are of the fork', async () => {
    const em = fork();
    const book = await em.findOneOrFail(Book, 1);
    await book.author.load();
    await em.createQueryBuilder(Tag, 't').getCount();
    await timed.timing.settled();
    expect(scopes()).toEqual([['fork', `fork ${em.id}`, ['select book', 'select author', 'select tag']]]);
  });

  test('a transaction, which has a fork of its own, is of the one around it, with all that is in it', async () => {
    const em = fork();
    await em.count(Author);
    await em.transactional(async outer => {
      await outer.count(Tag);
      await outer.transactional(inner => inner.execute('select * from book'));
    });
    await timed.timing.settled();
    expect(scopes()).toEqual([
      [
        'fork',
        `fork ${em.id}`,
        ['select author', 'begin', 'select tag', 'savepoint', 'select book', 'release', 'commit'],
      ],
    ]);
  });

  test('raw SQL, Kysely and what has no fork is of the process', async () => {
    await fork().execute('select 1');
    await kyselyOf(fork()).selectFrom('tag').selectAll().execute();
    await timed.orm.em.getConnection().execute('select 2');
    await timed.timing.settled();
    expect(scopes()).toEqual([['process', 'process', ['select', 'select tag', 'select']]]);
  });

  test("RequestContext's fork is one, too", async () => {
    await RequestContext.create(timed.orm.em, async () => {
      await timed.orm.em.count(Tag);
      await timed.orm.em.count(Book);
    });
    await timed.timing.settled();
    expect(scopes()).toEqual([['fork', expect.stringMatching(/^fork \d+$/), ['select tag', 'select book']]]);
  });

  test('a fork that has asked once is not told of, but counted', async () => {
    await fork().count(Tag);
    await timed.timing.settled();
    expect(ended).toEqual([]);
    expect(timed.timing.report().totals).toMatchObject({ queries: 1, scopes: 1 });
  });

  test('scope() is none', () => {
    expect(timed.timing.scope()).toBeUndefined();
  });
});

describe('scope()', () => {
  test('is what runs, as far as it has come', async () => {
    await timed.timing.run('growing', async () => {
      expect(timed.timing.scope()).toMatchObject({ name: 'growing', queries: 0, open: true, records: [] });
      await fork().count(Tag);
      expect(timed.timing.scope()).toMatchObject({ queries: 1, records: [{ operation: 'count' }] });
      timed.timing.run('inner', () => {
        expect(timed.timing.scope()).toMatchObject({ name: 'inner', queries: 0 });
      });
    });
    expect(timed.timing.scope()).toBeUndefined();
  });

  test('is plain data of its own', async () => {
    const report = await timed.timing.run('plain', async () => {
      await fork().find(Tag, {});
      return timed.timing.scope();
    });
    expect(JSON.parse(JSON.stringify(report))).toEqual(JSON.parse(JSON.stringify(structuredClone(report))));
  });
});

describe('rename()', () => {
  test('names the scope that runs, once its route is known', async () => {
    await timed.timing.run({ name: 'GET /books/5', kind: 'request' }, async () => {
      await fork().count(Tag);
      timed.timing.rename('GET /books/:id');
      await fork().count(Tag);
    });
    expect(ended).toMatchObject([{ name: 'GET /books/:id', queries: 2 }]);
  });

  test('outside of scopes does nothing', () => {
    expect(() => timed.timing.rename('nobody')).not.toThrow();
  });
});

describe('names', () => {
  test.each<[string, string, string]>([
    ['control characters', 'a\u001B[2Jb\u0000c\nd\u009Be\u2028f', 'a\uFFFD[2Jb\uFFFDc\uFFFDd\uFFFDe\uFFFDf'],
    ['marks that turn the direction of writing', 'abc\u202Edcba\u2066', 'abc\uFFFDdcba\uFFFD'],
    ['markup, which is text', '<script>alert(1)</script>', '<script>alert(1)</script>'],
    ['1 MB', 'x'.repeat(1_000_000), `${'x'.repeat(199)}…`],
    ['nothing', '', ''],
  ])('%s', (_, name, shown) => {
    timed.timing.run(name, () => timed.timing.run('other', () => timed.timing.rename(name)));
    expect(ended.map(each => each.name)).toEqual([shown, shown]);
  });
});

describe('tags', () => {
  const sent = async (em: EntityManager): Promise<string> => {
    const [row] = await em.execute<{ query: string }[]>(
      'select query from pg_stat_activity where pid = pg_backend_pid()',
    );
    return row!.query.split('/*')[1] ?? '';
  };

  test('of a scope and of withTags() are on the comments of its queries, and nowhere else', async () => {
    const { orm, timing } = await library.timed({ comments: { mode: 'full', application: 'shop' } });
    const em = (): EntityManager => orm.em.fork() as EntityManager;
    const inside = await timing.run({ name: 'list', tags: { route: '/books', tenant: 'a' } }, async () => [
      await sent(em()),
      await timing.withTags({ tenant: 'b', part: 'c' }, () => sent(em())),
      await sent(em()),
    ]);
    const of = (tags: string): string => `application='shop',db_driver='mikro-orm',${tags}*/`;
    expect(inside).toEqual([
      of(`route='%2Fbooks',tenant='a'`),
      of(`part='c',route='%2Fbooks',tenant='b'`),
      of(`route='%2Fbooks',tenant='a'`),
    ]);
    expect(await sent(em())).toBe(`application='shop',db_driver='mikro-orm'*/`);
  });

  test('withTags() is no scope of its own', async () => {
    await timed.timing.run('outer', () => timed.timing.withTags({ part: 'a' }, () => fork().count(Tag)));
    expect(scopes()).toEqual([['job', 'outer', ['select tag']]]);
  });
});

describe('whenQueryingForLongerThan()', () => {
  test('is told of each scope once, as soon as its queries have taken so long together', async () => {
    const told: string[] = [];
    const stop = timed.timing.whenQueryingForLongerThan(2_500, ({ name, queries, open }) => {
      told.push(`${name}: ${queries} queries, ${open ? 'open' : 'over'}`);
    });
    const naps = async (count: number): Promise<void> => {
      for (let each = 0; each < count; each++) {
        await fork().execute('select pg_sleep(1.3)');
      }
    };
    await timed.timing.run('short', () => naps(1));
    await timed.timing.run('long', async () => {
      await naps(2);
      expect(told).toEqual(['long: 2 queries, open']);
      await naps(1);
    });
    expect(told).toEqual(['long: 2 queries, open']);
    stop();
    await timed.timing.run('later', () => naps(2));
    expect(told).toHaveLength(1);
  });

  test('several limits are independent, the same function may be given twice', async () => {
    const told: number[] = [];
    const tell = ({ queries }: ScopeReport): void => void told.push(queries);
    const stop = timed.timing.whenQueryingForLongerThan(0, tell);
    timed.timing.whenQueryingForLongerThan(0, tell);
    timed.timing.whenQueryingForLongerThan(60_000, tell);
    await timed.timing.run('one', () => fork().count(Tag));
    expect(told).toEqual([1, 1]);
    stop();
    await timed.timing.run('two', () => fork().count(Tag));
    expect(told).toEqual([1, 1, 1]);
  });
});

describe('withoutNPlusOne()', () => {
  const loop = async (): Promise<void> => {
    const books = await fork().find(Book, {});
    for (const book of books) {
      await book.author.load();
    }
  };

  test('repeats of its function are no finding; the same outside are one', async () => {
    await timed.timing.run('loud', loop);
    await timed.timing.run('quiet', () => timed.timing.withoutNPlusOne(loop));
    await timed.timing.run('partly', async () => {
      await timed.timing.withoutNPlusOne(loop);
      await loop();
    });
    expect(
      ended.map(({ name, queries, findings }) => [name, queries, findings.map(({ kind, count }) => [kind, count])]),
    ).toEqual([
      ['loud', 5, [['n+1', 4]]],
      ['quiet', 5, []],
      ['partly', 10, [['n+1', 4]]],
    ]);
  });
});

describe('on("scope")', () => {
  test('ends with what it returned', async () => {
    const more: string[] = [];
    const stop = timed.timing.on('scope', ({ name }) => void more.push(name));
    timed.timing.run('one', () => undefined);
    stop();
    stop();
    timed.timing.run('two', () => undefined);
    expect(more).toEqual(['one']);
    expect(ended.map(({ name }) => name)).toEqual(['one', 'two']);
  });
});
