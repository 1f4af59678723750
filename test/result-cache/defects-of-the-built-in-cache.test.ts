import { Type, wrap } from '@mikro-orm/core';
import { defineEntity, type EntityManager, LockMode, type MikroORM, p, raw, sql } from '@mikro-orm/postgresql';
import { type CacheStore, memoryStore, resultCache } from '@mikrokit/result-cache';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openOrm } from '../harness/orm.ts';
import { recordQueries } from '../harness/recorder.ts';

/*
 * What MikroORM's own result cache gets wrong, as of 7.2.1: wrong rows, stale rows, rows of another tenant, values that come
 * back as something else. Each test compares what is cached with the same read without the cache.
 */

/** What is in the database is not what the entity has. */
class Encrypted extends Type<string | null, string | null> {
  override convertToDatabaseValue(value: string | null): string | null {
    return value === null ? null : `enc:${Buffer.from(value).toString('base64')}`;
  }
  override convertToJSValue(value: string | null): string | null {
    return value === null ? null : Buffer.from(value.slice(4), 'base64').toString();
  }
  override getColumnType(): string {
    return 'text';
  }
}

class Money {
  readonly cents: number;
  constructor(cents: number) {
    this.cents = cents;
  }
}

class MoneyType extends Type<Money | null, number | null> {
  override convertToDatabaseValue(value: Money | null): number | null {
    return value === null ? null : value.cents;
  }
  override convertToJSValue(value: number | null): Money | null {
    return value === null ? null : new Money(value);
  }
  override compareAsType(): string {
    return 'number';
  }
  override getColumnType(): string {
    return 'int';
  }
}

const Address = defineEntity({
  name: 'Address',
  embeddable: true,
  properties: { city: p.string(), door: p.string().hidden() },
});

const Account = defineEntity({
  name: 'Account',
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    tenant: p.string(),
    password: p.string().hidden().nullable(),
    meta: p.json<{ tags: string[] }>().nullable(),
    opened: p.datetime().nullable(),
    balance: p.bigint('bigint').nullable(),
    ratio: p.double().nullable(),
    blob: p.blob().nullable(),
    bytes: p.uint8array().nullable(),
    secret: p.type(Encrypted).nullable(),
    price: p.type(MoneyType).nullable(),
    home: () => p.embedded(Address).nullable(),
    work: () => p.embedded(Address).object().nullable(),
    others: () => p.embedded(Address).array().nullable(),
    orders: () => p.oneToMany(Order).mappedBy('account'),
  },
});

/** Each tenant sees its own. */
const Order = defineEntity({
  name: 'Order',
  tableName: 'orders',
  filters: { tenant: { name: 'tenant', cond: (args: { tenant: string }) => ({ tenant: args.tenant }), default: true } },
  properties: {
    id: p.integer().primary(),
    tenant: p.string(),
    account: () => p.manyToOne(Account).ref(),
  },
});

/** Single-table inheritance from a root that is no abstract class and does not declare its discriminator. */
const Person = defineEntity({
  name: 'Person',
  discriminatorColumn: 'kind',
  discriminatorValue: 'person',
  properties: { id: p.integer().primary(), name: p.string() },
});
const Student = defineEntity({
  name: 'Student',
  extends: Person,
  discriminatorValue: 'student',
  properties: { school: p.string().nullable() },
});

const Note = defineEntity({
  name: 'Note',
  properties: {
    id: p.integer().primary(),
    text: p.string(),
    about: () => p.manyToOne([Account, Person]).ref().nullable(),
  },
});

const ENTITIES = [Address, Account, Order, Person, Student, Note];
const tables = '"account", "orders", "person", "note"';

