import { describe, expect, test } from 'vitest';
import { AdvisedIndexes, merged, type Wanting } from '../../packages/query-timing/src/advice/advised-indexes.ts';
import { chooseIndex, type ChosenIndex } from '../../packages/query-timing/src/advice/index-choice.ts';
import { createIndexSql, entityCode, indexName } from '../../packages/query-timing/src/advice/index-code.ts';
import type { ColumnFacts, IndexFacts } from '../../packages/query-timing/src/advice/index-facts.ts';
import { judge } from '../../packages/query-timing/src/advice/verdict.ts';
import { type WantedIndex, wantedIndexes } from '../../packages/query-timing/src/advice/wanted-index.ts';
import type { EntityModel } from '../../packages/query-timing/src/model.ts';
import type { PlanJson } from '../../packages/query-timing/src/plans/plan-json.ts';
import { scan } from '../../packages/query-timing/src/sql/scan.ts';

/* Which index is thought of: from what a plan reads, the columns' values, and the indexes that are there. */

const ROWS = 100_000;

/** Column: how many different values, and the part that is null. */
type Columns = Readonly<Record<string, number | readonly [distinct: number, nulls: number]>>;

function want(parts: Partial<WantedIndex>): WantedIndex {
  return {
    schema: 'public',
    name: 'book',
    equality: [],
    range: [],
    sort: [],
    isNull: [],
    node: 'Seq Scan on book',
    ...parts,
  };
}

function by(column: string, descending = false, nullsFirst = descending): WantedIndex['sort'][number] {
  return { column, descending, nullsFirst };
}

function chosen(
  wanted: WantedIndex,
  columns: Columns = {},
  indexes: readonly Partial<IndexFacts>[] = [],
): string | undefined {
  const facts = new Map<string, ColumnFacts>(
    Object.entries(columns).map(([name, value]) => {
      const [distinct, nulls] = typeof value === 'number' ? [value, 0] : value;
      return [name, { distinct, nulls }];
    }),
  );
  const there = indexes.map(index => ({
    name: 'there',
    columns: [],
    unique: false,
    usable: true,
    predicate: undefined,
    ...index,
  }));
  const index = chooseIndex(wanted, { rows: ROWS, columns: facts, indexes: there });
  return (
    index &&
    createIndexSql({ schema: undefined, name: 'book' }, index)
      .replace(/^.* on "book" /, '')
      .replaceAll('"', '')
  );
}

