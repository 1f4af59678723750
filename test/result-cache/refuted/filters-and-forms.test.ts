import { defineEntity, p } from '@mikro-orm/postgresql';
import { resultCache } from '@mikrokit/result-cache';
import { expect, test } from 'vitest';
import { openOrm } from '../../harness/orm.ts';

/*
 * A filter of a joined entity is put into the statement by the driver, so the call alone does not tell the statement, also
 * where what is joined is in the same table as the root.
 */
const Person = defineEntity({
  name: 'Person',
  discriminatorColumn: 'type',
  discriminatorValue: 'person',
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    tenant: p.string(),
    managed: () => p.oneToMany(Manager).mappedBy('mentor'),
  },
});
const Manager = defineEntity({
  name: 'Manager',
  extends: Person,
  discriminatorValue: 'manager',
  filters: { tenant: { cond: (args: { tenant: string }) => ({ tenant: args.tenant }), default: true } } as never,
  properties: { bonus: p.integer().nullable(), mentor: () => p.manyToOne(Person).ref().nullable() },
});

test('a filter of a subclass in the same table', async () => {
  const orm = await openOrm({ entities: [Person, Manager], extensions: [resultCache({ ttl: 60_000 })] });
  await orm.em.fork().execute(`insert into "person" ("id", "name", "tenant", "type", "mentor_id") values
    (1, 'of a', 'x', 'person', null), (2, 'of b', 'x', 'person', null), (3, 'a', 'a', 'manager', 1), (4, 'b', 'b', 'manager', 2)`);
  const read = async (tenant: string, cache: boolean): Promise<string[]> => {
    const em = orm.em.fork();
    em.setFilterParams('tenant', { tenant });
    return (await em.find(Person, { managed: { name: { $ne: 'z' } } }, { cache })).map(({ name }) => name);
  };
  expect([await read('a', false), await read('b', false)]).toEqual([['of a'], ['of b']]);
  expect([await read('a', true), await read('b', true)]).toEqual([['of a'], ['of b']]);
});

const Left = defineEntity({
  name: 'Left',
  view: true,
  expression: `select 1 as "id", 1 as "right_id" union all select 2, 2`,
  properties: { id: p.integer().primary(), right: () => p.manyToOne(Right).ref() },
  filters: {
    tenant: { cond: (args: { tenant: string }) => ({ id: args.tenant === 'a' ? 1 : 2 }), default: true },
  } as never,
});
const Right = defineEntity({
  name: 'Right',
  view: true,
  expression: `select 1 as "id", 'a' as "tenant" union all select 2, 'b'`,
  properties: { id: p.integer().primary(), tenant: p.string(), lefts: () => p.oneToMany(Left).mappedBy('right') },
});

test('a filter of a view joined to another', async () => {
  const orm = await openOrm({ entities: [Left, Right], extensions: [resultCache({ ttl: 60_000 })] });
  const read = async (tenant: string, cache: boolean): Promise<number[]> => {
    const em = orm.em.fork();
    em.setFilterParams('tenant', { tenant });
    return (await em.find(Right, { lefts: { id: { $gt: 0 } } }, { cache })).map(({ id }) => id);
  };
  expect([await read('a', false), await read('b', false)]).toEqual([[1], [2]]);
  expect([await read('a', true), await read('b', true)]).toEqual([[1], [2]]);
});
