import { defineEntity, type Options, p } from '@mikro-orm/postgresql';
import {
  OptionsError,
  resultCache,
  ResultCacheError,
  type ResultCacheOptions,
  memoryStore,
} from '@mikrokit/result-cache';
import { describe, expect, test } from 'vitest';
import { openOrm } from '../harness/orm.ts';

const Country = defineEntity({
  name: 'Country',
  properties: {
    code: p.string().primary(),
    name: p.string(),
    founded: p.datetime().nullable(),
    area: p.decimal().nullable(),
  },
});
const Elsewhere = defineEntity({ name: 'Elsewhere', properties: { id: p.integer().primary() } });

/** Class, code, option and message of what `run` throws. */
async function refusal(run: () => unknown): Promise<unknown> {
  try {
    await run();
  } catch (error) {
    const { message, name, code, option } = error as OptionsError;
    return [name, code, ...(option === undefined ? [] : [option]), message];
  }
  return 'no error';
}

const KNOWN_OPTIONS =
  'store, entities, ttl, jitter, staleWhileRevalidate, earlyRefresh, failSafe, inTransaction, onStoreError, unknownWrites, externalWrites, pureFunctions, timeout, retryAfter, intentTtl, maxWait, secret, maxEntryBytes';
const ENTITY_OPTIONS =
  'ttl, jitter, staleWhileRevalidate, earlyRefresh, failSafe, scope, partitionBy, inTransaction, onStoreError, maxEntryBytes, dependsOn, alsoWrites';

describe('resultCache(options) refuses at once', () => {
  const given: [given: unknown, option: string, message: string][] = [
    [7, 'options', 'resultCache(options) takes an object, but got: 7. Remove the argument for the defaults.'],
    [null, 'options', 'resultCache(options) takes an object, but got: null. Remove the argument for the defaults.'],
    [[], 'options', 'resultCache(options) takes an object, but got: []. Remove the argument for the defaults.'],
    [{ tll: 5 }, 'tll', `resultCache() has no option 'tll'. Its options are: ${KNOWN_OPTIONS}.`],
    [{ ttl: -1 }, 'ttl', 'resultCache(): ttl must be a finite number of at least 1 (ms), but got: -1.'],
    [{ ttl: 0 }, 'ttl', 'resultCache(): ttl must be a finite number of at least 1 (ms), but got: 0.'],
    [{ ttl: NaN }, 'ttl', 'resultCache(): ttl must be a finite number of at least 1 (ms), but got: NaN.'],
    [{ ttl: Infinity }, 'ttl', 'resultCache(): ttl must be a finite number of at least 1 (ms), but got: Infinity.'],
    [{ ttl: '1m' }, 'ttl', "resultCache(): ttl must be a finite number of at least 1 (ms), but got: '1m'."],
    [{ ttl: null }, 'ttl', 'resultCache(): ttl must be a finite number of at least 1 (ms), but got: null.'],
    [{ jitter: 2 }, 'jitter', 'resultCache(): jitter must be a finite number from 0 to 1, but got: 2.'],
    [
      { staleWhileRevalidate: -1 },
      'staleWhileRevalidate',
      'resultCache(): staleWhileRevalidate must be a finite number of at least 0 (ms), but got: -1.',
    ],
    [
      { failSafe: NaN },
      'failSafe',
      'resultCache(): failSafe must be a finite number of at least 0 (ms), but got: NaN.',
    ],
    [
      { earlyRefresh: -1 },
      'earlyRefresh',
      'resultCache(): earlyRefresh must be a finite number of at least 0, but got: -1.',
    ],
    [{ timeout: 0 }, 'timeout', 'resultCache(): timeout must be a finite number of at least 1 (ms), but got: 0.'],
    [
      { retryAfter: 0 },
      'retryAfter',
      'resultCache(): retryAfter must be a finite number of at least 1 (ms), but got: 0.',
    ],
    [
      { intentTtl: 10 },
      'intentTtl',
      'resultCache(): intentTtl must be a finite number of at least 1000 (ms), but got: 10.',
    ],
    [{ maxWait: -1 }, 'maxWait', 'resultCache(): maxWait must be a finite number of at least 0 (ms), but got: -1.'],
    [
      { maxEntryBytes: 0 },
      'maxEntryBytes',
      'resultCache(): maxEntryBytes must be a finite number of at least 1 (bytes), but got: 0.',
    ],
    [
      { inTransaction: 'never' },
      'inTransaction',
      "resultCache(): inTransaction must be 'bypass' or 'hit', but got: 'never'.",
    ],
    [{ onStoreError: true }, 'onStoreError', "resultCache(): onStoreError must be 'open' or 'closed', but got: true."],
    [
      { unknownWrites: 'warn' },
      'unknownWrites',
      "resultCache(): unknownWrites must be 'everything' or 'error' or 'ignore', but got: 'warn'.",
    ],
    [
      { pureFunctions: 'slug' },
      'pureFunctions',
      "resultCache({ pureFunctions }) must be an array of function names, but got: 'slug'.",
    ],
    [
      { entities: [Country] },
      'entities',
      expect.stringMatching(
        /^resultCache\({ entities }\) must be an array of pairs such as \[\[Country, { ttl: 60_000 }\]\], but got: /,
      ) as string,
    ],
    [
      { entities: [['Country', {}]] },
      'entities',
      "resultCache({ entities }) names entities by their class or schema, but got: 'Country'.",
    ],
    [
      { entities: [[Country, 5]] },
      'resultCache',
      'The options of an entity in resultCache({ entities }) must be an object such as { ttl: 60_000 }, but got: 5.',
    ],
    [
      { entities: [[Country, { tll: 5 }]] },
      'tll',
      `The options of an entity in resultCache({ entities }) has no option 'tll'. Its options are: ${ENTITY_OPTIONS}.`,
    ],
    [
      { entities: [[Country, { ttl: NaN }]] },
      'ttl',
      'The options of an entity in resultCache({ entities }): ttl must be a finite number of at least 1 (ms), but got: NaN.',
    ],
    [
      { entities: [[Country, { scope: 'x' }]] },
      'scope',
      "The options of an entity in resultCache({ entities }): scope must be a function of the EntityManager, but got: 'x'.",
    ],
    [
      { entities: [[Country, { partitionBy: 'code' }]] },
      'partitionBy',
      "The options of an entity in resultCache({ entities }): partitionBy must be an array of names, but got: 'code'.",
    ],
  ];
  test.each(given)('%o', async (options, option, message) => {
    expect(await refusal(() => resultCache(options as ResultCacheOptions))).toEqual([
      'OptionsError',
      'OPTIONS',
      option,
      message,
    ]);
  });
});

