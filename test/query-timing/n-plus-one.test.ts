import { describe, expect, test } from 'vitest';
import { AUTHOR_BY_ID, call, numbers, place, SimulatedScope, uuid } from './corpus/simulated-scope.ts';

/* timing.md 4.5, rule by rule. What real programs come to is in corpus/corpus.test.ts. */

const BOOKS_BY_AUTHOR = 'select "b0".* from "book" as "b0" where "b0"."author_id" in (?)';

/** Reads authors one by one for as many books. */
function loop(scope: SimulatedScope, count: number, sending = {}): SimulatedScope {
  scope.books(count);
  numbers(count).forEach(id => void scope.author(id, sending));
  return scope;
}

describe('an N+1 is told with its parent, its proof and its fix', () => {
  const [finding, ...others] = loop(new SimulatedScope({ eagerSites: true }), 10).findings;

  test('it is one finding', () => {
    expect(others).toEqual([]);
    expect(finding).toMatchObject({
      kind: 'n+1',
      severity: 'warning',
      title: 'N+1: 10 × select author by id, for each of the 10 books read at books.ts:38',
      fix: "em.find(Book, …, { populate: ['author'] })  // books.ts:38 — or register batchLoader({ peers: true })",
      count: 10,
      cost: 10_000,
      subject: AUTHOR_BY_ID,
      site: { line: 41 },
      evidence: ['10 queries took 10.0 ms.', 'Proved: of 8 values looked at, 8 were in book.author_id of its rows.'],
    });
  });

  test('its parent', () => {
    expect(finding?.parent).toEqual({
      shape: expect.stringMatching(/^[0-9a-f]{16}$/),
      text: 'select "b0".* from "book" as "b0"',
      entity: 'Book',
      site: place('books.ts:38 listBooks'),
      proved: true,
      column: 'book.author_id',
    });
  });
});

describe('how many it takes', () => {
  test.each([
    [3, 2, []],
    [3, 3, ['n+1']],
    [5, 4, []],
    [5, 5, ['n+1']],
  ])('threshold %i, %i queries: %j', (threshold, count, kinds) => {
    expect(loop(new SimulatedScope({ threshold }), count).kinds).toEqual(kinds);
  });

  test.each([
    [10, 9, []],
    [10, 10, ['n+1']],
  ])('at least %i ms together; %i ms are %j', (minTime, count, kinds) => {
    expect(loop(new SimulatedScope({ minTime }), count, { took: 1 }).kinds).toEqual(kinds);
  });

  test('what they have waited for a connection is not counted: all that are under way wait at once', () => {
    expect(loop(new SimulatedScope(), 5, { took: 30, wait: 28 }).findings[0]?.cost).toBe(10_000);
  });

  test('the same value again does not make one', () => {
    const scope = new SimulatedScope();
    scope.books(10);
    for (const id of [1, 2, 1, 2, 1, 2]) {
      scope.author(id);
    }
    expect(scope.kinds).toEqual(['duplicate']);
  });

  test('without anything that led to them it takes twice as many', () => {
    const ids = (count: number): readonly string[] => {
      const scope = new SimulatedScope();
      numbers(count).forEach(id => void scope.author(id));
      return scope.kinds;
    };
    expect(ids(5)).toEqual([]);
    expect(ids(6)).toEqual(['n+1']);
  });

  test('but not by a reference: whose they are, somebody must have read', () => {
    const scope = new SimulatedScope();
    for (const id of [1, 2, 3]) {
      scope.sent(BOOKS_BY_AUTHOR, {
        parameters: [id],
        rows: [{ id: 1 }, { id: 2 }],
        call: 'find',
        site: place('a.ts:1'),
      });
    }
    expect(scope.findings[0]).toMatchObject({
      kind: 'n+1',
      parent: undefined,
      title: 'N+1: 3 × select book by author_id, one by one',
    });
  });

  test('50 queries, or 100 ms, are an error', () => {
    expect(loop(new SimulatedScope(), 49).findings[0]?.severity).toBe('warning');
    expect(loop(new SimulatedScope(), 50).findings[0]?.severity).toBe('error');
    expect(loop(new SimulatedScope(), 5, { took: 20 }).findings[0]?.severity).toBe('error');
  });
});