describe('columns', () => {
  test('of equalities, the most selective first', () => {
    expect(chosen(want({ equality: ['kind', 'author_id'] }), { kind: 20, author_id: 1_000 })).toBe(
      '(author_id, kind);',
    );
  });

  test('no more of them when few rows are left', () => {
    expect(chosen(want({ equality: ['kind', 'isbn'] }), { kind: 20, isbn: ROWS })).toBe('(isbn);');
    expect(chosen(want({ equality: ['kind', 'isbn'] }), { kind: 20, isbn: ROWS / 51 })).toBe('(isbn, kind);');
  });

  test('none that keeps most rows', () => {
    expect(chosen(want({ equality: ['author_id', 'published'] }), { author_id: 100, published: 2 })).toBe(
      '(author_id);',
    );
    expect(chosen(want({ equality: ['published'] }), { published: 2 })).toBeUndefined();
    expect(chosen(want({ equality: ['published'] }), { published: 4 })).toBe('(published);');
  });

  test('in the order of the plan, of which nothing is known', () => {
    expect(chosen(want({ equality: ['b', 'a'] }))).toBe('(b, a);');
  });

  test('then one range', () => {
    expect(chosen(want({ equality: ['author_id'], range: ['created_at', 'pages'] }), { author_id: 1_000 })).toBe(
      '(author_id, created_at);',
    );
    expect(chosen(want({ range: ['created_at', 'pages'] }))).toBe('(created_at);');
    // With fewer than 50 rows left it is not worth it.
    expect(chosen(want({ equality: ['author_id'], range: ['created_at'] }), { author_id: 5_000 })).toBe('(author_id);');
  });

  test('or the order, before a range', () => {
    const sort = [by('created_at', true), by('id', true)];
    expect(chosen(want({ equality: ['author_id'], range: ['pages'], sort }), { author_id: 1_000 })).toBe(
      '(author_id, created_at, id);',
    );
    expect(chosen(want({ sort: [by('created_at')] }))).toBe('(created_at);');
    expect(chosen(want({ equality: ['author_id'], sort: [by('author_id'), by('created_at')] }))).toBe(
      '(author_id, created_at);',
    );
  });

  test('with directions only where one does not do for all', () => {
    expect(chosen(want({ sort: [by('a'), by('b', true)] }))).toBe('(a, b desc);');
    expect(chosen(want({ sort: [by('a', true, false)] }))).toBe('(a desc nulls last);');
    expect(chosen(want({ sort: [by('a', false, true)] }))).toBe('(a nulls first);');
    expect(chosen(want({ sort: [by('a', true), by('b', true)] }))).toBe('(a, b);');
  });

  test('three at most', () => {
    const columns = { a: 4, b: 4, c: 4, d: 4 };
    expect(chosen(want({ equality: ['a', 'b', 'c', 'd'], range: ['e'], sort: [by('f')] }), columns)).toBe('(a, b, c);');
    expect(chosen(want({ equality: ['a', 'b'], sort: [by('f'), by('g')] }), columns)).toBe('(a, b, f);');
  });

  test('of rows alone in which another is null', () => {
    expect(chosen(want({ equality: ['author_id'], isNull: ['deleted_at'] }), { deleted_at: [1_000, 0.75] })).toBe(
      '(author_id) where deleted_at is null;',
    );
    expect(chosen(want({ equality: ['author_id'], isNull: ['deleted_at'] }))).toBe(
      '(author_id) where deleted_at is null;',
    );
    // It always is.
    expect(chosen(want({ equality: ['author_id'], isNull: ['deleted_at'] }), { deleted_at: [1, 1] })).toBe(
      '(author_id);',
    );
  });

  test('of rows alone in which the only one is null, if there are few of them', () => {
    expect(chosen(want({ isNull: ['done_at'] }), { done_at: [90_000, 0.01] })).toBe('(done_at) where done_at is null;');
    expect(chosen(want({ isNull: ['done_at'] }), { done_at: [90_000, 0.5] })).toBeUndefined();
    expect(chosen(want({ isNull: ['done_at'], sort: [by('id')] }), { done_at: [90_000, 0.01] })).toBe(
      '(id) where done_at is null;',
    );
  });

  test('none for nothing', () => {
    expect(chosen(want({}))).toBeUndefined();
  });
});

describe('an index that is there', () => {
  const wanted = want({ equality: ['author_id', 'kind'], sort: [by('created_at')] });

  test.each([
    ['the same', { columns: ['author_id', 'kind', 'created_at'] }],
    ['equalities in another order', { columns: ['kind', 'author_id', 'created_at'] }],
    ['more columns', { columns: ['kind', 'author_id', 'created_at', 'x'] }],
    ['a unique one', { columns: ['author_id', 'kind', 'created_at'], unique: true }],
  ])('is enough: %s', (_what, index) => {
    expect(chosen(wanted, {}, [index])).toBeUndefined();
  });

  test.each([
    ['fewer columns', { columns: ['author_id', 'kind'] }],
    ['the order first', { columns: ['created_at', 'author_id', 'kind'] }],
    ['another column between', { columns: ['author_id', 'kind', 'x', 'created_at'] }],
    ['an expression', { columns: ['author_id', 'kind', undefined] }],
    ['another method, or one that is not valid', { columns: ['author_id', 'kind', 'created_at'], usable: false }],
    ['of some rows', { columns: ['author_id', 'kind', 'created_at'], predicate: '(deleted_at IS NULL)' }],
  ])('is not enough: %s', (_what, index) => {
    expect(chosen(wanted, {}, [index])).toBe('(author_id, kind, created_at);');
  });

  test('of the same rows', () => {
    const partial = want({ equality: ['author_id'], isNull: ['deleted_at'] });
    expect(chosen(partial, {}, [{ columns: ['author_id'], predicate: '(deleted_at IS NULL)' }])).toBeUndefined();
    expect(chosen(partial, {}, [{ columns: ['author_id'] }])).toBeUndefined();
    expect(chosen(partial, {}, [{ columns: ['author_id'], predicate: '(pages > 5)' }])).toBeDefined();
  });
});

