import { type EntityManager, type MikroORM, defineEntity, p } from '@mikro-orm/postgresql';
import { batch, batchLoader } from '@mikrokit/batch-loader';
import { startProxy } from '../harness/proxy.ts';
import { createOrm } from '../harness/orm-plain.ts';
import { recordQueries } from '../harness/recorder.ts';
import { atLeast, atMost, type Bench, type BenchContext } from './bench.ts';
import { interleave, prepared } from './interleave.ts';

/*
 * The bars of batch(em): reads of one SQL shape. Every ratio is taken within one run, its sides in turns.
 */

const Parent = defineEntity({
  name: 'Parent',
  properties: { id: p.integer().primary(), name: p.string(), children: () => p.oneToMany(Child).mappedBy('parent') },
});
const Child = defineEntity({
  name: 'Child',
  properties: {
    id: p.integer().primary(),
    title: p.string(),
    subtitle: p.string(),
    pages: p.integer(),
    price: p.integer(),
    year: p.integer(),
    language: p.string(),
    stock: p.integer(),
    parent: () => p.manyToOne(Parent).ref(),
  },
});
const Seat = defineEntity({
  name: 'Seat',
  properties: { line: p.integer().primary(), place: p.integer().primary(), label: p.string() },
});

const FAN_OUT = 100;
const TOP = 5;

/** Parents with a hundred children each. */
async function openFamily(
  { cluster }: BenchContext,
  parents: number,
  { indexed = true, url }: { indexed?: boolean; url?: string } = {},
): Promise<MikroORM> {
  const orm = await createOrm({
    cluster,
    entities: [Parent, Child, Seat],
    extensions: [batchLoader()],
    ...(url ? { url } : {}),
  });
  const connection = orm.driver.getConnection();
  await connection.execute(`insert into "parent" select n, 'parent ' || n from generate_series(1, ${parents}) n`);
  // Not in the order of their parents, as rows are that came over time.
  await connection.execute(
    `insert into "child" select n, 'title ' || n, 'subtitle ' || n, n % 900, n % 50, 1900 + n % 120, 'en', n % 9, 1 + n % ${parents}
     from generate_series(1, ${parents * FAN_OUT}) n`,
  );
  await connection.execute(
    'insert into "seat" select n / 100, n % 100, \'seat \' || n from generate_series(0, 99999) n',
  );
  if (indexed) {
    await connection.execute('create index on "child" ("parent_id", "id")');
  }
  await connection.execute('vacuum analyze');
  return orm;
}

const fresh = (orm: MikroORM, run: (em: EntityManager) => unknown): ReturnType<typeof prepared> =>
  prepared(() => Promise.resolve(orm.em.fork() as EntityManager), run as never);

const ids = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

const topOfEach = (em: EntityManager, parents: readonly number[]): Promise<unknown> =>
  Promise.all(parents.map(parent => batch(em).find(Child, { parent }, { orderBy: { id: 'desc' }, limit: TOP })));

const COLUMNS = '"id", "title", "subtitle", "pages", "price", "year", "language", "stock", "parent_id"';
const lateralSql = (parents: readonly number[]): string =>
  `select d.* from unnest('{${parents.join(',')}}'::int[]) as p(id) cross join lateral
    (select ${COLUMNS} from "child" where "parent_id" = p.id order by "id" desc limit ${TOP}) d`;
const windowSql = (parents: readonly number[]): string =>
  `select * from (select ${COLUMNS}, row_number() over (partition by "parent_id" order by "id" desc) rn from "child"
    where "parent_id" = any('{${parents.join(',')}}'::int[])) d where rn <= ${TOP}`;

/** Sends SQL and has MikroORM make entities of its rows. */
async function rawAndHydrate(em: EntityManager, sql: string): Promise<unknown> {
  const rows = await em.getConnection().execute<Record<string, unknown>[]>(sql);
  return rows.map(row => em.map(Child, row as never));
}

/** Runs a statement without sending its rows: what is left is the server's. */
function inServer(orm: MikroORM, sql: string, params: readonly unknown[]): Promise<unknown> {
  return orm.em.getConnection().execute(`explain (analyze, timing off) ${sql}`, params);
}

