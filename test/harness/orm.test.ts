import { defineEntity, p } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDatabase, type Database } from './database.ts';
import { createOrm } from './orm-plain.ts';
import { openOrm } from './orm.ts';
import { queryOnce } from './pg-query.ts';
import { recordQueries } from './recorder.ts';

const Book = defineEntity({ name: 'Book', properties: { id: p.integer().primary(), title: p.string() } });

async function exists(url: string): Promise<boolean> {
  return await queryOnce(url, 'select 1').then(
    () => true,
    (error: { code?: string }) => {
      if (error.code === '3D000') {
        return false;
      }
      throw error;
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
