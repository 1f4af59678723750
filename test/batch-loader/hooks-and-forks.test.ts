import {
  type EntityManager,
  type EventSubscriber,
  type MikroORM,
  RequestContext,
  TransactionPropagation,
  wrap,
} from '@mikro-orm/core';
import { defineEntity, p } from '@mikro-orm/postgresql';
import { type BatchLoaderOptions, batchLoader } from '@mikrokit/batch-loader';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openDatabase } from '../harness/database.ts';
import { openOrm } from '../harness/orm.ts';

/*
 * Loads in the middle of other things: requests, transactions, flushes, hooks, clears. Each is answered, for its own fork.
 */

const User = defineEntity({
  name: 'User',
  properties: { id: p.integer().primary(), name: p.string(), posts: () => p.oneToMany(Post).mappedBy('user') },
});
const Post = defineEntity({
  name: 'Post',
  filters: { tenant: { name: 'tenant', cond: (args: { n: number }) => ({ n: args.n }), default: false } },
  properties: { id: p.integer().primary(), n: p.integer(), title: p.string(), user: () => p.manyToOne(User).ref() },
});
const entities = [User, Post];

/** Users 1 and 2; of each, posts of tenants 1 and 2. */
async function open(
  options: { batch?: BatchLoaderOptions; pool?: { min: number; max: number } } = {},
): Promise<MikroORM> {
  const { url } = await openDatabase();
  const orm = await openOrm({
    url,
    entities,
    allowGlobalContext: true,
    extensions: [batchLoader(options.batch)],
    ...(options.pool && { pool: options.pool }),
  });
  await orm.schema.create();
  await orm.em.getConnection().execute(`
    insert into "user" values (1, 'one'), (2, 'two');
    insert into "post" select n, 1 + n % 2, 'post ' || n, 1 + (n - 1) / 4 from generate_series(1, 8) n;
  `);
  return orm;
}

const ids = (items: readonly object[]): number[] =>
  items.map(item => (item as { id: number }).id).sort((a, b) => a - b);
const tenant = (n: number) => ({ filters: { tenant: { n } } });
const userOf = (em: EntityManager, id = 1) => em.findOneOrFail(User, id);

function subscribe(em: EntityManager, subscriber: EventSubscriber): void {
  em.getEventManager().registerSubscriber(subscriber);
  onTestFinished(() => void em.getEventManager().getSubscribers().delete(subscriber));
}

describe('requests', () => {
  test('a window that dispatches from another request still reads for its own', async () => {
    let waiting: (() => void)[] = [];
    // One timer for the whole process: whoever comes first has it run in the context of its request.
    const batchWindow = (dispatch: () => void): void => {
      waiting.push(dispatch);
      if (waiting.length === 1) {
        setTimeout(() => {
          const all = waiting;
          waiting = [];
          all.forEach(one => one());
        }, 5);
      }
    };
    const orm = await open({ batch: { batchWindow } });
    const visit = (n: number): Promise<unknown> =>
      RequestContext.create(orm.em, async () => {
        orm.em.addFilter({ name: 'own', cond: { n } as never, entity: [Post] as never });
        const user = await userOf(orm.em);
        const [posts, count] = await Promise.all([user.posts.loadItems(), user.posts.loadCount()]);
        return {
          posts: posts.map(post => post.n),
          count,
          own: posts.every(post => wrap(post, true).__em === wrap(user, true).__em),
        };
      });
    expect(await Promise.all([visit(2), visit(1)])).toEqual([
      { posts: [2, 2], count: 2, own: true },
      { posts: [1, 1], count: 2, own: true },
    ]);
  });
});