async function fill(orm: MikroORM): Promise<void> {
  const em = orm.em.fork();
  await em.execute(`truncate ${tables} cascade`);
  em.create(Account, {
    id: 1,
    name: 'Ann',
    tenant: 'A',
    password: 'hunter2',
    meta: { tags: ['x'] },
    opened: new Date('2026-01-02T03:04:05.678Z'),
    balance: 9_007_199_254_740_993n,
    ratio: 0.5,
    blob: Buffer.from([0, 255, 128]),
    bytes: new Uint8Array([1, 2, 250]),
    secret: 'open sesame',
    price: new Money(1999),
    home: { city: 'Oslo', door: '1' },
    work: { city: 'Rome', door: '2' },
    others: [{ city: 'Lima', door: '3' }],
  });
  em.create(Account, { id: 2, name: 'Ben', tenant: 'B' });
  em.create(Order, { id: 1, tenant: 'A', account: 1 });
  em.create(Order, { id: 2, tenant: 'B', account: 1 });
  em.create(Person, { id: 1, name: 'Pia' });
  em.create(Student, { id: 2, name: 'Sam', school: 'MIT' });
  em.create(Note, { id: 1, text: 'on an account', about: em.getReference(Account, 1) });
  em.create(Note, { id: 2, text: 'on a person', about: em.getReference(Person, 1) });
  em.create(Note, { id: 3, text: 'on nothing' });
  await em.flush();
}

const cache = resultCache({ ttl: 3_600_000 });
let orm: MikroORM;
beforeAll(async () => {
  orm = await openOrm({ entities: ENTITIES, extensions: [cache] });
});
beforeEach(async () => {
  await fill(orm);
  await cache.clear();
});
const fork = (): EntityManager => orm.em.fork() as EntityManager;

type Read<T> = (em: EntityManager, cache: boolean) => Promise<T>;

/** The answers of reads that are made one after the other, twice, each in a fork of its own; the same without the cache. */
async function cachedAndNot<T>(...reads: Read<T>[]): Promise<{ cached: T[]; again: T[]; uncached: T[] }> {
  const answers = async (setting: boolean): Promise<T[]> => {
    const all: T[] = [];
    for (const read of reads) {
      all.push(await read(fork(), setting));
    }
    return all;
  };
  const uncached = await answers(false);
  return { cached: await answers(true), again: await answers(true), uncached };
}

/** Expects that, and returns the uncached answers. */
async function expectSame<T>(...reads: Read<T>[]): Promise<T[]> {
  const { cached, again, uncached } = await cachedAndNot(...reads);
  expect(cached).toEqual(uncached);
  expect(again).toEqual(uncached);
  return uncached;
}

/** As `expectSame`, with the second time answered without a statement. */
async function expectHit<T>(...reads: Read<T>[]): Promise<T[]> {
  const uncached = await expectSame(...reads);
  using recorder = recordQueries(orm);
  for (const read of reads) {
    await read(fork(), true);
  }
  expect(recorder.sql).toEqual([]);
  return uncached;
}

const named =
  (where: object): Read<string[]> =>
  async (em, setting) =>
    (await em.find(Account, where, { cache: setting, orderBy: { id: 1 } })).map(({ name }) => name);

