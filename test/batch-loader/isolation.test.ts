import { type EntityManager, LockMode, type MikroORM, raw, wrap } from '@mikro-orm/core';
import { defineEntity, p } from '@mikro-orm/postgresql';
import { BatchLoaderError, batchLoader } from '@mikrokit/batch-loader';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openOrm } from '../harness/orm.ts';
import { type Recorder, recordQueries } from '../harness/recorder.ts';
import { createRandom } from './random.ts';

/*
 * What must not share a statement, and whose failure must not be another's.
 */

const Folder = defineEntity({
  name: 'Folder',
  properties: {
    id: p.integer().primary(),
    notes: () => p.oneToMany(Note).mappedBy('folder'),
    labels: () => p.manyToMany(Label).owner(),
  },
});
const Note = defineEntity({
  name: 'Note',
  filters: { tenant: { name: 'tenant', cond: (args: { id: number }) => ({ tenant: args.id }), default: true } },
  properties: {
    id: p.integer().primary(),
    tenant: p.integer(),
    text: p.string(),
    body: p.text().lazy().ref().nullable(),
    folder: () => p.manyToOne(Folder).ref(),
    label: () => p.manyToOne(Label).ref(),
  },
});
const Label = defineEntity({ name: 'Label', properties: { id: p.integer().primary(), name: p.string() } });
/** Lives in the schema of its owner's tenant. */
const Parcel = defineEntity({
  name: 'Parcel',
  schema: '*',
  properties: { id: p.integer().primary(), name: p.string(), slips: () => p.oneToMany(Slip).mappedBy('parcel') },
});
const Slip = defineEntity({
  name: 'Slip',
  schema: '*',
  properties: { id: p.integer().primary(), name: p.string(), parcel: () => p.manyToOne(Parcel).ref() },
});
const entities = [Folder, Note, Label, Parcel, Slip];

let orm: MikroORM;
let recorder: Recorder;

beforeAll(async () => {
  orm = await openOrm({ entities, extensions: [batchLoader()] });
  // Every folder holds two notes of each tenant.
  await orm.em.getConnection().execute(`
    insert into "label" select n, 'label ' || n from generate_series(1, 3) n;
    insert into "folder" select n from generate_series(1, 6) n;
    insert into "folder_labels" select n, 1 + n % 3 from generate_series(1, 6) n;
    insert into "note" (id, tenant, text, body, folder_id, label_id)
      select n, 1 + n % 2, 'note ' || n, 'body ' || n, 1 + (n - 1) / 4, 1 + n % 3 from generate_series(1, 24) n;
    create schema "one"; create schema "two";
    create table "one"."parcel" (id int primary key, name text); create table "two"."parcel" (like "one"."parcel");
    create table "one"."slip" (id int primary key, name text, parcel_id int); create table "two"."slip" (like "one"."slip");
    insert into "one"."parcel" values (1, 'one 1'), (2, 'one 2'); insert into "two"."parcel" values (1, 'two 1'), (2, 'two 2');
    insert into "one"."slip" values (1, 'one 1', 1), (2, 'one 2', 2); insert into "two"."slip" values (1, 'two 1', 1), (2, 'two 2', 1);
  `);
  recorder = recordQueries(orm);
});

beforeEach(() => recorder.clear());

const forkOf = (tenant: number): EntityManager => {
  const em = orm.em.fork();
  em.setFilterParams('tenant', { id: tenant });
  return em;
};

type Any = never;
const names = (items: readonly object[]): string[] =>
  items.map(item => (item as { name?: string; text?: string }).name ?? (item as { text: string }).text);