describe('one collection', () => {
  test('asked for under two sets of filter parameters gives each its rows', async () => {
    const orm = await open();
    const em = orm.em.fork();
    em.addFilter({ name: 'own', entity: [Post] as never, cond: ((args: { n: number }) => ({ n: args.n })) as never });
    em.setFilterParams('own', { n: 1 });
    const user = await userOf(em);
    const first = user.posts.loadItems();
    em.setFilterParams('own', { n: 2 });
    const second = user.posts.loadItems();
    expect([ids(await first), ids(await second)]).toEqual([
      [2, 4],
      [1, 3],
    ]);
  });

  test(
    'asked for outside and inside a transaction on the only connection is answered',
    { timeout: 10_000 },
    async () => {
      const orm = await open({ pool: { min: 0, max: 1 } });
      await RequestContext.create(orm.em, async () => {
        const user = await userOf(orm.em);
        const outside = user.posts.loadItems();
        const inside = await orm.em.transactional(async () => user.posts.loadItems(tenant(1) as never));
        expect([ids(await outside), ids(inside)]).toEqual([
          [1, 2, 3, 4],
          [2, 4],
        ]);
      });
    },
  );

  test('is what it was to everybody else while it is loaded again', async () => {
    const orm = await open();
    const user = await userOf(orm.em.fork());
    await user.posts.load();
    const again = user.posts.init({ where: { n: 1 } });
    await new Promise(resolve => setImmediate(resolve));
    expect([user.posts.isInitialized(true), ids(user.posts.getItems())]).toEqual([true, [1, 2, 3, 4]]);
    await again;
    expect(ids(user.posts.getItems())).toEqual([2, 4]);
  });

  test('that MikroORM itself has filled since is loaded again for what it was asked before', async () => {
    const orm = await open();
    const em = orm.em.fork();
    const user = await userOf(em);
    await user.posts.load({ where: { n: 1 } });
    await em.find(User, 1, { populate: ['posts'], refresh: true });
    expect(ids(await user.posts.loadItems({ where: { n: 1 } }))).toEqual([2, 4]);
  });
});

describe('transactions', () => {
  test('several loads of one collection that nobody awaits end within them', async () => {
    const orm = await open();
    let loads: Promise<object[]>[] = [];
    await orm.em.fork().transactional(async em => {
      const user = await userOf(em);
      loads = [1, 2].map(n => user.posts.loadItems({ where: { n } }));
    });
    expect((await Promise.all(loads)).map(ids)).toEqual([
      [2, 4],
      [1, 3],
    ]);
  });

  test('that suspend another do not end its loads', async () => {
    const orm = await open();
    await orm.em.fork().transactional(async em => {
      const user = await userOf(em);
      const [posts] = await Promise.all([
        user.posts.loadItems(),
        em.transactional(async inner => inner.count(Post), { propagation: TransactionPropagation.REQUIRES_NEW }),
      ]);
      expect(ids(posts)).toEqual([1, 2, 3, 4]);
    });
  });

  test('that clear their own fork leave the entities of the outer one alone', async () => {
    const orm = await open();
    await RequestContext.create(orm.em, async () => {
      const user = await userOf(orm.em);
      await orm.em.transactional(async em => {
        em.clear();
        expect(ids(await user.posts.loadItems())).toEqual([1, 2, 3, 4]);
      });
    });
  });

  test('can begin and end in a hook of a running batch', { timeout: 10_000 }, async () => {
    const orm = await open();
    const em = orm.em.fork({ freshEventManager: true });
    const user = await userOf(em);
    let once = true;
    subscribe(em, {
      async onLoad() {
        if (once) {
          once = false;
          await em.begin();
          await em.commit();
        }
      },
    });
    expect(ids(await user.posts.loadItems())).toEqual([1, 2, 3, 4]);
  });
});

describe('hooks', () => {
  test('of a flush may load while other loads flush', { timeout: 10_000 }, async () => {
    const orm = await open();
    const em = orm.em.fork({ freshEventManager: true });
    const [one, two] = [await userOf(em, 1), await userOf(em, 2)];
    let seen: number[] = [];
    subscribe(em, {
      async beforeFlush() {
        seen = ids(await one.posts.loadItems());
      },
    });
    em.create(Post, { id: 9, n: 1, title: 'new', user: two });
    const load = two.posts.loadItems();
    await Promise.all([load, em.flush()]);
    expect(seen).toEqual([1, 2, 3, 4]);
    expect(ids(await load)).toEqual([5, 6, 7, 8, 9]);
  });

  test('that use another fork get what that fork is set to', async () => {
    const orm = await open();
    const ownFilter = {
      name: 'own',
      entity: [Post] as never,
      cond: ((args: { n: number }) => ({ n: args.n })) as never,
    };
    const em = orm.em.fork({ freshEventManager: true });
    em.addFilter(ownFilter);
    em.setFilterParams('own', { n: 1 });
    let seen: number[] = [];
    subscribe(em, {
      async onLoad() {
        const other = orm.em.fork({ freshEventManager: true });
        other.addFilter(ownFilter);
        other.setFilterParams('own', { n: 2 });
        seen = (await other.find(Post, {})).map(post => post.n);
      },
    });
    const load = em.getReference(User, 1, { wrapped: true }).load({ populate: ['posts'] });
    em.setFilterParams('own', { n: 3 });
    await load;
    expect(seen).toEqual([2, 2, 2, 2]);
  });
});

