import { type EntityManager, LockMode, Routine } from '@mikro-orm/postgresql';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  openReplicated,
  type Replicated,
  type ReplicatedOptions,
  type ReplicatedOrm,
} from './fixtures/open-replicated.ts';
import { Author, AuthorTitles, Book, entities, fill, gist, LongTitles } from './fixtures/shelf.ts';

/*
 * Each way in which MikroORM reads and writes, and which server it was asked of: by the servers' own logs, and by what the
 * resolver says of it.
 */

const Shout = new Routine({
  name: 'shout',
  type: 'function',
  params: { word: { type: 'text' } },
  returns: { runtimeType: 'string', columnType: 'text' },
  body: 'select upper(word)',
});

let servers: Replicated;
let preferred: ReplicatedOrm;
let notPreferred: ReplicatedOrm;
beforeAll(async () => {
  servers = await openReplicated();
  preferred = await open({ preferReadReplicas: true });
  notPreferred = await open({ preferReadReplicas: false });
  await preferred.orm.schema.create();
  await refill();
});
const open = (options: Omit<ReplicatedOptions, 'entities'> = {}): Promise<ReplicatedOrm> =>
  servers.open({ entities, routines: [Shout], ...options });

async function refill(): Promise<void> {
  await fill(preferred.orm.em.fork());
  await servers.cluster.caughtUp();
}

type Call = (em: EntityManager, options: { connectionType?: 'read' | 'write' }) => Promise<unknown>;

/** What a call did, in short. */
async function seen(
  { orm, watch }: ReplicatedOrm,
  call: Call,
  connectionType?: 'read' | 'write',
  prepare?: (em: EntityManager) => Promise<unknown>,
): Promise<{ primary?: string[]; replica?: string[]; routes: readonly string[] }> {
  const em = orm.em.fork() as EntityManager;
  await prepare?.(em);
  const { asked, routes } = await watch(() => call(em, connectionType === undefined ? {} : { connectionType }));
  return {
    ...(asked.primary ? { primary: asked.primary.map(gist) } : {}),
    ...(asked.replica ? { replica: asked.replica.map(gist) } : {}),
    routes,
  };
}

async function drain(rows: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const row of rows) {
    all.push(row);
  }
  return all;
}

const loadAuthor = (em: EntityManager): Promise<unknown> => em.findOne(Author, 1);

/** Reads that go where `connectionType` says, else where `preferReadReplicas` says. */
const byTheRule: readonly [
  name: string,
  call: Call,
  asks: string[],
  prepare?: (em: EntityManager) => Promise<unknown>,
][] = [
  ['em.find()', (em, options) => em.find(Book, {}, options), ['select book']],
  ['em.findOne()', (em, options) => em.findOne(Book, 1, options), ['select book']],
  ['em.findAll()', (em, options) => em.findAll(Book, options), ['select book']],
  [
    'em.findByCursor()',
    (em, options) => em.findByCursor(Book, { first: 2, orderBy: { id: 'asc' }, ...options }),
    ['select book', 'select book'],
  ],
  ['em.findAndCount()', (em, options) => em.findAndCount(Book, {}, options), ['select book', 'select book']],
  [
    'em.find() populating with select-in',
    (em, options) => em.find(Author, {}, { populate: ['books'], strategy: 'select-in', ...options }),
    ['select author', 'select book'],
  ],
  [
    'em.find() populating with joins',
    (em, options) => em.find(Author, {}, { populate: ['books'], strategy: 'joined', ...options }),
    ['select author book'],
  ],
  [
    'em.populate()',
    async (em, options) => await em.populate([em.getReference(Author, 1)], ['books'], options),
    ['select book'],
    loadAuthor,
  ],
  ['em.count()', (em, options) => em.count(Book, {}, options), ['select book']],
  ['em.countBy()', (em, options) => em.countBy(Book, 'author', options), ['select book']],
  ['em.stream()', (em, options) => drain(em.stream(Book, options)), ['select book']],
  [
    'qb.execute()',
    (em, { connectionType }) => em.createQueryBuilder(Book, 'b', connectionType).select('*').execute(),
    ['select book'],
  ],
  [
    'qb.getResult()',
    (em, { connectionType }) => em.createQueryBuilder(Book, 'b', connectionType).select('*').getResult(),
    ['select book'],
  ],
  [
    'qb.getCount()',
    (em, { connectionType }) => em.createQueryBuilder(Book, 'b', connectionType).getCount(),
    ['select book'],
  ],
  [
    'qb.stream()',
    (em, { connectionType }) => drain(em.createQueryBuilder(Book, 'b', connectionType).select('*').stream()),
    ['select book'],
  ],
  ['collection.load()', (em, options) => em.getReference(Author, 1).books.load(options), ['select book'], loadAuthor],
  ['collection.init()', (em, options) => em.getReference(Author, 1).books.init(options), ['select book'], loadAuthor],
  [
    'collection.matching()',
    (em, options) => em.getReference(Author, 1).books.matching(options),
    ['select book'],
    loadAuthor,
  ],
  ['ref.load()', (em, options) => em.getReference(Author, 1, { wrapped: true }).load(options), ['select author']],
  ['em.refresh()', (em, options) => em.refresh(em.getReference(Author, 1), options), ['select author'], loadAuthor],
  ['a virtual entity: em.find()', (em, options) => em.find(AuthorTitles, {}, options), ['select author book']],
  ['a virtual entity: em.count()', (em, options) => em.count(AuthorTitles, {}, options), ['select author book']],
  ['a virtual entity: em.stream()', (em, options) => drain(em.stream(AuthorTitles, options)), ['select author book']],
];

