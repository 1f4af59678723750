import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { DataloaderUtils } from '@mikro-orm/core/dataloader';
import { type Collection, DataloaderType, type MikroORM, type Ref, raw } from '@mikro-orm/core';
import { defineEntity, p } from '@mikro-orm/postgresql';
import { batchLoader } from '@mikrokit/batch-loader';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { openDatabase } from '../harness/database.ts';
import { openOrm } from '../harness/orm.ts';
import { type Recorder, recordQueries } from '../harness/recorder.ts';

/*
 * Why this package exists: what the data loader of MikroORM 7.2.1 itself gives, beside what batchLoader() gives. The first
 * of each pair is a control: it says what is wrong today, and fails on the day MikroORM mends it.
 */

const Tag = defineEntity({ name: 'Tag', properties: { id: p.integer().primary(), name: p.string() } });
const Author = defineEntity({
  name: 'Author',
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    books: () => p.oneToMany(Book).mappedBy('author'),
    tags: () => p.manyToMany(Tag).owner(),
  },
});
const Book = defineEntity({
  name: 'Book',
  properties: {
    id: p.integer().primary(),
    title: p.string(),
    isbn: p.bigint(),
    author: () => p.manyToOne(Author).ref(),
    tags: () => p.manyToMany(Tag).owner(),
  },
});
/** Two keys. */
const Room = defineEntity({
  name: 'Room',
  primaryKeys: ['house', 'number'],
  properties: {
    house: p.integer().primary(),
    number: p.integer().primary(),
    guests: () => p.oneToMany(Guest).mappedBy('room'),
  },
});
const Guest = defineEntity({
  name: 'Guest',
  properties: { id: p.integer().primary(), room: () => p.manyToOne(Room).ref() },
});
const entities = [Tag, Author, Book, Room, Guest];

let own: MikroORM;
let batched: MikroORM;

beforeAll(async () => {
  const { url } = await openDatabase();
  own = await openOrm({ url, entities, dataloader: DataloaderType.ALL });
  batched = await openOrm({ url, entities, extensions: [batchLoader()] });
  await own.schema.create();
  await own.em.getConnection().execute(`
    insert into "tag" values (1, 't1'), (2, 't2'), (3, 't3'), (4, 't4');
    insert into "author" values (1, 'a1'), (2, 'a2'), (3, 'a3');
    insert into "book" select n, 'b' || n, 9007199254740990 + n, 1 + (n - 1) / 4 from generate_series(1, 12) n;
    insert into "author_tags" values (1, 1), (2, 2);
    insert into "book_tags" values (1, 3), (2, 4);
    insert into "room" values (1, 1), (1, 2), (2, 1);
    insert into "guest" select n, 1 + (n - 1) / 4, 1 + (n - 1) % 4 / 2 from generate_series(1, 6) n;
  `);
});

const ids = (items: readonly object[]): number[] =>
  items.map(item => (item as { id: number }).id).sort((a, b) => a - b);

type Items = Collection<object>;
type Loaded = { books: Items; tags: Items; guests: Items; author: Ref<object>; room: Ref<object> };

/** Entities on a fresh fork, the recorder on what follows. */
async function find(
  orm: MikroORM,
  entity: object,
  where: object = {},
  record?: (recorder: Recorder) => void,
): Promise<Loaded[]> {
  const found = (await orm.em.fork().find(entity as never, where, { orderBy: { id: 'asc' } as never })) as Loaded[];
  record?.(recordQueries(orm));
  return found;
}

/** The same call in both: `[MikroORM, batchLoader()]`. */
async function both<T>(call: (orm: MikroORM) => Promise<T>): Promise<[T, T]> {
  return [await call(own), await call(batched)];
}