describe('what is no N+1', () => {
  const of = (sql: string, parameters: (n: number) => readonly unknown[], sending = {}): readonly string[] => {
    const scope = new SimulatedScope();
    scope.books(12);
    numbers(12).forEach(
      n =>
        void scope.sent(sql, {
          parameters: parameters(n),
          rows: [{ id: n }],
          call: 'find',
          site: place('a.ts:1'),
          ...sending,
        }),
    );
    return scope.kinds;
  };

  test('lists of several values', () => {
    expect(of('select "a0".* from "author" as "a0" where "a0"."id" in (?, ?)', n => [n, n + 1])).toEqual([]);
  });

  test('an array of several values', () => {
    expect(of('select * from author where id = any(?)', n => [[n, n + 1]])).toEqual([]);
    expect(of('select * from author where id = any(?)', n => [[n]], { call: undefined })).toEqual(['n+1']);
  });

  test('what a batch has answered', () => {
    expect(of(AUTHOR_BY_ID, n => [n, 1], { batch: 12 })).toEqual([]);
    expect(of(AUTHOR_BY_ID, n => [n, 1], { batch: 1 })).toEqual(['n+1']);
  });

  test('many rows each, by what refers to nothing', () => {
    const sql = 'select "j0".* from "job" as "j0" where "j0"."state" = ?';
    expect(of(sql, n => [`state ${n}`], { affected: 7 })).toEqual([]);
    expect(of(sql, n => [`state ${n}`], { affected: 1 })).toEqual(['n+1']);
  });

  test('what is sent from different places', () => {
    const scope = new SimulatedScope();
    scope.books(12);
    numbers(6).forEach(id => void scope.author(id, { site: place(`books.ts:${id}`) }));
    expect(scope.kinds).toEqual([]);
  });

  test('what is sent from one place that is called from different ones', () => {
    const scope = new SimulatedScope();
    scope.books(12);
    numbers(6).forEach(id => void scope.author(id, { site: place(`authors.ts:7 byId < books.ts:${id}`) }));
    expect(scope.kinds).toEqual([]);
  });

  test('a fork for each unit of work; what a fork does is more than to look one row up', () => {
    const units = (sql: string, more: boolean): readonly string[] => {
      const scope = new SimulatedScope();
      scope.books(12);
      for (const n of numbers(8)) {
        scope.sent(sql, { parameters: [n, 1], rows: [{ id: n }], call: 'find', site: place('a.ts:1'), fork: 10 + n });
        if (more) {
          scope.sent('update "job" set "state" = ? where "id" = ?', {
            parameters: ['done', n],
            call: 'flush',
            fork: 10 + n,
          });
        }
      }
      return scope.kinds;
    };
    expect(units(AUTHOR_BY_ID, true)).toEqual([]);
    expect(units(AUTHOR_BY_ID, false)).toEqual(['n+1']);
    expect(units('select "j0".* from "job" as "j0" where "j0"."tenant_id" = ? limit ?', false)).toEqual([]);
  });

  test('what fails', () => {
    expect(of(AUTHOR_BY_ID, n => [n, 1], { error: '57014' })).toEqual([]);
  });

  test('what is asked of no table, or about tables', () => {
    expect(of('select ? + ?', n => [n, 1])).toEqual([]);
    expect(of('select * from pg_class where oid = ?', n => [n])).toEqual([]);
    expect(of('select * from information_schema.columns where table_name = ?', n => [`t${n}`])).toEqual([]);
  });

  test('what MikroORM populates by itself', () => {
    const scope = new SimulatedScope();
    const find = call('find', 'Category');
    scope.sent('select "c0".* from "category" as "c0" where "c0"."name" = ?', {
      parameters: ['x'],
      rows: [{ id: 12, parent_id: 6 }],
      call: find,
    });
    for (const id of [6, 3, 1]) {
      scope.sent('select "c0".* from "category" as "c0" where "c0"."id" in (?)', {
        parameters: [id],
        rows: [{ id }],
        call: call('find', 'Category', find),
      });
    }
    expect(scope.kinds).toEqual([]);
  });

  test('what a flush reads for itself', () => {
    const scope = new SimulatedScope();
    for (const id of numbers(8)) {
      scope.sent('select "b0"."id", "b0"."price" from "book" as "b0" where "b0"."id" = ?', {
        parameters: [id],
        rows: [{ id }],
        call: 'flush',
      });
    }
    expect(scope.kinds).toEqual([]);
  });
});

