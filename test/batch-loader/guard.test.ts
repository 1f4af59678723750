import { type MikroORM, RequestContext, wrap } from '@mikro-orm/core';
import { batch, type BatchLoaderOptions, batchLoader } from '@mikrokit/batch-loader';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { Guard } from '../../packages/batch-loader/src/guard.ts';
import { optionsShape, structureOf } from '../../packages/batch-loader/src/readable-shape.ts';
import { openDatabase } from '../harness/database.ts';
import { openOrm } from '../harness/orm.ts';
import { recordQueries } from '../harness/recorder.ts';
import { Author, Book, ENTITIES, Tag, fillLibrary } from './library.ts';
import { createRandom } from './random.ts';

/*
 * What is reported as sent one by one, and what is not.
 */

type Orm = Awaited<ReturnType<typeof openOrm>>;

let url: string;
let throwing: Orm;
let warning: Orm;

beforeAll(async () => {
  ({ url } = await openDatabase());
  throwing = await open({ onUnbatched: 'throw', threshold: 3 });
  warning = await open({ onUnbatched: 'warn', threshold: 3 });
  await throwing.schema.create();
  await fillLibrary(throwing, createRandom(1).next);
});

const open = (options: BatchLoaderOptions): Promise<Orm> =>
  openOrm({ url, entities: ENTITIES, allowGlobalContext: true, extensions: [batchLoader(options)] });

/** What a loop of so many calls ends with: the message of the error, its code and the call that had it. */
async function loop(times: number, call: (n: number) => Promise<unknown>): Promise<string | undefined> {
  for (let n = 1; n <= times; n++) {
    try {
      await call(n);
    } catch (error) {
      const { name, code, message } = error as Error & { code?: string };
      return `${n}: ${name} ${code}: ${message.replace(/(?:test\/)?(batch-loader\/guard\.test\.ts):\d+/, '$1:…')}`;
    }
  }
  return undefined;
}

/** The warnings that are emitted until the test is over. */
function warnings(): (Error & { code?: string })[] {
  const seen: (Error & { code?: string })[] = [];
  const listen = (emitted: Error): void => void (emitted.name === 'MikrokitWarning' && seen.push(emitted));
  process.on('warning', listen);
  onTestFinished(() => void process.off('warning', listen));
  return seen;
}

const inOrder = { orderBy: { id: 'asc' } } as const;
const later = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 5));
const report = (what: string, remedy: string): string =>
  `4: BatchLoaderError UNBATCHED: ${what} was sent 4 times one by one, last from batch-loader/guard.test.ts:…. Let it be one query: ${remedy}.`;
const FIND = 'batch(em).find() and its like, made together';
const LOAD =
  'Promise.all() over the loads, populate: [...] where the entities are found, or batchLoader({ peers: true })';
const SMALL_LOAD = 'Promise.all() over the loads, or batchLoader({ peers: true })';

