import { wrap } from '@mikro-orm/core';
import { defineEntity, type EntityManager, IsolationLevel, type MikroORM, p, raw } from '@mikro-orm/postgresql';
import { resultCache } from '@mikrokit/result-cache';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openOrm } from '../harness/orm.ts';
import { recordQueries } from '../harness/recorder.ts';

/*
 * Which cached reads a write makes invalid, and which it leaves alone: for every way to write that there is. Each case
 * reads everything twice (the second time without a statement), writes, and reads everything again. A read is invalid if it
 * sends a statement then; its answer is compared with the same read without the cache in any case.
 */

const Traveller = defineEntity({
  name: 'Traveller',
  properties: {
    id: p.integer().primary().autoincrement(),
    name: p.string().unique(),
    city: p.string().nullable(),
    passport: () => p.embedded(Passport).nullable(),
    visits: () => p.oneToMany(Visit).mappedBy('traveller').orphanRemoval(),
    tags: () => p.manyToMany(Tag).owner(),
  },
});

const Passport = defineEntity({
  name: 'Passport',
  embeddable: true,
  properties: { number: p.string(), country: p.string() },
});

/** Read by traveller, so its entries are kept by traveller. */
const Visit = defineEntity({
  name: 'Visit',
  resultCache: { partitionBy: ['traveller'] },
  properties: {
    id: p.integer().primary().autoincrement(),
    traveller: () => p.manyToOne(Traveller).ref(),
    place: p.string(),
    stars: p.integer(),
  },
});

const Tag = defineEntity({
  name: 'Tag',
  properties: { id: p.integer().primary(), label: p.string() },
});

/** Nothing here is about currencies. */
const Currency = defineEntity({
  name: 'Currency',
  properties: { code: p.string().primary(), rate: p.integer() },
});

const ENTITIES = [Traveller, Passport, Visit, Tag, Currency];

/** Three travellers, of whom the third has no visits; visits 1 and 2 are the first one's, visit 3 is the second one's. */
const SEED = `
  truncate "traveller", "visit", "tag", "currency", "traveller_tags" restart identity cascade;
  insert into "traveller" ("name", "city", "passport_number", "passport_country")
    values ('Ann', 'Oslo', 'N1', 'NO'), ('Ben', 'Rome', 'I2', 'IT'), ('Cid', null, null, null);
  insert into "visit" ("traveller_id", "place", "stars") values (1, 'Paris', 5), (1, 'Lima', 3), (2, 'Rome', 5);
  insert into "tag" ("id", "label") values (1, 'slow'), (2, 'rich'), (3, 'old');
  insert into "traveller_tags" ("traveller_id", "tag_id") values (1, 1), (1, 2), (2, 2);
  insert into "currency" ("code", "rate") values ('EUR', 1), ('NOK', 11)`;

type Read = (em: EntityManager, cache: boolean) => Promise<unknown>;

interface AnyVisit {
  readonly id: number;
  readonly place: string;
  readonly stars: number;
  readonly traveller: { readonly id: number };
}

const ofVisit = ({ id, place, stars, traveller }: AnyVisit): unknown => [id, place, stars, traveller.id];
const byId = (a: AnyVisit, b: AnyVisit): number => a.id - b.id;
const ofVisits = (visits: Iterable<AnyVisit>): unknown => [...visits].toSorted(byId).map(ofVisit);
const withVisits = (travellers: { name: string; visits: Iterable<AnyVisit> }[]): unknown =>
  travellers.map(({ name, visits }) => [name, ofVisits(visits)]);
const labels = (travellers: { tags: Iterable<{ label: string }> }[]): unknown =>
  travellers.map(({ tags }) => [...tags].map(({ label }) => label).toSorted());
const plain = (entity: object | null): unknown => entity && wrap(entity).toPOJO();

const joined = { strategy: 'joined' } as const;
const apart = { strategy: 'select-in' } as const;
const READS = {
  'traveller 1': async (em, cache) => plain(await em.findOne(Traveller, 1, { cache })),
  'traveller 2': async (em, cache) => plain(await em.findOne(Traveller, { id: 2 }, { cache })),
  'travellers 1 and 3': async (em, cache) =>
    (await em.find(Traveller, { id: [1, 3] }, { cache, orderBy: { id: 1 } })).map(plain),
  'no traveller 4': async (em, cache) => plain(await em.findOne(Traveller, 4, { cache })),
  'travellers in Oslo': async (em, cache) => (await em.find(Traveller, { city: 'Oslo' }, { cache })).map(plain),
  'all travellers': async (em, cache) => (await em.findAll(Traveller, { cache, orderBy: { id: 1 } })).map(plain),
  'count of travellers': (em, cache) => em.count(Traveller, {}, { cache }),
  'visit 1': async (em, cache) => plain(await em.findOne(Visit, 1, { cache })),
  'visit 3': async (em, cache) => plain(await em.findOne(Visit, 3, { cache })),
  'visits of 1': async (em, cache) => ofVisits(await em.find(Visit, { traveller: 1 }, { cache })),
  'visits of 2': async (em, cache) => ofVisits(await em.find(Visit, { traveller: 2 }, { cache })),
  'no visits of 3': async (em, cache) => ofVisits(await em.find(Visit, { traveller: 3 }, { cache })),
  'count of visits of 2': (em, cache) => em.count(Visit, { traveller: 2 }, { cache }),
  '5 stars of 2': async (em, cache) => ofVisits(await em.find(Visit, { traveller: 2, stars: 5 }, { cache })),
  'visits with 5 stars': async (em, cache) => ofVisits(await em.find(Visit, { stars: 5 }, { cache })),
  '1 joined with visits': async (em, cache) =>
    withVisits(await em.find(Traveller, { id: 1 }, { ...joined, cache, populate: ['visits'] })),
  '1, then its visits': async (em, cache) =>
    withVisits(await em.find(Traveller, { id: 1 }, { ...apart, cache, populate: ['visits'] })),
  '2, then its visits': async (em, cache) =>
    withVisits(await em.find(Traveller, { id: 2 }, { ...apart, cache, populate: ['visits'] })),
  '1 joined with tags': async (em, cache) =>
    labels(await em.find(Traveller, { id: 1 }, { ...joined, cache, populate: ['tags'] })),
  '1, then its tags': async (em, cache) =>
    labels(await em.find(Traveller, { id: 1 }, { ...apart, cache, populate: ['tags'] })),
  '2, then its tags': async (em, cache) =>
    labels(await em.find(Traveller, { id: 2 }, { ...apart, cache, populate: ['tags'] })),
  'builder: visits of 2': (em, cache) =>
    em.createQueryBuilder(Visit, 'v').select('*').where({ traveller: 2 }).orderBy({ id: 1 }).cache(cache).execute(),
  'builder: count of visits': (em, cache) => em.createQueryBuilder(Visit, 'v').cache(cache).getCount(),
  'tag 1': async (em, cache) => plain(await em.findOne(Tag, 1, { cache })),
  currencies: async (em, cache) => (await em.find(Currency, {}, { cache, orderBy: { code: 1 } })).map(plain),
} satisfies Record<string, Read>;
type Name = keyof typeof READS;
const ALL = Object.keys(READS) as Name[];

