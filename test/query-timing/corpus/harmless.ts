import { setTimeout as sleep } from 'node:timers/promises';
import { batch } from '@mikrokit/batch-loader';
import DataLoader from 'dataloader';
import type { Program } from './program.ts';
import { Author, Book, Category, Event, Job, kyselyOf, Line, Publisher, Review, Setting, Tag, Tenant } from './shop.ts';

/* Programs that repeat nothing, or repeat on purpose. */

export const populated: readonly Program[] = [
  {
    name: 'populate, by select-in',
    truth: undefined,
    run: em => em.find(Book, {}, { populate: ['author', 'publisher', 'tags'], strategy: 'select-in' }),
  },
  {
    name: 'populate, joined',
    truth: undefined,
    run: em => em.find(Author, {}, { populate: ['books.publisher', 'books.tags', 'profile'], strategy: 'joined' }),
  },
  {
    name: 'populate, and what it gave in a loop',
    truth: undefined,
    async run(em) {
      const names: string[] = [];
      for (const book of await em.find(Book, {}, { populate: ['author', 'tags'] })) {
        names.push((await book.author.loadOrFail()).name, ...(await book.tags.loadItems()).map(({ name }) => name));
      }
      return names;
    },
  },
  {
    name: 'populate of chunks, by select-in',
    truth: undefined,
    async run(em) {
      for (let from = 201; from < 213; from += 3) {
        await em.find(
          Book,
          { id: { $in: [from, from + 1, from + 2] } },
          { populate: ['author', 'tags'], strategy: 'select-in' },
        );
        em.clear();
      }
    },
  },
  {
    name: 'em.populate() of chunks',
    truth: undefined,
    async run(em) {
      const books = await em.find(Book, {}, { orderBy: { id: 'asc' } });
      for (let from = 0; from < books.length; from += 4) {
        await em.populate(books.slice(from, from + 4), ['author']);
      }
    },
  },
  {
    name: 'populate along a tree: the same query for each level, each for one row',
    truth: undefined,
    run: em => em.findOne(Category, 12, { populate: ['parent.parent.parent'], strategy: 'select-in' }),
  },
  {
    name: 'ids in chunks',
    truth: undefined,
    async run(em) {
      for (let from = 1; from <= 12; from += 2) {
        await em.find(Author, { id: [from, from + 1] });
      }
    },
  },
  {
    name: 'ids in chunks, as an array of PostgreSQL',
    truth: undefined,
    async run(em) {
      const kysely = kyselyOf(em);
      for (let from = 1; from <= 12; from += 3) {
        await kysely
          .selectFrom('author')
          .selectAll()
          .where(({ eb, val }) => eb('id', '=', eb.fn.any(val([from, from + 1, from + 2]))))
          .execute();
      }
    },
  },
  {
    name: 'keys of two columns in chunks',
    truth: undefined,
    async run(em) {
      for (let number = 1; number <= 12; number += 3) {
        await em.find(Line, { $or: [0, 1, 2].map(n => ({ order: 7, number: number + n })) });
      }
    },
  },
  {
    name: "MikroORM's own dataloader, for references",
    truth: undefined,
    with: 'dataloader',
    async run(em) {
      const books = await em.find(Book, {});
      return await Promise.all(books.map(book => book.author.load()));
    },
  },
  {
    name: "MikroORM's own dataloader, for collections",
    truth: undefined,
    with: 'dataloader',
    async run(em) {
      const authors = await em.find(Author, {});
      return await Promise.all(authors.map(author => author.books.load()));
    },
  },
  {
    name: 'batchLoader(), all at once',
    truth: undefined,
    with: 'batchLoader',
    async run(em) {
      const books = await em.find(Book, {});
      return await Promise.all(books.map(book => book.author.load()));
    },
  },
  {
    name: 'batchLoader(), by batch(em)',
    truth: undefined,
    with: 'batchLoader',
    async run(em) {
      const books = await em.find(Book, {});
      return await Promise.all(books.map(book => batch(em).findOne(Author, book.author.id)));
    },
  },
  {
    name: 'batchLoader(), in a for loop over peers',
    truth: undefined,
    with: 'batchLoader',
    async run(em) {
      for (const author of await em.find(Author, {})) {
        await author.books.load();
      }
    },
  },
];