describe('two reads that differ are never one', () => {
  const upper = sql.upper('name');
  test.each([
    ['E1: raw() as a key', [{ [raw('lower(tenant)')]: 'a' }, { [raw('lower(tenant)')]: 'b' }], [['Ann'], ['Ben']]],
    ['E1: another raw() as a key', [{ [raw('lower(name)')]: 'ann' }, { [raw('upper(name)')]: 'ann' }], [['Ann'], []]],
    ['E1: sql.upper() as a key', [{ [upper]: 'ANN' }, {}], [['Ann'], ['Ann', 'Ben']]],
    [
      'E2: raw() as a value',
      [{ tenant: raw('upper(?)', ['a']) }, { tenant: raw('upper(?)', ['b']) }],
      [['Ann'], ['Ben']],
    ],
    ['E2: sql`` as a value', ['a', 'b'].map(value => ({ tenant: sql`upper(${value})` })), [['Ann'], ['Ben']]],
    [
      'E7: regular expressions',
      [{ name: /^A/ }, { name: /^B/ }, { name: /^a/ }, { name: /^a/i }],
      [['Ann'], ['Ben'], [], ['Ann']],
    ],
    [
      'a bigint and a number',
      [{ balance: 9_007_199_254_740_993n }, { balance: 9_007_199_254_740_992n }],
      [['Ann'], []],
    ],
    ['buffers', [{ blob: Buffer.from([0, 255, 128]) }, { blob: Buffer.from([0, 255, 129]) }], [['Ann'], []]],
    ['lists', [{ name: ['Ann', 'Ben'] }, { name: ['Ann,Ben'] }], [['Ann', 'Ben'], []]],
  ] as [string, object[], string[][]][])('%s', async (_what, wheres, expected) => {
    expect(await expectSame(...wheres.map(named))).toEqual(expected);
  });

  test('E7: NaN, infinities and null, of which MikroORM makes names of columns', async () => {
    const outcome =
      (ratio: number | null): Read<unknown> =>
      (em, on) =>
        named({ ratio })(em, on).catch((error: Error) => /column .*/.exec(error.message)?.[0]);
    expect(await expectSame(...[NaN, null, Infinity, -Infinity, 0.5].map(outcome))).toEqual([
      'column "nan" does not exist',
      ['Ben'],
      'column "infinity" does not exist',
      'column "infinity" does not exist',
      ['Ann'],
    ]);
  });

  test('E7: NaN, infinity and null as parameters', async () => {
    // Of an entity that has NaN, MikroORM thinks that it has changed, and writes it as the name of a column.
    await fork().execute(`update account set ratio = 'NaN' where id = 2`);
    const of = (value: unknown): Read<string[]> => named({ [raw('ratio::text')]: raw('?::text', [String(value)]) });
    expect(await expectSame(...[NaN, null, Infinity, 0.5].map(of))).toEqual([['Ben'], [], [], ['Ann']]);
  });

  test('E7: a Date and its text, which mean the same', async () => {
    const date = new Date('2026-01-02T03:04:05.678Z');
    expect(await expectSame(named({ opened: date }), named({ opened: date.toISOString() }))).toEqual([
      ['Ann'],
      ['Ann'],
    ]);
  });

  test('two Dates', async () => {
    const [first, second] = ['2026-01-02T03:04:05.678Z', '2026-01-02T03:04:05.679Z'].map(text => new Date(text));
    expect(await expectSame(named({ opened: first }), named({ opened: second }))).toEqual([['Ann'], []]);
  });

  test('sets', async () => {
    const reads = [new Set(['Ann']), new Set(['Ben'])].map(names => named({ name: { $in: [...names] } }));
    expect(await expectSame(...reads)).toEqual([['Ann'], ['Ben']]);
  });

  test.each(['joined', 'select-in'] as const)(
    'E3, A5.3: filters on relations, by tenant, populated %s',
    async strategy => {
      const ordersOf =
        (tenant: string): Read<unknown> =>
        async (em, setting) => {
          em.setFilterParams('tenant', { tenant });
          const [account] = await em.find(Account, { id: 1 }, { cache: setting, populate: ['orders'], strategy });
          return account!.orders.getItems().map(({ id }) => id);
        };
      expect(await expectHit(ordersOf('A'), ordersOf('B'), ordersOf('C'))).toEqual([[1], [2], []]);
    },
  );

  test('E3, A5.3: filters on relations, by tenant, in findOne()', async () => {
    const ordersOf =
      (tenant: string): Read<unknown> =>
      async (em, setting) => {
        em.setFilterParams('tenant', { tenant });
        const account = await em.findOneOrFail(Account, 1, { cache: setting, populate: ['orders'] });
        return account.orders.getItems().map(({ id }) => id);
      };
    expect(await expectHit(ordersOf('A'), ordersOf('B'))).toEqual([[1], [2]]);
  });

  test('filters by tenant, of the entity itself, in each method', async () => {
    const of =
      (tenant: string): Read<unknown> =>
      async (em, setting) => {
        em.setFilterParams('tenant', { tenant });
        const cached = { cache: setting };
        return [
          (await em.find(Order, {}, cached)).map(({ id }) => id),
          await em.count(Order, {}, cached),
          (await em.findOne(Order, { account: 1 }, cached))?.id,
          (await em.fork().findAndCount(Order, {}, { ...cached, filters: { tenant: { tenant } } }))[1],
        ];
      };
    expect(await expectHit(of('A'), of('B'), of('C'))).toEqual([
      [[1], 1, 1, 1],
      [[2], 1, 2, 1],
      [[], 0, undefined, 0],
    ]);
  });

  test('E3d: one name for two tenants, two conditions, two entities, two methods', async () => {
    const setting = (on: boolean): false | [string, number] => (on ? ['all', 60_000] : false);
    const ofTenant =
      (tenant: string): Read<unknown> =>
      async (em, on) => {
        em.setFilterParams('tenant', { tenant });
        return (await em.find(Order, {}, { cache: setting(on) })).map(({ id }) => id);
      };
    expect(
      await expectHit<unknown>(
        ofTenant('A'),
        ofTenant('B'),
        async (em, on) => (await em.find(Account, { name: 'Ann' }, { cache: setting(on) })).map(({ id }) => id),
        async (em, on) => (await em.find(Account, { name: 'Ben' }, { cache: setting(on) })).map(({ id }) => id),
        (em, on) => em.count(Account, {}, { cache: setting(on) }),
      ),
    ).toEqual([[1], [2], [1], [2], 2]);
  });

  test('A5.2: findAndCount() with a name', async () => {
    const [page] = await expectHit(async (em, on) => {
      const [accounts, count] = await em.findAndCount(
        Account,
        {},
        { cache: on ? ['page', 60_000] : false, limit: 1, orderBy: { id: 1 } },
      );
      return [accounts.map(({ name }) => name), count];
    });
    expect(page).toEqual([['Ann'], 2]);
  });

  test('E9: mapped and not mapped results of a builder', async () => {
    const rows =
      (mapResults: boolean): Read<unknown> =>
      (em, on) =>
        em
          .createQueryBuilder(Order, 'o')
          .select(['id', 'account'])
          .orderBy({ id: 1 })
          .cache(on)
          .execute('all', mapResults);
    expect(await expectHit(rows(false), rows(true))).toEqual([
      [
        { id: 1, account_id: 1 },
        { id: 2, account_id: 1 },
      ],
      [
        { id: 1, account: 1 },
        { id: 2, account: 1 },
      ],
    ]);
  });

  test('results of a builder, by method', async () => {
    const builder = (em: EntityManager, on: boolean) =>
      em.createQueryBuilder(Account, 'a').select(['id', 'name']).orderBy({ id: 1 }).cache(on);
    await expectHit<unknown>(
      (em, on) => builder(em, on).execute('all'),
      (em, on) => builder(em, on).execute('get'),
      (em, on) => builder(em, on).getCount(),
      async (em, on) => (await builder(em, on).getResultList()).map(({ name }) => name),
      async (em, on) => (await builder(em, on).limit(1).getSingleResult())?.name,
    );
  });

  test('two databases in one store never meet', async () => {
    const store = memoryStore();
    const [one, other] = await Promise.all(
      [1, 2].map(() => openOrm({ entities: ENTITIES, extensions: [resultCache({ store })] })),
    );
    await fill(one!);
    await fill(other!);
    await other!.em.fork().nativeUpdate(Account, 1, { name: 'Anna' });
    const name = async (of: MikroORM) => (await of.em.fork().findOne(Account, 1, { cache: true }))?.name;
    for (let n = 0; n < 3; n += 1) {
      expect([await name(one!), await name(other!)]).toEqual(['Ann', 'Anna']);
    }
  });
});