/*
 * What a write to each of these ends. Reads with a condition on anything but a primary key or a partition depend on the
 * whole table, as joins do: any write to it ends them.
 */
const TRAVELLERS: Name[] = ['travellers in Oslo', 'all travellers', 'count of travellers'];
const TRAVELLER_1: Name[] = [
  ...TRAVELLERS,
  'traveller 1',
  'travellers 1 and 3',
  '1 joined with visits',
  '1, then its visits',
  '1 joined with tags',
  '1, then its tags',
];
const TRAVELLER_2: Name[] = [...TRAVELLERS, 'traveller 2', '2, then its visits', '2, then its tags'];
const TRAVELLER_3: Name[] = [...TRAVELLERS, 'travellers 1 and 3'];
const TRAVELLER_4: Name[] = [...TRAVELLERS, 'no traveller 4'];
/** Of which traveller is not known. */
const ANY_TRAVELLER: Name[] = [...TRAVELLER_1, ...TRAVELLER_2, ...TRAVELLER_3, ...TRAVELLER_4];
const VISITS: Name[] = ['visits with 5 stars', '1 joined with visits', 'builder: count of visits'];
const VISITS_OF_1: Name[] = [...VISITS, 'visits of 1', '1, then its visits'];
const VISITS_OF_2: Name[] = [
  ...VISITS,
  'visits of 2',
  'count of visits of 2',
  '5 stars of 2',
  '2, then its visits',
  'builder: visits of 2',
];
const VISITS_OF_3: Name[] = [...VISITS, 'no visits of 3'];
const VISITS_OF_ANYONE: Name[] = [...VISITS_OF_1, ...VISITS_OF_2, ...VISITS_OF_3];
const ANY_KEY: Name[] = ['visit 1', 'visit 3'];
const ANY_VISIT: Name[] = [...VISITS_OF_ANYONE, ...ANY_KEY];
const TAGS: Name[] = ['1 joined with tags', '1, then its tags', '2, then its tags'];

/** The cached reads that send a statement; each answer is compared with that of the database. */
async function invalidReads<N extends string>(from: MikroORM, reads: Record<N, Read>, compare = true): Promise<N[]> {
  const invalid: N[] = [];
  for (const [name, read] of Object.entries<Read>(reads)) {
    using recorder = recordQueries(from);
    const answer = await read(from.em.fork(), true);
    if (recorder.take().length > 0) {
      invalid.push(name as N);
    }
    if (compare) {
      expect(answer, `${name}, from the cache and without it`).toEqual(await read(from.em.fork(), false));
    }
  }
  return invalid;
}

async function warm<N extends string>(from: MikroORM, reads: Record<N, Read>): Promise<void> {
  await invalidReads(from, reads, false);
  expect(await invalidReads(from, reads, false), 'reads that are not cached at all').toEqual([]);
}

/** The reads that `write` makes invalid. */
async function invalidAfter<N extends string>(
  from: MikroORM,
  reads: Record<N, Read>,
  write: (em: EntityManager) => unknown,
): Promise<N[]> {
  await warm(from, reads);
  await write(from.em.fork());
  return await invalidReads(from, reads);
}

/** In the order of the reads, each once. */
const inOrder = (names: readonly Name[]): Name[] => ALL.filter(name => names.includes(name));

const forever = { ttl: 3_600_000, jitter: 0 };
const cache = resultCache(forever);
let orm: MikroORM;
beforeAll(async () => {
  orm = await openOrm({ entities: ENTITIES, extensions: [cache] });
  await orm.em.fork().execute('create table "unmapped" ("id" int)');
  await orm.em
    .fork()
    .execute(
      `create function "rename_ben"() returns int language sql as 'update "traveller" set "city" = ''Pisa'' where "id" = 2; select 1'`,
    );
  await orm.em
    .fork()
    .execute(`create procedure "rename"() language sql as 'update "traveller" set "city" = ''Pisa'' where "id" = 2'`);
});
const seed = async (): Promise<void> => {
  await orm.em.fork().execute(SEED);
  await cache.clear();
};
beforeEach(seed);

type Write = (em: EntityManager) => unknown;
type Case = [title: string, write: Write, ends: readonly Name[]];

const spec = (title: string, cases: readonly Case[]): void => {
  // oxlint-disable-next-line vitest/valid-title
  describe(title, () => {
    test.each(cases)('%s', async (_title, write, ends) => {
      expect(await invalidAfter(orm, READS, write)).toEqual(inOrder(ends));
    });
  });
};

const inFlush =
  <T extends object>(find: (em: EntityManager) => Promise<T>, change: (found: T, em: EntityManager) => void): Write =>
  async em => {
    change(await find(em), em);
    await em.flush();
  };
const pisa = { city: 'Pisa' };

