import type { EntityManager } from '@mikro-orm/postgresql';
import type { QueryRecord } from '@mikrokit/query-timing';
import { beforeAll, describe, expect, test } from 'vitest';
import { closeAfter } from '../harness/close-after.ts';
import { heapInUse, LONG } from './fixtures/heap.ts';
import { Author, Book, compiled, kyselyOf, Library, Tag, type Timed } from './fixtures/library.ts';

/* Whatever runs, what is kept is bounded. CI asks 50 000 queries of the real database, the long form a million. */

const QUERIES = LONG ? 1_000_000 : 50_000;
/** In MB. */
const MOST = 10;

let library: Library;
beforeAll(async () => {
  library = await Library.open();
});

/** An ORM whose own records nobody keeps. */
async function open(options: Parameters<Library['timed']>[0] = {}): Promise<Timed> {
  const timed = await library.timed(options, { pool: { max: 4 } });
  const drop = setInterval(() => timed.records.splice(0), 20);
  closeAfter(() => Promise.resolve(clearInterval(drop)));
  return timed;
}

/** Numbers written in letters: another text, and another shape. */
const word = (index: number): string => String(index).replaceAll(/\d/g, digit => 'abcdefghij'[Number(digit)]!);

/** Runs `count` calls, some at a time, and says by how much more is in use at the end than after the first tenth. */
async function growth(count: number, call: (index: number) => Promise<unknown>): Promise<number> {
  const run = async (from: number, to: number): Promise<void> => {
    let next = from;
    const worker = async (): Promise<void> => {
      while (next < to) {
        await call(next++);
      }
    };
    await Promise.all(Array.from({ length: 4 }, worker));
  };
  await run(0, count / 10);
  const before = await heapInUse();
  await run(count / 10, count);
  return (await heapInUse()) - before;
}

test(
  `the heap is flat over ${QUERIES} queries of 5000 shapes, in forks and in scopes`,
  async () => {
    const timed = await open();
    const em = timed.orm.em.fork({ clear: true }) as EntityManager;
    const kysely = kyselyOf(em);
    const grown = await growth(QUERIES, index => {
      const sql = `select ${index} as ${word(index % 5_000)}`;
      return index % 10 === 0
        ? timed.timing.run(`job ${index % 50}`, () => kysely.executeQuery(compiled(sql)))
        : kysely.executeQuery(compiled(sql));
    });
    const { totals, shapes, scopes, own } = timed.timing.report();
    expect(totals.queries).toBe(QUERIES);
    expect(shapes.length).toBeLessThanOrEqual(1_001);
    expect(shapes.reduce((sum, { calls }) => sum + calls, 0)).toBe(QUERIES);
    expect(scopes.filter(({ open: isOpen }) => !isOpen).length).toBeLessThanOrEqual(200);
    expect(own.memory / 1e6).toBeLessThan(MOST);
    expect(own.dropped['shapes']).toBeGreaterThan(0);
    console.log(
      `${QUERIES} queries: ${grown.toFixed(1)} MB more in use; says ${(own.memory / 1e6).toFixed(1)} MB of itself`,
    );
    expect(grown).toBeLessThan(MOST);
  },
  LONG ? 3_600_000 : 180_000,
);

test('of an EntityManager with a fork for each call, as requests have', async () => {
  const timed = await open();
  const grown = await growth(LONG ? 200_000 : 1_500, async index => {
    const em = timed.orm.em.fork();
    await em.findOne(Book, 1 + (index % 12));
    await em.count(Tag);
  });
  console.log(`forks: ${grown.toFixed(1)} MB more in use`);
  expect(grown).toBeLessThan(MOST);
}, 600_000);

describe('what is long', () => {
  const MB = 'x'.repeat(1_000_000);

  /** So often that what was kept of them would be seen. */
  type Case = [
    string,
    count: number,
    Parameters<Library['timed']>[0],
    (timed: Timed, index: number) => Promise<unknown>,
  ];

  test.each<Case>([
    [
      'parameters of 1 MB',
      30,
      { parameters: 'full' },
      ({ orm }, index) => orm.em.fork().execute('select length(?)', [MB + index]),
    ],
    ['literals of 1 MB', 30, {}, ({ orm }, index) => orm.em.fork().execute(`select length('${MB}${index}')`)],
    [
      'texts of 15 kB',
      1_200,
      {},
      ({ orm }, index) => orm.em.fork().execute(`select 1 as ${word(index)} /* ${MB.slice(0, 15_000 + index)} */`),
    ],
    [
      'texts of 5 kB without a value',
      1_200,
      {},
      ({ orm }, index) =>
        orm.em
          .fork()
          .execute(
            `select ${Array.from({ length: 300 }, (_, column) => `1 as ${word(index)}${word(column)}`).join(', ')}`,
          ),
    ],
    [
      'names of scopes of 1 MB',
      30,
      {},
      ({ orm, timing }, index) => timing.run(MB + index, () => orm.em.fork().count(Tag)),
    ],
    [
      'names of 1 MB that scopes are given later',
      30,
      {},
      ({ orm, timing }, index) =>
        timing.run('x', async () => {
          timing.rename(index + MB);
          await orm.em.fork().count(Tag);
        }),
    ],
    [
      'tags of scopes of 1 MB',
      30,
      { comments: 'full' },
      ({ orm, timing }, index) =>
        timing.run({ name: 'x', tags: { route: MB + index, [MB + index]: 'x' } }, () => orm.em.fork().count(Tag)),
    ],
    ['labels of 1 MB', 30, {}, ({ orm }, index) => orm.em.fork().find(Tag, {}, { logging: { label: MB + index } })],
    [
      'rows of 600 kB',
      30,
      {},
      ({ orm }) => orm.em.fork().execute(`select repeat('x', 200000) as long from generate_series(1, 3)`),
    ],
    [
      'errors of 1 MB',
      30,
      {},
      ({ orm }, index) =>
        orm.em
          .fork()
          .execute(`select '${MB}${index}'::int`)
          .catch(() => undefined),
    ],
  ])('%s are not kept', async (_, count, options, call) => {
    const timed = await open(options);
    const grown = await growth(count, index => call(timed, index));
    expect(grown).toBeLessThan(MOST);
    expect(timed.timing.report().own.failures).toBe(0);
  });
});