describe('D1: M:N of two owners with the same property and target, in one tick', () => {
  const call = async (orm: MikroORM): Promise<number[][]> => {
    const em = orm.em.fork();
    const [a1, a2] = (await em.find(Author, [1, 2])) as unknown as Loaded[];
    const [b1, b2] = (await em.find(Book, [1, 2])) as unknown as Loaded[];
    return (await Promise.all([a1!, b1!, a2!, b2!].map(entity => entity.tags.loadItems()))).map(ids);
  };
  test('MikroORM gives books the tags of authors', async () => {
    expect(await call(own)).toEqual([[1], [1], [2], [2]]);
  });
  test('batchLoader() gives each its own', async () => {
    expect(await call(batched)).toEqual([[1], [3], [2], [4]]);
  });
});

describe('D2: a condition with RegExp or raw()', () => {
  const call =
    (where: () => object) =>
    async (orm: MikroORM): Promise<number[][]> => {
      const authors = await find(orm, Author);
      return (await Promise.all(authors.map(author => author.books.loadItems({ where: where() as never })))).map(ids);
    };
  const all = [
    [1, 2, 3, 4],
    [5, 6, 7, 8],
    [9, 10, 11, 12],
  ];
  test.each([
    ['RegExp', () => ({ title: /[24]$/ }), [[2, 4], [], [12]]],
    ['raw()', () => ({ [raw('length(title)')]: 3 }), [[], [], [10, 11, 12]]],
  ])('%s: MikroORM drops it and gives everything, batchLoader() applies it', async (_name, where, expected) => {
    expect(await both(call(where))).toEqual([all, expected]);
  });
});

describe('D3: loadCount() of an owner with two keys', () => {
  test('MikroORM finds nobody, batchLoader() counts', async () => {
    const counts = await both(async orm => {
      const rooms = (await orm.em
        .fork()
        .find(Room, {}, { orderBy: { house: 'asc', number: 'asc' } })) as unknown as Loaded[];
      return Promise.all(rooms.map(room => room.guests.loadCount()));
    });
    expect(counts).toEqual([
      [0, 0, 0],
      [2, 2, 2],
    ]);
  });
});

describe('D4: a reference to a row that is not there', () => {
  const missing = (orm: MikroORM): Ref<object> => orm.em.fork().getReference(Author, 99, { wrapped: true }) as never;
  test('load(): MikroORM gives an entity without data, batchLoader() null', async () => {
    const [theirs, ours] = await both(orm => missing(orm).load());
    expect(theirs).toMatchObject({ id: 99 });
    expect((theirs as { name?: string }).name).toBeUndefined();
    expect(ours).toBeNull();
  });
  test('loadOrFail(): MikroORM resolves, batchLoader() rejects', async () => {
    await expect(missing(own).loadOrFail()).resolves.toMatchObject({ id: 99 });
    await expect(missing(batched).loadOrFail()).rejects.toThrow('Author not found (99)');
  });
});

describe('D5: two conditions on one collection, in one tick', () => {
  test('MikroORM gives both callers the last list, batchLoader() each its own', async () => {
    const lists = await both(async orm => {
      const [author] = await find(orm, Author, { id: 1 });
      const load = (title: string): Promise<object[]> => author!.books.loadItems({ where: { title } as never });
      return (await Promise.all([load('b1'), load('b2')])).map(ids);
    });
    expect(lists).toEqual([
      [[2], [2]],
      [[1], [2]],
    ]);
  });
});

describe('D6: a limit', () => {
  test('MikroORM limits the whole batch, batchLoader() each owner', async () => {
    const lists = await both(async orm => {
      const authors = await find(orm, Author);
      return (await Promise.all(authors.map(author => author.books.loadItems({ limit: 2 })))).map(
        items => items.length,
      );
    });
    expect(lists[0].reduce((sum, n) => sum + n)).toBe(2);
    expect(lists[1]).toEqual([2, 2, 2]);
  });
});

describe('a condition with a bigint', () => {
  const call = async (orm: MikroORM): Promise<number[][]> => {
    const authors = await find(orm, Author);
    return (
      await Promise.all(
        authors.map(author => author.books.loadItems({ where: { isbn: { $lte: 9_007_199_254_740_992n } } as never })),
      )
    ).map(ids);
  };
  test('MikroORM throws', async () => {
    await expect(call(own)).rejects.toThrow('Do not know how to serialize a BigInt');
  });
  test('batchLoader() applies it', async () => {
    expect(await call(batched)).toEqual([[1, 2], [], []]);
  });
});