describe('a store that is none', () => {
  const message = (got: string, why: string): string =>
    `resultCache({ store }) must be a CacheStore, but got: ${got}.${why}`;
  const use = ' Use memoryStore() or redisStore(client).';

  test.each([
    ['a text', 'redis://localhost', message("'redis://localhost'", use)],
    ['null', null, message('null', use)],
    ['an object without methods', {}, message('an instance of Object', ` It has no read().${use}`)],
    [
      'one that lacks a method',
      Object.fromEntries(['read', 'begin', 'fill'].map(name => [name, () => undefined])),
      message('an instance of Object', ` It has no remove().${use}`),
    ],
    [
      'one of which a method is undefined',
      Object.assign(Object.create(memoryStore()) as object, { wait: undefined }),
      message('an instance of MemoryStore', ` It has no wait().${use}`),
    ],
    [
      'a client of Redis',
      // As ioredis has it; its secrets are among its properties.
      new (class Redis {
        options = { password: 'hunter2' };
        defineCommand(): void {}
      })(),
      message('an instance of Redis', ' It has no read(). Wrap the Redis client: redisStore(client).'),
    ],
  ])('%s', async (_what, store, expected) => {
    expect(await refusal(() => resultCache({ store: store as never }))).toEqual([
      'OptionsError',
      'OPTIONS',
      'store',
      expected,
    ]);
  });
});

