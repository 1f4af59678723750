import { DataloaderType, type EntityManager, type MikroORM, defineEntity, p } from '@mikro-orm/postgresql';
import { batchLoader } from '@mikrokit/batch-loader';
import { createSchedule } from '../../packages/batch-loader/src/batch-window.ts';
import { ForkQueue } from '../../packages/batch-loader/src/fork-queue.ts';
import { createOrm } from '../harness/orm-plain.ts';
import { recordQueries } from '../harness/recorder.ts';
import { atLeast, atMost, type Bench, type BenchContext } from './bench.ts';
import { interleave, prepared } from './interleave.ts';

/*
 * The bars of the batch loader. Every ratio is taken within one run, its sides in turns.
 */

const Author = defineEntity({
  name: 'Author',
  properties: { id: p.integer().primary(), name: p.string(), books: () => p.oneToMany(Book).mappedBy('author') },
});
// Ten columns, as tables have.
const Book = defineEntity({
  name: 'Book',
  properties: {
    id: p.integer().primary(),
    title: p.string(),
    subtitle: p.string(),
    pages: p.integer(),
    price: p.integer(),
    year: p.integer(),
    language: p.string(),
    format: p.string(),
    stock: p.integer(),
    author: () => p.manyToOne(Author).ref().index(),
  },
});

const CHILDREN = 5;

interface Shelf {
  /** With the extension. */
  readonly batched: MikroORM;
  /** With MikroORM's own loader. */
  readonly incumbent: MikroORM;
  [Symbol.asyncDispose](): Promise<void>;
}

/** `parents` authors with five books each, and two ORMs on them. */
async function openShelf({ cluster }: BenchContext, parents: number): Promise<Shelf> {
  const entities = [Author, Book];
  const batched = await createOrm({ cluster, entities, extensions: [batchLoader()] });
  const connection = batched.driver.getConnection();
  await connection.execute(`insert into "author" select n, 'author ' || n from generate_series(1, ${parents}) n`);
  await connection.execute(
    `insert into "book" select n, 'title ' || n, 'subtitle ' || n, n % 900, n % 50, 1900 + n % 120, 'en', 'paper', n % 9, 1 + n % ${parents}
     from generate_series(1, ${parents * CHILDREN}) n`,
  );
  await connection.execute('analyze');
  const url = batched.config.get('clientUrl')!;
  const incumbent = await createOrm({
    ...(url === undefined ? {} : { url }),
    entities,
    dataloader: DataloaderType.ALL,
  });
  return {
    batched,
    incumbent,
    async [Symbol.asyncDispose]() {
      await incumbent.close(true);
      await batched.close(true);
    },
  };
}

interface Fork {
  readonly em: EntityManager;
  readonly authors: readonly { books: { load(options?: object): Promise<unknown> } }[];
}

async function forkWithAuthors(orm: MikroORM): Promise<Fork> {
  const em = orm.em.fork();
  return { em, authors: await em.find(Author, {}) };
}

const loadEach = ({ authors }: Fork): Promise<unknown> => Promise.all(authors.map(author => author.books.load()));

const populate = ({ em, authors }: Fork): Promise<unknown> => em.populate(authors as never, ['books'] as never);

const withAuthors = (orm: MikroORM, run: (fork: Fork) => unknown): ReturnType<typeof prepared> =>
  prepared(() => forkWithAuthors(orm), run as never);