spec('the unit of work', [
  [
    'an update of one',
    inFlush(
      em => em.findOneOrFail(Traveller, 1),
      one => (one.name = 'Anna'),
    ),
    TRAVELLER_1,
  ],
  [
    'an update of two in one statement',
    inFlush(
      em => em.find(Traveller, { id: [1, 2] }),
      found => found.forEach(one => (one.city = 'Bonn')),
    ),
    [...TRAVELLER_1, ...TRAVELLER_2],
  ],
  [
    'an update of a member of an embedded',
    inFlush(
      em => em.findOneOrFail(Traveller, 2),
      one => (one.passport!.number = 'I3'),
    ),
    TRAVELLER_2,
  ],
  [
    'a new one with a key from a sequence',
    inFlush(
      async em => em.create(Traveller, { name: 'Dee' }),
      () => undefined,
    ),
    TRAVELLER_4,
  ],
  [
    'two new ones in one statement',
    inFlush(
      async em => [4, 5].map(n => em.create(Traveller, { name: `No. ${n}` })),
      () => undefined,
    ),
    TRAVELLER_4,
  ],
  [
    'a new one with others that belong to it',
    inFlush(
      async em => em.create(Traveller, { name: 'Dee', visits: [{ place: 'Bern', stars: 1 }] }),
      () => undefined,
    ),
    [...TRAVELLER_4, ...VISITS],
  ],
  [
    'a removal',
    inFlush(
      em => em.findOneOrFail(Visit, 3),
      (one, em) => em.remove(one),
    ),
    [...VISITS_OF_2, 'visit 3'],
  ],
  [
    'a removal of a reference',
    inFlush(
      async em => em.getReference(Visit, 3),
      (one, em) => em.remove(one),
    ),
    [...VISITS_OF_2, 'visit 3'],
  ],
  [
    'a removal of the owner of a pivot table',
    inFlush(
      async em => em.getReference(Traveller, 3),
      (one, em) => em.remove(one),
    ),
    [...TRAVELLER_3, ...TAGS],
  ],
  [
    'the removal of an orphan',
    inFlush(
      em => em.findOneOrFail(Traveller, 2, { populate: ['visits'] }),
      one => one.visits.removeAll(),
    ),
    [...VISITS_OF_2, 'visit 3'],
  ],
  [
    'an entity that has not changed',
    inFlush(
      em => em.findOneOrFail(Traveller, 1),
      one => (one.name = 'Ann'),
    ),
    [],
  ],
]);

spec('collections', [
  [
    'add()',
    inFlush(
      em => em.findOneOrFail(Traveller, 2, { populate: ['tags'] }),
      (one, em) => one.tags.add(em.getReference(Tag, 3)),
    ),
    ['1 joined with tags', '2, then its tags'],
  ],
  [
    'remove()',
    inFlush(
      em => em.findOneOrFail(Traveller, 2, { populate: ['tags'] }),
      (one, em) => one.tags.remove(em.getReference(Tag, 2)),
    ),
    ['1 joined with tags', '2, then its tags'],
  ],
  [
    'set()',
    inFlush(
      em => em.findOneOrFail(Traveller, 2, { populate: ['tags'] }),
      (one, em) => one.tags.set([em.getReference(Tag, 1)]),
    ),
    ['1 joined with tags', '2, then its tags'],
  ],
  [
    'removeAll()',
    inFlush(
      em => em.findOneOrFail(Traveller, 2, { populate: ['tags'] }),
      one => one.tags.removeAll(),
    ),
    ['1 joined with tags', '2, then its tags'],
  ],
  [
    'add() of a new one to a one-to-many',
    inFlush(
      em => em.findOneOrFail(Traveller, 2, { populate: ['visits'] }),
      (one, em) => one.visits.add(em.create(Visit, { traveller: one, place: 'Bern', stars: 1 })),
    ),
    VISITS_OF_2,
  ],
]);

spec('without entities', [
  ['insert()', em => em.insert(Visit, { traveller: 3, place: 'Bern', stars: 1 }), VISITS_OF_3],
  ['insert() of a key that was looked for', em => em.insert(Traveller, { id: 4, name: 'Dee' }), TRAVELLER_4],
  [
    'insertMany()',
    em =>
      em.insertMany(
        Visit,
        [2, 3].map(traveller => ({ traveller, place: 'Bern', stars: 1 })),
      ),
    [...VISITS_OF_2, ...VISITS_OF_3],
  ],
  ['upsert() by primary key', em => em.upsert(Tag, { id: 1, label: 'slower' }), [...TAGS, 'tag 1']],
  ['upsert() by a unique property', em => em.upsert(Traveller, { name: 'Ben', ...pisa }), TRAVELLER_2],
  ['upsert() of a new one', em => em.upsert(Traveller, { id: 4, name: 'Dee', ...pisa }), TRAVELLER_4],
  [
    'upsertMany() that merges',
    em =>
      em.upsertMany(
        Traveller,
        [
          { name: 'Ann', city: 'Bonn' },
          { name: 'Ben', ...pisa },
        ],
        { onConflictFields: ['name'], onConflictAction: 'merge' },
      ),
    [...TRAVELLER_1, ...TRAVELLER_2],
  ],
  [
    'upsertMany() that ignores',
    em =>
      em.upsertMany(
        Tag,
        [
          { id: 1, label: 'slower' },
          { id: 4, label: 'new' },
        ],
        { onConflictAction: 'ignore' },
      ),
    [...TAGS, 'tag 1'],
  ],
  ['nativeUpdate() by primary key', em => em.nativeUpdate(Traveller, 2, pisa), TRAVELLER_2],
  [
    'nativeUpdate() by primary keys',
    em => em.nativeUpdate(Traveller, { id: [2, 3] }, pisa),
    [...TRAVELLER_2, ...TRAVELLER_3],
  ],
  [
    'nativeUpdate() by primary key and more',
    em => em.nativeUpdate(Traveller, { id: 2, city: 'Rome' }, pisa),
    TRAVELLER_2,
  ],
  ['nativeUpdate() by another condition', em => em.nativeUpdate(Traveller, { city: 'Rome' }, pisa), ANY_TRAVELLER],
  [
    'nativeUpdate() by one of two keys',
    em => em.nativeUpdate(Traveller, { $or: [{ id: 2 }, { id: 3 }] }, pisa),
    ANY_TRAVELLER,
  ],
  [
    'nativeUpdate() with an expression',
    em => em.nativeUpdate(Visit, 3, { stars: raw('stars + 1') as never }),
    [...VISITS_OF_2, 'visit 3'],
  ],
  [
    'nativeUpdate() by partition',
    em => em.nativeUpdate(Visit, { traveller: 2 }, { stars: 1 }),
    [...VISITS_OF_2, ...ANY_KEY],
  ],
  [
    'nativeUpdate() by a relation',
    em => em.nativeUpdate(Visit, { traveller: { name: 'Ben' } }, { stars: 1 }),
    ANY_VISIT,
  ],
  ['nativeUpdate() of no row', em => em.nativeUpdate(Visit, 99, { stars: 1 }), VISITS],
  ['nativeDelete() by primary key', em => em.nativeDelete(Visit, 3), [...VISITS_OF_2, 'visit 3']],
  ['nativeDelete() by partition', em => em.nativeDelete(Visit, { traveller: 2 }), [...VISITS_OF_2, ...ANY_KEY]],
  ['nativeDelete() by a relation', em => em.nativeDelete(Visit, { traveller: { name: 'Ben' } }), ANY_VISIT],
  ['nativeDelete() of all', em => em.nativeDelete(Currency, {}), ['currencies']],
  ['clone()', async em => em.clone(await em.findOneOrFail(Visit, 3)), VISITS_OF_2],
]);