describe('a secret', () => {
  const message = (got: string): unknown => [
    'OptionsError',
    'OPTIONS',
    'secret',
    `resultCache({ secret }) must be a string or bytes of length 16 or more, but got: ${got}.`,
  ];
  test.each([
    ['too short', 'hunter2-hunter2', 'one of length 15'],
    ['too few bytes', new TextEncoder().encode('hunter2'), 'one of length 7'],
    ['a number', 20_261_121, 'number'],
    ['an object', { hunter2: 1 }, 'object'],
  ])('%s: its value is not in the message', async (_what, secret, got) => {
    expect(await refusal(() => resultCache({ secret: secret as never }))).toEqual(message(got));
  });
});

const init = (cache: ResultCacheOptions, options: Partial<Options> = {}): Promise<unknown> =>
  openOrm({ entities: [Country], extensions: [resultCache(cache)], ...options });
const defined = (options: object): Promise<unknown> =>
  openOrm({
    entities: [
      defineEntity({ name: 'Town', resultCache: options as never, properties: { id: p.integer().primary() } }),
    ],
    extensions: [resultCache()],
  });

describe('the ORM is not initialised with', () => {
  test('an entity that is not among its entities', async () => {
    expect(await refusal(() => init({ entities: [[Elsewhere, { ttl: 5 }]] }))).toEqual([
      'OptionsError',
      'OPTIONS',
      'entities',
      expect.stringMatching(
        /^resultCache\({ entities }\) names entities of the ORM, but got: .*, which is not among its entities\.$/s,
      ),
    ]);
  });

  test.each([
    ['ttl', { ttl: -5 }, 'The resultCache of Town: ttl must be a finite number of at least 1 (ms), but got: -5.'],
    [
      'ttl',
      { ttl: Infinity },
      'The resultCache of Town: ttl must be a finite number of at least 1 (ms), but got: Infinity.',
    ],
    ['expires', { expires: 5 }, `The resultCache of Town has no option 'expires'. Its options are: ${ENTITY_OPTIONS}.`],
    ['resultCache', 60_000, 'The resultCache of Town must be an object such as { ttl: 60_000 }, but got: 60000.'],
    ['resultCache', true, 'The resultCache of Town must be an object such as { ttl: 60_000 }, but got: true.'],
  ])('an option of an entity: %s: %o', async (option, options, message) => {
    expect(await refusal(() => defined(options as object))).toEqual(['OptionsError', 'OPTIONS', option, message]);
  });

  test('partitionBy that names no property', async () => {
    expect(await refusal(() => init({ entities: [[Country, { partitionBy: ['region'] }]] }))).toEqual([
      'OptionsError',
      'OPTIONS',
      'partitionBy',
      "The resultCache of Country: partitionBy must name properties of the entity, but got: 'region'. Its properties are: code, name, founded, area.",
    ]);
  });

  test.each([
    ['founded', 'timestamptz'],
    ['area', 'numeric(10,0)'],
  ])('partitionBy a property of a type that cannot be told apart: %s', async (property, type) => {
    expect(await refusal(() => init({ entities: [[Country, { partitionBy: [property] }]] }))).toEqual([
      'OptionsError',
      'OPTIONS',
      'partitionBy',
      expect.stringContaining(
        `The resultCache of Country: partitionBy takes properties with one column of type integer, uuid, text, varchar, boolean or enum, but got: '${property}' (${type.split('(')[0]}`,
      ),
    ]);
  });

  describe('a Kysely instance in driverOptions, of which writes are not seen', () => {
    const message =
      'resultCache() has to see every write, but got: a Kysely instance in driverOptions. Give MikroORM its dialect, or a function that makes it, instead.';
    const instance = async (): Promise<unknown> => (await openOrm({ entities: [Country] })).em.getKysely();

    test('itself', async () => {
      const driverOptions = (await instance()) as never;
      expect(await refusal(() => init({}, { driverOptions }))).toEqual(['ResultCacheError', 'UNSEEN_WRITES', message]);
    });

    test('or a function that returns it', async () => {
      const made = await instance();
      const driverOptions = (() => made) as never;
      expect(await refusal(() => init({}, { driverOptions }))).toEqual([
        expect.anything(),
        expect.anything(),
        expect.stringContaining(message),
      ]);
    });
  });
});