describe.each(byTheRule)('%s', (_name, call, asks, prepare) => {
  const onReplica = { replica: asks, routes: asks.map(() => 'replica replica') };
  const onPrimary = { primary: asks, routes: asks.map(() => 'primary primary') };
  const of = async (orm: ReplicatedOrm, connectionType?: 'read' | 'write'): Promise<object> => {
    const { replica, ...rest } = await seen(orm, call, connectionType, prepare);
    // Two reads may be on two replicas, and two logs have no common order.
    return replica === undefined ? rest : { ...rest, replica: replica.toSorted() };
  };

  test('reads on a replica by default, on the primary with connectionType: write', async () => {
    expect(await of(preferred)).toEqual(onReplica);
    expect(await of(preferred, 'write')).toEqual(onPrimary);
    expect(await of(preferred, 'read')).toEqual(onReplica);
  });

  test('with preferReadReplicas: false reads on the primary, on a replica with connectionType: read', async () => {
    expect(await of(notPreferred)).toEqual(onPrimary);
    expect(await of(notPreferred, 'read')).toEqual(onReplica);
    expect(await of(notPreferred, 'write')).toEqual(onPrimary);
  });
});

describe('reads that take no connectionType', () => {
  test.each<[string, Call, string[]]>([
    ['collection.loadCount()', em => em.getReference(Author, 1).books.loadCount(), ['select book']],
    [
      'collection.load() with the dataloader',
      em => em.getReference(Author, 1).books.load({ dataloader: true }),
      ['select book'],
    ],
  ])('%s: preferReadReplicas says', async (_name, call, asks) => {
    expect(await seen(preferred, call, undefined, loadAuthor)).toEqual({ replica: asks, routes: ['replica replica'] });
    expect(await seen(notPreferred, call, undefined, loadAuthor)).toEqual({
      primary: asks,
      routes: ['primary primary'],
    });
  });

  test('a virtual entity that is a query of its own', async () => {
    const call: Call = (em, options) => em.find(LongTitles, {}, options);
    expect(await seen(preferred, call)).toEqual({ replica: ['select book'], routes: ['replica replica'] });
    expect(await seen(notPreferred, call)).toEqual({ primary: ['select book'], routes: ['primary primary'] });
  });
});