describe('two tenants', () => {
  test('loads of forks with other filter parameters, made at the same time, never meet', async () => {
    const random = createRandom();
    for (let round = 0; round < 60; round++) {
      const loads: Promise<unknown>[] = [];
      for (let i = 0; i < 6; i++) {
        const tenant = 1 + random.int(2);
        const em = forkOf(tenant);
        const folders = await em.find(Folder, {});
        for (const folder of folders) {
          const expectOwn = (notes: readonly { tenant: number }[]): void => {
            expect(
              notes.map(note => note.tenant),
              `seed ${random.seed}`,
            ).toEqual(notes.map(() => tenant));
            expect(notes, `seed ${random.seed}`).toHaveLength(2);
          };
          loads.push(
            random.pick([
              () => folder.notes.loadItems().then(expectOwn),
              () =>
                folder.notes
                  .loadItems({ where: { text: { $like: 'note%' } }, orderBy: { id: 'desc' } })
                  .then(expectOwn),
              () => folder.notes.loadItems({ limit: 9 }).then(expectOwn),
              () => folder.notes.loadCount().then(count => expect(count).toBe(2)),
            ])(),
          );
          const id = 1 + random.int(24);
          loads.push(
            em
              .getReference(Note, id, { wrapped: true })
              .load({ refresh: true })
              .then(note => expect(note?.tenant ?? 'hidden').toBe(1 + (id % 2) === tenant ? tenant : 'hidden')),
          );
        }
      }
      await Promise.all(loads);
    }
  });

  test('a load keeps the filter parameters it was called with', async () => {
    const em = forkOf(1);
    const [a, b] = await em.find(Folder, [1, 2], { orderBy: { id: 'asc' } });
    recorder.clear();
    const first = a!.notes.loadItems();
    em.setFilterParams('tenant', { id: 2 });
    const second = b!.notes.loadItems();
    expect([...(await first), ...(await second)].map(note => note.tenant)).toEqual([1, 1, 2, 2]);
    // At the same time, in any order.
    expect(new Set(recorder.queries.map(({ params }) => params.join()))).toEqual(new Set(['1,1', '2,2']));
  });

  test('and so does one that is on its way, with the relations it goes on to populate', async () => {
    const em = forkOf(1);
    const [folder] = await em.find(Folder, [1]);
    const notes = folder!.notes.loadItems({ populate: ['folder'], strategy: 'select-in' } as Any);
    await new Promise(resolve => setImmediate(resolve));
    em.setFilterParams('tenant', { id: 2 });
    expect(((await notes) as { tenant: number }[]).map(note => note.tenant)).toEqual([1, 1]);
  });

  test('a filter added meanwhile does not apply to it either', async () => {
    const em = forkOf(1);
    const [folder] = await em.find(Folder, [1]);
    const before = folder!.notes.loadCount();
    em.addFilter({ name: 'none', cond: { id: -1 } as Any, entity: [Note] as Any });
    expect([await before, await folder!.notes.loadCount({ refresh: true })]).toEqual([2, 0]);
  });

  test('filters that differ by call are statements of their own', async () => {
    const em = forkOf(1);
    const folders = await em.find(Folder, {});
    recorder.clear();
    const counts = await Promise.all(
      folders.map((folder, index) =>
        folder.notes.loadCount({ filters: index % 2 === 0 ? { tenant: { id: 2 } } : false }),
      ),
    );
    expect(counts).toEqual([2, 4, 2, 4, 2, 4]);
    expect(recorder.sql).toHaveLength(2);
  });
});

describe('schema', () => {
  test('rows of equal keys in two schemas are not mixed up', async () => {
    const one = orm.em.fork({ schema: 'one' });
    const two = orm.em.fork({ schema: 'two' });
    const parcels = [
      ...(await one.find(Parcel, {}, { orderBy: { id: 'asc' } })),
      ...(await two.find(Parcel, {}, { orderBy: { id: 'asc' } })),
    ];
    expect((await Promise.all(parcels.map(parcel => parcel.slips.loadItems()))).map(names)).toEqual([
      ['one 1'],
      ['one 2'],
      ['two 1', 'two 2'],
      [],
    ]);
  });

  test('not even on one fork', async () => {
    const em = orm.em.fork();
    const parcels = [
      ...(await em.find(Parcel, {}, { schema: 'one', orderBy: { id: 'asc' } })),
      ...(await em.find(Parcel, {}, { schema: 'two', orderBy: { id: 'asc' } })),
    ];
    const slips = [...(await em.find(Slip, {}, { schema: 'one' })), ...(await em.find(Slip, {}, { schema: 'two' }))];
    recorder.clear();
    const loaded = await Promise.all([
      ...parcels.map(parcel => parcel.slips.loadCount({ schema: wrap(parcel).getSchema()! })),
      ...slips.map(slip => slip.parcel.load({ refresh: true }).then(parcel => parcel!.name)),
    ]);
    expect(loaded).toEqual([1, 1, 2, 0, 'one 1', 'one 2', 'two 1', 'two 1']);
  });

  test('a load keeps the schema that its fork had', async () => {
    const em = orm.em.fork({ schema: 'one' });
    const [parcel] = await em.find(Parcel, [1]);
    const count = parcel!.slips.loadCount();
    em.schema = 'two';
    expect([await count, await parcel!.slips.loadCount({ refresh: true })]).toEqual([1, 2]);
  });
});

