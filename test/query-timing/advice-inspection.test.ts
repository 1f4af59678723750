import { defineEntity, MikroORM, p } from '@mikro-orm/postgresql';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Finding } from '../../packages/query-timing/src/finding.ts';
import type { Model } from '../../packages/query-timing/src/model.ts';
import { OrmModel } from '../../packages/query-timing/src/seam/model.ts';
import { duplicateIndexes } from '../../packages/query-timing/src/advice/duplicate-indexes.ts';
import type { Inventory, InventoryIndex } from '../../packages/query-timing/src/advice/index-inventory.ts';
import { unusedIndexes } from '../../packages/query-timing/src/advice/unused-indexes.ts';
import { closeAfter } from '../harness/close-after.ts';
import { Explainer, Place } from './fixtures/plans.ts';

/* Indexes that nobody uses, that another does the work of, and foreign keys that have none. */

const Author = defineEntity({
  name: 'Author',
  properties: () => ({ id: p.integer().primary(), name: p.string(), email: p.string().unique() }),
});

const Book = defineEntity({
  name: 'Book',
  indexes: [{ name: 'book_by_title', properties: ['title'] }, { properties: ['pages'] }],
  properties: () => ({
    id: p.integer().primary(),
    title: p.string(),
    pages: p.integer(),
    author: () => p.manyToOne(Author).index(),
    editor: () => p.manyToOne(Author).nullable(),
    tags: () => p.manyToMany(Tag),
  }),
});

const Tag = defineEntity({ name: 'Tag', properties: { id: p.integer().primary() } });

let place: Place;
let model: Model;
beforeAll(async () => {
  place = await Place.open();
  const orm = await MikroORM.init({
    entities: [Author, Book, Tag],
    clientUrl: place.url,
    debug: false,
    logger: () => {},
    ensureDatabase: false,
  });
  closeAfter(() => orm.close(true));
  await orm.schema.create();
  model = new OrmModel(orm, []);
  await place.run(
    `insert into author select n, 'n' || n, 'e' || n from generate_series(1, 1000) n`,
    `insert into book select n, 't' || n, n % 500, n % 1000 + 1, n % 1000 + 1 from generate_series(1, 5000) n`,
    'insert into tag select generate_series(1, 10)',
    'insert into book_tags select n, n % 10 + 1 from generate_series(1, 5000) n',
    // Same columns, the same and more, some rows, another order, an expression, included columns.
    'create index pages_again on book (pages)',
    'create index author_and_pages on book (author_id, pages)',
    'create index some_pages on book (pages) where pages > 5',
    'create index pages_backwards on book (pages desc, id)',
    'create index lower_title on book (lower(title))',
    'create index lower_title_and_more on book (lower(title), pages)',
    'create index pages_including on book (pages) include (title)',
    'create index hashed on book using hash (pages)',
    'create table unmapped (id int)',
    'insert into unmapped select generate_series(1, 5000)',
    'create index unmapped_id on unmapped (id)',
    'analyze',
  );
  // One is used.
  await place.run('set enable_seqscan = off');
  await place.rows(`select id from book where title = 't7'`);
  await place.rows('select pg_stat_force_next_flush()');
});

async function inspected(minRows = 500): Promise<Finding[]> {
  const explainer = new Explainer(place, { advice: { minRows }, model });
  await explainer.plans.inspect();
  expect(explainer.failures).toEqual([]);
  return explainer.findings;
}

async function found(kind: Finding['kind']): Promise<Finding[]> {
  return (await inspected()).filter(each => each.kind === kind);
}

