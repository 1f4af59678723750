import { wrap } from '@mikro-orm/core';
import { type MikroORM, raw } from '@mikro-orm/postgresql';
import { batch } from '@mikrokit/batch-loader';
import { beforeAll, describe, expect, test } from 'vitest';
import { Doc, ids, openOther, openShelf, outcomes, Owner, tenants, Thing } from './shelf.ts';

/*
 * What batch(em) once got wrong; each was found by reading the code against itself.
 */

let orm: MikroORM;
beforeAll(async () => {
  orm = await openShelf();
});

describe('equal calls, one of which is aborted', () => {
  test.each([
    ['at once', 0],
    ['in between', 2],
  ])('an aborted call does not take an equal one with it, %s', async (_, turns) => {
    const b = batch(orm.em.fork());
    const controller = new AbortController();
    const where = { [raw(a => `pg_sleep(0.02) is not null and ${a}.owner_id`)]: 1 } as never;
    const calls = [b.find(Thing, where, { signal: controller.signal }), b.find(Thing, where)];
    const all = outcomes(calls);
    for (let turn = 0; turn < turns; turn++) await new Promise(resolve => setImmediate(resolve));
    controller.abort();
    expect((await all)[1]).toEqual([3, 6, 9, 12]);
  });
});

describe('a key that is written in another way', () => {
  test('equality of a real column: `any` finds the rows', async () => {
    const em = orm.em.fork();
    expect(await outcomes([1e6, 2e6, 3e6].map(score => batch(em).find(Thing, { score })))).toEqual([[1], [2], [3]]);
  });
});

describe('filters that look around', () => {
  test.each([[[0, 1]], [[0, 0]]])(
    'a filter that reads an AsyncLocalStorage: a tenant gets no rows of another, %j',
    async floors => {
      const em = orm.em.fork();
      const lists = await Promise.all(
        [1, 2].map((tenant, i) => tenants.run(tenant, () => batch(em).find(Doc, { n: { $gt: floors[i]! } }))),
      );
      expect(lists.map(list => [...new Set(list.map(doc => doc.tenant))])).toEqual([[1], [2]]);
    },
  );
});

describe('closing', () => {
  test('orm.close() with a window open: nothing connects again', async () => {
    const name = 'closing';
    const other = await openOther(orm, { driverOptions: { application_name: name } });
    await other.em.fork().find(Thing, {});
    const b = batch(other.em.fork());
    const calls = [1, 2].map(n => b.find(Thing, { n, id: { $gt: 0 } }));
    await other.close();
    expect(await outcomes(calls)).toEqual(Array(2).fill(expect.stringContaining('the ORM was closed')));
    await new Promise(resolve => setTimeout(resolve, 200));
    await expect
      .poll(() =>
        orm.em
          .getConnection()
          .execute('select count(*)::int as n from pg_stat_activity where application_name = ?', [name]),
      )
      .toEqual([{ n: 0 }]);
  });
});

describe('equal pages', () => {
  test('equal backward pages with a total keep their order', async () => {
    const page = async (b = batch(orm.em.fork())) =>
      b.page(Thing, { owner: 1 }, { last: 9, orderBy: { id: 'asc' }, total: true });
    const b = batch(orm.em.fork());
    const pages = await Promise.all([page(b), page(b)]);
    expect(pages.map(({ items }) => ids(items))).toEqual(Array(2).fill(ids((await page()).items)));
    expect(pages[0]!.items === pages[1]!.items).toBe(false);
  });
});

describe('what a condition populates', () => {
  test("populateWhere: 'infer' with an eager relation: each call's own condition", async () => {
    const call = async (b: Pick<MikroORM['em'], 'find'>, n: number) =>
      (await b.find(Owner, { id: n, things: { n: { $lte: 3 * n } } }, { populateWhere: 'infer' as never })).map(owner =>
        ids(owner.things.getItems()),
      );
    const em = orm.em.fork();
    // as the same calls at once on em
    const expected = await Promise.all([1, 2, 3].map(n => call(em, n)));
    const b = batch(orm.em.fork());
    expect(await Promise.all([1, 2, 3].map(n => call(b, n)))).toEqual(expected);
  });
});

describe('a condition that changes', () => {
  const jobs = async () => {
    for (let job = 0; job < 12; job++) await Promise.resolve();
  };
  test('a condition that is changed after the call, within the window', async () => {
    const read = async (b: Pick<MikroORM['em'], 'find'>) => {
      const where = { id: 0 };
      const calls: Promise<object[]>[] = [];
      for (const id of [1, 2, 3]) {
        where.id = id;
        calls.push(b.find(Thing, where));
        await jobs();
      }
      return outcomes(calls);
    };
    expect(await read(batch(orm.em.fork()))).toEqual(await read(orm.em.fork()));
  });
});

