import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { AUTHOR_BY_ID, call, numbers, place, type Sending, SimulatedScope, uuid } from './corpus/simulated-scope.ts';

/* Several loops in one, ids, what is left out, and how much is kept. */

const PUBLISHER_BY_ID = 'select "p0".* from "publisher" as "p0" where "p0"."id" = ? limit ?';
const TAGS_OF_BOOK =
  'select "b0"."tag_id", "b0"."book_id", "t1"."id" as "t1__id" from "book_tags" as "b0" inner join "tag" as "t1" on "b0"."tag_id" = "t1"."id" where "b0"."book_id" in (?)';

const publisher = (scope: SimulatedScope, n: number, sending: Sending = {}): void =>
  void scope.sent(PUBLISHER_BY_ID, {
    parameters: [uuid(n), 1],
    rows: [{ id: uuid(n) }],
    call: 'findOne',
    entity: 'Publisher',
    site: place('books.ts:42 listBooks'),
    ...sending,
  });

describe('MN+1: what repeats together is one finding', () => {
  test('for the same parent, from several places', () => {
    const scope = new SimulatedScope({ eagerSites: true });
    scope.books(10);
    for (const n of numbers(10)) {
      scope.author(n);
      publisher(scope, n);
      scope.sent(TAGS_OF_BOOK, {
        parameters: [200 + n],
        rows: [{ tag_id: '1', book_id: 200 + n }],
        operation: 'qb',
        site: place('books.ts:43'),
      });
    }
    expect(scope.findings).toMatchObject([
      {
        kind: 'mn+1',
        title:
          'MN+1: 10 × 3 queries (select author by id, select publisher by id and select tag by book_id), for each of the 10 books read at books.ts:38',
        fix: "em.find(Book, …, { populate: ['author', 'publisher', 'tags'] })  // books.ts:38 — or register batchLoader({ peers: true })",
        count: 30,
        cost: 30_000,
        parent: { proved: true },
      },
    ]);
  });

  test.each([
    [10, 9, ['mn+1']],
    [10, 8, ['n+1', 'n+1']],
    [100, 90, ['mn+1']],
    [100, 89, ['n+1', 'n+1']],
  ])('%i and %i: %j', (authors, publishers, kinds) => {
    const scope = new SimulatedScope();
    scope.books(authors);
    numbers(authors).forEach(n => void scope.author(n));
    numbers(publishers).forEach(n => publisher(scope, n));
    expect(scope.kinds).toEqual(kinds);
  });

  test('one because of the other: the whole way is populated', () => {
    const scope = new SimulatedScope({ eagerSites: true });
    scope.books(6);
    for (const n of numbers(6)) {
      scope.author(n);
      scope.sent('select "p0".* from "profile" as "p0" where "p0"."author_id" = ?', {
        parameters: [n],
        rows: [{ id: 100 + n, author_id: n }],
        call: 'findOne',
        entity: 'Profile',
        site: place('books.ts:45'),
      });
    }
    expect(scope.findings).toMatchObject([
      {
        kind: 'mn+1',
        fix: "em.find(Book, …, { populate: ['author.profile'] })  // books.ts:38 — or register batchLoader({ peers: true })",
      },
    ]);
  });

  test('one because of the other, more often: two findings, each with the whole way', () => {
    const scope = new SimulatedScope({ eagerSites: true });
    scope.sent('select "p0".* from "profile" as "p0"', {
      rows: numbers(4).map(n => ({ id: 100 + n, author_id: n })),
      call: 'find',
      entity: 'Profile',
      site: place('a.ts:1'),
    });
    for (const n of numbers(4)) {
      scope.author(n);
      scope.sent('select "b0".* from "book" as "b0" where "b0"."author_id" in (?)', {
        parameters: [n],
        rows: numbers(5).map(book => ({ id: n * 10 + book, publisher_id: uuid(n * 10 + book) })),
        call: 'find',
        entity: 'Book',
        site: place('a.ts:3'),
      });
      numbers(5).forEach(book => publisher(scope, n * 10 + book));
    }
    expect(scope.findings.map(({ kind, fix }) => [kind, fix?.split('  ')[0]])).toEqual([
      ['n+1', "em.find(Profile, …, { populate: ['author.books.publisher'] })"],
      ['mn+1', "em.find(Profile, …, { populate: ['author.books'] })"],
    ]);
  });

  test('what a call in the loop populates is part of it', () => {
    const scope = new SimulatedScope();
    scope.books(5);
    for (const n of numbers(5)) {
      const find = call('findOne', 'Publisher');
      publisher(scope, n, { call: find });
      scope.sent('select "b0".* from "book" as "b0" where "b0"."publisher_id" in (?)', {
        parameters: [uuid(n)],
        rows: [{ id: 200 + n, publisher_id: uuid(n) }],
        call: call('find', 'Book', find),
      });
    }
    expect(scope.findings).toMatchObject([
      { kind: 'mn+1', count: 10, fix: expect.stringContaining("populate: ['publisher.books']") },
    ]);
  });

  test('also what that populates in turn', () => {
    const scope = new SimulatedScope();
    scope.books(5);
    for (const n of numbers(5)) {
      const find = call('findOne', 'Publisher');
      const books = call('find', 'Book', find);
      publisher(scope, n, { call: find });
      scope.sent('select "b0".* from "book" as "b0" where "b0"."publisher_id" in (?)', {
        parameters: [uuid(n)],
        rows: [{ id: 200 + n, publisher_id: uuid(n), author_id: n }],
        call: books,
      });
      scope.sent('select "a0".* from "author" as "a0" where "a0"."id" in (?)', {
        parameters: [n],
        rows: [{ id: n }],
        call: call('find', 'Author', books),
      });
    }
    expect(scope.findings).toMatchObject([
      { kind: 'mn+1', count: 15, fix: expect.stringContaining("populate: ['publisher.books.author']") },
    ]);
  });

  test('each relation is populated once', () => {
    const scope = new SimulatedScope();
    scope.books(6);
    for (const n of numbers(6)) {
      scope.author(n);
      scope.sent('select "a0"."id" from "author" as "a0" where "a0"."id" = ? and "a0"."name" = ?', {
        parameters: [n, 'x'],
        rows: [{ id: n }],
        call: 'findOne',
        entity: 'Author',
        site: place('books.ts:44'),
      });
    }
    expect(scope.findings).toMatchObject([{ kind: 'mn+1', fix: expect.stringContaining("{ populate: ['author'] }") }]);
  });

  test('all at once, a batch window is enough; one after the other it takes peers', () => {
    const fix = (parallel: boolean): string | undefined => {
      const scope = new SimulatedScope();
      scope.books(5);
      numbers(5).forEach(n => void scope.author(n, { site: place('books.ts:41', parallel) }));
      return scope.findings[0]?.fix;
    };
    expect(fix(true)).toMatch(/or register batchLoader\(\)$/);
    expect(fix(false)).toMatch(/or register batchLoader\(\{ peers: true \}\)$/);
  });

  test('what was asked for twice in a loop is no finding of its own', () => {
    const scope = new SimulatedScope();
    scope.books(5);
    [1, 2, 3, 1, 2, 3].forEach(n => void scope.author(n));
    expect(scope.findings).toMatchObject([
      { kind: 'n+1', count: 6, evidence: expect.arrayContaining(['Only 3 of them had different values.']) },
    ]);
  });

  test('from one place, whatever led there', () => {
    const of = (...sites: readonly [string, string]): readonly string[] => {
      const scope = new SimulatedScope();
      for (const n of numbers(6)) {
        scope.author(n, { site: place(sites[0]) });
        publisher(scope, n, { site: place(sites[1]) });
      }
      return scope.kinds;
    };
    expect(of('a.ts:1', 'a.ts:1')).toEqual(['mn+1']);
    expect(of('a.ts:1', 'a.ts:2')).toEqual(['n+1', 'n+1']);
  });

  test('other places and other parents stay apart', () => {
    const scope = new SimulatedScope();
    scope.books(4);
    numbers(4).forEach(n => void scope.author(n));
    scope.sent('select "p0".* from "parcel" as "p0"', {
      rows: numbers(4).map(n => ({ id: n, line_order: 7, line_number: n })),
      call: 'find',
    });
    numbers(4).forEach(
      n =>
        void scope.sent('select "l0".* from "line" as "l0" where ("l0"."order", "l0"."number") in ((?, ?)) limit ?', {
          parameters: [7, n, 1],
          rows: [{ order: 7, number: n }],
          call: 'findOne',
          site: place('lines.ts:1'),
        }),
    );
    expect(scope.kinds).toEqual(['n+1', 'n+1']);
  });
});