export const bench: Bench = {
  package: 'batch-loader',
  cases: [
    {
      name: '2 000 parents × 5 children, collection.load() each',
      bar: atMost(1.15, '× em.populate'),
      async run(context) {
        await using shelf = await openShelf(context, 2_000);
        const { ratio } = await interleave(
          { load: withAuthors(shelf.batched, loadEach), populate: withAuthors(shelf.incumbent, populate) },
          { repetitions: 21 },
        );
        return { value: ratio('load', 'populate'), unit: '×' };
      },
    },
    {
      name: 'the same, against the loader of MikroORM',
      bar: atLeast(10, '× faster'),
      async run(context) {
        await using shelf = await openShelf(context, 2_000);
        context.progress('MikroORM’s own loader takes seconds a time');
        const { ratio } = await interleave(
          { load: withAuthors(shelf.batched, loadEach), incumbent: withAuthors(shelf.incumbent, loadEach) },
          { repetitions: 5, warmup: 1 },
        );
        return { value: ratio('incumbent', 'load'), unit: '×' };
      },
    },
    {
      name: 'growth from 500 to 8 000 parents, time per row',
      bar: atMost(1.3, '× at 8 000'),
      async run(context) {
        await using small = await openShelf(context, 500);
        await using large = await openShelf(context, 8_000);
        const { medians } = await interleave(
          {
            small: withAuthors(small.batched, loadEach),
            large: withAuthors(large.batched, loadEach),
            populateSmall: withAuthors(small.incumbent, populate),
            populateLarge: withAuthors(large.incumbent, populate),
          },
          { repetitions: 15 },
        );
        context.progress(
          `em.populate grows ${(medians.populateLarge / 8_000 / (medians.populateSmall / 500)).toPrecision(3)} ×`,
        );
        return { value: medians.large / 8_000 / (medians.small / 500), unit: '×' };
      },
    },
    {
      name: '2 000 × ref.load() over 500 targets',
      bar: atMost(1.3, '× one em.find of the 500'),
      async run(context) {
        await using shelf = await openShelf(context, 500);
        const books = async (orm: MikroORM): Promise<{ author: { load(): Promise<unknown> } }[]> =>
          orm.em.fork().find(Book, {}, { limit: 2_000, orderBy: { id: 'asc' } });
        const recorder = recordQueries(shelf.batched);
        const counted = await books(shelf.batched);
        recorder.take();
        await Promise.all(counted.map(book => book.author.load()));
        if (recorder.sql.length !== 1) {
          throw new Error(`2 000 loads are to be 1 query, but were: ${recorder.sql.join('\n')}`);
        }
        recorder.stop();
        const ids = Array.from({ length: 500 }, (_, index) => index + 1);
        const { ratio } = await interleave(
          {
            load: prepared(
              () => books(shelf.batched),
              loaded => Promise.all(loaded.map(book => book.author.load())),
            ),
            // The same 500, by key, on a fork that knows the same books: both fill the same references.
            find: prepared(
              async () => {
                const em = shelf.incumbent.em.fork();
                await em.find(Book, {}, { limit: 2_000, orderBy: { id: 'asc' } });
                return em;
              },
              em => em.find(Author, { id: { $in: ids } }),
            ),
          },
          { repetitions: 101, warmup: 20 },
        );
        return { value: ratio('load', 'find'), unit: '×' };
      },
    },
    {
      name: 'the loader’s own cost per key at 10 000 keys',
      bar: atMost(1.5, 'µs'),
      async run() {
        const KEYS = 10_000;
        const keys = Array.from({ length: KEYS }, (_, id) => ({ id }));
        const scope = {};
        const once = async (): Promise<void> => {
          const queue = new ForkQueue<object>(createSchedule('immediate'));
          const answered = await Promise.all(
            keys.map(key =>
              queue.load(
                scope,
                'shape',
                () => ({ dedupe: true, run: batch => Promise.resolve(batch) }),
                key,
                queue.current({ transaction: undefined, flush: undefined, filters: '' }),
              ),
            ),
          );
          if (answered.length !== KEYS || answered[17] !== keys[17]) {
            throw new Error('The queue mixed up its keys.');
          }
        };
        const { medians } = await interleave({ once }, { repetitions: 51, warmup: 10 });
        return { value: (medians.once * 1_000) / KEYS, unit: 'µs' };
      },
    },
    {
      name: 'memory of the loader after 100 000 loads in one fork',
      bar: atMost(64, 'kB more than 100 000 × em.populate'),
      async run(context) {
        await using shelf = await openShelf(context, 100);
        const growth = async (orm: MikroORM, load: (fork: Fork) => Promise<unknown>): Promise<number> => {
          const fork = await forkWithAuthors(orm);
          const rounds = async (loads: number): Promise<void> => {
            for (let i = 0; i < loads / fork.authors.length; i++) {
              await load(fork);
            }
          };
          // Once through, so that what is kept for good (the entities, compiled functions) is there.
          await rounds(20_000);
          const before = heapUsed();
          await rounds(100_000);
          return heapUsed() - before;
        };
        // MikroORM appends to an entity's serialization hints each time it is populated: that growth is not the loader's.
        const populated = await growth(shelf.incumbent, ({ em, authors }) =>
          em.populate(authors as never, ['books'] as never, { refresh: true }),
        );
        context.progress(`100 000 × em.populate: ${Math.round(populated / 1_024)} kB`);
        const loaded = await growth(shelf.batched, ({ authors }) =>
          Promise.all(authors.map(author => author.books.load({ refresh: true }))),
        );
        context.progress(`100 000 × collection.load(): ${Math.round(loaded / 1_024)} kB`);
        return { value: (loaded - populated) / 1_024, unit: 'kB' };
      },
    },
  ],
};

/** Bytes in use after everything that can be collected was. */
function heapUsed(): number {
  const gc = (globalThis as { gc?: () => void }).gc!;
  for (let i = 0; i < 3; i++) {
    gc();
  }
  return process.memoryUsage().heapUsed;
}
