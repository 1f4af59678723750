import type { EntityManager } from '@mikro-orm/postgresql';
import { RequestContext } from '@mikro-orm/core';
import { beforeAll, describe, expect, test } from 'vitest';
import { startProxy } from '../harness/proxy.ts';
import { openReplicated, type Replicated, type ReplicatedOrm } from './fixtures/open-replicated.ts';
import { Author, AuthorTitles, Book, entities, fill, gist } from './fixtures/shelf.ts';

/*
 * Row-level security: MikroORM sets variables and a role before a read. They have to be set where the read is, and a read
 * that is made again elsewhere has to set them again.
 */

let servers: Replicated;
beforeAll(async () => {
  servers = await openReplicated();
  const { orm } = await servers.open({ entities });
  await orm.schema.create();
  const em = orm.em.fork();
  await fill(em);
  await em.execute(`
    drop role if exists reader;
    create role reader;
    grant usage on schema public to reader;
    grant select, insert, update on author, book to reader;
    alter table author enable row level security;
    create policy own on author to reader using (name = current_setting('app.name', true))`);
  await servers.cluster.caughtUp();
});

const as = (name: string): { variables: Record<string, string>; role: string } => ({
  variables: { 'app.name': name },
  role: 'reader',
});

/** Puts the two replicas into one ORM: the first of them through a proxy. */
const inTransactions = (replicas = servers.replicas): Promise<ReplicatedOrm> =>
  servers.open({ entities, sessionContext: 'transaction', replicas });

function forkAs(replicated: ReplicatedOrm, name: string): EntityManager {
  const em = replicated.orm.em.fork() as EntityManager;
  em.setSessionContext(as(name));
  return em;
}

