import { defineEntity, p } from '@mikro-orm/postgresql';
import { resultCache } from '@mikrokit/result-cache';
import { expect, test } from 'vitest';
import { openOrm } from '../../harness/orm.ts';

/* A cast to another type than the column's leaves the value not always what it is. */
const Code = defineEntity({ name: 'Code', properties: { code: p.string().primary(), name: p.string() } });

test.each([
  [`'0005'::int`, '5'],
  [`'TRUE'::bool`, 'true'],
  [`'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::uuid`, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
])('a value is not that of its cast: %s in a column of text', async (value, stored) => {
  const orm = await openOrm({ entities: [Code], extensions: [resultCache({ ttl: 60_000 })] });
  const read = async (cache: boolean): Promise<string | undefined> =>
    (await orm.em.fork().findOne(Code, stored, { cache }))?.name;
  expect([await read(true), await read(true)]).toEqual([undefined, undefined]);
  await orm.em.fork().execute(`insert into "code" ("code", "name") values (${value}, 'new')`);
  expect(await read(false)).toBe('new');
  expect(await read(true)).toBe('new');
});
