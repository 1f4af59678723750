import { defineEntity, type EntityManager, p } from '@mikro-orm/postgresql';
import type { QueryTimingOptions } from '@mikrokit/query-timing';
import { beforeAll, describe, expect, test } from 'vitest';
import { ParameterDescriber } from '../../packages/query-timing/src/parameters.ts';
import { openDatabase } from '../harness/database.ts';
import { openOrm } from '../harness/orm.ts';
import { kyselyOf, Library, type Timed } from './fixtures/library.ts';

/** Whose values may be seen, and whose not. */
const Account = defineEntity({
  name: 'Account',
  properties: {
    id: p.integer().primary(),
    city: p.string(),
    balance: p.float().default(0),
    since: p.datetime().nullable(),
    notes: p.json<object>().nullable(),
    diary: p.text().hidden().nullable(),
    passwordHash: p.string().nullable(),
    accessKey: p.string().fieldName('api_key').nullable(),
    email: p.string().nullable(),
    nickname: p.string().nullable(),
  },
});

let url: string;
let library: Library;
beforeAll(async () => {
  ({ url } = await openDatabase());
  const orm = await openOrm({ url, entities: [Account] });
  await orm.schema.create();
  library = Library.of(url);
});

const open = (options: QueryTimingOptions): Promise<Timed> => library.timed(options, { entities: [Account] });

/** Of each statement that has any. */
async function parametersOf(
  options: QueryTimingOptions,
  call: (em: EntityManager) => Promise<unknown>,
): Promise<unknown> {
  const { orm, records } = await open(options);
  await call(orm.em.fork() as EntityManager);
  return records.filter(({ shape }) => shape.kind !== 'transaction').map(({ parameters }) => parameters);
}

const find = (em: EntityManager): Promise<unknown> =>
  em.find(Account, { city: 'Rome', balance: { $gt: 1.5 }, since: null, id: { $in: [1, 2] } }, { limit: 7 });

describe("'types', which is the default", () => {
  test.each<[string, QueryTimingOptions]>([
    ['left out', {}],
    ['named', { parameters: 'types' }],
  ])('%s', async (_, options) => {
    expect(await parametersOf(options, find)).toEqual([['text', 'number', 'number', 'number', 'number']]);
  });

  test.each<[unknown, string]>([
    ['x', 'text'],
    [1, 'number'],
    [1n, 'bigint'],
    [true, 'boolean'],
    [null, 'null'],
    [undefined, 'null'],
    [new Date(), 'date'],
    [[1], 'list'],
    [Buffer.from('x'), 'bytes'],
    [{ a: 1 }, 'json'],
  ])('of %o: %s', (value, type) => {
    expect(new ParameterDescriber('types').describe([value], () => () => false)).toEqual([type]);
  });
});

test("'off' keeps nothing", async () => {
  expect(await parametersOf({ parameters: 'off' }, find)).toEqual([undefined]);
});

test('a statement without parameters has none', async () => {
  expect(await parametersOf({ parameters: 'full' }, em => em.execute('select 1'))).toEqual([undefined]);
});