describe('the id of a finding is the same on another day', () => {
  const idOf = (site: string, sending: Sending = {}): string => {
    const scope = new SimulatedScope();
    scope.books(5);
    numbers(5).forEach(n => void scope.author(n, { site: place(site), ...sending }));
    return scope.findings[0]!.id;
  };
  const id = idOf('books.ts:41 listBooks');

  test('on another line, in another folder, built, for other rows', () => {
    expect(id).toMatch(/^[0-9a-f]{16}$/);
    expect(idOf('books.ts:99 listBooks')).toBe(id);
    expect(idOf('elsewhere/books.ts:41 listBooks')).toBe(id);
    expect(idOf('books.js:41 listBooks')).toBe(id);
    expect(idOf('books.ts:41 listBooks', { took: 9 })).toBe(id);
  });

  test('but not in another function, nor another file', () => {
    expect(idOf('books.ts:41 showBooks')).not.toBe(id);
    expect(idOf('authors.ts:41 listBooks')).not.toBe(id);
  });
});

describe('ignored', () => {
  const kinds = (...ignore: readonly (string | RegExp)[]): readonly string[] => {
    const scope = new SimulatedScope({ ignore });
    scope.books(5);
    numbers(5).forEach(n => void scope.author(n, { site: place('books.ts:41 listBooks < app.ts:3 main') }));
    return scope.kinds;
  };
  const shape = new SimulatedScope().scan(AUTHOR_BY_ID).id;

  test.each<[string, string | RegExp]>([
    ['a part of the file', 'src/books'],
    ['the function', 'listBooks'],
    ['the file of its caller', 'app.ts'],
    ['the entity', 'Author'],
    ['the shape', shape],
    ['a pattern of the file', /books\.[jt]s$/],
    ['a pattern of its text', /from "author"/],
    ['a pattern that remembers where it was', /list/g],
  ])('by %s', (_, ignore) => {
    expect(kinds(ignore)).toEqual([]);
    // Asked a second time.
    expect(kinds(ignore)).toEqual([]);
  });

  test('something else is not', () => {
    expect(kinds('reviews.ts', 'Publisher', /^nothing$/, '')).toEqual([]);
    expect(kinds('reviews.ts', 'Publisher', /^nothing$/)).toEqual(['n+1']);
  });
});