describe("sessionContext: 'transaction'", () => {
  test.each<[string, (em: EntityManager) => Promise<unknown>, unknown]>([
    ['em.find()', async em => (await em.find(Author, {})).map(({ name }) => name), ['Ann']],
    ['em.findOne()', em => em.findOne(Author, { name: 'Ben' }), null],
    ['a QueryBuilder', em => em.createQueryBuilder(Author).select('name').execute(), [{ name: 'Ann' }]],
    ['a virtual entity', async em => (await em.find(AuthorTitles, {})).map(({ title }) => title), ['One', 'Two']],
  ])('%s is one transaction on one replica, and sees what its user may see', async (_name, call, seen) => {
    const replicated = await inTransactions();
    const { result, asked, routes } = await replicated.watch(() => call(forkAs(replicated, 'Ann')));
    expect(result).toEqual(seen);
    expect(asked.primary).toBeUndefined();
    expect(asked.replica?.map(gist)).toEqual([
      'begin',
      'select',
      'set',
      expect.stringMatching(/^select author/),
      'commit',
    ]);
    expect(routes).toEqual(['replica replica']);
  });

  test('em.count() is on the primary: MikroORM asks the write connection for this one', async () => {
    const replicated = await inTransactions();
    const { result, routes } = await replicated.watch(() => forkAs(replicated, 'Ann').count(Author));
    expect(result).toBe(1);
    expect(routes).toEqual(['primary primary']);
  });

  test('a populated read: each of its statements by itself', async () => {
    const replicated = await inTransactions();
    const { result, routes } = await replicated.watch(async () => {
      const found = await forkAs(replicated, 'Ann').find(Author, {}, { populate: ['books'], strategy: 'select-in' });
      return found.map(({ books }) => books.length);
    });
    expect(result).toEqual([2]);
    expect(new Set(routes)).toEqual(new Set(['replica replica']));
  });

  test('two at once do not see what the other may see', async () => {
    const replicated = await inTransactions();
    const names = ['Ann', 'Ben', 'Nobody'];
    const reads = Array.from({ length: 60 }, async (_, index) => {
      const name = names[index % names.length]!;
      return [name, (await forkAs(replicated, name).find(Author, {})).map(author => author.name)];
    });
    for (const [name, seen] of await Promise.all(reads)) {
      expect(seen).toEqual(name === 'Nobody' ? [] : [name]);
    }
  });

  test.each(['begin', 'set_config', 'set local role', 'from "author"'])(
    'a replica that goes away at %s: all of it is made again elsewhere',
    async text => {
      await using proxy = await startProxy(servers.replicas[0]!.clientUrl);
      const replicated = await servers.open({
        entities,
        sessionContext: 'transaction',
        replicas: [{ name: 'behind the proxy', clientUrl: proxy.url() }],
      });
      const retried: unknown[] = [];
      replicated.resolver.on('read.retried', ({ from }) => void retried.push(from));
      const read = async (): Promise<string[]> =>
        (await forkAs(replicated, 'Ann').find(Author, {})).map(({ name }) => name);
      expect(await read()).toEqual(['Ann']);
      proxy.cut(text, 'request');
      expect(await read()).toEqual(['Ann']);
      expect(proxy.stats.cut).toBe(1);
      expect(retried).toEqual(['behind the proxy']);
    },
  );

  test('shows what the session has written, though replicas are behind', async () => {
    const replicated = await inTransactions();
    await servers.pause();
    try {
      const { result, routes } = await replicated.watch(async () => {
        await replicated.orm.em.fork().nativeUpdate(Book, { id: 3 }, { title: 'Changed' });
        return (await forkAs(replicated, 'Ben').findOneOrFail(Book, 3)).title;
      });
      expect(result).toBe('Changed');
      expect(routes.at(-1)).toBe('primary primary-not-caught-up');
    } finally {
      await servers.resume();
    }
  });

  test('consistency of the call holds', async () => {
    const replicated = await inTransactions();
    const { routes } = await replicated.watch(() =>
      forkAs(replicated, 'Ann').find(Author, {}, { consistency: 'strong' }),
    );
    expect(routes).toEqual(['primary primary-strong']);
  });

  test('an error of the statement is an error of the statement: nobody tries again', async () => {
    const replicated = await inTransactions();
    const { routes } = await replicated.watch(async () => {
      await expect(
        forkAs(replicated, 'Ann')
          .createQueryBuilder(Author)
          .select('nonsense' as never)
          .execute(),
      ).rejects.toThrow('does not exist');
    });
    expect(routes).toEqual([]);
    expect(await forkAs(replicated, 'Ben').count(Author)).toBe(1);
  });

  test('a read-only transaction has it, too', async () => {
    const replicated = await inTransactions();
    const { result, routes } = await replicated.watch(() =>
      forkAs(replicated, 'Ben').transactional(em => em.find(Author, {}), { readOnly: true }),
    );
    expect((result as { name: string }[]).map(({ name }) => name)).toEqual(['Ben']);
    expect(routes).toEqual(['replica replica']);
  });
});

describe("sessionContext: 'connection'", () => {
  test('each connection is given out with what its user may see', async () => {
    const replicated = await servers.open({ entities, sessionContext: 'connection', driverOptions: { max: 2 } });
    const read = (name: string, connectionType: 'read' | 'write'): Promise<string[]> =>
      RequestContext.create(forkAs(replicated, name), async () =>
        (await replicated.orm.em.find(Author, {}, { connectionType })).map(author => author.name),
      );
    const reads = Array.from({ length: 60 }, async (_, index) => {
      const name = ['Ann', 'Ben', 'Nobody'][index % 3]!;
      return [name, await read(name, index % 2 === 0 ? 'read' : 'write')] as const;
    });
    for (const [name, seen] of await Promise.all(reads)) {
      expect(seen).toEqual(name === 'Nobody' ? [] : [name]);
    }
    // Without a context: the superuser of the tests, who sees all.
    expect((await replicated.orm.em.fork().find(Author, {})).map(({ name }) => name)).toEqual(['Ann', 'Ben']);
  });
});