spec('QueryBuilder', [
  [
    'insert()',
    em => em.createQueryBuilder(Visit).insert({ traveller: 3, place: 'Bern', stars: 1 }).execute(),
    VISITS_OF_3,
  ],
  [
    'insert().onConflict().merge()',
    em => em.createQueryBuilder(Tag).insert({ id: 1, label: 'slower' }).onConflict('id').merge().execute(),
    [...TAGS, 'tag 1'],
  ],
  [
    'update()',
    em => em.createQueryBuilder(Visit).update({ stars: 1 }).where({ id: 3 }).execute(),
    [...VISITS_OF_2, 'visit 3'],
  ],
  [
    'update() with returning()',
    em => em.createQueryBuilder(Visit).update({ stars: 1 }).where({ id: 3 }).returning('place').execute(),
    [...VISITS_OF_2, 'visit 3'],
  ],
  [
    'update() with an alias',
    em => em.createQueryBuilder(Visit, 'v').update({ stars: 1 }).where({ traveller: 2 }).execute(),
    [...VISITS_OF_2, ...ANY_KEY],
  ],
  [
    'update() by a join',
    em =>
      em
        .createQueryBuilder(Visit, 'v')
        .update({ stars: 1 })
        .where({ traveller: { name: 'Ben' } })
        .execute(),
    ANY_VISIT,
  ],
  [
    'update() by a subquery',
    em => {
      const ben = em.createQueryBuilder(Traveller, 't').select('id').where({ name: 'Ben' }).getNativeQuery();
      return em
        .createQueryBuilder(Visit, 'v')
        .update({ stars: 1 })
        .where({ traveller: { $in: ben } } as never)
        .execute();
    },
    ANY_VISIT,
  ],
  ['delete()', em => em.createQueryBuilder(Visit).delete({ id: 3 }).execute(), [...VISITS_OF_2, 'visit 3']],
  [
    'delete() by a join',
    em =>
      em
        .createQueryBuilder(Visit, 'v')
        .delete({ traveller: { name: 'Ben' } })
        .execute(),
    ANY_VISIT,
  ],
  ['truncate()', em => em.createQueryBuilder(Currency).truncate().execute(), ['currencies']],
]);

const sql =
  (text: string, params: unknown[] = []): Write =>
  em =>
    em.execute(text, params);

spec('raw SQL', [
  ['update', sql('update traveller set city = ? where id = ?', ['Pisa', 2]), TRAVELLER_2],
  [
    'update, quoted, qualified and with literals',
    sql(`UPDATE "public"."traveller" SET "city" = 'Pisa' WHERE "id" = 2`),
    TRAVELLER_2,
  ],
  ['update with an alias', sql(`update only traveller as t set city = 'Pisa' where t.id = 2`), TRAVELLER_2],
  ['update with returning', sql(`update traveller t set city = 'Pisa' where t.id = 2 returning t.name`), TRAVELLER_2],
  [
    'update … from',
    sql(`update visit v set stars = 1 from traveller t where t.id = v.traveller_id and t.name = 'Ben'`),
    ANY_VISIT,
  ],
  ['insert', sql(`insert into visit (traveller_id, place, stars) values (3, 'Bern', 1)`), VISITS_OF_3],
  [
    'insert … select',
    sql(`insert into visit (traveller_id, place, stars) select 3, place, stars from visit where id = 1`),
    ANY_VISIT,
  ],
  ['insert … default values', sql(`insert into visit values (default, 3, 'Bern', 1)`), ANY_VISIT],
  [
    'delete … using',
    sql(`delete from visit using traveller t where t.id = visit.traveller_id and t.name = 'Ben'`),
    ANY_VISIT,
  ],
  [
    'a CTE that writes',
    sql('with gone as (delete from visit where id = 3 returning *) select count(*) from gone'),
    [...VISITS_OF_ANYONE, 'visit 3'],
  ],
  [
    'merge',
    sql(
      `merge into traveller t using (values (2, 'Pisa')) as s (id, city) on t.id = s.id when matched then update set city = s.city`,
    ),
    ANY_TRAVELLER,
  ],
  ['truncate', sql('truncate currency'), ['currencies']],
  [
    'truncate … cascade, which empties what refers to it',
    sql('truncate table only traveller cascade'),
    [...ANY_TRAVELLER, ...ANY_VISIT, ...TAGS],
  ],
  [
    'two statements',
    sql(`update traveller set city = 'Pisa' where id = 2; update tag set label = 'slower' where id = 1`),
    [...TRAVELLER_2, ...TAGS, 'tag 1'],
  ],
  ['begin and commit in one text', sql(`begin; update traveller set city = 'Pisa' where id = 2; commit`), TRAVELLER_2],
  ['explain', sql(`explain update traveller set city = 'Pisa' where id = 2`), []],
  ['explain analyze', sql(`explain (analyze) update traveller set city = 'Pisa' where id = 2`), TRAVELLER_2],
  ['a select', sql('select * from traveller'), []],
  ['do', sql(`do $$ begin update traveller set city = 'Pisa' where id = 2; end $$`), ALL],
  ['call', sql('call rename()'), ALL],
  ['a function that writes', sql('select rename_ben()'), ALL],
  ['a table that is not mapped', sql('insert into unmapped values (1)'), ALL],
  ['DDL', sql('alter table currency add column if not exists note text'), ALL],
]);