describe('raw access', () => {
  const text = 'select from book';
  test.each<[string, Call, 'primary' | 'replica']>([
    ['em.execute()', em => em.execute(text), 'primary'],
    ["em.execute() with connectionType 'read'", em => em.execute(text, [], { connectionType: 'read' }), 'replica'],
    ['em.getConnection().execute()', em => em.getConnection().execute(text), 'primary'],
    ["em.getConnection('read').execute()", em => em.getConnection('read').execute(text), 'replica'],
    ['em.getKysely()', em => em.getKysely<{ book: object }>().selectFrom('book').execute(), 'primary'],
    [
      "em.getKysely({ type: 'read' })",
      em => em.getKysely<{ book: object }>({ type: 'read' }).selectFrom('book').execute(),
      'replica',
    ],
  ])('%s: %s', async (_name, call, role) => {
    const expected = { [role]: ['select book'], routes: [role === 'primary' ? 'primary primary' : 'replica replica'] };
    expect(await seen(preferred, call)).toEqual(expected);
    expect(await seen(notPreferred, call)).toEqual(expected);
  });

  test("a Kysely transaction on the read side stays on one replica, and is one 'open'", async () => {
    const call: Call = em =>
      em
        .getKysely<{ book: object }>({ type: 'read' })
        .transaction()
        .setAccessMode('read only')
        .execute(async trx => {
          await trx.selectFrom('book').execute();
          await trx.selectFrom('book').execute();
        });
    expect(await seen(preferred, call)).toEqual({
      replica: ['start transaction', 'select book', 'select book', 'commit'],
      routes: ['replica replica'],
    });
  });
});

describe('what writes is the primary’s', () => {
  const primary = { routes: ['primary primary'] };
  const rows: readonly [string, Call, string[]][] = [
    [
      'flush: insert',
      em => em.persist(em.create(Author, { id: 9, name: 'Zoe' })).flush(),
      ['begin', 'insert author', 'commit'],
    ],
    ['em.nativeInsert()', em => em.insert(Author, { id: 9, name: 'Zoe' }), ['insert author']],
    ['em.nativeUpdate()', em => em.nativeUpdate(Author, { id: 1 }, { name: 'Anna' }), ['update author']],
    ['em.nativeDelete()', em => em.nativeDelete(Book, { id: 3 }), ['delete book']],
    ['qb.insert()', em => em.createQueryBuilder(Author).insert({ id: 9, name: 'Zoe' }).execute(), ['insert author']],
    [
      'qb.update()',
      em => em.createQueryBuilder(Author, 'a').update({ name: 'Anna' }).where({ id: 1 }).execute(),
      ['update author'],
    ],
    ['em.callRoutine()', em => em.callRoutine(Shout, { word: 'hey' }), ['select']],
  ];
  test.each(rows)('%s', async (_name, call, asks) => {
    for (const orm of [preferred, notPreferred]) {
      await refill();
      expect(await seen(orm, call)).toEqual({ primary: asks, ...primary });
    }
  });

  test("qb.update() that was sent to 'read' all the same: a replica refuses it, and from then on nobody asks one", async () => {
    await refill();
    const call: Call = em =>
      em.createQueryBuilder(Author, 'a', 'read').update({ name: 'Refused' }).where({ id: 1 }).execute();
    expect(await seen(preferred, call)).toEqual({
      primary: ['update author'],
      replica: ['update author'],
      routes: ['primary primary-refused'],
    });
    expect(await seen(preferred, call)).toEqual({ primary: ['update author'], routes: ['primary primary-learned'] });
  });

  test('em.upsert(), and what it reads when there was nothing to insert', async () => {
    await refill();
    const call: Call = em => em.upsert(Book, { id: 1, title: 'One more', author: 1 }, { onConflictAction: 'ignore' });
    expect(await seen(preferred, call)).toEqual({
      primary: ['insert book', 'select book'],
      routes: ['primary primary', 'primary primary'],
    });
  });

  test('flush with the reload of a version, in a transaction and with transactions disabled', async () => {
    await refill();
    const call: Call = async em => {
      const book = await em.findOneOrFail(Book, 1, { connectionType: 'write' });
      book.title += '!';
      await em.flush();
      expect(book.version).toBe(2);
    };
    expect(await seen(preferred, call)).toEqual({
      primary: ['select book', 'begin', 'update book', 'commit'],
      routes: ['primary primary', 'primary primary'],
    });
    await refill();
    const without = await open({ disableTransactions: true });
    expect((await seen(without, call)).replica).toBeUndefined();
  });

  test('schema generator', async () => {
    const { replica, primary: asked = [] } = await seen(preferred, () => preferred.orm.schema.getUpdateSchemaSQL());
    expect(replica).toBeUndefined();
    expect(asked.length).toBeGreaterThan(0);
  });

  test('isConnected() and checkConnection()', async () => {
    expect(await seen(preferred, () => preferred.orm.isConnected())).toEqual({
      primary: ['select'],
      routes: ['primary primary'],
    });
    expect(await seen(preferred, em => em.getConnection().checkConnection())).toEqual({
      primary: ['select'],
      routes: ['primary primary'],
    });
  });
});

