import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { CountedFinding, QueryTimingOptions } from '@mikrokit/query-timing';
import { beforeAll, describe, expect, test } from 'vitest';
import type { OrmOptions } from '../harness/orm.ts';
import { Author, Book, compiled, kyselyOf, Library, Tag, type Timed, texts, told } from './fixtures/library.ts';

const source = readFileSync(fileURLToPath(import.meta.url), 'utf8');

let library: Library;
beforeAll(async () => {
  library = await Library.open();
});

// On a busy machine any transaction may be long: whoever wants to look at that says from when on.
const open = (options: QueryTimingOptions, orm?: Partial<OrmOptions>): Promise<Timed> =>
  library.timed({ longTransaction: 60_000, ...options }, orm);

const kinds = ({ timing }: Timed): string[] => timing.report().findings.map(({ kind }) => kind);
const only = ({ timing }: Timed): CountedFinding => {
  const [finding, ...more] = timing.report().findings;
  expect(more).toEqual([]);
  return finding!;
};

describe('transaction control', () => {
  test('takes time, as every statement', async () => {
    const { orm, records } = await open({});
    await orm.em.fork().transactional(em => em.count(Tag));
    expect(records.map(({ operation }) => operation)).toEqual(['begin', 'count', 'commit']);
    for (const { took, database, after } of records) {
      expect(database).toBeGreaterThan(20);
      expect(took).toBeGreaterThan(database);
      expect(after).toBeLessThan(50_000);
    }
  });

  test('a commit that takes long is slow: a deferred constraint, a trigger', async () => {
    const timed = await library.timed({ slow: 2_000 });
    const em = timed.orm.em.fork();
    await em.execute(`create table slow_commit (id int);
      create function slow_commit() returns trigger language plpgsql as $$ begin perform pg_sleep(2.5); return null; end $$;
      create constraint trigger late after insert on slow_commit deferrable initially deferred
        for each row execute function slow_commit()`);
    timed.records.length = 0;
    await em.transactional(inner => inner.execute('insert into slow_commit values (1)'));
    const [begin, insert, commit] = timed.records.map(({ database }) => database / 1000);
    expect(begin).toBeLessThan(2_000);
    expect(insert).toBeLessThan(2_000);
    expect(commit).toBeGreaterThan(2_490);
    expect(only(timed)).toMatchObject({ kind: 'slow', subject: 'commit' });
  });

  test('transactions are counted, those in them are not', async () => {
    const { orm, timing } = await open({});
    const before = timing.report().totals.transactions;
    await orm.em.fork().transactional(em => em.transactional(inner => inner.count(Tag)));
    await orm.em.fork().transactional(em => em.count(Tag));
    expect(timing.report().totals.transactions - before).toBe(2);
  });

  test('reset() starts their count anew', async () => {
    const { orm, timing } = await open({});
    await orm.em.fork().transactional(em => em.count(Tag));
    timing.reset();
    expect(timing.report().totals).toMatchObject({ transactions: 0, queries: 0 });
    await orm.em.fork().transactional(em => em.count(Tag));
    expect(timing.report().totals).toMatchObject({ transactions: 1, queries: 3 });
  });

  test('two at once have numbers of their own, whatever is mixed in between', async () => {
    const { orm, records } = await open({});
    const both = ['first', 'second'].map(name =>
      orm.em.fork().transactional(async em => {
        await em.execute(`select '${name}' as one`);
        await sleep(5);
        await em.count(Tag);
      }),
    );
    await Promise.all([...both, orm.em.fork().count(Book)]);
    const numbers = [...new Set(records.map(({ transaction }) => transaction))];
    expect(numbers).toHaveLength(3);
    for (const number of numbers.filter(each => each !== undefined)) {
      expect(records.filter(({ transaction }) => transaction === number).map(({ operation }) => operation)).toEqual([
        'begin',
        'execute',
        'count',
        'commit',
      ]);
    }
  });

  test('control that is sent as raw SQL, in capitals, with comments or semicolons, is control as well', async () => {
    const { orm, records: own } = await open({});
    await onOneConnection(orm, [
      'BEGIN',
      'select 1',
      ' SAVEPOINT one ;',
      'select 2',
      'ROLLBACK TO SAVEPOINT one',
      'release one',
      'COMMIT;',
      'start transaction read only',
      '/* the end */ rollback',
      'select 3',
    ]);
    const [one, two] = [own[0]!.transaction, own[7]!.transaction];
    expect(own.map(({ operation, transaction }) => [operation, transaction])).toEqual([
      ['begin', one],
      ['kysely', one],
      ['savepoint', one],
      ['kysely', one],
      ['rollback', one],
      ['release', one],
      ['commit', one],
      ['begin', two],
      ['rollback', two],
      ['kysely', undefined],
    ]);
  });

  test('a text with several statements that begins a transaction and ends it leaves none open', async () => {
    const timed = await open({ idleInTransaction: 250, longTransaction: 250 });
    await onOneConnection(timed.orm, ['begin; select 1; commit', 400, 'select 2']);
    expect(timed.records.map(({ transaction }) => transaction)).toEqual([expect.any(Number), undefined]);
    expect(kinds(timed)).toEqual([]);
  });

  test('a text with several statements that begins a transaction and leaves it open', async () => {
    const timed = await open({ idleInTransaction: 250 });
    await onOneConnection(timed.orm, ['begin; select 1', 400, 'select 2', 'select 3; commit', 400, 'select 4']);
    const [number] = timed.records.map(({ transaction }) => transaction);
    expect(timed.records.map(({ transaction }) => transaction)).toEqual([number, number, number, undefined]);
    expect(kinds(timed)).toEqual(['idle-in-transaction']);
  });

  test('a transaction that the server has ended is none any more', async () => {
    const timed = await open({ idleInTransaction: 250 }, { pool: { max: 1 } });
    const end = compiled('select pg_terminate_backend(pg_backend_pid())');
    const running = kyselyOf(timed.orm.em.fork())
      .transaction()
      .execute(transaction => transaction.executeQuery(end));
    await expect(running).rejects.toThrow();
    await sleep(400);
    await timed.orm.em.fork().count(Tag);
    const [number] = timed.records.map(({ transaction }) => transaction);
    expect(timed.records.map(({ operation, error, transaction }) => [operation, error, transaction])).toEqual([
      ['begin', undefined, number],
      ['kysely', '57P01', number],
      ['rollback', expect.any(String), number],
      ['count', undefined, undefined],
    ]);
    expect(timed.timing.pools()).toMatchObject([{ used: 0, holders: [], created: 2 }]);
    expect(kinds(timed)).toEqual([]);
  });

  test('a transaction that fails because of a statement is rolled back with its number', async () => {
    const timed = await open({});
    await timed.orm.em
      .fork()
      .transactional(em => em.execute('select 1 / 0'))
      .catch(() => undefined);
    const { transaction } = timed.records[0]!;
    expect(told(timed.records, 'operation', 'error', 'transaction')).toEqual([
      { shape: 'begin', operation: 'begin', transaction },
      { shape: 'select ? / ?', operation: 'execute', error: '22012', transaction },
      { shape: 'rollback', operation: 'rollback', transaction },
    ]);
  });
});