test('a foreign key without an index is told with what it costs, and where to mend it', async () => {
  expect(await found('missing-foreign-key-index')).toMatchObject([
    {
      severity: 'warning',
      title:
        'The foreign key editor_id of book has no index: each delete from author, and each change of its key, reads all 5,000 rows of book.',
      subject: 'book (editor_id)',
      fix:
        '.index(), @ManyToOne({ index: true })  // on Book.editor\n' +
        'create index concurrently "book_editor_id_index" on "book" ("editor_id");',
    },
    {
      subject: 'book_tags (tag_id)',
      fix:
        '.index(), @ManyToMany({ index: true })  // on Book.tags\n' +
        'create index concurrently "book_tags_tag_id_index" on "book_tags" ("tag_id");',
    },
  ]);
});

test('and the index that is told mends it; one of some rows, or with another column first, does not', async () => {
  const subjects = async (): Promise<string[]> =>
    (await found('missing-foreign-key-index')).map(({ subject }) => subject);
  const [finding] = await found('missing-foreign-key-index');
  await place.run(finding!.fix!.split('\n')[1]!);
  expect(await subjects()).toEqual(['book_tags (tag_id)']);
  await place.run('drop index book_editor_id_index', 'create index partly on book (editor_id) where pages > 5');
  expect(await subjects()).toContain('book (editor_id)');
  await place.run('drop index partly', 'create index second on book (pages, editor_id)');
  expect(await subjects()).toContain('book (editor_id)');
  await place.run('drop index second');
});

test('and so does the entity, with what is told of it', async () => {
  const Indexed = defineEntity({
    name: 'Book',
    properties: () => ({
      id: p.integer().primary(),
      editor: () => p.manyToOne(Author).index(),
      tags: () => p.manyToMany(Tag).index(),
    }),
  });
  const other = await Place.open();
  const orm = await MikroORM.init({
    entities: [Author, Indexed, Tag],
    clientUrl: other.url,
    debug: false,
    logger: () => {},
    ensureDatabase: false,
  });
  closeAfter(() => orm.close(true));
  await orm.schema.create();
  await other.run('analyze');
  const explainer = new Explainer(other, { advice: { minRows: 0 }, model: new OrmModel(orm, []) });
  await explainer.plans.inspect();
  expect(explainer.findings.filter(({ kind }) => kind === 'missing-foreign-key-index')).toEqual([]);
});

test('indexes that another does the work of', async () => {
  const duplicates = await found('duplicate-index');
  expect(duplicates.map(({ title }) => title)).toEqual([
    'The index book_author_id_index of book is superfluous: author_and_pages begins with the same columns.',
    'The index book_pages_index of book is superfluous: pages_including has the same columns.',
    'The index lower_title of book is superfluous: lower_title_and_more begins with the same columns.',
    'The index pages_again of book is superfluous: book_pages_index has the same columns.',
  ]);
  expect(duplicates.map(({ fix }) => fix)).toEqual([
    '// remove it from Book: index of author\ndrop index concurrently "book_author_id_index";',
    '// remove it from Book: index of pages\ndrop index concurrently "book_pages_index";',
    '// Book does not declare it: a migration drops it\ndrop index concurrently "lower_title";',
    '// remove it from Book: index of pages\ndrop index concurrently "pages_again";',
  ]);
  expect(duplicates[0]!.evidence).toEqual([
    expect.stringMatching(/^It takes \d+ kB, and each write has to keep it up\.$/),
  ]);
});

test('indexes that nobody has used; not those that something needs, and each but once', async () => {
  const unused = await found('unused-index');
  expect(unused.map(({ subject, title }) => [title.split(' ')[2], subject])).toEqual([
    ['author_and_pages', 'book (author_id, pages)'],
    ['hashed', 'book (pages)'],
    ['lower_title_and_more', 'book ((expression), pages)'],
    ['pages_backwards', 'book (pages, id)'],
    ['pages_including', 'book (pages)'],
    ['some_pages', 'book (pages)'],
  ]);
  const first = unused[0]!;
  expect(first).toMatchObject({
    // The server was started a moment ago.
    severity: 'info',
    title: expect.stringMatching(/^The index author_and_pages of book was never used, and takes \d+ kB\.$/),
    evidence: [
      expect.stringMatching(/^The statistics have been counting for [\d.]+ hours: look again after a day of use\.$/),
      'A replica counts for itself: look there, too, before it is dropped.',
      'It is of a foreign key: without it each delete from author reads all of book.',
    ],
  });
});