describe('nothing is stale', () => {
  test('E5: after a flush, for another EntityManager', async () => {
    expect(await expectHit(named({ id: 1 }))).toEqual([['Ann']]);
    const em = fork();
    (await em.findOneOrFail(Account, 1)).name = 'Anna';
    await em.flush();
    expect(await expectHit(named({ id: 1 }))).toEqual([['Anna']]);
  });

  test('E18: null, and then an insert', async () => {
    const third: Read<unknown> = async (em, on) => (await em.findOne(Account, 3, { cache: on }))?.name;
    expect(await expectHit(third)).toEqual([undefined]);
    await fork().insert(Account, { id: 3, name: 'Cid', tenant: 'A' });
    expect(await expectHit(third)).toEqual(['Cid']);
  });

  test('E4, A5.4: what a transaction reads of its own is gone with it', async () => {
    const undone = fork().transactional(async em => {
      await em.nativeUpdate(Account, 1, { name: 'UNCOMMITTED' });
      expect((await em.findOneOrFail(Account, 1, { cache: true })).name).toBe('UNCOMMITTED');
      throw new Error('never mind');
    });
    await expect(undone).rejects.toThrow('never mind');
    expect(await expectHit(async (em, on) => (await em.findOneOrFail(Account, 1, { cache: on })).name)).toEqual([
      'Ann',
    ]);
  });

  test('A5.4: a transaction does not read what others have cached instead of what it has written', async () => {
    await expectHit(named({}));
    await fork().transactional(async em => {
      await em.nativeUpdate(Account, 1, { name: 'Anna' });
      expect(await named({})(em as EntityManager, true)).toEqual(['Anna', 'Ben']);
    });
  });

  test('E15: what is changed in memory and not flushed is not kept', async () => {
    const em = fork();
    (await em.findOneOrFail(Account, 1)).name = 'DIRTY-NEVER-FLUSHED';
    const found = await em.find(Account, {}, { cache: true, flushMode: 'commit', orderBy: { id: 1 } });
    expect(found.map(({ name }) => name)).toEqual(['DIRTY-NEVER-FLUSHED', 'Ben']);
    expect(await expectHit(named({}))).toEqual([['Ann', 'Ben']]);
  });

  test('A5.5: a hit does not put an old value in place of a newer one that is managed', async () => {
    await expectHit(named({}));
    const em = fork();
    await fork().nativeUpdate(Account, 1, { name: 'Anna' });
    const account = await em.findOneOrFail(Account, 1);
    await em.find(Account, {}, { cache: true });
    expect(account.name).toBe('Anna');
  });

  test('E19: a page and its total, after a write', async () => {
    const page: Read<unknown> = async (em, on) => {
      const [accounts, count] = await em.findAndCount(Account, {}, { cache: on, limit: 5 });
      return [accounts.length, count];
    };
    expect(await expectHit(page)).toEqual([[2, 2]]);
    await fork().insert(Account, { id: 3, name: 'Cid', tenant: 'A' });
    expect(await expectHit(page)).toEqual([[3, 3]]);
  });

  test.each([
    [
      'a flush',
      async (em: EntityManager) => (em.create(Account, { id: 3, name: 'Cid', tenant: 'A' }), await em.flush()),
    ],
    ['insert()', (em: EntityManager) => em.insert(Account, { id: 3, name: 'Cid', tenant: 'A' })],
    ['insertMany()', (em: EntityManager) => em.insertMany(Account, [{ id: 3, name: 'Cid', tenant: 'A' }])],
    ['upsert()', (em: EntityManager) => em.upsert(Account, { id: 1, name: 'Anna', tenant: 'A' })],
    ['nativeUpdate()', (em: EntityManager) => em.nativeUpdate(Account, 1, { name: 'Anna' })],
    ['nativeDelete()', (em: EntityManager) => em.nativeDelete(Account, 2)],
    [
      'a QueryBuilder',
      (em: EntityManager) => em.createQueryBuilder(Account).update({ name: 'Anna' }).where({ id: 1 }).execute(),
    ],
    ['raw SQL', (em: EntityManager) => em.execute(`update account set name = 'Anna' where id = 1`)],
    [
      'Kysely',
      (em: EntityManager) =>
        em.getKysely<{ account: { id: number } }>().deleteFrom('account').where('id', '=', 2).execute(),
    ],
  ])('E24: %s ends what it changes', async (_what, write) => {
    const [before] = await expectHit(named({}));
    await write(fork());
    const [after] = await expectHit(named({}));
    expect(after).not.toEqual(before);
  });
});