describe('transactions', () => {
  const twice: Call = async em => {
    await em.find(Book, {}, { disableIdentityMap: true });
    await em.count(Book);
  };
  const onPrimary = (begin = 'begin'): object => ({
    primary: [begin, 'select book', 'select book', 'commit'],
    routes: ['primary primary'],
  });
  const onReplica = {
    replica: ['start transaction', 'select book', 'select book', 'commit'],
    routes: ['replica replica'],
  };

  test('transactional() is on the primary, whatever its reads ask for', async () => {
    for (const orm of [preferred, notPreferred]) {
      expect(await seen(orm, em => em.transactional(inner => twice(inner as EntityManager, {})))).toEqual(onPrimary());
      expect(
        await seen(orm, em => em.transactional(inner => inner.find(Book, {}, { connectionType: 'read' }))),
      ).toEqual({ primary: ['begin', 'select book', 'commit'], routes: ['primary primary'] });
    }
  });

  test('transactional({ readOnly: true }) is on one replica', async () => {
    const call: Call = em => em.transactional(inner => twice(inner as EntityManager, {}), { readOnly: true });
    expect(await seen(preferred, call)).toEqual(onReplica);
    expect(await seen(notPreferred, call)).toEqual(onPrimary('start transaction'));
  });

  test('begin({ readOnly: true }) … commit() is on one replica', async () => {
    const call: Call = async em => {
      await em.begin({ readOnly: true });
      await twice(em, {});
      await em.commit();
    };
    expect(await seen(preferred, call)).toEqual(onReplica);
    expect(await seen(notPreferred, call)).toEqual(onPrimary('start transaction'));
  });

  test('begin() … commit() is on the primary', async () => {
    const call: Call = async em => {
      await em.begin();
      await twice(em, {});
      await em.commit();
    };
    expect(await seen(preferred, call)).toEqual(onPrimary());
  });

  test('a read-only transaction inside another one is a savepoint of that', async () => {
    const call: Call = em =>
      em.transactional(inner => inner.transactional(innermost => innermost.count(Book), { readOnly: true }));
    expect(await seen(preferred, call)).toEqual({
      primary: ['begin', 'savepoint', 'select book', 'release', 'commit'],
      routes: ['primary primary'],
    });
  });

  test('serializable is not for standbys: the primary', async () => {
    const call: Call = em =>
      em.transactional(inner => inner.count(Book), { readOnly: true, isolationLevel: 'serializable' as never });
    const { replica, routes } = await seen(preferred, call);
    expect({ replica, routes }).toEqual({ replica: undefined, routes: ['primary primary'] });
  });

  test('a write in a read-only transaction is an error of the database, and the connection is good afterwards', async () => {
    const em = preferred.orm.em.fork();
    await expect(
      em.transactional(inner => inner.insert(Author, { id: 9, name: 'Zoe' }), { readOnly: true }),
    ).rejects.toThrow('read-only transaction');
    expect(await preferred.orm.em.fork().count(Book)).toBe(3);
  });

  test('a pessimistic lock is in a transaction, on the primary', async () => {
    const call: Call = em =>
      em.transactional(inner => inner.findOne(Book, 1, { lockMode: LockMode.PESSIMISTIC_WRITE }));
    expect(await seen(preferred, call)).toEqual({
      primary: ['begin', 'select book', 'commit'],
      routes: ['primary primary'],
    });
  });
});

