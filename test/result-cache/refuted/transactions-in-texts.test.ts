import { defineEntity, IsolationLevel, type MikroORM, p } from '@mikro-orm/postgresql';
import { resultCache } from '@mikrokit/result-cache';
import { expect, test } from 'vitest';
import { openOrm } from '../../harness/orm.ts';

/* Transactions that a text of several statements begins, goes on with or ends. */
const City = defineEntity({ name: 'City', properties: { id: p.integer().primary(), name: p.string() } });

async function open(options: { inTransaction?: 'hit' } = {}): Promise<MikroORM> {
  const orm = await openOrm({
    entities: [City],
    extensions: [resultCache({ ttl: 60_000, ...options })],
    pool: { min: 1, max: 2 },
  });
  await orm.em.fork().insert(City, { id: 1, name: 'before' });
  return orm;
}
const read = async (orm: MikroORM, cache: boolean): Promise<string> =>
  (await orm.em.fork().findOneOrFail(City, 1, { cache })).name;

test.each([
  ['begin first', [`begin; update "city" set "name" = 'after' where "id" = 1`, 'commit']],
  ['begin last', [`update "city" set "name" = 'after' where "id" = 1; begin`, 'commit']],
])('what a text has written before it leaves a transaction open is told at the commit: %s', async (_title, texts) => {
  const orm = await open();
  expect([await read(orm, true), await read(orm, true)]).toEqual(['before', 'before']);
  await orm.em
    .getKysely()
    .connection()
    .execute(async connection => {
      for (const sql of texts) {
        await connection.executeQuery({ sql, parameters: [], query: { kind: 'RawNode' } } as never);
        if (sql !== 'commit') {
          expect(await read(orm, true)).toBe('before');
        }
      }
    });
  expect(await read(orm, false)).toBe('after');
  expect(await read(orm, true)).toBe('after');
});

test('a text that was to end a transaction and fails before it leaves what the transaction has written', async () => {
  const orm = await open();
  expect([await read(orm, true), await read(orm, true)]).toEqual(['before', 'before']);
  await orm.em.fork().transactional(async em => {
    await em.execute(`update "city" set "name" = 'after' where "id" = 1`);
    await em.execute('savepoint "s"');
    await expect(em.execute('select 1 / 0; commit')).rejects.toThrow();
    await em.execute('rollback to savepoint "s"');
    expect(await read(orm, true)).toBe('before');
  });
  expect(await read(orm, false)).toBe('after');
  expect(await read(orm, true)).toBe('after');
});

test('a transaction that is chained to another has its isolation', async () => {
  const orm = await open({ inTransaction: 'hit' });
  await orm.em.fork().transactional(
    async em => {
      await em.execute('commit and chain');
      const own = async (cache: boolean): Promise<string> => {
        em.clear();
        return (await em.findOneOrFail(City, 1, { cache })).name;
      };
      expect(await own(false)).toBe('before');
      await orm.em.fork().nativeUpdate(City, { id: 1 }, { name: 'after' });
      await read(orm, true);
      expect(await own(false)).toBe('before');
      expect(await own(true)).toBe('before');
    },
    { isolationLevel: IsolationLevel.REPEATABLE_READ },
  );
});

test('session characteristics are those of the transactions that follow', async () => {
  const orm = await open({ inTransaction: 'hit' });
  await orm.em
    .getKysely()
    .connection()
    .execute(async connection => {
      const sql = 'set session characteristics as transaction isolation level repeatable read';
      await connection.executeQuery({ sql, parameters: [], query: { kind: 'RawNode' } } as never);
    });
  await orm.em.fork().transactional(async em => {
    const own = async (cache: boolean): Promise<string> => {
      em.clear();
      return (await em.findOneOrFail(City, 1, { cache })).name;
    };
    expect(await own(false)).toBe('before');
    await orm.em.fork().nativeUpdate(City, { id: 1 }, { name: 'after' });
    await read(orm, true);
    expect(await own(true)).toBe(await own(false));
  });
});