describe('proof', () => {
  const following = (
    parent: readonly Readonly<Record<string, unknown>>[],
    values: readonly unknown[],
    { parentSql = 'select "b0".* from "book" as "b0"', proof = true, sql = AUTHOR_BY_ID } = {},
  ) => {
    const scope = new SimulatedScope({ proof });
    scope.sent(parentSql, { rows: parent, call: 'find', entity: 'Book', site: place('books.ts:38') });
    values.forEach(
      value =>
        void scope.sent(sql, {
          parameters: [value, 1],
          rows: [{ id: value }],
          call: 'findOne',
          site: place('books.ts:41'),
        }),
    );
    return scope.findings[0];
  };
  const books = (authors: readonly unknown[]) => authors.map((author_id, index) => ({ id: 500 + index, author_id }));

  test.each<[string, readonly unknown[], readonly unknown[]]>([
    ['integers', [1, 2, 3], [1, 2, 3]],
    [
      'bigints that come as texts',
      ['9000000001', '9000000002', '9000000003'],
      [9_000_000_001n, 9_000_000_002n, 9_000_000_003n],
    ],
    [
      'bigints beyond what a number holds',
      ['90071992547409931', '90071992547409932', '90071992547409933'],
      [90071992547409931n, 90071992547409932n, 90071992547409933n],
    ],
    ['uuids', [uuid(1), uuid(2), uuid(3)], [uuid(1), uuid(2), uuid(3)]],
    ['some of many', numbers(30), [28, 29, 30]],
    ['in another order', [1, 2, 3, 4], [4, 3, 2, 1]],
    ['with rows that refer to nothing', [1, null, 2, undefined, 3], [1, 2, 3]],
  ])('%s', (_, parent, values) => {
    expect(following(books(parent), values)?.parent).toMatchObject({ proved: true, column: 'book.author_id' });
  });

  test('rows of which not all are kept: those that are, prove it', () => {
    expect(following(books(numbers(5_000)), numbers(20))?.parent).toMatchObject({ proved: true });
  });

  test('a column of few values is known from all of its rows', () => {
    const authors = numbers(1_000).map(n => Math.ceil(n / 100));
    expect(following(books(authors), numbers(10))?.parent).toMatchObject({ proved: true });
  });

  test('other values refute it', () => {
    expect(following(books([1, 2, 3, 4, 5, 6]), [11, 12, 13, 14, 15, 16])).toMatchObject({
      kind: 'n+1',
      parent: undefined,
    });
    expect(following(books([1, 2, 3]), [11, 12, 13])).toBeUndefined();
  });

  test('some of them by chance are no proof', () => {
    expect(following(books([1, 2, 3, 4, 5, 6]), [1, 2, 3, 11, 12, 13, 14, 15])?.parent).toBeUndefined();
    expect(following(books([1, 2, 3, 4, 5, 6]), [1, 2, 3, 4, 5, 6, 14, 15])?.parent).toMatchObject({ proved: true });
  });

  test('nor is one of two', () => {
    const scope = new SimulatedScope({ threshold: 2 });
    scope.books(1);
    scope.author(9);
    scope.author(1);
    expect(scope.kinds).toEqual([]);
  });

  test('rows that have but a part of a key are none', () => {
    const scope = new SimulatedScope();
    scope.sent('select line_order from parcel', { rows: numbers(8).map(n => ({ line_order: n + 40 })) });
    for (const n of numbers(8)) {
      scope.sent('select "l0".* from "line" as "l0" where ("l0"."order", "l0"."number") in ((?, ?)) limit ?', {
        parameters: [n + 40, n, 1],
        rows: [{ order: n + 40, number: n }],
        call: 'findOne',
        entity: 'Line',
        site: place('a.ts:1'),
      });
    }
    expect(scope.findings[0]?.parent?.proved).not.toBe(true);
  });

  test('what looks one row up is nobody to guess at', () => {
    const scope = new SimulatedScope();
    for (const n of numbers(8)) {
      scope.sent('select * from "session" where "token" = ?', { parameters: [`t${n}`], rows: [{ token: `t${n}` }] });
      scope.sent('select * from "device" where "name" = ?', {
        parameters: [`d${n}`],
        rows: [{ name: `d${n}` }],
        site: place('a.ts:2'),
      });
    }
    expect(scope.findings.map(({ parent }) => parent)).toEqual([undefined, undefined]);
  });

  test('without the option there is a likely parent only', () => {
    expect(following(books([1, 2, 3]), [1, 2, 3], { proof: false })).toMatchObject({
      title: 'N+1: 3 × select author by id, probably for each of the 3 books that find has read',
      parent: { proved: false, column: undefined, entity: 'Book' },
    });
  });

  test('small numbers prove nothing where no relation leads', () => {
    const stock = 'select "s0".* from "stock" as "s0" where "s0"."id" = ? limit ?';
    const found = following(books(numbers(8)), numbers(8), { sql: stock });
    expect(found).toMatchObject({ kind: 'n+1', parent: { proved: false } });
  });

  test('values that nobody meets by chance do', () => {
    const rows = numbers(4).map(n => ({ id: n, token_id: uuid(n) }));
    const found = following(rows, numbers(4).map(uuid), {
      parentSql: 'select * from imported',
      sql: 'select * from session where owner = ? limit ?',
    });
    expect(found?.parent).toMatchObject({ proved: true, column: 'imported.token_id' });
  });

  test('all columns of a key have to be those of one table', () => {
    const lines = (number: (n: number) => number) => {
      const scope = new SimulatedScope();
      scope.sent('select "p0".* from "parcel" as "p0"', {
        rows: numbers(6).map(n => ({ id: n, line_order: n, line_number: number(n) })),
        call: 'find',
        entity: 'Parcel',
      });
      for (const n of numbers(6)) {
        scope.sent('select "l0".* from "line" as "l0" where ("l0"."order", "l0"."number") in ((?, ?)) limit ?', {
          parameters: [n, n + 50, 1],
          rows: [{ order: n, number: n + 50 }],
          call: 'findOne',
          entity: 'Line',
          site: place('a.ts:1'),
        });
      }
      return scope.findings[0]?.parent?.proved;
    };
    expect(lines(n => n + 50)).toBe(true);
    expect(lines(n => n + 70)).not.toBe(true);
  });

  test('the nearest of several that would do', () => {
    const scope = new SimulatedScope({ eagerSites: true });
    scope.books(5, { site: place('far.ts:1') });
    scope.sent('select "b0".* from "book" as "b0" where "b0"."price" > ?', {
      parameters: [5],
      rows: books([1, 2, 3, 4, 5]),
      call: 'find',
      entity: 'Book',
      site: place('near.ts:1'),
    });
    numbers(5).forEach(id => void scope.author(id));
    expect(scope.findings[0]?.title).toContain('near.ts:1');
  });

  test('what came after is no parent', () => {
    const scope = new SimulatedScope();
    numbers(6).forEach(id => void scope.author(id));
    scope.books(6);
    expect(scope.findings[0]?.parent).toBeUndefined();
  });

  test('the first query of its shape, from elsewhere, is not counted', () => {
    const scope = new SimulatedScope();
    scope.author(77);
    scope.books(6);
    numbers(6).forEach(id => void scope.author(id));
    expect(scope.findings[0]).toMatchObject({ count: 6, cost: expect.closeTo(6_000), parent: { proved: true } });
  });
});

