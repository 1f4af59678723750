import { AsyncLocalStorage } from 'node:async_hooks';
import { defineEntity, type MikroORM, p } from '@mikro-orm/postgresql';
import { batchLoader } from '@mikrokit/batch-loader';
import { openOrm } from '../harness/orm.ts';

/* The schema of batch-regressions.test.ts. */

export const tenants = new AsyncLocalStorage<number>();

export const Owner = defineEntity({
  name: 'Owner',
  properties: {
    id: p.integer().primary(),
    things: () => p.oneToMany(Thing).mappedBy('owner').eager(),
    parts: () => p.oneToMany(Thing).mappedBy('owner'),
  },
});
export const Thing = defineEntity({
  name: 'Thing',
  properties: {
    id: p.integer().primary(),
    owner: () => p.manyToOne(Owner).ref().index(),
    label: p.string(),
    tag: p.string(),
    score: p.float().columnType('real'),
    at: p.datetime().columnType('timestamp'),
    day: p.date(),
    code: p.uuid(),
    big: p.bigint(),
    n: p.integer(),
    twice: p.integer().formula(c => `${c['n']} * -2`),
  },
});
export const Doc = defineEntity({
  name: 'Doc',
  filters: { tenant: { name: 'tenant', cond: () => ({ tenant: tenants.getStore() ?? 0 }), default: true } },
  properties: { id: p.integer().primary(), tenant: p.integer(), n: p.integer() },
});

const entities = [Owner, Thing, Doc];

export async function openShelf(): Promise<MikroORM> {
  const orm = await openOrm({ entities, extensions: [batchLoader()] });
  await orm.em.getConnection().execute(`
    insert into owner select n from generate_series(1, 3) n;
    insert into thing (id, owner_id, label, tag, score, at, day, code, big, n)
      select n, 1 + n % 3, 'l' || n, 't' || n, n * 1000000, '2020-01-01 12:30', '2020-01-01',
        ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, n, n from generate_series(1, 12) n;
    insert into doc select n, 1 + n % 2, n from generate_series(1, 6) n;
  `);
  return orm;
}

/** A second ORM on the same tables. */
export const openOther = (orm: MikroORM, options = {}, loader = {}): Promise<MikroORM> =>
  openOrm({ url: orm.config.get('clientUrl')!, entities, extensions: [batchLoader(loader)], ...options });

export const ids = (items: readonly object[]): unknown[] => items.map(item => (item as { id: unknown }).id);

export const outcomes = async (calls: readonly Promise<unknown>[]): Promise<unknown[]> =>
  (await Promise.allSettled(calls)).map(one =>
    one.status === 'rejected' ? String(one.reason) : Array.isArray(one.value) ? ids(one.value) : one.value,
  );