describe('calls', () => {
  const argument = (message: string): unknown => ['ResultCacheError', 'ARGUMENT', message];

  test.each([
    [0, '0'],
    [-1, '-1'],
    [NaN, 'NaN'],
    [Infinity, 'Infinity'],
    ['countries', "'countries'"],
    [['', 5], "[ '', 5 ]"],
    [['countries', -5], "[ 'countries', -5 ]"],
    [['countries', NaN], "[ 'countries', NaN ]"],
    [[5, 5], '[ 5, 5 ]'],
    [{ ttl: 5 }, '{ ttl: 5 }'],
  ])('cache: %o is refused by every method', async (cache, got) => {
    const orm = await openOrm({ entities: [Country], extensions: [resultCache()] });
    const em = orm.em.fork();
    const options = { cache: cache as never };
    const expected = argument(
      `The option cache must be true, false, a TTL in ms above 0, or [name, ttl], but got: ${got}.`,
    );
    const calls = {
      find: () => em.find(Country, {}, options),
      findOne: () => em.findOne(Country, 'NO', options),
      count: () => em.count(Country, {}, options),
      countBy: () => em.countBy(Country, 'name', options as never),
      findAndCount: () => em.findAndCount(Country, {}, options),
      findByCursor: () => em.findByCursor(Country, { ...options, first: 2, orderBy: { code: 1 } } as never),
      builder: () =>
        em
          .createQueryBuilder(Country)
          .cache(cache as never)
          .execute(),
    };
    const refusals = await Promise.all(Object.entries(calls).map(async ([name, call]) => [name, await refusal(call)]));
    expect(Object.fromEntries(refusals)).toEqual(Object.fromEntries(Object.keys(calls).map(name => [name, expected])));
  });

  test('of a cache that is registered nowhere', async () => {
    const cache = resultCache();
    const expected = [
      'ResultCacheError',
      'NOT_REGISTERED',
      'This resultCache() is registered in no open ORM. Give it to MikroORM: extensions: [cache].',
    ];
    expect(await refusal(() => cache.clear())).toEqual(expected);
    expect(await refusal(() => cache.invalidate(Country))).toEqual(expected);
    expect(await refusal(() => cache.invalidateTables(['country']))).toEqual(expected);
    expect(await refusal(() => cache.invalidateTags(['countries']))).toEqual(expected);
    expect(await refusal(() => cache.explain({}, Country, {}))).toEqual(expected);
  });

  test('of a cache whose ORM was closed', async () => {
    const cache = resultCache();
    const orm = await openOrm({ entities: [Country], extensions: [cache] });
    await orm.close(true);
    expect(await refusal(() => cache.clear())).toMatchObject(['ResultCacheError', 'NOT_REGISTERED', {}]);
  });

  test('invalidate() of what is no entity, or no key', async () => {
    const cache = resultCache();
    await openOrm({ entities: [Country], extensions: [cache] });
    const notOne = 'invalidate(entity) takes an entity of the ORM that resultCache() is registered in, but got: ';
    expect(await refusal(() => cache.invalidate(undefined))).toEqual(argument(`${notOne}undefined.`));
    expect(await refusal(() => cache.invalidate(class Nowhere {}))).toEqual(argument(`${notOne}[class Nowhere].`));
    const noKey = 'invalidate(Country, key) takes its primary key (code), but got: ';
    expect(await refusal(() => cache.invalidate(Country, ['NO', 'SE']))).toEqual(argument(`${noKey}[ 'NO', 'SE' ].`));
    expect(await refusal(() => cache.invalidate(Country, { name: 'Norway' }))).toEqual(
      argument(`${noKey}{ name: 'Norway' }.`),
    );
    expect(await refusal(() => cache.invalidate(Country, null))).toEqual(argument(`${noKey}null.`));
  });

  test('explain() for an EntityManager of another ORM', async () => {
    const cache = resultCache();
    await openOrm({ entities: [Country], extensions: [cache] });
    const other = await openOrm({ entities: [Country] });
    expect(await refusal(() => cache.explain(other.em.fork(), Country, {}))).toEqual(
      argument('explain(em, …) takes an EntityManager of the ORM that resultCache() is registered in.'),
    );
  });

  test('errors are of classes that can be told apart', () => {
    expect(new ResultCacheError('ARGUMENT', 'x')).not.toBeInstanceOf(OptionsError);
  });
});