export const paged: readonly Program[] = [
  {
    name: 'a job that reads page by page, by offset',
    truth: undefined,
    async run(em) {
      for (let offset = 0; offset < 12; offset += 3) {
        await em.find(Review, {}, { limit: 3, offset, orderBy: { id: 'asc' } });
        em.clear();
      }
    },
  },
  {
    name: 'a job that reads page by page, by the last key',
    truth: undefined,
    async run(em) {
      let last = 0;
      for (;;) {
        const reviews = await em.find(Review, { id: { $gt: last } }, { limit: 5, orderBy: { id: 'asc' } });
        if (reviews.length === 0) {
          return;
        }
        last = reviews.at(-1)!.id;
      }
    },
  },
  {
    name: 'a job that reads page by page, by findByCursor()',
    truth: undefined,
    async run(em) {
      let after: string | undefined;
      do {
        const page = await em.findByCursor(Review, {
          first: 5,
          ...(after === undefined ? {} : { after }),
          orderBy: { stars: 'asc', id: 'asc' },
        });
        after = page.hasNextPage ? (page.endCursor ?? undefined) : undefined;
      } while (after !== undefined);
    },
  },
  {
    name: 'a job that reads page by page, by findAndCount()',
    truth: undefined,
    async run(em) {
      for (let offset = 0; offset < 12; offset += 3) {
        await em.findAndCount(Book, {}, { limit: 3, offset, orderBy: { id: 'asc' } });
      }
    },
  },
  {
    name: 'raw pages by row comparison',
    truth: undefined,
    async run(em) {
      let last = [0, 0];
      for (;;) {
        const rows = await em.execute<{ stars: number; id: number }[]>(
          'select stars, id from review where (stars, id) > (?, ?) order by stars, id limit 7',
          last,
        );
        if (rows.length === 0) {
          return;
        }
        last = [rows.at(-1)!.stars, rows.at(-1)!.id];
      }
    },
  },
  {
    name: 'a report by ranges',
    truth: undefined,
    async run(em) {
      for (let from = 0; from < 120; from += 20) {
        await em.find(Review, { id: { $gte: from, $lt: from + 20 } });
      }
    },
  },
];