// No types are made of the entities here.
const kysely = (em: EntityManager) => em.getKysely<Record<string, Record<string, unknown>>>();

const drained = async (rows: AsyncIterable<unknown>): Promise<number> => {
  let count = 0;
  for await (const _row of rows) {
    count += 1;
  }
  return count;
};

spec('getKysely()', [
  [
    'insertInto()',
    em => kysely(em).insertInto('visit').values({ traveller_id: 3, place: 'Bern', stars: 1 }).execute(),
    VISITS_OF_3,
  ],
  ['updateTable()', em => kysely(em).updateTable('traveller').set(pisa).where('id', '=', 2).execute(), TRAVELLER_2],
  [
    'updateTable() with returning()',
    em => kysely(em).updateTable('traveller').set(pisa).where('id', '=', 2).returning('name').execute(),
    TRAVELLER_2,
  ],
  ['deleteFrom()', em => kysely(em).deleteFrom('visit').where('id', '=', 3).execute(), [...VISITS_OF_2, 'visit 3']],
  [
    'transaction()',
    em =>
      kysely(em)
        .transaction()
        .execute(trx => trx.updateTable('traveller').set(pisa).where('id', '=', 2).execute()),
    TRAVELLER_2,
  ],
  [
    'transaction() that is rolled back',
    em =>
      kysely(em)
        .transaction()
        .execute(async trx => {
          await trx.updateTable('traveller').set(pisa).where('id', '=', 2).execute();
          throw new Error('never mind');
        })
        .catch(() => undefined),
    [],
  ],
  [
    'startTransaction() with savepoints',
    async em => {
      const trx = await kysely(em).startTransaction().execute();
      await trx.updateTable('traveller').set(pisa).where('id', '=', 2).execute();
      const inner = await trx.savepoint('a').execute();
      await inner.deleteFrom('currency').execute();
      await inner.rollbackToSavepoint('a').execute();
      await trx.commit().execute();
    },
    TRAVELLER_2,
  ],
  [
    'in em.transactional()',
    em =>
      em.transactional(inner =>
        kysely(inner as EntityManager)
          .updateTable('traveller')
          .set(pisa)
          .where('id', '=', 2)
          .execute(),
      ),
    TRAVELLER_2,
  ],
  [
    'connection()',
    em =>
      kysely(em)
        .connection()
        .execute(one => one.updateTable('traveller').set(pisa).where('id', '=', 2).execute()),
    TRAVELLER_2,
  ],
  [
    'stream()',
    async em => {
      const rows = kysely(em).updateTable('traveller').set(pisa).where('id', '=', 2).returningAll().stream();
      expect(await drained(rows)).toBe(1);
    },
    TRAVELLER_2,
  ],
]);