describe('transactions', () => {
  test('a load inside one sees what it wrote; one outside, at the same time, does not', async () => {
    const outside = forkOf(1);
    const [other] = await outside.find(Folder, [1]);
    await forkOf(1).transactional(async em => {
      const [folder] = await em.find(Folder, [1]);
      await em.nativeUpdate(Note, { folder: 1 }, { text: 'written' }, { filters: false });
      const [inside, before] = await Promise.all([folder!.notes.loadItems(), other!.notes.loadItems()]);
      expect([names(inside), names(before)]).toEqual([
        ['written', 'written'],
        ['note 2', 'note 4'],
      ]);
      await em.nativeUpdate(Note, { folder: 1 }, { text: raw(`'note ' || id`) } as Any, { filters: false });
    });
  });

  test('begin() and commit() send what was asked for before them', async () => {
    const em = forkOf(1);
    const folders = await em.find(Folder, {}, { orderBy: { id: 'asc' } });
    recorder.clear();
    const before = folders[0]!.notes.loadCount();
    await em.begin();
    const inside = folders[1]!.notes.loadCount();
    await em.commit();
    const after = folders[2]!.notes.loadCount();
    expect(await Promise.all([before, inside, after])).toEqual([2, 2, 2]);
    expect(recorder.sql.map(sql => sql.split(' ')[0])).toEqual(['select', 'begin', 'select', 'commit', 'select']);
  });

  test('a load that a transaction did not await still runs in it', async () => {
    const em = forkOf(1);
    recorder.clear();
    let count: Promise<number> | undefined;
    await em.transactional(async trx => {
      const [folder] = await trx.find(Folder, [1]);
      count = folder!.notes.loadCount();
    });
    expect(await count).toBe(2);
    expect(recorder.sql.map(sql => sql.split(' ')[0])).toEqual(['begin', 'select', 'select', 'commit']);
  });

  test('one bad load fails the others with it, and says so', async () => {
    await expect(
      forkOf(1).transactional(async em => {
        const [a, b] = await em.find(Folder, [1, 2]);
        const results = await Promise.allSettled([
          a!.notes.loadItems({ where: { text: 'note 2' } }),
          b!.notes.loadItems({ where: { id: raw(`'x'::int`) } as Any }),
        ]);
        expect(
          results.map(result => (result.status === 'rejected' ? (result.reason as Error).message : 'fine')),
        ).toEqual([
          expect.stringMatching(
            /^One of 2 loads of Folder in this batch failed inside a transaction\. PostgreSQL aborts the whole transaction/,
          ),
          expect.stringMatching(
            /^One of 2 loads of Folder in this batch failed inside a transaction\. PostgreSQL aborts the whole transaction/,
          ),
        ]);
        const { reason } = results[0] as PromiseRejectedResult;
        expect(reason).toBeInstanceOf(BatchLoaderError);
        expect(reason).toMatchObject({ code: 'TRANSACTION_ABORTED', cause: { code: '22P02' } });
        throw new Error('rolled back');
      }),
    ).rejects.toThrow('rolled back');
  });

  test('locks are taken, and only by the loads that ask for them', async () => {
    await forkOf(1).transactional(async em => {
      const notes = await em.find(Note, [1, 2, 3, 4], { filters: false });
      recorder.clear();
      await Promise.all(
        notes.map((note, index) =>
          note.label.load({ refresh: true, ...(index < 2 ? { lockMode: LockMode.PESSIMISTIC_WRITE } : {}) }),
        ),
      );
      expect(recorder.sql.filter(sql => sql.endsWith('for update'))).toHaveLength(1);
      expect(recorder.sql).toHaveLength(2);
    });
  });

  test('a lock outside a transaction is refused as alone', async () => {
    const em = forkOf(1);
    const note = await em.findOneOrFail(Note, 2, { filters: false });
    await expect(note.label.load({ lockMode: LockMode.PESSIMISTIC_WRITE })).rejects.toThrow(
      'An open transaction is required for this operation',
    );
  });
});