describe('what is many', () => {
  test('queries in one scope: the first 500 are kept one by one, all are counted', async () => {
    const timed = await open();
    await timed.timing.run('many', async () => {
      const kysely = kyselyOf(timed.orm.em.fork());
      for (let each = 0; each < 700; each++) {
        await kysely.executeQuery(compiled('select 1'));
      }
    });
    const [scope] = timed.timing.report().scopes;
    expect(scope).toMatchObject({ name: 'many', queries: 700, shapes: 1 });
    expect(scope!.records).toHaveLength(500);
  });

  test('scopes: the newest 200 and the slowest', async () => {
    const timed = await open();
    await timed.timing.run('slow', () => timed.orm.em.fork().execute('select pg_sleep(3)'));
    const kysely = kyselyOf(timed.orm.em.fork());
    for (let index = 0; index < 600; index++) {
      await timed.timing.run(`run ${index}`, () => kysely.executeQuery(compiled('select 1')));
    }
    const names = timed.timing.report().scopes.map(({ name }) => name);
    expect(names.length).toBeLessThanOrEqual(200);
    expect(names[0]).toBe('run 599');
    expect(names).toContain('slow');
  });

  test('scopes that run at the same time', async () => {
    const timed = await open();
    const kysely = kyselyOf(timed.orm.em.fork());
    let end = (): void => undefined;
    const wait = new Promise<void>(resolve => (end = resolve));
    const before = await heapInUse();
    const running = Array.from({ length: 300 }, (_, index) =>
      timed.timing.run(`run ${index}`, async () => {
        for (let each = 0; each < 20; each++) {
          await kysely.executeQuery(compiled('select 1'));
        }
        await wait;
      }),
    );
    await expect.poll(() => timed.timing.report().totals.queries, { timeout: 30_000 }).toBe(6_000);
    const grown = (await heapInUse()) - before;
    end();
    await Promise.all(running);
    expect(grown).toBeLessThan(MOST * 2);
    expect((await heapInUse()) - before).toBeLessThan(MOST);
  });

  test('findings: the costliest stay', async () => {
    const timed = await open({ slow: 0 });
    const kysely = kyselyOf(timed.orm.em.fork());
    await kysely.executeQuery(compiled('select pg_sleep(3)'));
    for (let index = 0; index < 700; index++) {
      await kysely.executeQuery(compiled(`select 1 as ${word(index)}`));
    }
    const { findings, own } = timed.timing.report();
    expect(findings.length).toBeLessThanOrEqual(500);
    expect(findings[0]!.subject).toBe('select pg_sleep(?)');
    expect(own.dropped['findings']).toBeGreaterThan(0);
  });

  test('parameters of one query', async () => {
    const timed = await open({ parameters: 'full' });
    const records: QueryRecord[] = [];
    timed.timing.subscribe(record => void records.push(record));
    await timed.orm.em.fork().find(Book, { id: { $in: Array.from({ length: 5_000 }, (_, index) => index) } });
    expect(records[0]!.parameters).toHaveLength(33);
    expect(records[0]!.parameters!.at(-1)).toBe('(4968 more)');
  });

  test('transactions that call the next one: none is kept by it', async () => {
    const timed = await open();
    const em = timed.orm.em.fork() as EntityManager;
    let left = 400;
    const before = await heapInUse();
    await new Promise<void>((resolve, reject) => {
      const next = (): void => {
        em.transactional(async inner => {
          await inner.execute('select 1');
          if (--left > 0) {
            setTimeout(next, 0);
          } else {
            resolve();
          }
        }).catch(reject);
      };
      next();
    });
    expect((await heapInUse()) - before).toBeLessThan(MOST);
  });

  test('hundred subscribers that were ended are gone', async () => {
    const timed = await open();
    const ends = Array.from({ length: 100 }, () => timed.timing.subscribe(() => undefined));
    ends.forEach(end => end());
    const heard: string[] = [];
    timed.timing.on('scope', ({ name }) => void heard.push(name));
    await timed.timing.run('one', () => timed.orm.em.fork().find(Author, {}));
    expect(heard).toEqual(['one']);
  });
});