describe('live', () => {
  test('it is told once, when it is certain', () => {
    const scope = new SimulatedScope();
    scope.books(20);
    const told = numbers(20).map(id => scope.author(id)?.kind);
    expect(told).toEqual([undefined, undefined, 'n+1', ...numbers(17).map(() => undefined)]);
    expect(scope.live[0]).toMatchObject({ count: 3, parent: { proved: true } });
    expect(scope.live[0]?.id).toBe(scope.findings[0]?.id);
  });

  test('or when it has taken long enough', () => {
    const scope = new SimulatedScope({ threshold: 5, minTime: 50 });
    scope.books(20);
    const told = numbers(20).map(id => scope.author(id, { took: 5 })?.count);
    expect(told.filter(count => count !== undefined)).toEqual([10]);
  });
});

describe('call sites are asked for', () => {
  const asked = (scope: SimulatedScope): boolean => scope.analysis.wantsSite(scope.scan(AUTHOR_BY_ID), 1);

  test('of the second to sixth query of a shape', () => {
    const scope = new SimulatedScope();
    const wanted = numbers(9).map(id => {
      const answer = asked(scope);
      scope.author(id);
      return answer;
    });
    expect(wanted).toEqual([false, true, true, true, true, true, false, false, false]);
  });

  test('of queries with several rows, in development', () => {
    const books = (settings: object, rows: number): boolean => {
      const scope = new SimulatedScope(settings);
      return scope.analysis.wantsSite(scope.scan('select "b0".* from "book" as "b0"'), rows);
    };
    expect(books({ eagerSites: true }, 3)).toBe(true);
    expect(books({ eagerSites: true }, 2)).toBe(false);
    expect(books({}, 100)).toBe(false);
  });

  test('of what has been a parent in another scope', () => {
    const facts = loop(new SimulatedScope(), 5);
    expect(facts.findings[0]?.title).toContain('for each of the 5 books that find has read');
    const books = facts.scan('select "b0".* from "book" as "b0"');
    const next = facts.again();
    expect(next.analysis.wantsSite(books, 5)).toBe(true);
    expect(loop(next, 5).findings[0]?.title).toContain('for each of the 5 books read at books.ts:38');
  });

  test('not of lists', () => {
    const scope = new SimulatedScope();
    const sql = 'insert into "tag" ("id", "name") values (?, ?), (?, ?)';
    scope.sent(sql, { parameters: [1, 'a', 2, 'b'] });
    expect(scope.analysis.wantsSite(scope.scan(sql))).toBe(false);
  });
});