describe('transactions that loads are not to wait for, nor they for loads', { timeout: 10_000 }, () => {
  const once = (work: () => Promise<unknown>): (() => Promise<void>) => {
    let done = false;
    return async () => {
      if (!done) {
        done = true;
        await work();
      }
    };
  };

  test('one in a hook of a flush, with loads of others pending', async () => {
    const orm = await open();
    const em = orm.em.fork({ freshEventManager: true });
    const user = await userOf(em, 2);
    subscribe(em, { beforeFlush: once(() => em.transactional(inner => inner.count(User))) });
    em.create(Post, { id: 99, n: 1, title: 'new', user });
    const load = user.posts.loadItems();
    await Promise.all([load, em.flush()]);
    expect(ids(await load)).toEqual([5, 6, 7, 8, 99]);
  });

  test('one that a hook of the load awaits', async () => {
    const orm = await open();
    const em = orm.em.fork({ freshEventManager: true });
    const user = await userOf(em);
    const awaited: Promise<number>[] = [];
    subscribe(em, { onLoad: once(() => Promise.all(awaited)) });
    const load = user.posts.loadItems();
    awaited.push(em.transactional(inner => inner.count(Post)));
    expect([ids(await load), await awaited[0]]).toEqual([[1, 2, 3, 4], 8]);
  });

  test('one in a hook of a load in a hook of a load', async () => {
    const orm = await open();
    const [outer, inner] = [orm.em.fork({ freshEventManager: true }), orm.em.fork({ freshEventManager: true })];
    let count: number | undefined;
    const begin = async (): Promise<void> => {
      await outer.begin();
      count = await outer.count(Post);
      await outer.commit();
    };
    subscribe(inner, { onLoad: once(begin) });
    subscribe(outer, { onLoad: once(() => inner.getReference(User, 2, { wrapped: true }).load()) });
    await outer.getReference(User, 1, { wrapped: true }).load();
    expect(count).toBe(8);
  });
});

describe('what a hook leaves behind', () => {
  test('runs with the state that its fork has by then', async () => {
    const orm = await open();
    const em = orm.em.fork({ freshEventManager: true });
    em.addFilter({ name: 'own', entity: [Post] as never, cond: ((args: { n: number }) => ({ n: args.n })) as never });
    em.setFilterParams('own', { n: 1 });
    let later: Promise<number[]> | undefined;
    let goOn = (): void => {};
    const released = new Promise<void>(resolve => (goOn = resolve));
    subscribe(em, {
      async onLoad() {
        later ??= released.then(async () => (await em.find(Post, {})).map(post => post.n));
      },
    });
    const load = em.getReference(User, 1, { wrapped: true }).load();
    em.setFilterParams('own', { n: 2 });
    await load;
    goOn();
    expect(await later).toEqual([2, 2, 2, 2]);
  });

  test('is written before the next find, as ever', async () => {
    const orm = await open();
    const em = orm.em.fork({ freshEventManager: true });
    subscribe(em, {
      async onLoad({ entity }) {
        if ((entity as { name?: string }).name === 'one') {
          (entity as { name: string }).name = 'changed';
          em.persist(entity);
        }
      },
    });
    await em.getReference(User, 1, { wrapped: true }).load();
    expect(await em.find(User, { name: 'changed' })).toHaveLength(1);
    await em.fork().nativeUpdate(User, { id: 1 }, { name: 'one' });
  });
});

describe('conditions and contents', () => {
  test('a condition of null is none, also beside one', async () => {
    const orm = await open();
    const em = orm.em.fork();
    const [one, two] = [await userOf(em, 1), await userOf(em, 2)];
    expect(
      await Promise.all([one.posts.loadCount({ where: null as never }), two.posts.loadCount({ where: { n: 1 } })]),
    ).toEqual([4, 2]);
  });

  test('a part of a collection, added to and flushed, is still a part', async () => {
    const orm = await open();
    const em = orm.em.fork();
    const user = await userOf(em);
    await user.posts.load({ where: { n: 1 } });
    user.posts.add(em.create(Post, { id: 99, n: 2, title: 'new', user }));
    await em.flush();
    expect(ids(await user.posts.loadItems())).toEqual([1, 2, 3, 4, 99]);
  });
});

describe('em.clear()', () => {
  test('does not take back the loads that were called before it', async () => {
    const orm = await open();
    const em = orm.em.fork();
    const user = await userOf(em);
    const loads = [user.posts.loadItems({ where: { n: 1 } }), user.posts.loadItems({ where: { n: 2 } })];
    em.clear();
    expect((await Promise.all(loads)).map(ids)).toEqual([
      [2, 4],
      [1, 3],
    ]);
    await expect(user.posts.loadItems({ where: { n: 1 }, refresh: true })).rejects.toMatchObject({ code: 'DETACHED' });
  });
});