describe('errors', () => {
  test('a bad value fails its own call, the others of the statement succeed', async () => {
    const em = forkOf(1);
    const folders = await em.find(Folder, {}, { orderBy: { id: 'asc' } });
    const results = await Promise.allSettled(
      folders.map((folder, index) =>
        folder.notes.loadItems({ where: { id: index === 3 ? ('no number' as Any) : { $gt: 0 } } }),
      ),
    );
    expect(results.map(result => result.status)).toEqual([
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
    ]);
    expect((results[3] as PromiseRejectedResult).reason).toMatchObject({ code: '22P02' });
  });

  test('a key that is none fails its own reference', async () => {
    const em = forkOf(1);
    const results = await Promise.allSettled(
      [1, 'x', 2, 99].map(id => em.getReference(Label, id as Any, { wrapped: true }).load()),
    );
    expect(results.map(result => (result.status === 'fulfilled' ? (result.value?.name ?? null) : 'failed'))).toEqual([
      'label 1',
      'failed',
      'label 2',
      null,
    ]);
  });

  test('options that fail are no business of other options', async () => {
    const em = forkOf(1);
    const notes = await em.find(Note, {}, { filters: false });
    const results = await Promise.allSettled(
      notes.map((note, index) => note.label.load(index % 2 === 0 ? {} : ({ populate: ['nope'] } as Any))),
    );
    expect(results.map(result => result.status)).toEqual(
      notes.map((_, index) => (index % 2 === 0 ? 'fulfilled' : 'rejected')),
    );
  });

  test('what is wrong for all of them is not tried call by call', async () => {
    const em = forkOf(1);
    const folders = await em.find(Folder, {});
    recorder.clear();
    const results = await Promise.allSettled(
      folders.map(folder => folder.notes.loadItems({ orderBy: { [raw('no_such_column')]: 'asc' } as Any })),
    );
    expect(results.map(result => result.status)).toEqual(folders.map(() => 'rejected'));
    // The statement, and three samples.
    expect(recorder.sql).toHaveLength(4);
  });
});

describe('session context', () => {
  test('row level security of two tenants, at the same time', async () => {
    const Secret = defineEntity({
      name: 'Secret',
      properties: { id: p.integer().primary(), tenant: p.string(), safe: () => p.manyToOne(Safe).ref() },
    });
    const Safe = defineEntity({
      name: 'Safe',
      properties: { id: p.integer().primary(), secrets: () => p.oneToMany(Secret).mappedBy('safe') },
    });
    const guarded = await openOrm({
      entities: [Safe, Secret],
      extensions: [batchLoader()],
      sessionContext: 'transaction',
    });
    const role = `batch_loader_${process.pid}`;
    await guarded.em.getConnection().execute(`
      insert into "safe" values (1), (2); insert into "secret" values (1, 'a', 1), (2, 'b', 1), (3, 'a', 2), (4, 'a', 2);
      alter table "secret" enable row level security;
      create policy tenant on "secret" using (tenant = current_setting('app.tenant', true));
      create role ${role}; grant select on all tables in schema public to ${role};
    `);
    try {
      const counts = await Promise.all(
        ['a', 'b', 'a', 'b'].map(async tenant => {
          const em = guarded.em.fork();
          em.setSessionContext({ role, variables: { 'app.tenant': tenant } });
          const safes = await em.find(Safe, {}, { orderBy: { id: 'asc' } });
          const before = safes.map(safe => safe.secrets.loadItems().then(items => items.length));
          // From here on another tenant; the loads above are not.
          em.setSessionContext({ role, variables: { 'app.tenant': tenant === 'a' ? 'b' : 'a' } });
          return Promise.all([...before, ...safes.map(safe => safe.secrets.loadCount({ refresh: true }))]);
        }),
      );
      expect(counts).toEqual([
        [1, 2, 1, 0],
        [1, 0, 1, 2],
        [1, 2, 1, 0],
        [1, 0, 1, 2],
      ]);
    } finally {
      await guarded.em.getConnection().execute(`drop owned by ${role}; drop role ${role}`);
    }
  });
});