describe('transactions', () => {
  const old = TRAVELLER_2;
  const update = (em: EntityManager): Promise<number> => em.nativeUpdate(Traveller, 2, pisa);
  const manager = (em: unknown): EntityManager => em as EntityManager;

  test('nothing is invalid before the commit, and all of it after', async () => {
    await warm(orm, READS);
    await orm.em.fork().transactional(async em => {
      await update(manager(em));
      await em.nativeDelete(Visit, 3);
      expect(await invalidReads(orm, READS, false)).toEqual([]);
    });
    expect(await invalidReads(orm, READS)).toEqual(inOrder([...old, ...VISITS_OF_2, 'visit 3']));
  });

  spec('end', [
    [
      'rollback()',
      async em => {
        await em.begin();
        await update(em);
        await em.rollback();
      },
      [],
    ],
    [
      'an error in transactional()',
      em =>
        em
          .transactional(async inner => {
            await update(manager(inner));
            throw new Error('never mind');
          })
          .catch(() => undefined),
      [],
    ],
    [
      'a flush that fails',
      async em => {
        em.create(Currency, { code: 'SEK', rate: 10 });
        em.create(Traveller, { name: 'Ann' });
        await expect(em.flush()).rejects.toThrow('traveller_name_unique');
      },
      [],
    ],
    [
      'a statement that fails',
      em => expect(em.nativeUpdate(Traveller, 2, { name: 'Ann' })).rejects.toThrow('traveller_name_unique'),
      [],
    ],
    [
      'a transaction that is aborted by a statement, and then committed',
      async em => {
        await em.begin();
        await update(em);
        await expect(manager(em).execute('select 1 / 0')).rejects.toThrow('division by zero');
        // PostgreSQL answers a commit of it with a rollback.
        await em.commit();
      },
      old,
    ],
    [
      'an inner transaction that is rolled back',
      em =>
        em.transactional(async outer => {
          await update(manager(outer));
          await outer
            .transactional(async inner => {
              await manager(inner).nativeDelete(Currency, {});
              throw new Error('never mind');
            })
            .catch(() => undefined);
        }),
      old,
    ],
    [
      'an inner transaction, when the outer one commits',
      async em => {
        await em.transactional(async outer => {
          await outer.transactional(inner => update(manager(inner)));
          expect(await invalidReads(orm, READS)).toEqual([]);
        });
      },
      old,
    ],
    [
      'an inner transaction, when the outer one is rolled back',
      em =>
        em
          .transactional(async outer => {
            await outer.transactional(inner => update(manager(inner)));
            throw new Error('never mind');
          })
          .catch(() => undefined),
      [],
    ],
    [
      'statements that run at the same time',
      em =>
        em.transactional(inner =>
          Promise.all([
            update(manager(inner)),
            inner.nativeDelete(Visit, 3),
            inner.insert(Traveller, { id: 4, name: 'Dee' }),
          ]),
        ),
      [...old, ...VISITS_OF_2, 'visit 3', ...TRAVELLER_4],
    ],
    [
      'raw savepoints',
      em =>
        em.transactional(async inner => {
          await manager(inner).execute('savepoint a');
          await update(manager(inner));
          await manager(inner).execute('savepoint b');
          await inner.nativeDelete(Currency, {});
          await manager(inner).execute('rollback to savepoint b');
          await manager(inner).execute('release savepoint a');
        }),
      old,
    ],
    ['a transaction that only reads', em => em.transactional(inner => inner.find(Traveller, {})), []],
    ['a read-only transaction', em => em.transactional(inner => inner.find(Traveller, {}), { readOnly: true }), []],
  ]);

  describe.each(['bypass', 'hit'] as const)("reads inside, inTransaction: '%s'", inTransaction => {
    const local = resultCache({ ...forever, inTransaction });
    let inside: MikroORM;
    beforeAll(async () => {
      inside = await openOrm({ entities: ENTITIES, extensions: [local] });
    });
    beforeEach(async () => {
      await inside.em.fork().execute(SEED);
      await local.clear();
      await cityOf(inside.em.fork(), 2);
      expect(await cityOf(inside.em.fork(), 2)).toEqual(['Rome', 0]);
    });
    /** Cities that a read gives, and how many statements it sends. */
    const cityOf = async (em: EntityManager, id: number): Promise<[city: unknown, statements: number]> => {
      using recorder = recordQueries(inside);
      const [one] = await em.find(Traveller, { id }, { cache: true, disableIdentityMap: true });
      return [one?.city, recorder.take().length];
    };

    test('a table that it has not written', async () => {
      await inside.em.fork().transactional(async em => {
        await em.nativeDelete(Currency, {});
        expect(await cityOf(manager(em), 2)).toEqual(['Rome', inTransaction === 'hit' ? 0 : 1]);
      });
    });

    test('its own writes are seen, are not kept, and are gone after a rollback', async () => {
      const undone = inside.em.fork().transactional(async em => {
        await update(manager(em));
        expect(await cityOf(manager(em), 2)).toEqual(['Pisa', 1]);
        expect(await cityOf(manager(em), 2)).toEqual(['Pisa', 1]);
        expect(await cityOf(inside.em.fork(), 2)).toEqual(['Rome', 0]);
        throw new Error('never mind');
      });
      await expect(undone).rejects.toThrow('never mind');
      expect(await cityOf(inside.em.fork(), 2)).toEqual(['Rome', 0]);
    });

    test('its own writes are seen by everybody after the commit', async () => {
      await inside.em.fork().transactional(async em => {
        await update(manager(em));
        expect(await cityOf(manager(em), 2)).toEqual(['Pisa', 1]);
      });
      expect(await cityOf(inside.em.fork(), 2)).toEqual(['Pisa', 1]);
      expect(await cityOf(inside.em.fork(), 2)).toEqual(['Pisa', 0]);
    });

    test('what was rolled back to a savepoint is not seen', async () => {
      await inside.em.fork().transactional(async em => {
        await em
          .transactional(async inner => {
            await update(manager(inner));
            expect(await cityOf(manager(inner), 2)).toEqual(['Pisa', 1]);
            throw new Error('never mind');
          })
          .catch(() => undefined);
        expect(await cityOf(manager(em), 2)).toEqual(['Rome', inTransaction === 'hit' ? 0 : 1]);
      });
    });

    test('a miss inside a transaction is not kept', async () => {
      await inside.em.fork().transactional(async em => {
        expect(await em.findOne(Traveller, { name: 'Cid' }, { cache: true })).toMatchObject({ id: 3 });
      });
      using recorder = recordQueries(inside);
      await inside.em.fork().findOne(Traveller, { name: 'Cid' }, { cache: true });
      expect(recorder.take()).toHaveLength(1);
    });

    test.each([IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE])(
      '%s: never a hit',
      async isolationLevel => {
        await inside.em.fork().transactional(
          async em => {
            expect(await cityOf(manager(em), 2)).toEqual(['Rome', 1]);
            await update(inside.em.fork());
            expect(await cityOf(inside.em.fork(), 2)).toEqual(['Pisa', 1]);
            expect(await cityOf(inside.em.fork(), 2)).toEqual(['Pisa', 0]);
            expect(await cityOf(manager(em), 2), 'the snapshot of the transaction').toEqual(['Rome', 1]);
          },
          { isolationLevel },
        );
      },
    );

    test('a streamed write is its own', async () => {
      await inside.em.fork().transactional(async em => {
        const rows = kysely(manager(em)).updateTable('traveller').set(pisa).where('id', '=', 2).returningAll().stream();
        await drained(rows);
        expect(await cityOf(manager(em), 2)).toEqual(['Pisa', 1]);
      });
      expect(await cityOf(inside.em.fork(), 2)).toEqual(['Pisa', 1]);
    });
  });
});