test('tables that are small, or that no entity maps, are passed over', async () => {
  expect(JSON.stringify(await inspected())).not.toContain('unmapped');
  expect(await inspected(5_001)).toEqual([]);
});

test('a look changes nothing, and is told the same again', async () => {
  const ids = (await inspected()).map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  expect((await inspected()).map(({ id }) => id)).toEqual(ids);
});

describe('of an inventory', () => {
  const index = (parts: Partial<InventoryIndex> & Pick<InventoryIndex, 'name'>): InventoryIndex => ({
    schema: 'public',
    table: 'book',
    rows: 5_000,
    columns: ['a'],
    keys: ['a 1 0 0'],
    included: [],
    method: 'btree',
    predicate: undefined,
    needed: false,
    scans: 5,
    size: 8_192,
    ...parts,
  });
  const inventory = (indexes: readonly InventoryIndex[], counting = 0): Inventory => ({
    indexes,
    foreignKeys: [],
    counting,
  });
  const nothing: Model = { byTable: () => undefined, byName: () => undefined, entities: [] };
  const superfluous = (...indexes: InventoryIndex[]): string[] =>
    duplicateIndexes(inventory(indexes), nothing).map(({ title }) => title.split(' ')[2]!);

  test('of two that are the same, one goes: the one that nothing needs', () => {
    expect(superfluous(index({ name: 'x' }), index({ name: 'y' }))).toEqual(['y']);
    expect(superfluous(index({ name: 'x' }), index({ name: 'y', needed: true }))).toEqual(['x']);
    expect(superfluous(index({ name: 'x', needed: true }), index({ name: 'y', needed: true }))).toEqual([]);
    expect(superfluous(index({ name: 'x' }), index({ name: 'y' }), index({ name: 'z' }))).toEqual(['y', 'z']);
  });

  test('not where the order, the rows, the table, or the method is another', () => {
    const one = index({ name: 'x' });
    for (const other of [
      { keys: ['a 1 0 3'] },
      { keys: ['a 2 0 0'] },
      { predicate: '(a > 5)' },
      { table: 'author' },
      { schema: 'other' },
      { method: 'gin' },
    ]) {
      expect(superfluous(one, index({ name: 'y', ...other })), JSON.stringify(other)).toEqual([]);
    }
  });

  test('one that begins like another goes, of btrees alone, and with what it includes', () => {
    const long = { columns: ['a', 'b'], keys: ['a 1 0 0', 'b 1 0 0'] };
    expect(superfluous(index({ name: 'x' }), index({ name: 'y', ...long }))).toEqual(['x']);
    expect(superfluous(index({ name: 'x', method: 'gin' }), index({ name: 'y', method: 'gin', ...long }))).toEqual([]);
    expect(superfluous(index({ name: 'x', included: ['b'] }), index({ name: 'y', ...long }))).toEqual(['x']);
    expect(superfluous(index({ name: 'x', included: ['c'] }), index({ name: 'y', ...long }))).toEqual([]);
    expect(superfluous(index({ name: 'x', needed: true }), index({ name: 'y', ...long }))).toEqual([]);
  });

  test('what was never used in a day is a warning', () => {
    const unused = (counting: number): Finding[] => [
      ...unusedIndexes(inventory([index({ name: 'x', scans: 0 }), index({ name: 'y' })], counting), nothing),
    ];
    expect(unused(86_399)).toMatchObject([{ severity: 'info' }]);
    expect(unused(200_000)).toMatchObject([
      {
        severity: 'warning',
        fix: 'drop index concurrently "x";',
        evidence: [
          'The statistics have been counting for 2 days at least.',
          'A replica counts for itself: look there, too, before it is dropped.',
        ],
      },
    ]);
  });
});