describe('what is asked for happens', () => {
  test('E6, A5.6: a lock is taken each time', async () => {
    const locked = 'select "a0".* from "account" as "a0" where "a0"."id" = ? for update';
    using recorder = recordQueries(orm);
    for (let n = 0; n < 2; n += 1) {
      await fork().transactional(em =>
        em.find(Account, { id: 1 }, { lockMode: LockMode.PESSIMISTIC_WRITE, cache: true }),
      );
    }
    expect(recorder.take().map(query => query.sql)).toEqual(['begin', locked, 'commit', 'begin', locked, 'commit']);
  });

  test('E20, E23: of 50 misses at the same time one reads the database', async () => {
    await named({ id: 1 })(fork(), true);
    using recorder = recordQueries(orm);
    const answers = await Promise.all(Array.from({ length: 50 }, () => named({ tenant: 'A' })(fork(), true)));
    expect(answers).toEqual(answers.map(() => ['Ann']));
    expect(recorder.sql).toEqual([
      'select "a0".* from "account" as "a0" where "a0"."tenant" = ? order by "a0"."id" asc',
    ]);
  });

  const operations = ['read', 'begin', 'fill', 'open', 'close', 'cancel', 'renew'] as const;
  test.each(operations)('E22: a store whose %s() fails: queries are answered, writes are made', async operation => {
    const store: CacheStore = memoryStore();
    const failing = await openOrm({ entities: ENTITIES, extensions: [resultCache({ store })] });
    await fill(failing);
    Object.assign(store, { [operation]: () => Promise.reject(new Error('out of order')) });
    const name = async () => (await failing.em.fork().findOneOrFail(Account, 1, { cache: true })).name;
    expect([await name(), await name()]).toEqual(['Ann', 'Ann']);
    await failing.em.fork().nativeUpdate(Account, 1, { name: 'Anna' });
    expect([await name(), await name()]).toEqual(['Anna', 'Anna']);
    const em = failing.em.fork();
    (await em.findOneOrFail(Account, 1, { cache: true })).name = 'Anne';
    await em.flush();
    expect([await name(), await name()]).toEqual(['Anne', 'Anne']);
  });

  describe('A5.6: resultCache.global', () => {
    let global: MikroORM;
    beforeAll(async () => {
      global = await openOrm({ entities: ENTITIES, extensions: [resultCache()], resultCache: { global: 60_000 } });
    });
    beforeEach(() => fill(global));

    test('everything is cached, once', async () => {
      await global.em.fork().find(Account, {});
      using recorder = recordQueries(global);
      await global.em.fork().find(Account, {});
      await global.em.fork().find(Account, {}, { cache: false });
      expect(recorder.sql).toEqual(['select "a0".* from "account" as "a0"']);
    });

    test('one find makes one entry', async () => {
      const counted = resultCache();
      const alone = await openOrm({ entities: ENTITIES, extensions: [counted], resultCache: { global: true } });
      await alone.em.fork().find(Account, {});
      await expect.poll(() => counted.stats().entries).toBe(1);
    });

    test('an identical update of a builder is executed twice', async () => {
      using recorder = recordQueries(global);
      for (let n = 0; n < 2; n += 1) {
        const update = global.em
          .fork()
          .createQueryBuilder(Account)
          .update({ ratio: raw('ratio + 1') as never })
          .where({ id: 1 });
        await update.execute('run', false);
      }
      expect(recorder.sql).toHaveLength(2);
      expect((await global.em.fork().findOneOrFail(Account, 1)).ratio).toBe(2.5);
    });

    test('locks are taken each time', async () => {
      using recorder = recordQueries(global);
      for (let n = 0; n < 2; n += 1) {
        await global.em.fork().transactional(em => em.findOne(Account, 1, { lockMode: LockMode.PESSIMISTIC_WRITE }));
      }
      expect(recorder.sql.filter(text => text.endsWith('for update'))).toHaveLength(2);
    });
  });
});

