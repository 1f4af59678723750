import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { linkOf } from '../../packages/query-timing/src/findings/link.ts';
import { ModelFacts } from '../../packages/query-timing/src/findings/model-facts.ts';
import { placeOf, siteKey, steadyName } from '../../packages/query-timing/src/findings/site-key.ts';
import { tablesOf } from '../../packages/query-timing/src/findings/statement-tables.ts';
import { counted, listed, milliseconds, plural, variable } from '../../packages/query-timing/src/findings/words.ts';
import { scan } from '../../packages/query-timing/src/sql/scan.ts';
import { place, shopModel } from './corpus/simulated-scope.ts';

/* What the findings know of statements and entities. */

const facts = new ModelFacts(shopModel);

describe('the tables of a statement', () => {
  test.each<[string, readonly string[]]>([
    ['select "b0".* from "book" as "b0"', ['book b0']],
    ['select * from book', ['book book']],
    ['select * from book b where b.id = ?', ['book b']],
    ['select * from Book AS B', ['book b']],
    ['select * from "shop"."Book" as "b0" where ?', ['Book b0']],
    ['select * from shop.book order by id', ['book book']],
    ['select * from "a ""b""" as "x"', ['a "b" x']],
    [
      'select * from "author" as "a0" left join "book" as "b1" on "a0"."id" = "b1"."author_id" inner join "x" as "x2" on ("x2"."a" = "b1"."b") where ?',
      ['author a0', 'book b1: a0.id = b1.author_id', 'x x2: x2.a = b1.b'],
    ],
    ['select * from book b join author a on a.id = b.author_id', ['book b', 'author a: a.id = b.author_id']],
    ['select * from book join author using (id)', ['book book', 'author author']],
    ['select * from (select * from book) as x', ['book book']],
    ['select ?', []],
    ['', []],
  ])('%s', (sql, tables) => {
    const told = tablesOf(sql).map(
      ({ table, alias, on }) => `${table} ${alias}${on ? `: ${on.left.join('.')} = ${on.right.join('.')}` : ''}`,
    );
    expect(told).toEqual(tables);
  });

  test('of any text, in linear time', () => {
    fc.assert(fc.property(fc.string(), text => void tablesOf(text)));
    for (const piece of ['from "', 'from a ', 'join a on a.b = ', 'from "a"."', '"', 'from from ', 'from ""']) {
      const begin = performance.now();
      tablesOf(piece.repeat(100_000));
      expect(performance.now() - begin).toBeLessThan(2_000);
    }
  });
});

describe('the link between two columns', () => {
  test.each<[string, string, object]>([
    ['book.author_id', 'author.id', { kind: 'relation', entity: 'Book', path: 'author' }],
    ['author.id', 'book.author_id', { kind: 'relation', entity: 'Author', path: 'books' }],
    ['author.id', 'profile.author_id', { kind: 'relation', entity: 'Author', path: 'profile' }],
    ['profile.author_id', 'author.id', { kind: 'relation', entity: 'Profile', path: 'author' }],
    ['book.id', 'book_tags.book_id', { kind: 'relation', entity: 'Book', path: 'tags' }],
    ['tag.id', 'book_tags.tag_id', { kind: 'relation', entity: 'Tag', path: 'books' }],
    ['parcel.line_number', 'line.number', { kind: 'relation', entity: 'Parcel', path: 'line' }],
    ['line.order', 'parcel.line_order', { kind: 'relation', entity: 'Line', path: 'parcels' }],
    ['category.id', 'category.parent_id', { kind: 'relation', entity: 'Category', path: 'children' }],
    ['category.parent_id', 'category.id', { kind: 'relation', entity: 'Category', path: 'parent' }],
    ['book.author_id', 'profile.author_id', { kind: 'through', entity: 'Book', path: 'author.profile' }],
    ['book.id', 'review.book_id', { kind: 'inverse', entity: 'Book', back: { entity: 'Review', property: 'book' } }],
    ['author.id', 'author.id', { kind: 'same', back: { entity: 'Author', property: 'id' } }],
    ['review.book_id', 'book.id', { kind: 'relation', entity: 'Review', path: 'book' }],
    ['book_tags.tag_id', 'tag.id', { kind: 'same' }],
    ['legacy_orders.author_id', 'authors.id', { kind: 'name' }],
    ['orders.customerId', 'customer.id', { kind: 'name' }],
    ['parts.serial', 'stock.serial', { kind: 'name' }],
  ])('%s to %s', (one, other, link) => {
    const [table, column] = one.split('.') as [string, string];
    const [otherTable, otherColumn] = other.split('.') as [string, string];
    expect(linkOf(facts, table, column, otherTable, otherColumn)).toMatchObject(link);
  });

  test.each([
    ['book.id', 'author.id'],
    ['parcel.line_number', 'line.order'],
    ['book.publisher_id', 'author.id'],
    ['orders.id', 'customers.id'],
    ['orders.status', 'jobs.status'],
  ])('none from %s to %s', (one, other) => {
    const [table, column] = one.split('.') as [string, string];
    const [otherTable, otherColumn] = other.split('.') as [string, string];
    expect(linkOf(facts, table, column, otherTable, otherColumn)).toBeUndefined();
  });
});