export const bench: Bench = {
  package: 'batch-loader',
  cases: [
    {
      name: '100 finds of one shape in one window, 2 ms from the server',
      bar: atMost(2, '× one such find'),
      async run(context) {
        await using near = await openFamily(context, 200);
        await using proxy = await startProxy(near.config.get('clientUrl')!);
        await proxy.delay(2);
        await using orm = await createOrm({
          url: proxy.url(),
          entities: [Parent, Child, Seat],
          extensions: [batchLoader()],
        });
        const find = (em: EntityManager, parent: number): Promise<unknown> =>
          batch(em).find(Child, { parent, pages: { $gte: parent } }, { orderBy: { id: 'asc' }, limit: 1 });
        const all = (em: EntityManager): Promise<unknown> => Promise.all(ids(100).map(parent => find(em, parent)));
        await all(orm.em.fork());
        const recorder = recordQueries(orm);
        await all(orm.em.fork());
        const { length } = recorder.take();
        recorder[Symbol.dispose]();
        if (length !== 1) {
          throw new Error(`${length} statements instead of 1`);
        }
        const { ratio } = await interleave(
          { all: fresh(orm, all), one: fresh(orm, em => find(em, 7)) },
          { repetitions: 41 },
        );
        return { value: ratio('all', 'one'), unit: '×' };
      },
    },
    {
      name: `top ${TOP} of ${FAN_OUT} children for 1 000 parents, index on the FK`,
      bar: atMost(1.5, '× raw LATERAL + hydration'),
      async run(context) {
        await using orm = await openFamily(context, 1_000);
        const parents = ids(1_000);
        const { ratio } = await interleave(
          {
            batched: fresh(orm, em => topOfEach(em, parents)),
            raw: fresh(orm, em => rawAndHydrate(em, lateralSql(parents))),
          },
          { repetitions: 31 },
        );
        return { value: ratio('batched', 'raw'), unit: '×' };
      },
    },
    {
      name: 'the same, time in PostgreSQL against populateHints.limit',
      bar: atLeast(5, '× less'),
      async run(context) {
        await using orm = await openFamily(context, 1_000);
        const parents = ids(1_000);
        const sqlOf = async (run: (em: EntityManager) => Promise<unknown>): Promise<() => Promise<unknown>> => {
          using recorder = recordQueries(orm);
          await run(orm.em.fork() as EntityManager);
          const { sql, params } = recorder.take().findLast(query => query.sql.includes('"child"'))!;
          return () => inServer(orm, sql, params as unknown[]);
        };
        await topOfEach(orm.em.fork() as EntityManager, parents);
        const batched = await sqlOf(em => topOfEach(em, parents));
        const hinted = await sqlOf(em => populateWithHints(em));
        const { ratio } = await interleave({ batched, hinted }, { repetitions: 21 });
        return { value: ratio('hinted', 'batched'), unit: '×' };
      },
    },
    {
      name: 'the same, end to end',
      bar: atLeast(1, '× faster than populateHints.limit'),
      async run(context) {
        await using orm = await openFamily(context, 1_000);
        const { ratio } = await interleave(
          {
            batched: fresh(orm, async em => {
              const parents = await em.find(Parent, {});
              return topOfEach(
                em,
                parents.map(({ id }) => id),
              );
            }),
            hinted: fresh(orm, em => populateWithHints(em)),
          },
          { repetitions: 15 },
        );
        return { value: ratio('hinted', 'batched'), unit: '×' };
      },
    },
    {
      name: 'the same without an index on the FK',
      bar: atMost(1.3, '× the window-function form'),
      async run(context) {
        await using orm = await openFamily(context, 1_000, { indexed: false });
        const parents = ids(1_000);
        const { ratio } = await interleave(
          {
            batched: fresh(orm, em => topOfEach(em, parents)),
            window: fresh(orm, em => rawAndHydrate(em, windowSql(parents))),
          },
          { repetitions: 15 },
        );
        return { value: ratio('batched', 'window'), unit: '×' };
      },
    },
    {
      name: '1 000 look-ups by composite key',
      bar: atLeast(1.5, '× faster than one em.find with $or'),
      async run(context) {
        await using orm = await openFamily(context, 10);
        const { ratio } = await interleave(
          { batched: fresh(orm, lookUp), or: fresh(orm, lookUpByOr) },
          { repetitions: 31 },
        );
        return { value: ratio('or', 'batched'), unit: '×' };
      },
    },
    {
      name: 'the same, time in PostgreSQL',
      bar: atLeast(2.5, '× less'),
      async run(context) {
        await using orm = await openFamily(context, 10);
        const sqlOf = async (run: (em: EntityManager) => Promise<unknown>): Promise<() => Promise<unknown>> => {
          await run(orm.em.fork() as EntityManager);
          using recorder = recordQueries(orm);
          await run(orm.em.fork() as EntityManager);
          const [{ sql, params }] = recorder.take() as unknown as [{ sql: string; params: unknown[] }];
          return () => inServer(orm, sql, params);
        };
        const batched = await sqlOf(lookUp);
        const or = await sqlOf(lookUpByOr);
        const { ratio } = await interleave({ batched, or }, { repetitions: 31 });
        return { value: ratio('or', 'batched'), unit: '×' };
      },
    },
    {
      name: 'page of 20 with hasNext and total for 200 parents',
      bar: atMost(1.5, '× its raw SQL + hydration'),
      async run(context) {
        await using orm = await openFamily(context, 200);
        const parents = ids(200);
        const pages = (em: EntityManager): Promise<unknown> =>
          Promise.all(
            parents.map(parent =>
              batch(em).page(Child, { parent }, { orderBy: { id: 'desc' }, first: 20, total: true }),
            ),
          );
        await pages(orm.em.fork() as EntityManager);
        const recorder = recordQueries(orm);
        await pages(orm.em.fork() as EntityManager);
        const { length } = recorder.take();
        recorder[Symbol.dispose]();
        if (length !== 1) {
          throw new Error(`${length} statements instead of 1`);
        }
        const raw = `select d.*, c.count from unnest('{${parents.join(',')}}'::int[]) as p(id)
          cross join lateral (select count(*) from "child" where "parent_id" = p.id) c
          cross join lateral (select ${COLUMNS} from "child" where "parent_id" = p.id order by "id" desc limit 21) d`;
        const { ratio } = await interleave(
          { pages: fresh(orm, pages), raw: fresh(orm, em => rawAndHydrate(em, raw)) },
          { repetitions: 31 },
        );
        return { value: ratio('pages', 'raw'), unit: '×' };
      },
    },
    {
      name: 'shape and merge per call, shape seen before',
      bar: atMost(40, 'µs'),
      async run(context) {
        await using orm = await openFamily(context, 10);
        // No rows, no limit to the work of the server but the look-ups themselves: what is left is ours.
        const parents = ids(2_000).map(id => -id);
        const find = (em: EntityManager): Promise<unknown> =>
          Promise.all(
            parents.map(parent =>
              batch(em).find(Child, { parent, pages: { $gt: 1 } }, { orderBy: { id: 'asc' }, limit: TOP }),
            ),
          );
        await find(orm.em.fork() as EntityManager);
        using recorder = recordQueries(orm);
        await find(orm.em.fork() as EntityManager);
        const [{ sql, params }] = recorder.take() as unknown as [{ sql: string; params: unknown[] }];
        recorder[Symbol.dispose]();
        const { medians } = await interleave(
          { batched: fresh(orm, find), sql: () => orm.em.getConnection().execute(sql, params) },
          { repetitions: 31 },
        );
        return { value: ((medians.batched - medians.sql) * 1_000) / parents.length, unit: 'µs' };
      },
    },
  ],
};

function populateWithHints(em: EntityManager): Promise<unknown> {
  return em.find(Parent, {}, {
    populate: ['children'],
    populateHints: { children: { limit: TOP } },
    populateOrderBy: { children: { id: 'desc' } },
  } as never);
}

const SEATS = ids(1_000).map(id => ({ line: (id * 7) % 1_000, place: id % 100 }));

function lookUp(em: EntityManager): Promise<unknown> {
  return Promise.all(SEATS.map(seat => batch(em).findOne(Seat, seat)));
}

function lookUpByOr(em: EntityManager): Promise<unknown> {
  return em.find(Seat, { $or: SEATS });
}
