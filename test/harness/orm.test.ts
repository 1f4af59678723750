import { defineEntity, p, type MikroORM } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDatabase, type Database } from './database.ts';
import { createDatabase } from './database-plain.ts';
import { createOrm } from './orm-plain.ts';
import { openOrm } from './orm.ts';
import { queryOnce } from './pg-query.ts';

const Book = defineEntity({ name: 'Book', properties: { id: p.integer().primary(), title: p.string() } });

async function exists(url: string): Promise<boolean> {
  return await queryOnce(url, 'select 1').then(
    () => true,
    (error: { code?: string }) => {
      if (error.code === '3D000') {
        return false;
      }
      throw error as Error;
    },
  );
}

describe('openDatabase', () => {
  let ofFile: Database;
  let ofTest: Database;

  beforeAll(async () => {
    ofFile = await openDatabase();
  });

  afterAll(async () => {
    expect(await exists(ofFile.url), 'the file still has its database in its own afterAll').toBe(true);
  });

  test('gives an empty database', async () => {
    ofTest = await openDatabase();
    expect(await queryOnce(ofTest.url, 'select current_database() as name')).toEqual([{ name: ofTest.name }]);
    expect(await queryOnce(ofTest.url, `select from pg_tables where schemaname = 'public'`)).toHaveLength(0);
  });

  test('drops it after the test, but keeps the one opened in beforeAll', async () => {
    expect(await exists(ofTest.url)).toBe(false);
    expect(await exists(ofFile.url)).toBe(true);
  });
});

describe('openOrm', () => {
  let url = '';
  let orm: MikroORM;

  test('has its tables, and nobody else writes to them', async () => {
    orm = await openOrm({ entities: [Book] });
    const other = await openOrm({ entities: [Book] });
    url = orm.config.get('clientUrl')!;
    await orm.em.fork().insert(Book, { id: 1, title: 'Emma' });
    expect(await orm.em.fork().count(Book)).toBe(1);
    expect(await other.em.fork().count(Book)).toBe(0);
  });

  test('is closed and its database dropped after the test', async () => {
    expect(await orm.isConnected()).toBe(false);
    expect(await exists(url)).toBe(false);
  });

  test('hands options on to MikroORM', async () => {
    const registered: MikroORM[] = [];
    const extended = await openOrm({
      entities: [Book],
      extensions: [{ register: it => void registered.push(it as MikroORM) }],
      debug: true,
    });
    expect(registered).toEqual([extended]);
    expect(extended.config.get('debug')).toBe(true);
  });

  test('a second one on the same url leaves the database behind when it closes', async () => {
    const first = await openOrm({ entities: [Book] });
    const second = await createOrm({ entities: [Book], url: first.config.get('clientUrl')! });
    await second.em.fork().insert(Book, { id: 1, title: 'Emma' });
    await second.close();
    expect(await first.em.fork().count(Book)).toBe(1);
  });
});

describe('without vitest', () => {
  test('await using closes the ORM and drops its database', async () => {
    let url: string;
    {
      await using orm = await createOrm({ entities: [Book] });
      url = orm.config.get('clientUrl')!;
      expect(await exists(url)).toBe(true);
    }
    expect(await exists(url)).toBe(false);
  });

  test('drops the database when the ORM cannot be made', async () => {
    const made: string[] = [];
    await using database = await createDatabase();
    const cluster = {
      createDatabase: async (name: string) => (made.push(name), database.url),
      dropDatabase: async (name: string) => void made.push(`dropped ${name}`),
    };
    await expect(createOrm({ entities: [], cluster })).rejects.toThrow('No entities');
    expect(made).toEqual([made[0], `dropped ${made[0]}`]);
  });
});