describe('what comes back is what was read', () => {
  const whole: Read<unknown> = async (em, on) => {
    const account = await em.findOneOrFail(Account, 1, { cache: on });
    const { name, password, meta, opened, balance, ratio, blob, bytes, secret, price, home, work, others } = account;
    return { name, password, meta, opened, balance, ratio, blob, bytes, secret, price, home, work, others };
  };

  test('A4: every type', async () => {
    const [account] = await expectHit(whole);
    expect(account).toMatchObject({
      opened: new Date('2026-01-02T03:04:05.678Z'),
      balance: 9_007_199_254_740_993n,
      blob: Buffer.from([0, 255, 128]),
      bytes: new Uint8Array([1, 2, 250]),
      secret: 'open sesame',
      price: new Money(1999),
      meta: { tags: ['x'] },
    });
  });

  test.each(['opened', 'balance', 'blob', 'bytes', 'price', 'meta'] as const)(
    'A4: the class of %s, of an entity and of a row',
    async name => {
      const className = (value: unknown): string => Object(value).constructor.name as string;
      await expectHit<unknown>(
        async (em, on) => className((await em.findOneOrFail(Account, 1, { cache: on }))[name]),
        async (em, on) => {
          const builder = em.createQueryBuilder(Account, 'a').select('*').where({ id: 1 });
          return className(((await builder.cache(on).execute('get')) as Record<string, unknown>)[name]);
        },
        async (em, on) => {
          const builder = em.createQueryBuilder(Account, 'a').select('*').where({ id: 1 });
          return className((await builder.cache(on).getSingleResult())?.[name]);
        },
      );
    },
  );

  test('NaN, and null', async () => {
    await fork().execute(`update account set ratio = 'NaN' where id = 2`);
    const [ben] = await expectHit(async (em, on) => {
      const { ratio, opened, meta } = await em.findOneOrFail(Account, 2, { cache: on });
      return { ratio, opened, meta };
    });
    expect(ben).toEqual({ ratio: NaN, opened: null, meta: null });
  });

  test('A4: hidden members of embeddables', async () => {
    const doors: Read<unknown> = async (em, on) => {
      const { home, work, others } = await em.findOneOrFail(Account, 1, { cache: on });
      return [home, work, others![0]].map(address => [address?.city, address?.door]);
    };
    expect(await expectHit(doors)).toEqual([
      [
        ['Oslo', '1'],
        ['Rome', '2'],
        ['Lima', '3'],
      ],
    ]);
  });

  test('A4: an array of embeddables that is changed after a hit loses nothing', async () => {
    await expectHit(whole);
    const em = fork();
    const account = await em.findOneOrFail(Account, 1, { cache: true });
    account.others!.push({ city: 'Bonn', door: '4' } as never);
    await em.flush();
    expect((await fork().findOneOrFail(Account, 1)).others!.map(({ door }) => door)).toEqual(['3', '4']);
  });

  test('a hit is not dirty', async () => {
    await expectHit(whole);
    const em = fork();
    await em.find(Account, {}, { cache: true });
    using recorder = recordQueries(orm);
    await em.flush();
    expect(recorder.sql).toEqual([]);
  });

  test('A4: single-table inheritance', async () => {
    const people: Read<unknown> = async (em, on) =>
      (await em.find(Person, {}, { cache: on, orderBy: { id: 1 } })).map(one => [
        wrap(one).toPOJO(),
        one.constructor.name,
      ]);
    expect(await expectHit(people)).toEqual([
      [
        [{ id: 1, name: 'Pia' }, 'Person'],
        [{ id: 2, name: 'Sam', school: 'MIT' }, 'Student'],
      ],
    ]);
  });

  test.each([[[]], [['about']]])('A4: polymorphic relations, populate: %o', async populate => {
    const notes: Read<unknown> = async (em, on) =>
      (await em.find(Note, {}, { cache: on, populate: populate as never, orderBy: { id: 1 } })).map(({ about }) => {
        const target = about?.unwrap() as { id: number; name?: string } | undefined;
        return [target?.constructor.name, target?.id, target?.name];
      });
    const loaded = populate.length > 0;
    expect(await expectHit(notes)).toEqual([
      [
        ['Account', 1, loaded ? 'Ann' : undefined],
        ['Person', 1, loaded ? 'Pia' : undefined],
        [undefined, undefined, undefined],
      ],
    ]);
  });

  test('E8: an entity of a hit that is changed does not change the entry', async () => {
    await expectHit(whole);
    for (const use of ['a miss', 'a hit', 'another hit']) {
      const account = await fork().findOneOrFail(Account, 1, { cache: true });
      expect(account.meta, use).toEqual({ tags: ['x'] });
      account.meta!.tags.push('changed');
      account.blob![0] = 7;
      account.opened!.setFullYear(1999);
      account.home!.city = 'changed';
    }
    await expectHit(whole);
  });

  test('E8: a row of a hit that is changed does not change the entry', async () => {
    const rows: Read<Record<string, unknown>[]> = (em, on) =>
      em.createQueryBuilder(Account, 'a').select(['id', 'meta']).where({ id: 1 }).cache(on).execute();
    await expectHit(rows);
    for (let n = 0; n < 3; n += 1) {
      const [row] = await rows(fork(), true);
      expect(row).toEqual({ id: 1, meta: { tags: ['x'] } });
      (row!['meta'] as { tags: string[] }).tags.push('changed');
    }
  });

  test('A miss is not changed while it is stored', async () => {
    const account = await fork().findOneOrFail(Account, 1, { cache: true });
    account.meta!.tags.push('changed');
    account.bytes![0] = 99;
    await expectHit(whole);
  });

  test('E17: relations that were loaded before are not among what is kept', async () => {
    const store = memoryStore();
    const kept: string[] = [];
    const begin = store.fill.bind(store);
    store.fill = async (key, entry, ttl) => {
      kept.push(Buffer.from(entry).toString('latin1'));
      await begin(key, entry, ttl);
    };
    const own = await openOrm({ entities: ENTITIES, extensions: [resultCache({ store })] });
    await fill(own);
    const em = own.em.fork();
    await em.find(Account, {}, { populate: ['orders'], filters: { tenant: false } });
    await em.find(Order, {}, { cache: true, filters: { tenant: false } });
    await expect.poll(() => kept).toHaveLength(1);
    expect(kept[0]).not.toContain('hunter2');
    expect(kept[0]).not.toContain('Ann');
  });

  test('encrypted columns stay encrypted in the store', async () => {
    const store = memoryStore();
    const kept: string[] = [];
    const put = store.fill.bind(store);
    store.fill = async (key, entry, ttl) => {
      kept.push(Buffer.from(entry).toString('latin1'));
      await put(key, entry, ttl);
    };
    const own = await openOrm({ entities: ENTITIES, extensions: [resultCache({ store })] });
    await fill(own);
    for (let n = 0; n < 2; n += 1) {
      expect((await own.em.fork().findOneOrFail(Account, 1, { cache: true })).secret).toBe('open sesame');
      const [row] = await own.em.fork().createQueryBuilder(Account).select('secret').where({ id: 1 }).cache().execute();
      // A row has what the database has.
      expect(row).toEqual({ secret: 'enc:b3BlbiBzZXNhbWU=' });
    }
    await expect.poll(() => kept).toHaveLength(2);
    for (const entry of kept) {
      expect(entry).toContain('enc:b3BlbiBzZXNhbWU=');
      expect(entry).not.toContain('open sesame');
    }
  });
});