describe('a transaction that waits for something else', () => {
  async function orderBook(em: EntityManager): Promise<void> {
    await em.transactional(async inner => {
      await inner.findOneOrFail(Book, 1);
      await sleep(400); // A request to another service, say.
      await inner.nativeUpdate(Book, { id: 1 }, { pages: 100 });
    });
  }

  test('is told of, with the line after the wait, what was before, and what to do', async () => {
    const timed = await open({ idleInTransaction: 250 });
    await timed.timing.run('order', () => orderBook(timed.orm.em.fork() as EntityManager));
    const finding = only(timed);
    expect(finding).toMatchObject({
      kind: 'idle-in-transaction',
      severity: 'warning',
      title: expect.stringMatching(
        /^A transaction held a connection and did nothing for \d+(\.\d)? ms between select book and update book$/,
      ),
      scope: 'order',
      site: { file: expect.stringMatching(/transactions\.test\.ts$/), caller: { function: 'orderBook' } },
      fix: expect.stringContaining('before the transaction begins'),
      evidence: [
        'The place is that of the statement that came after the wait.',
        'It was statement 2 of the transaction.',
      ],
      occurrences: 1,
    });
    expect(finding.cost / 1000).toBeGreaterThan(390);
    expect(lineOf(finding)).toContain('inner.nativeUpdate(Book');
    expect(timed.timing.report().scopes[0]!.findings).toHaveLength(1);
  });

  test('also where it waits right after its begin, and right before its end', async () => {
    const timed = await open({ idleInTransaction: 250 });
    await timed.orm.em.fork().transactional(async em => {
      await sleep(400);
      await em.count(Tag);
      await sleep(400);
    });
    const titles = timed.timing.report().findings.map(({ title }) => title.replace(/[\d.]+ ms/, 'N ms'));
    expect(titles.toSorted()).toEqual([
      'A transaction held a connection and did nothing for N ms between begin and select tag',
      'A transaction held a connection and did nothing for N ms between select tag and commit',
    ]);
  });

  test('the same place again is the same finding, counted', async () => {
    const timed = await open({ idleInTransaction: 250 });
    for (let call = 0; call < 3; call++) {
      await orderBook(timed.orm.em.fork() as EntityManager);
    }
    expect(only(timed)).toMatchObject({ kind: 'idle-in-transaction', occurrences: 3 });
  });

  test('not where its statements themselves take long, nor outside of transactions', async () => {
    const timed = await open({ idleInTransaction: 250 });
    const em = timed.orm.em.fork();
    await em.transactional(inner => inner.execute('select pg_sleep(0.4)'));
    await em.count(Tag);
    await sleep(400);
    await em.count(Tag);
    await timed.orm.em.fork().transactional(inner => inner.count(Tag));
    expect(kinds(timed)).toEqual([]);
  });

  test('not within the time that is allowed', async () => {
    const found = async (options: QueryTimingOptions): Promise<string[]> => {
      const timed = await open(options);
      await orderBook(timed.orm.em.fork() as EntityManager);
      return kinds(timed);
    };
    expect(await found({ idleInTransaction: 10_000 })).toEqual([]);
    // 100 ms, if nothing is said.
    expect(await found({})).toContain('idle-in-transaction');
  });
});