describe('one too many is', () => {
  const em = () => throwing.em.fork();

  test('an em.find()', async () => {
    const fork = em();
    expect(await loop(9, n => fork.find(Book, { author: n, pages: { $in: [n, 2] } }, { limit: n, ...inOrder }))).toBe(
      report('em.find(Book, { author: ?, pages: { $in: [?] } }, { limit: ?, orderBy: { id: asc } })', FIND),
    );
  });

  test('an em.findOne(), findOneOrFail(), findAll(), findAndCount(), findByCursor(), count()', async () => {
    const outcomes = [
      await loop(9, n => em().findOne(Book, n)),
      await loop(9, n => throwing.em.findOne(Book, { id: n })),
      await loop(9, n => throwing.em.findOneOrFail(Author, { name: `author ${n % 5}`, id: { $gt: -n } })),
      await loop(9, n => throwing.em.findAll(Tag, { where: { weight: n } })),
      await loop(9, n => throwing.em.findAndCount(Tag, { weight: n })),
      await loop(9, n => throwing.em.findByCursor(Tag, { first: n, orderBy: { id: 'asc' } })),
      await loop(9, n => throwing.em.count(Tag, { weight: n })),
    ];
    expect(outcomes).toEqual([
      // A fork each.
      undefined,
      report('em.findOne(Book, { id: ? })', FIND),
      report('em.findOneOrFail(Author, { name: ?, id: { $gt: ? } })', FIND),
      report('em.findAll(Tag, ?, { where: { weight: ? } })', FIND),
      report('em.findAndCount(Tag, { weight: ? })', FIND),
      report('em.findByCursor(Tag, ?, { first: ?, orderBy: { id: asc } })', FIND),
      report('em.count(Tag, { weight: ? })', FIND),
    ]);
    throwing.em.clear();
  });

  test('a lazy load', async () => {
    const fork = em();
    const authors = await fork.find(Author, {}, inOrder);
    const references = Array.from({ length: 9 }, (_, n) => fork.getReference(Tag, n + 1, { wrapped: true }));
    expect([
      await loop(7, n => references[n - 1]!.load()),
      await loop(9, n => authors[n - 1]!.books.loadItems({ where: { pages: { $gt: n } } })),
      await loop(9, n => authors[n - 1]!.tags.init()),
      await loop(9, n => authors[n - 1]!.pupils.loadCount({ where: { id: n } })),
      await loop(9, n => authors[n - 1]!.bio!.load()),
      await loop(9, n => wrap(authors[n - 1]!).init()),
      await loop(9, n => wrap(authors[n - 1]!).populate(['friends'])),
    ]).toEqual([
      report('ref.load() of Tag', LOAD),
      report('Author.books.load({ refresh: false, where: { pages: { $gt: ? } } })', LOAD),
      report('Author.tags.load()', LOAD),
      report('Author.pupils.loadCount({ where: { id: ? } })', SMALL_LOAD),
      report('Author.bio loaded lazily', SMALL_LOAD),
      report('ref.load({ refresh: true }) of Author', LOAD),
      report('Author.friends loaded lazily', SMALL_LOAD),
    ]);
  });

  test('no statement: it is refused before it is sent, and those after it are not', async () => {
    const fork = em();
    using recorder = recordQueries(throwing);
    await loop(9, n => fork.find(Tag, { weight: n }));
    expect(recorder.queries).toHaveLength(3);
    await loop(9, n => fork.find(Tag, { weight: n }));
    expect(recorder.queries).toHaveLength(12);
  });

  test('told from where it was called, at the line', async () => {
    const fork = em();
    const lines: (string | undefined)[] = [];
    const [frame] = new Error('here').stack!.split('\n').slice(1);
    const here = Number(/:(\d+):\d+\)?$/.exec(frame!)![1]);
    for (let n = 0; n < 4; n++) {
      try {
        await fork.count(Tag, { weight: n });
      } catch (error) {
        lines.push(/guard\.test\.ts:\d+/.exec((error as Error).message)?.[0]);
      }
    }
    expect(lines).toEqual([`guard.test.ts:${here + 4}`]);
  });
});

describe('not one by one are', () => {
  test('what the identity map answers', async () => {
    const fork = throwing.em.fork();
    await fork.find(Tag, {});
    expect(await loop(9, n => fork.findOne(Tag, 1 + (n % 3)))).toBeUndefined();
  });

  test('batches: loads made together, even if each is a statement', async () => {
    const fork = throwing.em.fork();
    const authors = await fork.find(Author, {}, inOrder);
    await Promise.all(authors.map((author, n) => author.books.loadItems({ limit: n + 1 })));
    expect(await loop(9, () => Promise.all(authors.map(author => author.tags.init())))).toBeUndefined();
  });

  test('what populate and the loader ask for themselves, and what a flush does', async () => {
    const fork = throwing.em.fork();
    for (let n = 1; n <= 9; n++) {
      fork.clear();
      await fork.find(Author, { id: n }, { populate: ['books.publisher', 'tags', 'pupils'] });
      fork.create(Tag, { id: 100 + n, name: 'new', weight: n });
      await fork.flush();
    }
    const authors = await throwing.em.fork().find(Author, {});
    for (let n = 1; n <= 9; n++) {
      await Promise.all(authors.map(author => author.books.init({ populate: ['publisher'] })));
    }
    await throwing.em.fork().nativeDelete(Tag, { id: { $gt: 100 } });
  });

  test('other shapes, and other requests', async () => {
    const fork = throwing.em.fork();
    const conditions = [
      { weight: 1 },
      { name: 'a' },
      { weight: { $gt: 1 } },
      { weight: { $lt: 1 } },
      { $or: [{ weight: 1 }] },
    ];
    expect(await loop(5, n => fork.find(Tag, conditions[n - 1]!))).toBeUndefined();
    expect(
      await loop(9, n => fork.find(Tag, { weight: n }, { orderBy: [{ [['id', 'name', 'weight'][n % 3]!]: 'asc' }] })),
    ).toBeUndefined();
    expect(await loop(9, n => throwing.em.fork().find(Tag, { weight: n }))).toBeUndefined();
    const visit = (): Promise<string | undefined> =>
      RequestContext.create(throwing.em, () => loop(3, n => throwing.em.find(Tag, { weight: n })));
    expect([await visit(), await visit()]).toEqual([undefined, undefined]);
  });

  test('peers', async () => {
    const orm = await open({ onUnbatched: 'throw', threshold: 3, peers: true });
    const books = await orm.em.fork().find(Book, {}, inOrder);
    expect(await loop(9, n => books[n]!.author.load())).toBeUndefined();
    expect(await loop(9, n => books[n]!.tags.loadCount())).toBeUndefined();
  });
});