describe("'full'", () => {
  test('shows values, in the order of the text', async () => {
    expect(await parametersOf({ parameters: 'full' }, find)).toEqual([['Rome', '1.5', '1', '2', '7']]);
  });

  test('of writes, of each row', async () => {
    const since = new Date('2026-01-02T03:04:05.678Z');
    const write = async (em: EntityManager): Promise<void> => {
      await em.insert(Account, { id: 1, city: 'Rome', balance: 2, since, notes: { a: [1] } });
      await em.insertMany(Account, [
        { id: 2, city: 'Oslo', balance: 0 },
        { id: 3, city: 'Bern', balance: 1 },
      ]);
      await em.nativeUpdate(Account, { id: 1 }, { city: 'Paris' });
      await em.nativeDelete(Account, { id: [1, 2, 3] });
    };
    expect(await parametersOf({ parameters: 'full' }, write)).toEqual([
      ['1', 'Rome', '2', since.toISOString(), '(json)'],
      ['2', 'Oslo', '0', '3', 'Bern', '1'],
      ['Paris', '1'],
      ['1', '2', '3'],
    ]);
  });

  test.each<[string, object]>([
    ['a hidden property', { diary: 'PLANTED' }],
    ['a property with a name that looks secret', { passwordHash: 'PLANTED' }],
    ['a column with a name that looks secret', { accessKey: 'PLANTED' }],
    ['an e-mail address', { email: 'PLANTED' }],
  ])('never shows %s: compared, written, in lists and patterns', async (_, secret) => {
    const [[property]] = Object.entries(secret) as [[string, string]];
    const all = await parametersOf({ parameters: 'full' }, async em => {
      await em.find(Account, { city: 'Rome', ...secret });
      await em.find(Account, { [property]: { $like: '%PLANTED%' } });
      await em.find(Account, { [property]: { $in: ['PLANTED', 'PLANTED 2'] } });
      await em.find(Account, { $or: [{ city: 'Rome' }, { $not: secret }] });
      await em.insert(Account, { id: 5, city: 'Oslo', ...secret });
      await em.nativeUpdate(Account, { id: 5 }, { city: 'Bern', ...secret });
      await em.upsert(Account, { id: 5, city: 'Bonn', ...secret });
      await em.createQueryBuilder(Account, 'a').where(secret).andWhere({ city: 'Rome' }).getResult();
      await em.nativeDelete(Account, secret);
    });
    expect(JSON.stringify(all)).not.toContain('PLANTED');
    expect(all).toEqual([
      ['Rome', '(secret)'],
      ['(secret)'],
      ['(secret)', '(secret)'],
      ['Rome', '(secret)'],
      ['5', 'Oslo', '(secret)'],
      ['Bern', '(secret)', '5'],
      ['5', 'Bonn', '(secret)'],
      ['(secret)', 'Rome'],
      ['(secret)'],
    ]);
  });

  test.each<[string, readonly (string | RegExp)[]]>([
    ['named by the column or property', ['nickname']],
    ['by a pattern', [/^nick/i]],
    ['by a pattern with a memory', [/nick/g]],
  ])('nor what secretColumns names: %s', async (_, secretColumns) => {
    const call = async (em: EntityManager): Promise<void> => {
      await em.find(Account, { nickname: 'PLANTED', city: 'Rome' });
      await em.find(Account, { nickname: 'PLANTED', balance: 1 });
    };
    expect(await parametersOf({ parameters: 'full', secretColumns }, call)).toEqual([
      ['(secret)', 'Rome'],
      ['(secret)', '1'],
    ]);
    expect(await parametersOf({ parameters: 'full' }, call)).toEqual([
      ['PLANTED', 'Rome'],
      ['PLANTED', '1'],
    ]);
  });

  test('nor what stands where no column is known: raw SQL, functions, casts', async () => {
    const all = await parametersOf({ parameters: 'full' }, async em => {
      await em.execute('select ?::text as one', ['PLANTED']);
      await em.execute('select length(?), crypt from (select ? as crypt) as x', ['PLANTED', 'PLANTED']);
      await em.execute('select * from account where lower(password_hash) = lower(?)', ['PLANTED']);
      await em.execute('select * from account where ? = password_hash', ['PLANTED']);
      await em.execute('select * from account as x where x.password_hash = ? and x.city = ?', ['PLANTED', 'Rome']);
      await em.execute('select * from account where (password_hash, city) = (?, ?)', ['PLANTED', 'Rome']);
    });
    expect(JSON.stringify(all)).not.toContain('PLANTED');
    expect(JSON.stringify(all)).toContain('Rome');
  });

  test('nor of Kysely', async () => {
    const all = await parametersOf({ parameters: 'full' }, async em => {
      const kysely = kyselyOf(em).withTables<{ account: { id: number; city: string; api_key: string } }>();
      await kysely
        .selectFrom('account')
        .select('id')
        .where('api_key', '=', 'PLANTED')
        .where('city', '=', 'Rome')
        .execute();
      await kysely.updateTable('account').set({ api_key: 'PLANTED' }).where('id', '=', 5).execute();
      await kysely.insertInto('account').values({ id: 9, city: 'Oslo', api_key: 'PLANTED' }).execute();
    });
    expect(all).toEqual([
      ['(secret)', 'Rome'],
      ['(secret)', '5'],
      ['9', 'Oslo', '(secret)'],
    ]);
  });

  test('nor what is in JSON, whose names nobody knows', () => {
    const values = [
      { password: 'PLANTED' },
      '{"password":"PLANTED"}',
      ' [1, "PLANTED"]',
      [{ a: 'PLANTED' }],
      ['PLANTED {'],
    ];
    expect(new ParameterDescriber('full').describe(values, () => () => false)).toEqual([
      '(json)',
      '(json)',
      '(json)',
      '(json)',
      '["PLANTED {"]',
    ]);
  });

  test('values are short, and so is their list', () => {
    const describer = new ParameterDescriber('full');
    const described = describer.describe(
      ['x'.repeat(1_000_000), ...Array.from({ length: 99 }, (_, index) => index)],
      () => () => false,
    );
    expect(described).toHaveLength(33);
    expect(described[0]).toBe(`${'x'.repeat(99)}…`);
    expect(described.at(-1)).toBe('(68 more)');
  });

  test.each<[string, unknown]>([
    [
      'an object that cannot be written',
      {
        toJSON: () => {
          throw new Error('boom');
        },
      },
    ],
    [
      'one that leads to itself',
      (() => {
        const self: { self?: unknown } = {};
        self.self = self;
        return self;
      })(),
    ],
    [
      'a list that leads to itself',
      (() => {
        const self: unknown[] = [];
        self.push(self);
        return self;
      })(),
    ],
    ['an object that is nothing in JSON', { toJSON: () => undefined }],
    [
      'a revoked proxy',
      (() => {
        const { proxy, revoke } = Proxy.revocable({}, {});
        revoke();
        return proxy;
      })(),
    ],
    ['a symbol', Symbol('x')],
    ['an invalid date', new Date(Number.NaN)],
    ['a function', () => 5],
    [
      'a proxy that throws',
      new Proxy(
        {},
        {
          get: () => {
            throw new Error('boom');
          },
        },
      ),
    ],
    ['an object without a prototype', Object.create(null)],
    ['a big number of bytes', new Uint8Array(5)],
  ])('%s is described, whatever the mode', (_, value) => {
    for (const mode of ['types', 'hashed', 'full'] as const) {
      expect(new ParameterDescriber(mode).describe([value], () => () => false)).toEqual([expect.any(String)]);
    }
  });
});