describe('the key columns of a row', () => {
  const keys = (sql: string, row: Readonly<Record<string, unknown>>): readonly string[] =>
    new ModelFacts(shopModel)
      .shape(scan(sql))
      .keyColumns(row)
      .map(({ key, alias, table, column }) => `${key}: ${alias} ${table}.${column}`);

  test.each<[string, readonly string[], readonly string[]]>([
    [
      'select "b0".* from "book" as "b0"',
      ['id', 'title', 'author_id', 'publisher_id', 'price'],
      ['id: b0 book.id', 'author_id: b0 book.author_id', 'publisher_id: b0 book.publisher_id'],
    ],
    ['select author, title from book', ['author', 'title'], ['author: book book.author_id']],
    [
      'select "a0".*, "b1"."id" as "b1__id", "b1"."title" as "b1__title" from "author" as "a0" left join "book" as "b1" on "a0"."id" = "b1"."author_id"',
      ['id', 'b1__id', 'b1__title'],
      ['id: a0 author.id', 'b1__id: b1 book.id'],
    ],
    [
      'select * from unknown',
      ['id', 'user_id', 'userId', 'sku_code', 'name', 'valid'],
      [
        'id: unknown unknown.id',
        'user_id: unknown unknown.user_id',
        'userId: unknown unknown.userId',
        'sku_code: unknown unknown.sku_code',
      ],
    ],
    ['select b.title, a.id from book b join author a on a.id = b.author_id', ['title', 'id'], ['id: b book.id']],
    ['select ?', ['?column?'], []],
  ])('%s', (sql, columns, expected) => {
    expect(keys(sql, Object.fromEntries(columns.map(column => [column, 1])))).toEqual(expected);
  });

  test('at most 16', () => {
    expect(
      keys('select * from wide', Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`c${n}_id`, n]))),
    ).toHaveLength(16);
  });
});

describe('the way to a table that is joined', () => {
  const sql =
    'select 1 from "author" as "a0" left join "book" as "b1" on "a0"."id" = "b1"."author_id" left join "publisher" as "p2" on "b1"."publisher_id" = "p2"."id" ' +
    'left join "book_tags" as "b4" on "b1"."id" = "b4"."book_id" left join "tag" as "t3" on "b4"."tag_id" = "t3"."id" left join "profile" as "p5" on "a0"."id" = "p5"."author_id" left join "setting" as "s6" on "s6"."key" = "a0"."name"';

  test.each([
    ['a0', ''],
    ['b1', 'books'],
    ['p2', 'books.publisher'],
    ['t3', 'books.tags'],
    ['p5', 'profile'],
    ['s6', undefined],
    ['none', undefined],
  ])('%s: %s', (alias, path) => {
    expect(facts.shape(scan(sql)).pathTo(alias)).toBe(path);
  });

  test('whether rows are multiplied by it', () => {
    expect(facts.shape(scan(sql)).multiplies).toBe(true);
    expect(
      facts.shape(scan('select 1 from "author" as "a0" left join "profile" as "p5" on "a0"."id" = "p5"."author_id"'))
        .multiplies,
    ).toBe(false);
    expect(facts.shape(scan('select 1 from "book" as "b0"')).multiplies).toBe(false);
  });
});

test('of 200 shapes it is remembered that others followed from them', () => {
  for (let n = 0; n < 300; n++) {
    facts.addParent(`shape ${n}`);
  }
  expect([facts.isParent('shape 0'), facts.isParent('shape 199'), facts.isParent('shape 200')]).toEqual([
    true,
    true,
    false,
  ]);
});

describe('words', () => {
  test.each([
    ['Book', '10 books'],
    ['OrderLine', '10 order lines'],
    ['order_line', '10 order lines'],
    ['Category', '10 categories'],
    ['Day', '10 days'],
    ['Address', '10 addresses'],
    ['Status', '10 statuses'],
    ['Box', '10 boxes'],
    ['Branch', '10 branches'],
    ['books', '10 books'],
    ['News', '10 news'],
  ])('several of %s: %s', (name, text) => {
    expect(counted(10, name)).toBe(text);
  });

  test('one, a variable, a list, a time', () => {
    expect(counted(1, 'OrderLine')).toBe('1 order line');
    expect(plural('Author')).toBe('authors');
    expect(variable('OrderLine')).toBe('orderLines');
    expect([listed(['a']), listed(['a', 'b']), listed(['a', 'b', 'c'])]).toEqual(['a', 'a and b', 'a, b and c']);
    expect([milliseconds(340), milliseconds(12_345), milliseconds(123_456)]).toEqual(['0.34 ms', '12.3 ms', '123 ms']);
  });
});

describe('places', () => {
  test('as people say them, and as they stay', () => {
    expect(placeOf(place('books.ts:38'))).toBe('books.ts:38');
    expect(placeOf({ ...place('x.ts:1'), file: 'C:\\app\\src\\books.ts' })).toBe('books.ts:1');
    expect(placeOf({ ...place('x.ts:1'), file: 'file:///app/books.ts?t=123#x' })).toBe('books.ts:1');
    expect(placeOf({ ...place('x.ts:1'), file: `/app/${'x'.repeat(5_000)}` }).length).toBeLessThan(110);
    expect(steadyName(place('books.ts:38 list'))).toBe('books list');
    expect(steadyName(place('books.service.js:38'))).toBe('books.service ');
    expect(steadyName(undefined)).toBeUndefined();
  });

  test('are the same if their callers are', () => {
    expect(siteKey(place('a.ts:1 < b.ts:2'))).toBe(siteKey(place('a.ts:1 < b.ts:2')));
    expect(siteKey(place('a.ts:1 < b.ts:2'))).not.toBe(siteKey(place('a.ts:1 < b.ts:3')));
    expect(siteKey(place('a.ts:1', true))).toBe(siteKey(place('a.ts:1')));
  });
});