describe("partitionBy: ['traveller']", () => {
  const loaded = async (em: EntityManager) => await em.findOneOrFail(Visit, 1);
  /** Visit 1 goes to traveller 2, which `em` does not know. */
  const movedBehind = async (): Promise<void> => {
    await orm.em.fork().nativeUpdate(Visit, 1, { traveller: 2 });
    await warm(orm, READS);
  };

  spec('a visit of', [
    [
      'one traveller is updated by its own key',
      inFlush(loaded, visit => (visit.stars = 4)),
      [...VISITS_OF_1, 'visit 1'],
    ],
    [
      'one traveller is deleted by its own key',
      inFlush(loaded, (visit, em) => em.remove(visit)),
      [...VISITS_OF_1, 'visit 1'],
    ],
    [
      'one traveller is made, with a key from a sequence',
      inFlush(
        async em => em.create(Visit, { traveller: 3, place: 'Bern', stars: 1 }),
        () => undefined,
      ),
      VISITS_OF_3,
    ],
    [
      // What it was before cannot be told from the statement: it assigns the partition.
      'one traveller is given to another',
      inFlush(loaded, (visit, em) => (visit.traveller = em.getReference(Traveller, 3, { wrapped: true }))),
      [...VISITS_OF_ANYONE, 'visit 1'],
    ],
    [
      'one traveller is given to another without being loaded',
      em => em.nativeUpdate(Visit, { id: 1 }, { traveller: 3 }),
      [...VISITS_OF_ANYONE, 'visit 1'],
    ],
    [
      'one traveller is given to another, all at once',
      em => em.nativeUpdate(Visit, { traveller: 1 }, { traveller: 3 }),
      [...VISITS_OF_1, ...VISITS_OF_3, ...ANY_KEY],
    ],
    [
      'one traveller is upserted as that of another',
      em => em.upsert(Visit, { id: 1, traveller: 3, place: 'Paris', stars: 5 }),
      [...VISITS_OF_ANYONE, 'visit 1'],
    ],
  ]);

  test.each([
    ['updated', (visit: AnyVisit) => void ((visit as { stars: number }).stars = 4)],
    ['deleted', (visit: AnyVisit, em: EntityManager) => void em.remove(visit)],
  ])('a visit that another has given away meanwhile is %s', async (_what, change) => {
    const em = orm.em.fork();
    const visit = await loaded(em);
    await movedBehind();
    expect(visit.traveller.id).toBe(1);
    change(visit, em);
    await em.flush();
    expect(await invalidReads(orm, READS)).toEqual(inOrder([...VISITS_OF_2, 'visit 1']));
  });

  test('one that another ORM on the same store has given away meanwhile', async () => {
    const url = orm.config.get('clientUrl')!;
    const other = await openOrm({ url, entities: ENTITIES, extensions: [cache] });
    const em = orm.em.fork();
    const visit = await loaded(em);
    await warm(orm, READS);
    await other.em.fork().nativeUpdate(Visit, 1, { traveller: 2 });
    expect(await invalidReads(orm, READS)).toEqual(inOrder([...VISITS_OF_ANYONE, 'visit 1']));
    visit.stars = 4;
    await em.flush();
    expect(await invalidReads(other, READS)).toEqual(inOrder([...VISITS_OF_2, 'visit 1']));
  });
});