export const onPurpose: readonly Program[] = [
  {
    name: 'seeding by insertMany()',
    truth: undefined,
    async run(em) {
      for (let chunk = 0; chunk < 5; chunk++) {
        await em.insertMany(
          Event,
          [1, 2, 3].map(n => ({ text: `event ${chunk} ${n}` })),
        );
      }
    },
  },
  {
    name: 'seeding by one flush',
    truth: undefined,
    async run(em) {
      for (let n = 0; n < 20; n++) {
        em.create(Event, { text: `event ${n}` });
      }
      await em.flush();
    },
  },
  {
    name: 'many kinds of changes in one flush',
    truth: undefined,
    async run(em) {
      const books = await em.find(Book, {}, { populate: ['tags'] });
      for (const [index, book] of books.entries()) {
        if (index % 2 === 0) {
          book.price += index;
        } else {
          book.tags.remove(book.tags[0]!);
        }
      }
      await em.flush();
    },
  },
  {
    name: 'retries of a statement that fails',
    truth: undefined,
    async run(em) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await em.fork().execute(`select 1 / (? - 1), count(*) from book`, [attempt > 3 ? 2 : 1]);
        } catch {
          await sleep(1);
        }
      }
    },
  },
  {
    name: 'retries of a transaction whose last statement fails',
    truth: undefined,
    async run(em) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await em.transactional(async inner => {
            await inner.execute('select price from book where id = ?', [205]);
            await inner.execute('update book set price = price + 1 where id = ?', [205]);
            await inner.execute('select 1 / ?', [attempt > 3 ? 1 : 0]);
          });
        } catch {
          await sleep(1);
        }
      }
    },
  },
  {
    name: 'each tenant in a fork of its own',
    truth: undefined,
    async run(em) {
      const tenants = await em.find(Tenant, {});
      for (const tenant of tenants) {
        const own = em.fork();
        const jobs = await own.find(Job, { tenant: tenant.id, state: 'open' });
        jobs.forEach(job => void (job.state = 'seen'));
        await own.flush();
      }
    },
  },
  {
    name: 'each tenant in a fork of its own, one query each',
    truth: undefined,
    async run(em) {
      const tenants = await em.find(Tenant, {});
      return await Promise.all(tenants.map(tenant => em.fork().find(Job, { tenant: tenant.id })));
    },
  },
  {
    name: 'each message in a transaction of its own',
    truth: undefined,
    async run(em) {
      for (const id of [1, 2, 3, 4, 5]) {
        await em.transactional(async inner => {
          const job = await inner.findOneOrFail(Job, id);
          job.state = 'done';
        });
      }
    },
  },
  {
    name: 'each tenant in its own schema',
    truth: undefined,
    async run(em) {
      for (const schema of ['shop_a', 'shop_b', 'shop_c', 'shop_d']) {
        await em.execute(`create schema if not exists ${schema}`);
        await em.execute(`create table if not exists ${schema}.setting (key text primary key, value text)`);
        await em.fork({ schema }).find(Setting, { key: 'setting-1' });
      }
    },
  },
  {
    name: 'the same query from different places, for different rows',
    truth: undefined,
    async run(em) {
      const reader = await em.findOne(Author, 1);
      const writer = await em.findOne(Author, 2);
      const editor = await em.findOne(Author, 3);
      const printer = await em.findOne(Author, 4);
      return [reader, writer, editor, printer];
    },
  },
  {
    name: 'a helper that is called from different places',
    truth: undefined,
    async run(em) {
      const setting = async (key: string) => (await em.findOne(Setting, { key }))?.value;
      const first = await setting('setting-1');
      const second = await setting('setting-2');
      const third = await setting('setting-3');
      const fourth = await setting('setting-4');
      return [first, second, third, fourth];
    },
  },
  {
    name: 'a look-up of a few constants',
    truth: undefined,
    async run(em) {
      const found: unknown[] = [];
      for (const key of ['setting-3', 'setting-5', 'setting-7']) {
        found.push(await em.findOne(Setting, { key }));
      }
      return found;
    },
  },
  {
    name: 'a look-up of a few constants, beside rows that have nothing to do with them',
    truth: undefined,
    async run(em) {
      const books = await em.find(Book, { id: { $lte: 203 } });
      const found = await Promise.all([4, 5, 6].map(id => em.findOne(Author, id)));
      return [books, found];
    },
  },
  {
    name: 'read, write, read again',
    truth: undefined,
    async run(em) {
      for (let n = 0; n < 4; n++) {
        const [row] = await em.execute<{ price: number }[]>('select price from book where id = ?', [201]);
        await em.nativeUpdate(Book, { id: 201 }, { price: row!.price + 1 });
        if (n === 0) {
          break;
        }
      }
      return await em.execute('select price from book where id = ?', [201]);
    },
  },
  {
    name: 'a refresh after a write by other means',
    truth: undefined,
    async run(em) {
      const book = await em.findOneOrFail(Book, 202);
      await em.execute('update book set price = price * 2 where id = ?', [202]);
      await em.refresh(book);
      return book.price;
    },
  },
  {
    name: 'polling until something is done',
    truth: undefined,
    async run(em) {
      let state: string | undefined;
      for (let n = 0; n < 5 && state !== 'done'; n++) {
        await sleep(15);
        state = (await em.fork().findOne(Job, 1))?.state;
      }
    },
  },
  {
    name: 'health checks',
    truth: undefined,
    async run(em) {
      for (let n = 0; n < 5; n++) {
        await em.execute('select 1');
        await em.execute('select now()');
        await em.getConnection().checkConnection();
      }
    },
  },
  {
    name: 'a queue, taken from one by one under lock',
    truth: undefined,
    async run(em) {
      for (let n = 0; n < 4; n++) {
        await em.transactional(async inner => {
          const [row] = await inner.execute<{ id: number }[]>(
            "select id from job where state = 'open' order by id limit 1 for update skip locked",
          );
          await inner.nativeUpdate(Job, { id: row!.id }, { state: 'done' });
        });
      }
    },
  },
  {
    name: 'two of a kind are no loop',
    truth: undefined,
    async run(em) {
      for (const book of await em.find(Book, { id: { $lte: 202 } })) {
        await book.author.load();
      }
    },
  },
  {
    name: 'rows of a kind by what they are, many each',
    truth: undefined,
    async run(em) {
      const counts: number[] = [];
      for (const state of ['open', 'seen', 'done', 'failed', 'late', 'lost', 'found']) {
        counts.push((await em.find(Job, { state })).length);
      }
      return counts;
    },
  },
  {
    name: 'several searches at once',
    truth: undefined,
    run: em =>
      Promise.all([
        em.find(Book, { title: { $like: 'book 1%' } }),
        em.find(Author, { name: { $like: 'author 1%' } }),
        em.find(Publisher, { name: { $like: 'publisher 1%' } }),
        em.find(Tag, { name: { $like: 'tag 1%' } }),
        em.count(Review, { stars: 1 }),
      ]),
  },
  {
    name: 'the identity map answers',
    truth: undefined,
    async run(em) {
      const books = await em.find(Book, {}, { populate: ['author'] });
      for (const book of books) {
        await em.findOne(Author, book.author.id);
      }
    },
  },
  {
    name: 'a search as somebody types',
    truth: undefined,
    async run(em) {
      for (const text of ['b', 'bo', 'boo', 'book']) {
        await em.find(Book, { title: { $like: `${text}%` } }, { limit: 10 });
      }
    },
  },
  {
    name: 'several at once, in one line',
    truth: undefined,
    run: em =>
      // oxfmt-ignore
      Promise.all([em.findOne(Author, 1), em.findOne(Author, 2), em.findOne(Author, 3)]),
  },
  {
    name: 'a request: who asks, may they, what do they want',
    truth: undefined,
    async run(em) {
      const user = await em.findOneOrFail(Author, 3);
      const allowed = await em.count(Setting, { key: 'setting-1' });
      const [books, total] = await em.findAndCount(
        Book,
        { author: user },
        { limit: 5, populate: ['tags', 'publisher'] },
      );
      const [first] = books;
      const reviews = await em.find(Review, { book: first! }, { limit: 3 });
      const others = await em.find(Book, { publisher: first!.publisher.id, id: { $ne: first!.id } });
      em.create(Event, { text: `${user.name} has looked` });
      await em.flush();
      return [allowed, total, reviews, others];
    },
  },
  {
    name: 'what is missing of a few constants is made, all in one flush',
    truth: undefined,
    async run(em) {
      for (const key of ['setting-1', 'setting-77', 'setting-78', 'setting-79']) {
        if ((await em.findOne(Setting, { key })) === null) {
          em.create(Setting, { key, value: 'new' });
        }
      }
      await em.flush();
    },
  },
  {
    name: 'an import in chunks: read what is there, update, insert',
    truth: undefined,
    async run(em) {
      for (let chunk = 0; chunk < 4; chunk++) {
        const keys = [1, 2, 3].map(n => `setting-${chunk * 3 + n}`);
        const known = await em.find(Setting, { key: { $in: keys } });
        await em.nativeUpdate(Setting, { key: { $in: known.map(({ key }) => key) } }, { value: `chunk ${chunk}` });
        await em.insertMany(
          Event,
          keys.map(text => ({ text })),
        );
        em.clear();
      }
    },
  },
  {
    name: 'units of work with many queries each',
    truth: undefined,
    async run(em) {
      for (const id of [201, 202, 203, 204, 205, 206]) {
        await em.transactional(async inner => {
          const book = await inner.findOneOrFail(Book, id, { populate: ['author', 'tags'] });
          const reviews = await inner.count(Review, { book });
          book.price = reviews;
          inner.create(Event, { text: `book ${id}` });
        });
      }
    },
  },
  {
    name: 'a lost update that is tried again',
    truth: undefined,
    async run(em) {
      for (let attempt = 0; attempt < 4; attempt++) {
        const [row] = await em.execute<{ price: number }[]>('select price from book where id = ?', [203]);
        const { affectedRows } = await em.execute<{ affectedRows: number }>(
          'update book set price = ? where id = ? and price = ?',
          [row!.price + 1, 203, attempt < 3 ? -1 : row!.price],
          'run',
        );
        if (affectedRows > 0) {
          return;
        }
      }
    },
  },
  {
    name: 'few numbers for a page of figures',
    truth: undefined,
    async run(em) {
      const counts: Record<string, number> = {};
      for (const state of ['open', 'seen', 'done']) {
        counts[state] = await em.count(Job, { state });
      }
      return [counts, await em.count(Book), await em.count(Author), await em.count(Review)];
    },
  },
  {
    name: 'the same for two tenants by their settings in PostgreSQL',
    truth: undefined,
    async run(em) {
      const seen: unknown[] = [];
      for (const tenant of ['1', '2', '3']) {
        await em.execute("select set_config('app.tenant', ?, false)", [tenant]);
        seen.push(await em.execute('select count(*) from job'));
      }
      return seen;
    },
  },
  {
    name: "somebody's own DataLoader",
    truth: undefined,
    async run(em) {
      const byId = new DataLoader<number, unknown>(async ids => {
        const authors = await em.find(Author, { id: { $in: [...ids] } });
        return ids.map(id => authors.find(author => author.id === id));
      });
      for (const page of [
        [201, 202, 203],
        [204, 205, 206],
        [207, 208, 209],
      ]) {
        const books = await em.find(Book, { id: page });
        await Promise.all(books.map(book => byId.load(book.author.id)));
      }
    },
  },
];