describe('one bad condition in a window', () => {
  const call = async (orm: MikroORM): Promise<(number[] | string)[]> => {
    const authors = await find(orm, Author);
    const results = await Promise.allSettled(
      authors.map((author, index) =>
        author.books.loadItems({ where: (index === 1 ? { nope: 1 } : { title: { $ne: 'b1' } }) as never }),
      ),
    );
    return results.map(result =>
      result.status === 'fulfilled' ? ids(result.value) : (result.reason as Error).message,
    );
  };
  test('MikroORM fails every call, batchLoader() that one', async () => {
    const message = 'Trying to query by not existing property Book.nope';
    expect(await both(call)).toEqual([
      [message, message, message],
      [[2, 3, 4], message, [9, 10, 11, 12]],
    ]);
  });
});

describe('a condition that differs by owner', () => {
  test('MikroORM sends a query for each, batchLoader() one', async () => {
    const statements = await both(async orm => {
      let recorder: Recorder | undefined;
      const authors = await find(orm, Author, {}, it => (recorder = it));
      const items = await Promise.all(
        authors.map((author, n) => author.books.loadItems({ where: { title: `b${4 * n + 1}` } as never })),
      );
      return { items: items.map(ids), statements: recorder!.sql.filter(sql => sql.includes('"title" = ?')).length };
    });
    expect(statements).toEqual([
      { items: [[1], [5], [9]], statements: 3 },
      { items: [[1], [5], [9]], statements: 1 },
    ]);
  });
});

describe('distribution of the rows of a 1:M', () => {
  test('MikroORM compares every row with every owner, batchLoader() looks its owner up', async () => {
    const comparisons = await both(async orm => {
      let compared = 0;
      const getColFilter = DataloaderUtils.getColFilter.bind(DataloaderUtils);
      const spy = vi.spyOn(DataloaderUtils, 'getColFilter').mockImplementation(((collection: never) => {
        const filter = getColFilter(collection);
        return (item: unknown) => {
          compared++;
          return filter(item);
        };
      }) as never);
      const authors = await find(orm, Author);
      await Promise.all(authors.map(author => author.books.loadItems()));
      spy.mockRestore();
      return compared;
    });
    // 3 owners × 12 rows
    expect(comparisons).toEqual([36, 0]);
  });
});

describe('references with two keys', () => {
  test('MikroORM asks for a key once per reference, batchLoader() once', async () => {
    const params = await both(async orm => {
      let recorder: Recorder | undefined;
      const guests = await find(orm, Guest, {}, it => (recorder = it));
      await Promise.all(guests.map(guest => guest.room.load()));
      return recorder!.queries.map(query => query.params);
    });
    expect(params).toEqual([[[1, 1, 1, 1, 1, 2, 1, 2, 2, 1, 2, 1]], [[1, 1, 1, 2, 2, 1]]]);
  });
});

describe('what a loader keeps of each load in a long-lived fork', () => {
  test('MikroORM all of it, until the fork is gone; batchLoader() nothing', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const kept = await both(async orm => {
      const em = orm.em.fork();
      const authors = (await em.find(Author, {})) as unknown as Loaded[];
      const conditions: WeakRef<object>[] = [];
      for (let round = 0; round < 20; round++) {
        await Promise.all(
          authors.map(author => {
            const where = { title: { $ne: `b${round}` } };
            conditions.push(new WeakRef(where));
            return author.books.init({ where: where as never });
          }),
        );
      }
      await new Promise(resolve => setTimeout(resolve, 10));
      collect();
      const alive = conditions.filter(condition => condition.deref() !== undefined).length;
      expect(em.getUnitOfWork().getIdentityMap().keys().length).toBeGreaterThan(0);
      return alive;
    });
    expect(kept[0]).toBe(60);
    expect(kept[1]).toBeLessThan(10);
  });
});