describe('what a plan wants', () => {
  const scanned = (parts: Readonly<Record<string, unknown>>): PlanJson => ({
    'Node Type': 'Seq Scan',
    'Relation Name': 'book',
    Schema: 'public',
    Alias: 'b0',
    'Plan Rows': 100_000,
    ...parts,
  });

  test('of a scan: its conditions', () => {
    expect(
      wantedIndexes(scanned({ Filter: '((b0.deleted_at IS NULL) AND (b0.pages > ?) AND (b0.author_id = ?))' })),
    ).toEqual([want({ equality: ['author_id'], range: ['pages'], isNull: ['deleted_at'] })]);
  });

  test('of a scan for the first few: the order, through workers', () => {
    const sort = (child: PlanJson): PlanJson => ({
      'Node Type': 'Limit',
      Plans: [{ 'Node Type': 'Sort', 'Sort Key': ['b0.created_at DESC', 'b0.id'], Plans: [child] }],
    });
    const expected = [want({ equality: ['author_id'], sort: [by('created_at', true), by('id')] })];
    const child = scanned({ Filter: '(b0.author_id = ?)' });
    expect(wantedIndexes(sort(child))).toEqual(expected);
    expect(wantedIndexes(sort({ 'Node Type': 'Gather', Plans: [child] }))).toEqual(expected);
    // Of two tables, by an expression, or all of it: no.
    const other = { 'Node Type': 'Sort', 'Sort Key': ['a0.name', 'b0.id'], Plans: [child] };
    expect(wantedIndexes({ 'Node Type': 'Limit', Plans: [other] })).toEqual([want({ equality: ['author_id'] })]);
    const lower = { 'Node Type': 'Sort', 'Sort Key': ['lower(b0.title)'], Plans: [child] };
    expect(wantedIndexes({ 'Node Type': 'Limit', Plans: [lower] })).toEqual([want({ equality: ['author_id'] })]);
    expect(wantedIndexes({ 'Node Type': 'Sort', 'Sort Key': ['b0.id'], Plans: [child] })).toEqual([
      want({ equality: ['author_id'] }),
    ]);
  });

  test('of the inner side of a loop: what joins it', () => {
    const join = (inner: PlanJson): PlanJson => ({
      'Node Type': 'Nested Loop',
      'Join Filter': '(a0.id = b0.author_id)',
      Plans: [{ 'Node Type': 'Index Scan' }, { ...inner, 'Parent Relationship': 'Inner' }],
    });
    expect(wantedIndexes(join(scanned({})))).toEqual([want({ equality: ['author_id'] })]);
    expect(wantedIndexes(join({ 'Node Type': 'Materialize', Plans: [scanned({})] }))).toEqual([
      want({ equality: ['author_id'] }),
    ]);
  });

  test('of a hash of much for little: what joins it', () => {
    const join = (rows: number): PlanJson => ({
      'Node Type': 'Hash Join',
      'Hash Cond': '(b0.author_id = a0.id)',
      Plans: [scanned({}), { 'Node Type': 'Hash', 'Plan Rows': rows }],
    });
    expect(wantedIndexes(join(10_000))).toEqual([want({ equality: ['author_id'] })]);
    expect(wantedIndexes(join(10_001))).toEqual([]);
  });

  test('of an index that finds too much: all of its conditions', () => {
    const index = (removed: number): PlanJson =>
      scanned({
        'Node Type': 'Index Scan',
        'Index Cond': '(b0.author_id = ?)',
        Filter: '(b0.kind = ?)',
        'Actual Rows': 10,
        'Actual Loops': 1,
        'Rows Removed by Filter': removed,
      });
    expect(wantedIndexes(index(1_000))).toEqual([
      want({ equality: ['kind', 'author_id'], node: 'Index Scan on book' }),
    ]);
    expect(wantedIndexes(index(999))).toEqual([]);
  });

  test('of an index that finds many rows, which are sorted for the first few', () => {
    const plan = (rows: number): PlanJson => ({
      'Node Type': 'Limit',
      Plans: [
        {
          'Node Type': 'Sort',
          'Sort Key': ['b0.created_at'],
          Plans: [
            scanned({ 'Node Type': 'Bitmap Heap Scan', 'Recheck Cond': '(b0.author_id = ?)', 'Plan Rows': rows }),
          ],
        },
      ],
    });
    expect(wantedIndexes(plan(1_000))).toEqual([
      want({ equality: ['author_id'], sort: [by('created_at')], node: 'Bitmap Heap Scan on book' }),
    ]);
    expect(wantedIndexes(plan(999))).toEqual([]);
  });

  test('once, if it is wanted twice; nothing of what is no scan', () => {
    const both = {
      'Node Type': 'Append',
      Plans: [scanned({ Filter: '(b0.a = ?)' }), scanned({ Filter: '(b0.a = ?)' })],
    };
    expect(wantedIndexes(both)).toHaveLength(1);
    expect(wantedIndexes({ 'Node Type': 'Function Scan', Filter: '(x = ?)' })).toEqual([]);
    expect(wantedIndexes(scanned({}))).toEqual([]);
    expect(wantedIndexes({})).toEqual([]);
  });
});