describe('a transaction that is open for long', () => {
  test('is told of when it ends, with the number of its statements', async () => {
    const timed = await open({ longTransaction: 250, idleInTransaction: 10_000 });
    await timed.timing.run('import', () =>
      timed.orm.em.fork().transactional(async em => {
        for (let id = 1; id <= 3; id++) {
          await em.findOne(Author, id, { disableIdentityMap: true });
          await sleep(100);
        }
      }),
    );
    const finding = timed.timing.report().findings.find(({ kind }) => kind === 'long-transaction');
    expect(finding).toMatchObject({
      title: expect.stringMatching(/^A transaction of \d statements was open for \d+(\.\d)? ms$/),
      subject: 'commit',
      count: 4,
      scope: 'import',
      site: { file: expect.stringMatching(/transactions\.test\.ts$/) },
    });
  });

  test('also where it is rolled back', async () => {
    const timed = await open({ longTransaction: 250, idleInTransaction: 10_000 });
    await timed.orm.em
      .fork()
      .transactional(async () => {
        await sleep(400);
        throw new Error('as planned');
      })
      .catch(() => undefined);
    expect(kinds(timed)).toEqual(['long-transaction']);
  });

  test('not at the end of one within it, which ends nothing', async () => {
    const timed = await open({ longTransaction: 600, idleInTransaction: 10_000 });
    await timed.orm.em.fork().transactional(async em => {
      await sleep(350);
      await em.transactional(inner => inner.count(Tag));
      await em.transactional(() => Promise.reject(new Error('as planned'))).catch(() => undefined);
      expect(kinds(timed)).toEqual([]);
      await sleep(350);
    });
    expect(kinds(timed)).toEqual(['long-transaction']);
  });
});

test('the fork of one within another is its own, the connection the same', async () => {
  const { orm, records, timing } = await open({});
  await orm.em.fork().transactional(async em => {
    await em.count(Tag);
    expect(timing.pools()).toMatchObject([{ used: 1 }]);
    await em.transactional(async inner => {
      await inner.count(Tag);
      expect(timing.pools()).toMatchObject([{ used: 1 }]);
    });
  });
  expect(texts(records)).toHaveLength(6);
  expect(timing.pools()).toMatchObject([{ used: 0 }]);
});

/** Texts, and pauses in ms. */
async function onOneConnection({ em }: MikroORM, steps: readonly (string | number)[]): Promise<void> {
  await kyselyOf(em)
    .connection()
    .execute(async connection => {
      for (const step of steps) {
        await (typeof step === 'number' ? sleep(step) : connection.executeQuery(compiled(step)));
      }
    });
}

/** The line of this file that a finding names. */
function lineOf({ site }: CountedFinding): string {
  return source.split('\n')[site!.line - 1]!;
}