describe('a scope is', () => {
  test('the request, with all its forks', async () => {
    await RequestContext.create(throwing.em, async () => {
      expect(await loop(9, n => throwing.em.fork().find(Tag, { weight: n }))).toBe(
        report('em.find(Tag, { weight: ? })', FIND),
      );
    });
  });

  test('over with em.clear()', async () => {
    const fork = throwing.em.fork();
    expect(
      await loop(9, async n => {
        await fork.find(Tag, { weight: n });
        fork.clear();
      }),
    ).toBeUndefined();
  });
});

describe("with 'warn'", () => {
  test('a shape is reported once in a scope, and every call is answered', async () => {
    const seen = warnings();
    const fork = warning.em.fork();
    expect(await loop(9, n => fork.find(Tag, { weight: n }))).toBeUndefined();
    expect(await loop(9, n => fork.count(Tag, { weight: n }))).toBeUndefined();
    await later();
    expect(
      seen.map(
        ({ code, message }) =>
          `${code}: ${message.replace(/(?:test\/)?(batch-loader\/guard\.test\.ts):\d+\./, '$1:….')}`,
      ),
    ).toEqual(
      ['find', 'count'].map(
        method =>
          `UNBATCHED: em.${method}(Tag, { weight: ? }) was sent 4 times one by one, last from batch-loader/guard.test.ts:…. Let it be one query: ${FIND}.`,
      ),
    );
  });

  test('nothing is said at the threshold', async () => {
    const seen = warnings();
    const fork = warning.em.fork();
    await loop(3, n => fork.find(Tag, { weight: n }));
    await later();
    expect(seen).toEqual([]);
  });
});

test("by default nothing is counted: the EntityManager's methods are its own", async () => {
  const plain: MikroORM = await open({});
  const fork = plain.em.fork();
  expect(await loop(40, n => fork.find(Tag, { weight: n }))).toBeUndefined();
});

test('what is counted is bounded', () => {
  const guard = new Guard('throw', 2);
  const scope = {};
  const sends = (entity: string): void =>
    guard.sends({ scope, method: 'find', entity, where: {}, options: {}, trace: undefined, sent: false });
  sends('First');
  for (let n = 0; n < 300; n++) {
    sends(`Other${n}`);
  }
  // Forgotten by now: three more are the first three.
  sends('First');
  sends('First');
  expect(() => sends('First')).toThrow('em.find(First, {}) was sent 3 times one by one, last from an unknown place.');
});

describe('the structure of', () => {
  const conditions: [unknown, string][] = [
    [{}, '{}'],
    [5, '?'],
    [null, '?'],
    [[1, 2, 3], '[?]'],
    [[], '[]'],
    [{ a: 1, b: undefined, c: [1, 'x'] }, '{ a: ?, c: [?] }'],
    [{ $or: [{ a: 1 }, { a: 2 }, { b: 3 }] }, '{ $or: [{ a: ? }, { b: ? }] }'],
    [{ [Symbol('raw')]: 1 }, '{ (sql): ? }'],
    [{ at: new Date(), by: /x/, in: new Map() }, '{ at: ?, by: ?, in: ? }'],
  ];
  test.each(conditions)('%o has no values', (condition, structure) => {
    expect(structureOf(condition)).toBe(structure);
  });

  test('options has those that are asked, and no values of pages and filters', () => {
    expect(
      optionsShape({
        populate: ['tags'],
        limit: 3,
        filters: { own: { n: 3 }, other: false },
        orderBy: [{ id: 'asc' }, { at: { name: 'desc' } }],
        signal: new AbortController().signal,
        logging: {},
        fields: [],
        lockMode: 4,
      }),
    ).toBe(
      'populate: [tags], limit: ?, filters: { own: { n: ? }, other: ? }, orderBy: [{ id: asc }, { at: { name: desc } }], lockMode: 4',
    );
  });
});

test('calls of batch(em) that are made one by one', async () => {
  const em = throwing.em.fork();
  expect(await loop(9, n => batch(em).find(Book, { author: n, pages: { $gt: n } }, { limit: 2 }))).toBe(
    report(
      'batch(em).find(Book, { author: ?, pages: { $gt: ? } }, { limit: ? })',
      'Promise.all() over the calls, or batchLoader({ peers: true }) where they are about entities',
    ),
  );
  const together = batch(throwing.em.fork());
  expect(
    await loop(9, n => Promise.all([n, n + 1].map(author => together.find(Book, { author, pages: { $gt: n } })))),
  ).toBeUndefined();
});