describe('what a write to one table does to others', () => {
  /** Single-table inheritance. */
  const Vehicle = defineEntity({
    name: 'Vehicle',
    abstract: true,
    discriminatorColumn: 'kind',
    properties: { id: p.integer().primary(), kind: p.string(), name: p.string() },
  });
  const Train = defineEntity({
    name: 'Train',
    extends: Vehicle,
    discriminatorValue: 'train',
    properties: { cars: p.integer().nullable() },
  });
  const Ship = defineEntity({
    name: 'Ship',
    extends: Vehicle,
    discriminatorValue: 'ship',
    properties: { decks: p.integer().nullable() },
  });
  /** Table-per-type inheritance. */
  const Stay = defineEntity({
    name: 'Stay',
    inheritance: 'tpt',
    properties: { id: p.integer().primary(), name: p.string() },
  });
  const Hotel = defineEntity({ name: 'Hotel', extends: Stay, properties: { stars: p.integer() } });
  const Tent = defineEntity({ name: 'Tent', extends: Stay, properties: { poles: p.integer() } });
  /** Foreign keys: land ← city ← street, each deleted with what it is in; a city's guide is set null. */
  const Land = defineEntity({
    name: 'Land',
    properties: { code: p.string().primary(), name: p.string() },
  });
  const Guide = defineEntity({ name: 'Guide', properties: { id: p.integer().primary(), name: p.string() } });
  const City = defineEntity({
    name: 'City',
    properties: {
      id: p.integer().primary(),
      land: () => p.manyToOne(Land).ref().deleteRule('cascade').updateRule('cascade'),
      guide: () => p.manyToOne(Guide).ref().nullable().deleteRule('set null').updateRule('no action'),
    },
  });
  const Street = defineEntity({
    name: 'Street',
    properties: { id: p.integer().primary(), city: () => p.manyToOne(City).ref().deleteRule('cascade') },
  });
  /** A composite key. */
  const Seat = defineEntity({
    name: 'Seat',
    primaryKeys: ['train', 'number'],
    properties: {
      train: () => p.manyToOne(Train).ref().primary().deleteRule('no action'),
      number: p.integer().primary(),
      free: p.boolean(),
    },
  });
  const entities = [Vehicle, Train, Ship, Stay, Hotel, Tent, Land, Guide, City, Street, Seat];

  const all =
    (entity: unknown, where: object = {}): Read =>
    async (em, setting) => {
      const found = (await em.find(entity as never, where as never, { cache: setting })) as object[];
      return found
        .map(one => JSON.stringify([one.constructor.name, wrap(one).toPOJO()]))
        .toSorted((a, b) => a.localeCompare(b));
    };
  const READS_OF = {
    vehicles: all(Vehicle),
    trains: all(Train),
    ships: all(Ship),
    'vehicle 1': all(Vehicle, { id: 1 }),
    'train 1': all(Train, { id: 1 }),
    'ship 2': all(Ship, { id: 2 }),
    stays: all(Stay),
    'stay 1': all(Stay, { id: 1 }),
    hotels: all(Hotel),
    'hotel 1': all(Hotel, { id: 1 }),
    'tent 2': all(Tent, { id: 2 }),
    'land NO': all(Land, { code: 'NO' }),
    'land SE': all(Land, { code: 'SE' }),
    cities: all(City),
    'city 1': all(City, { id: 1 }),
    streets: all(Street),
    'street 1': all(Street, { id: 1 }),
    guides: all(Guide),
    'seat 1 of train 1': all(Seat, { train: 1, number: 1 }),
    'seat 2 of train 1': all(Seat, { train: 1, number: 2 }),
    'seat 1 of train 3': all(Seat, { train: 3, number: 1 }),
    'seats of train 1': all(Seat, { train: 1 }),
    'seats of train 3': all(Seat, { train: 3 }),
  } satisfies Record<string, Read>;
  type NameOf = keyof typeof READS_OF;
  const STAYS: NameOf[] = ['stays', 'stay 1', 'hotels', 'hotel 1', 'tent 2'];

  const local = resultCache(forever);
  let world: MikroORM;
  beforeAll(async () => {
    world = await openOrm({ entities, extensions: [local] });
  });
  beforeEach(async () => {
    const em = world.em.fork();
    await em.execute('truncate vehicle, stay, hotel, tent, land, guide, city, street, seat cascade');
    em.create(Train, { id: 1, name: 'IC', cars: 9 });
    em.create(Ship, { id: 2, name: 'Fram', decks: 3 });
    em.create(Train, { id: 3, name: 'RE', cars: 4 });
    em.create(Hotel, { id: 1, name: 'Ritz', stars: 5 });
    em.create(Tent, { id: 2, name: 'Igloo', poles: 3 });
    em.create(Land, { code: 'NO', name: 'Norway' });
    em.create(Land, { code: 'SE', name: 'Sweden' });
    em.create(Guide, { id: 1, name: 'Gro' });
    em.create(City, { id: 1, land: 'NO', guide: 1 });
    em.create(City, { id: 2, land: 'SE' });
    em.create(Street, { id: 1, city: 1 });
    for (const [train, number] of [
      [1, 1],
      [1, 2],
      [3, 1],
    ] as const) {
      em.create(Seat, { train, number, free: true });
    }
    await em.flush();
    await local.clear();
  });

  test.each<[string, Write, NameOf[]]>([
    [
      'a child in the same table is seen by reads of the root',
      inFlush(
        em => em.findOneOrFail(Train, 1),
        one => (one.cars = 8),
      ),
      ['vehicles', 'trains', 'ships', 'vehicle 1', 'train 1'],
    ],
    [
      'the root is seen by reads of a child',
      em => em.nativeUpdate(Vehicle, { id: 1 }, { name: 'EC' }),
      ['vehicles', 'trains', 'ships', 'vehicle 1', 'train 1'],
    ],
    [
      'a new child',
      inFlush(
        async em => em.create(Ship, { id: 4, name: 'Gjøa' }),
        () => undefined,
      ),
      ['vehicles', 'trains', 'ships'],
    ],
    [
      'a column of a parent table',
      inFlush(
        em => em.findOneOrFail(Hotel, 1),
        one => (one.name = 'Savoy'),
      ),
      ['stays', 'stay 1', 'hotels', 'hotel 1'],
    ],
    [
      'a column of a child table',
      inFlush(
        em => em.findOneOrFail(Hotel, 1),
        one => (one.stars = 4),
      ),
      ['stays', 'stay 1', 'hotels', 'hotel 1'],
    ],
    [
      'a new child in two tables',
      inFlush(
        async em => em.create(Tent, { id: 9, name: 'Yurt', poles: 30 }),
        () => undefined,
      ),
      // Reads of one stay join the tents by their keys, so they depend on all tents.
      ['stays', 'stay 1', 'hotels', 'tent 2'],
    ],
    [
      'a removal from two tables',
      inFlush(
        em => em.findOneOrFail(Hotel, 1),
        (one, em) => em.remove(one),
      ),
      STAYS,
    ],
    ['a removal of the row of a parent, by SQL', em => em.execute('delete from stay where id = 1'), STAYS],
    [
      'on delete cascade, over two tables',
      em => em.nativeDelete(Land, { code: 'NO' }),
      ['land NO', 'cities', 'city 1', 'streets', 'street 1'],
    ],
    [
      'on delete cascade, by a removal',
      inFlush(
        async em => em.getReference(Land, 'NO'),
        (one, em) => em.remove(one),
      ),
      ['land NO', 'cities', 'city 1', 'streets', 'street 1'],
    ],
    [
      'on delete cascade, by Kysely',
      em => kysely(em).deleteFrom('land').where('code', '=', 'NO').execute(),
      ['land NO', 'cities', 'city 1', 'streets', 'street 1'],
    ],
    [
      'on delete set null',
      em => em.nativeDelete(Guide, { id: 1 }),
      ['cities', 'city 1', 'streets', 'street 1', 'guides'],
    ],
    [
      'on update cascade',
      em => em.nativeUpdate(Land, { code: 'NO' }, { code: 'NN' }),
      ['land NO', 'cities', 'city 1', 'streets', 'street 1'],
    ],
    [
      'an update that is passed on to nobody',
      em => em.nativeUpdate(Land, { code: 'NO' }, { name: 'Norge' }),
      ['land NO'],
    ],
    ['an update of who refers', em => em.nativeUpdate(City, { id: 1 }, { guide: null }), ['cities', 'city 1']],
    [
      'truncate cascade',
      em => em.execute('truncate land cascade'),
      ['land NO', 'land SE', 'cities', 'city 1', 'streets', 'street 1'],
    ],
    [
      'a composite key',
      inFlush(
        em => em.findOneOrFail(Seat, { train: 1, number: 1 }),
        one => (one.free = false),
      ),
      ['seat 1 of train 1', 'seat 2 of train 1', 'seats of train 1'],
    ],
    [
      'part of a composite key',
      em => em.nativeUpdate(Seat, { train: 3 }, { free: false }),
      ['seat 1 of train 3', 'seats of train 3'],
    ],
    ['the schema generator', () => world.schema.update(), []],
    [
      'the schema generator, with something to do',
      async em => {
        await em.execute('alter table guide add column note text');
        await warm(world, READS_OF);
        await world.schema.update();
      },
      Object.keys(READS_OF) as NameOf[],
    ],
  ])('%s', async (_what, write, ends) => {
    expect(await invalidAfter(world, READS_OF, write)).toEqual(ends);
  });
});