describe('right after a write', () => {
  test.each<[string, Call, string]>([
    [
      'em.refresh() shows it',
      async em => {
        const author = await em.findOneOrFail(Author, 1, { connectionType: 'write' });
        await em.nativeUpdate(Author, { id: 1 }, { name: 'Anna' });
        await em.refresh(author);
        return author.name;
      },
      'Anna',
    ],
    [
      'em.clone() finds its copy',
      async em => {
        const author = await em.findOneOrFail(Author, 1, { connectionType: 'write' });
        return ((await em.clone(author)) as { name: string }).name;
      },
      'Ann',
    ],
    [
      'em.clone() finds its copy where the scope is eventual',
      em =>
        preferred.resolver.run({ consistency: 'eventual' }, async () => {
          const author = await em.findOneOrFail(Author, 1, { connectionType: 'write' });
          return ((await em.clone(author)) as { name: string }).name;
        }),
      'Ann',
    ],
    [
      'em.upsert() shows it',
      async em => (await em.upsert(Book, { id: 1, title: 'One more', author: 1 })).title,
      'One more',
    ],
  ])('%s, though the replicas have not replayed it', async (_name, call, shown) => {
    await refill();
    await servers.pause();
    try {
      const { result, asked } = await preferred.watch(() => call(preferred.orm.em.fork() as EntityManager, {}));
      expect(result).toBe(shown);
      expect(asked.primary?.at(-1)).toMatch(/^select|^insert/);
    } finally {
      await servers.resume();
    }
  });
});

describe('consistency', () => {
  type Reads = (em: EntityManager) => Promise<unknown>;
  const strong = { consistency: 'strong' as const };
  test.each<[string, Reads, number]>([
    ['em.find()', em => em.find(Book, {}, strong), 1],
    ['em.findOne()', em => em.findOne(Book, 1, strong), 1],
    ['em.findAll()', em => em.findAll(Book, strong), 1],
    ['em.findByCursor()', em => em.findByCursor(Book, { first: 1, orderBy: { id: 1 }, ...strong }), 2],
    ['em.count()', em => em.count(Book, {}, strong), 1],
    ['em.countBy()', em => em.countBy(Book, 'author', strong as object), 1],
    ['em.stream()', em => drain(em.stream(Book, strong)), 1],
    [
      'em.find() and what it populates',
      em => em.find(Author, {}, { populate: ['books'], strategy: 'select-in', ...strong }),
      2,
    ],
    [
      'em.populate(), of what is not loaded, too',
      em => em.populate([em.getReference(Author, 1)], ['books'], strong as object),
      2,
    ],
    ['a virtual entity', em => em.find(AuthorTitles, {}, strong), 1],
    [
      'loggerContext of a QueryBuilder',
      em =>
        em
          .createQueryBuilder(Book, 'b', 'read', strong as object)
          .select('*')
          .execute(),
      1,
    ],
    [
      'em.execute()',
      em => em.execute('select from book', [], { connectionType: 'read', loggerContext: strong } as never),
      1,
    ],
    ['a scope', em => preferred.resolver.run(strong, () => em.find(Book, {})), 1],
    ['withConsistency()', em => preferred.resolver.withConsistency('strong', () => em.find(Book, {})), 1],
  ])("'strong' of %s is read on the primary", async (_name, call, reads) => {
    const { asked, routes } = await preferred.watch(() => call(preferred.orm.em.fork() as EntityManager));
    expect(asked).toEqual({ primary: expect.any(Array) as string[] });
    expect(routes).toEqual(Array.from({ length: reads }, () => 'primary primary-strong'));
  });

  test('a resolver that is strong by default begins read-only transactions on the primary', async () => {
    const orm = await open({ resolver: { consistency: 'strong' } });
    expect(await seen(orm, em => em.transactional(inner => inner.count(Book), { readOnly: true }))).toEqual({
      primary: ['start transaction', 'select book', 'commit'],
      routes: ['primary primary'],
    });
  });

  test('nonsense is told of, naming what it takes', async () => {
    await expect(preferred.orm.em.fork().find(Book, {}, { consistency: 'weak' as never })).rejects.toThrow(
      "consistency is one of 'session', 'monotonic', 'strong', 'eventual'",
    );
  });
});