describe('as code', () => {
  const entity: EntityModel = {
    name: 'Book',
    table: 'book',
    schema: undefined,
    primaryKey: ['id'],
    properties: new Map([
      ['author_id', 'author'],
      ['created_at', 'createdAt'],
      ['deleted_at', 'deletedAt'],
      ["it's", "it's"],
      ['house', 'address'],
      ['street', 'address'],
    ]),
    relations: [],
    indexes: [],
    secret: new Set(),
    pivot: false,
  };
  const plain = (...columns: string[]): ChosenIndex => ({
    columns: columns.map(column => ({ column, order: undefined })),
    isNull: [],
  });

  test('of the entity', () => {
    expect(entityCode(entity, plain('author_id', 'created_at'))).toBe(
      `defineEntity({ name: 'Book', …, indexes: [{ properties: ['author', 'createdAt'] }] })\n` +
        `@Index({ properties: ['author', 'createdAt'] })  // on the class Book`,
    );
  });

  test('of some rows', () => {
    expect(entityCode(entity, { ...plain('author_id'), isNull: ['deleted_at', "it's"] })).toContain(
      `indexes: [{ properties: ['author'], where: { deletedAt: null, 'it\\'s': null } }]`,
    );
  });

  test('in mixed order', () => {
    const order = (descending: boolean, nullsFirst: boolean): object => ({ descending, nullsFirst });
    const columns = [
      { column: 'author_id', order: undefined },
      { column: 'created_at', order: order(true, true) },
      { column: 'deleted_at', order: order(true, false) },
    ] as ChosenIndex['columns'];
    expect(entityCode(entity, { columns, isNull: [] })).toContain(
      `[{ columns: [{ name: 'author' }, { name: 'createdAt', sort: 'desc' }, { name: 'deletedAt', sort: 'desc', nulls: 'last' }] }]`,
    );
  });

  test('once, of a property of several columns; not of a column without one', () => {
    expect(entityCode(entity, plain('house', 'street'))).toContain(`[{ properties: ['address'] }]`);
    expect(entityCode(entity, plain('unmapped'))).toBeUndefined();
    expect(entityCode(entity, { ...plain('author_id'), isNull: ['unmapped'] })).toBeUndefined();
  });

  test('of SQL, with names quoted', () => {
    expect(createIndexSql({ schema: 'my"own', name: 'a b' }, { ...plain('c"d'), isNull: ['e f'] })).toBe(
      `create index concurrently "a b_c""d_index" on "my""own"."a b" ("c""d") where "e f" is null;`,
    );
  });

  test('with a name that PostgreSQL does not cut', () => {
    expect(indexName('book', plain('author_id', 'created_at'))).toBe('book_author_id_created_at_index');
    const names = ['x', 'ä'].map(letter => indexName(letter.repeat(40), plain('column_one', 'column_two')));
    for (const name of names) {
      expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63);
      expect(name).toMatch(/_[\da-f]{8}_index$/);
      expect(name).not.toContain('\uFFFD');
    }
    expect(indexName('x'.repeat(60), plain('a'))).not.toBe(indexName('x'.repeat(60), plain('b')));
  });
});