describe('a limit per owner beside a list', () => {
  test.each([
    ['uuid', { code: { $in: ['00000000-0000-4000-8000-000000000003'] } }],
    ['bigint', { big: { $in: [3n, 6n] } }],
    ['date', { day: { $in: ['2020-01-01'] } }],
    ['timestamp', { at: { $in: [new Date('2020-01-01T12:30:00')] } }],
  ])('collection.loadItems({ limit, where: $in }) on %s', async (_, where) => {
    const em = orm.em.fork();
    const owners = await em.find(Owner, {}, { orderBy: { id: 1 } });
    const lone = await orm.em.fork().find(Thing, { owner: 1, ...where } as never, { limit: 2, orderBy: { id: 1 } });
    const options = { limit: 2, orderBy: { id: 1 }, where } as never;
    expect((await outcomes(owners.map(owner => owner.parts.loadItems(options))))[0]).toEqual(ids(lone));
  });
});

describe('the type of a parameter', () => {
  const cases: [string, (x: string) => object, string[]][] = [
    // `timestamp >= '…' at time zone`: the literal is a timestamptz, not of the column's type
    [
      'at time zone',
      x => ({ owner: 1, at: { $gte: raw(`? at time zone 'Europe/Berlin'`, [x]) } }),
      ['2020-01-01 12:00', '2020-01-01 12:01'],
    ],
    [
      'a cast',
      x => ({ owner: 1, day: { $gte: raw('?::timestamptz', [x]) } }),
      ['2020-01-01 23:00', '2020-01-01 22:00'],
    ],
    [
      'a left operand',
      x => ({ [raw(a => `interval '22 hours' + "${a}"."day" >= ?`, [x])]: [] }),
      ['2020-01-01 23:00', '2020-01-01 23:10'],
    ],
    ['any() of a parameter', x => ({ [raw(a => `"${a}"."id" = any(?)`, [x])]: [] }), ['{1,2}', '{3}']],
  ];
  test.each(cases)('the type of a parameter with %s, outside and inside a transaction', async (_, where, values) => {
    const lone = await Promise.all(
      values.map(async x => ids(await orm.em.fork().find(Thing, where(x) as never, { orderBy: { id: 1 } }))),
    );
    const all = (em: MikroORM['em']) =>
      outcomes(values.map(x => batch(em).find(Thing, where(x) as never, { orderBy: { id: 1 } })));
    expect(await all(orm.em.fork())).toEqual(lone);
    expect(
      await orm.em
        .fork()
        .transactional(em => all(em as never))
        .catch(String),
    ).toEqual(lone);
  });
});

describe('a window that closes as it opens', () => {
  const atOnce = { batchWindow: (dispatch: () => void) => dispatch() };

  test('a batchWindow that dispatches at once: a reload reads again', async () => {
    const other = await openOther(orm, {}, atOnce);
    const doc = await other.em.fork().findOneOrFail(Doc, 1, { filters: false });
    await wrap(doc).init({ filters: false } as never);
    await orm.em.getConnection().execute('update doc set n = 101 where id = 1');
    await wrap(doc).init({ filters: false } as never);
    expect(doc.n).toBe(101);
  });

  test('a batchWindow that dispatches at once: a call keeps the filter parameters it was made with', async () => {
    const em = (await openOther(orm, {}, atOnce)).em.fork();
    em.addFilter({
      name: 'mine',
      entity: Thing as never,
      cond: (args: { id: number }) => ({ owner: args.id }) as never,
      default: true,
    });
    em.setFilterParams('mine', { id: 1 });
    const first = batch(em).find(Thing, { n: { $gt: 0 } }, { orderBy: { id: 1 } });
    em.setFilterParams('mine', { id: 2 });
    expect(ids(await first)).toEqual([3, 6, 9, 12]);
  });
});

describe('a transaction survives what cannot be merged', () => {
  const inTransaction = (read: (em: MikroORM['em']) => Promise<unknown>) =>
    orm.em
      .fork()
      .transactional(em => read(em as never))
      .catch(String);

  test('150 shapes that are new, in one window', async () => {
    const kinds: [string, string[]][] = [
      [`upper(@.label) || '#'`, ['A', 'B']],
      ['@.n + 0 + #', ['-500', '-600']],
      [`@.at + interval '# days'`, ['2019-01-01', '2019-01-02']],
    ];
    const read = (em: MikroORM['em']) =>
      outcomes(
        Array.from({ length: 150 }, (_, i) => kinds[i % 3]!).flatMap(([expression, values], i) =>
          values.map((value, k) =>
            batch(em).count(Thing, {
              [raw(a => expression.replaceAll('@', a).replaceAll('#', String(i)))]: { $gt: value },
              id: { $lte: 5 + k },
            } as never),
          ),
        ),
      );
    expect([...new Set((await inTransaction(read)) as unknown[])]).toEqual([5, 6]);
  });

  test('an unqualified column that is called as one of the table of calls', async () => {
    expect(
      await inTransaction(em =>
        outcomes([1, 2].map(n => batch(em).find(Thing, { [raw('tag')]: `t${n}`, owner: 1 + n } as never))),
      ),
    ).toEqual([[1], [2]]);
  });

  test('an order by a name of the select list, with a limit and no index', async () => {
    const read = (b: Pick<MikroORM['em'], 'find'>) =>
      outcomes(
        [1, 2].map(n => b.find(Thing, { tag: `t${n}` }, { orderBy: { [raw('twice')]: 'asc' } as never, limit: n })),
      );
    expect(await inTransaction(read)).toEqual([[1], [2]]);
    expect(await inTransaction(em => read(batch(em)))).toEqual([[1], [2]]);
  });
});