describe("'hashed'", () => {
  test('tells equal values and nothing else; secret ones not even that', async () => {
    const { orm, records } = await open({ parameters: 'hashed' });
    const em = orm.em.fork();
    await em.find(Account, { city: 'Rome', nickname: 'Rome' });
    await em.find(Account, { city: 'Oslo', passwordHash: 'Rome' });
    const [[rome, same], [oslo, secret]] = records.map(({ parameters }) => parameters) as [string[], string[]];
    expect(rome).toMatch(/^[0-9a-f]{12}$/);
    expect(same).toBe(rome);
    expect(oslo).not.toBe(rome);
    expect(secret).toBe('(secret)');
  });

  test('is another one in each process, so that it cannot be looked up', () => {
    const [one] = new ParameterDescriber('hashed').describe(['Rome'], () => () => false);
    const [other] = new ParameterDescriber('hashed').describe(['Rome'], () => () => false);
    expect(one).not.toBe(other);
  });

  test('long values that differ at their end have different hashes', () => {
    const describer = new ParameterDescriber('hashed');
    const [one, other] = describer.describe(['x'.repeat(500) + 1, 'x'.repeat(500) + 2], () => () => false);
    expect(one).not.toBe(other);
  });

  test('1 and "1" are different values', () => {
    const [one, other] = new ParameterDescriber('hashed').describe([1, '1'], () => () => false);
    expect(one).not.toBe(other);
  });
});