describe('several shapes', () => {
  const index = (columns: string, ...isNull: string[]): ChosenIndex => ({
    columns: columns.split(' ').map(column => ({ column, order: undefined })),
    isNull,
  });
  const wanting = (sql: string): Wanting => ({
    shape: scan(sql),
    node: 'Seq Scan on book',
    verdict: { helps: undefined, why: '' },
  });
  const table = { schema: undefined, name: 'book' };

  test('of which one begins like the other want the longer index', () => {
    expect(merged(index('a'), index('a b'))).toEqual(index('a b'));
    expect(merged(index('a b'), index('a'))).toEqual(index('a b'));
    expect(merged(index('a b'), index('b'))).toBeUndefined();
    expect(merged(index('a b'), index('a c'))).toBeUndefined();
    const descending = { columns: [{ column: 'a', order: { descending: true, nullsFirst: false } }], isNull: [] };
    expect(merged(index('a b'), descending)).toBeUndefined();
  });

  test('of which one wants only some rows want one of all', () => {
    expect(merged(index('a', 'x'), index('a b'))).toEqual(index('a b'));
    expect(merged(index('a', 'x'), index('a b', 'x'))).toEqual(index('a b', 'x'));
    expect(merged(index('a', 'x', 'y'), index('a', 'y'))).toEqual(index('a', 'y'));
  });

  test('are kept together, under what was advised first', () => {
    const advised = new AdvisedIndexes();
    const first = advised.add(table, index('a'), wanting('select 1'))!;
    const second = advised.add(table, index('a b'), wanting('select 1, 1'))!;
    expect(second.first).toEqual(first.first);
    expect(second.index).toEqual(index('a b'));
    expect(second.wantedBy.size).toBe(2);
    const third = advised.add(table, index('a'), wanting('select 1'))!;
    expect(third.index).toEqual(index('a b'));
    expect(third.wantedBy.size).toBe(2);
    expect(advised.add({ schema: undefined, name: 'author' }, index('a'), wanting('select 1'))!.wantedBy.size).toBe(1);
    advised.clear();
    expect(advised.add(table, index('a'), wanting('select 1'))!.wantedBy.size).toBe(1);
  });

  test('are so many at most, of so many indexes', () => {
    const advised = new AdvisedIndexes();
    for (let shape = 0; shape < 30; shape++) {
      advised.add(table, index('a'), wanting(`select ${'1, '.repeat(shape)} 1`));
    }
    expect(advised.add(table, index('a'), wanting('select 1'))!.wantedBy.size).toBe(20);
    for (let column = 1; column < 50; column++) {
      expect(advised.add(table, index(`c${column}`), wanting('select 1'))).toBeDefined();
    }
    expect(advised.add(table, index('d'), wanting('select 1'))).toBeUndefined();
    expect(advised.add(table, index('c1'), wanting('select 1'))).toBeDefined();
  });
});

describe('an index helps', () => {
  const plan = (cost: number, index?: string): PlanJson => ({
    Plan: { 'Node Type': 'Limit', 'Total Cost': cost, Plans: [{ 'Node Type': 'Index Scan', 'Index Name': index }] },
  });
  const how = { by: 'hypopg', size: 8_192 } as const;
  const NAME = '<13543>btree_book_author_id';

  test('if the plan costs half, and names it', () => {
    expect(judge(plan(1_000), plan(500, NAME), NAME, how)).toEqual({ helps: true, before: 1_000, after: 500, ...how });
  });

  test('not if it costs more than half, or does without it', () => {
    expect(judge(plan(1_000), plan(501, NAME), NAME, how)).toEqual({ helps: false });
    expect(judge(plan(1_000), plan(10, 'book_pkey'), NAME, how)).toEqual({ helps: false });
    expect(judge(plan(1_000), {}, NAME, how)).toEqual({ helps: false });
  });
});