describe('what is kept is bounded', () => {
  test('500 shapes; counting goes on', () => {
    const scope = new SimulatedScope();
    scope.books(20);
    scope.author(1);
    numbers(600).forEach(
      n => void scope.sent(`select * from "t${n}" where "id" = ?`, { parameters: [n], rows: [{ id: n }] }),
    );
    numbers(19).forEach(n => void scope.author(n + 1));
    expect(scope.findings).toMatchObject([{ kind: 'n+1', count: 20 }]);
    numbers(20).forEach(
      n => void scope.sent('select * from "t600" where "other_id" = ?', { parameters: [n], site: place('a.ts:1') }),
    );
    expect(scope.kinds).toEqual(['n+1']);
  });

  test('50 findings, the most costly ones', () => {
    const scope = new SimulatedScope();
    for (const table of numbers(80)) {
      numbers(8).forEach(
        n =>
          void scope.sent(`select * from "t${table}" where "id" = ? limit ?`, {
            parameters: [n, 1],
            rows: [{ id: n }],
            took: table,
            site: place(`t${table}.ts:1`),
          }),
      );
    }
    expect(scope.findings).toHaveLength(50);
    expect(scope.findings[0]).toMatchObject({ cost: 640_000 });
    expect(scope.findings.at(-1)).toMatchObject({ cost: 31 * 8_000 });
  });

  test('no parameter, row or record is held', async () => {
    const scope = new SimulatedScope();
    const held: WeakRef<object>[] = [];
    (() => {
      const secret = { password: 'hunter2' };
      const rows = numbers(20).map(n => ({ id: n, author_id: n, note: `hunter2 ${n}`, secret }));
      scope.sent('select "b0".* from "book" as "b0"', { rows, call: 'find', entity: 'Book' });
      for (const row of rows) {
        const parameters = [row.author_id, 'hunter2'];
        scope.author(row.author_id, { parameters });
        held.push(new WeakRef(parameters));
      }
      held.push(new WeakRef(secret), new WeakRef(rows), ...rows.map(row => new WeakRef<object>(row)));
    })();
    expect(JSON.stringify(scope.findings)).not.toContain('hunter2');
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    await expect
      .poll(() => {
        collectGarbage();
        return held.filter(each => each.deref() !== undefined).length;
      })
      .toBe(0);
    expect(scope.findings).toHaveLength(1);
  });

  test('a scope of many queries stays fast', () => {
    const scope = new SimulatedScope();
    scope.books(1_000);
    const begin = performance.now();
    for (let n = 0; n < 20_000; n++) {
      scope.sent(`select * from "t${n % 400}" where "id" = ? limit ?`, {
        parameters: [n, 1],
        rows: [{ id: n, author_id: n }],
        site: place(`a.ts:${n % 7}`),
      });
    }
    expect(scope.findings.length).toBeLessThanOrEqual(50);
    // 0.3 s alone; what looks at everything for each query takes minutes.
    expect(performance.now() - begin).toBeLessThan(10_000);
  });
});

test('nothing that is asked of it throws: parameters, rows and texts of any kind', () => {
  const circular: Record<string, unknown> = {};
  circular['self'] = circular;
  const scope = new SimulatedScope();
  const values: readonly unknown[] = [
    circular,
    Symbol('x'),
    () => 1,
    new Date(Number.NaN),
    new Uint8Array(1_000),
    Number.NaN,
    -0,
    2n ** 80n,
    [[1], [2]],
    new Map(),
    'x'.repeat(1_000_000),
  ];
  for (const value of values) {
    scope.sent('select * from "book" where "id" = ? and "x" in (?)', {
      parameters: [value, value],
      rows: [{ id: value, author_id: value }],
      site: place('a.ts:1'),
    });
    scope.sent(`select ${'('.repeat(5_000)} from "`, { parameters: [value] });
    scope.sent('insert into "x" values (?)', { parameters: [value], site: place('a.ts:2') });
  }
  expect(scope.kinds).toContain('write-loop');
});
