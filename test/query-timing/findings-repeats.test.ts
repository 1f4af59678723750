import { describe, expect, test } from 'vitest';
import { call, numbers, place, type Sending, SimulatedScope } from './corpus/simulated-scope.ts';

/* timing.md 4.5: duplicates, paged loops and write loops, told apart from an N+1 and from what has a reason. */

const SETTING = 'select "s0".* from "setting" as "s0" where "s0"."key" = ?';

describe('duplicates: the same query with the same values', () => {
  const asked = (scope: SimulatedScope, sending: Sending = {}): void =>
    void scope.sent(SETTING, {
      parameters: ['a'],
      rows: [{ key: 'a' }],
      call: 'find',
      entity: 'Setting',
      site: place('books.ts:7 settings'),
      ...sending,
    });
  const repeated = (count: number, sending: (n: number) => Sending = () => ({}), settings = {}): SimulatedScope => {
    const scope = new SimulatedScope(settings);
    numbers(count).forEach(n => asked(scope, sending(n)));
    return scope;
  };

  test('half of the threshold is enough: equal values are no guess', () => {
    expect(repeated(1).kinds).toEqual([]);
    expect(repeated(2).kinds).toEqual(['duplicate']);
    expect(repeated(2, undefined, { threshold: 5 }).kinds).toEqual([]);
    expect(repeated(3, undefined, { threshold: 5 }).kinds).toEqual(['duplicate']);
  });

  test('it says how many, what they cost, where, and what to do', () => {
    expect(repeated(4).findings[0]).toMatchObject({
      kind: 'duplicate',
      severity: 'warning',
      title: 'Duplicate: 4 × select setting by key with the same values',
      count: 4,
      cost: 3_000,
      site: { line: 7 },
      fix: 'read it once and hand it on  // books.ts:7; or { cache: 1000 } with resultCache()',
      evidence: ['Asked again 3 times, which took 3.00 ms.'],
    });
    expect(repeated(2).findings[0]).toMatchObject({ severity: 'info' });
  });

  test('of two forks: one would have had it', () => {
    expect(repeated(2, n => ({ fork: n })).findings[0]?.fix).toContain('one fork for both');
  });

  test('of many forks, one each: every one works for itself', () => {
    expect(repeated(6, n => ({ fork: n })).kinds).toEqual([]);
  });

  test('not what a longer time lies between (polling), unless something else was done in it', () => {
    expect(repeated(6, () => ({ pause: 20 })).kinds).toEqual([]);
    const scope = new SimulatedScope();
    asked(scope);
    scope.books(3);
    asked(scope, { pause: 20 });
    expect(scope.kinds).toEqual(['duplicate']);
  });

  test.each<[string, string, Sending]>([
    ['an insert', 'insert into "setting" ("key", "value") values (?, ?)', {}],
    ['an update', 'update "setting" set "value" = ? where "key" = ?', {}],
    ['a delete', 'delete from "setting" where "key" = ?', {}],
    ['a call', 'call refresh_settings()', {}],
    ['a function', 'select refresh_settings()', {}],
    ['other settings of the session', "set app.tenant = '2'", {}],
    ['a change of the schema', 'alter table "setting" add column "x" int', {}],
    ['an error of any statement', 'select * from "book" where "id" = ?', { error: '40001' }],
  ])('not after %s', (_, sql, sending) => {
    const scope = new SimulatedScope();
    asked(scope);
    scope.sent(sql, { parameters: [1, 2], ...sending });
    asked(scope);
    expect(scope.kinds).toEqual([]);
  });

  test('a write to another table is no reason', () => {
    const scope = new SimulatedScope();
    asked(scope);
    scope.sent('insert into "event" ("text") values (?)', { parameters: ['x'] });
    asked(scope);
    expect(scope.kinds).toEqual(['duplicate']);
  });

  test('not a retry of what failed', () => {
    const scope = new SimulatedScope();
    asked(scope, { error: '40P01' });
    asked(scope, { error: '40P01' });
    asked(scope);
    expect(scope.kinds).toEqual([]);
  });

  test('not what locks, nor what is asked of no table, nor a reload that was asked for', () => {
    const of = (sql: string, sending: () => Sending = () => ({})): readonly string[] => {
      const scope = new SimulatedScope();
      numbers(4).forEach(() => void scope.sent(sql, { parameters: [1], rows: [{ id: 1 }], ...sending() }));
      return scope.kinds;
    };
    const reload = (): Sending => ({ call: call('findOne', 'Job', call('refresh', 'Job')) });
    expect(of('select * from job where id = ? for update')).toEqual([]);
    expect(of('select ?')).toEqual([]);
    expect(of('select * from job where id = ?', reload)).toEqual([]);
    expect(of('select * from job where id = ?')).toEqual(['duplicate']);
  });

  test('not the count of each page', () => {
    const scope = new SimulatedScope();
    for (const n of numbers(4)) {
      const pager = call('findAndCount', 'Book');
      scope.sent('select count(*) as "count" from "book" as "b0"', {
        rows: [{ count: '9' }],
        call: call('count', 'Book', pager),
      });
      scope.sent('select "b0".* from "book" as "b0" order by "b0"."id" asc limit ? offset ?', {
        parameters: [3, n * 3],
        rows: [{ id: n }],
        call: call('find', 'Book', pager),
        site: place('a.ts:1'),
      });
    }
    expect(scope.kinds).toEqual(['paged-loop']);
  });

  test('values that stand in the text are values as well', () => {
    const scope = new SimulatedScope();
    numbers(4).forEach(n => void scope.sent(`select * from setting where value = ${n} limit 5`, { affected: 5 }));
    expect(scope.kinds).toEqual([]);
    numbers(2).forEach(() => void scope.sent('select * from setting where value = 1 limit 5', { affected: 5 }));
    expect(scope.kinds).toEqual(['duplicate']);
  });

  test('several sets of values are one finding', () => {
    const scope = new SimulatedScope();
    for (const key of ['a', 'b', 'a', 'b']) {
      asked(scope, { parameters: [key] });
    }
    expect(scope.findings.map(({ title }) => title)).toEqual([
      'Duplicate: 4 × select setting by key with 2 sets of values',
    ]);
  });
});

describe('paged loops: nothing moves but where a page begins', () => {
  const pages = (sql: string, parameters: (n: number) => readonly unknown[]): readonly string[] => {
    const scope = new SimulatedScope();
    numbers(8).forEach(
      n =>
        void scope.sent(sql, {
          parameters: parameters(n),
          rows: numbers(20).map(id => ({ id: n * 20 + id })),
          call: 'find',
          site: place('job.ts:5 run'),
        }),
    );
    return scope.findings.map(({ kind, severity }) => `${kind} ${severity}`);
  };

  test.each<[string, string, (n: number) => readonly unknown[]]>([
    ['by offset', 'select "b0".* from "book" as "b0" order by "b0"."id" asc limit ? offset ?', n => [20, n * 20]],
    [
      'by the last key',
      'select "b0".* from "book" as "b0" where "b0"."id" > ? order by "b0"."id" asc limit ?',
      n => [n, 20],
    ],
    [
      'downwards',
      'select "b0".* from "book" as "b0" where "b0"."id" < ? order by "b0"."id" desc limit ?',
      n => [900 - n, 20],
    ],
    [
      'by two keys, as findByCursor() asks',
      'select "b0".* from "book" as "b0" where "b0"."price" >= ? and ("b0"."price" > ? or "b0"."id" > ?) limit ?',
      n => [n, n, n * 20, 20],
    ],
    [
      'by two keys, spelled out',
      'select "b0".* from "book" as "b0" where "b0"."price" > ? or ("b0"."price" = ? and "b0"."id" > ?) limit ?',
      n => [n, n, n * 20, 20],
    ],
    [
      'by ranges',
      'select "r0".* from "review" as "r0" where "r0"."id" >= ? and "r0"."id" < ?',
      n => [n * 10, n * 10 + 10],
    ],
  ])('%s', (_, sql, parameters) => {
    expect(pages(sql, parameters)).toEqual(['paged-loop info']);
  });

  test('a key beside them that moves as well makes it an N+1: the first page of each', () => {
    const sql = 'select "b0".* from "book" as "b0" where "b0"."author_id" = ? and "b0"."id" > ? limit ?';
    expect(pages(sql, n => [n, n * 20, 20])).toEqual(['n+1 warning']);
  });

  test('what it says', () => {
    const scope = new SimulatedScope();
    numbers(3).forEach(
      n =>
        void scope.sent('select "b0".* from "book" as "b0" limit ? offset ?', {
          parameters: [20, n * 20],
          affected: 20,
          call: 'find',
          site: place('job.ts:5 run'),
        }),
    );
    expect(scope.findings[0]).toMatchObject({
      title: 'Paged loop: 3 × select book, 60 rows page by page',
      fix: 'larger pages, or em.stream()  // job.ts:5',
    });
  });
});

describe('write loops: one by one what could be one statement or one flush', () => {
  const INSERT = 'insert into "event" ("text") values (?)';
  const UPDATE = 'update "job" set "state" = ? where "id" = ?';
  const writes = (
    count: number,
    sql: string,
    parameters: (n: number) => readonly unknown[],
    sending: (n: number) => Sending,
    settings = {},
  ): SimulatedScope => {
    const scope = new SimulatedScope(settings);
    numbers(count).forEach(
      n => void scope.sent(sql, { parameters: parameters(n), affected: 1, site: place('job.ts:9 run'), ...sending(n) }),
    );
    return scope;
  };

  test.each<[string, string, (n: number) => readonly unknown[], string, string, string]>([
    [
      'flush() of new ones',
      INSERT,
      n => [`x${n}`],
      'flush',
      'Write loop: 6 × insert event, each with a flush of its own',
      'await em.flush()  // job.ts:9 — once, after the loop',
    ],
    [
      'insert()',
      INSERT,
      n => [`x${n}`],
      'insert',
      'Write loop: 6 × insert event, one by one',
      'await em.insertMany(Event, rows)  // job.ts:9 — once, after the loop',
    ],
    [
      'upsert()',
      'insert into "setting" ("key", "value") values (?, ?) on conflict ("key") do update set "value" = excluded."value"',
      n => [`k${n}`, 'x'],
      'upsert',
      'Write loop: 6 × insert setting, one by one',
      'await em.upsertMany(Setting, rows)  // job.ts:9 — once, after the loop',
    ],
    [
      'nativeUpdate() to the same',
      UPDATE,
      n => ['done', n],
      'nativeUpdate',
      'Write loop: 6 × update job by id, one by one',
      'await em.nativeUpdate(Job, { id: { $in: […] } }, …)  // job.ts:9 — once, after the loop',
    ],
    [
      'nativeUpdate() to something else each',
      UPDATE,
      n => [`state ${n}`, n],
      'nativeUpdate',
      'Write loop: 6 × update job by id, one by one',
      'await em.upsertMany(Job, rows)  // job.ts:9 — once, after the loop, or change the entities and flush them together',
    ],
    [
      'nativeDelete()',
      'delete from "job" where "id" = ?',
      n => [n],
      'nativeDelete',
      'Write loop: 6 × delete job by id, one by one',
      'await em.nativeDelete(Job, { id: { $in: […] } })  // job.ts:9 — once, after the loop',
    ],
    [
      'a table that no entity has',
      'insert into "audit" ("text") values (?)',
      n => [`x${n}`],
      'kysely',
      'Write loop: 6 × insert audit, one by one',
      'insert into audit … values (…), (…)  // job.ts:9 — once, after the loop',
    ],
  ])('%s', (_, sql, parameters, method, title, fix) => {
    const sending = (): Sending => (method === 'kysely' ? { operation: method } : { call: method });
    expect(writes(6, sql, parameters, sending).findings).toMatchObject([{ kind: 'write-loop', title, fix, count: 6 }]);
  });

  test('so many as the threshold says; twice as many where nobody knows the place', () => {
    const of = (count: number, sending: Sending): readonly string[] =>
      writes(
        count,
        INSERT,
        n => [n],
        () => ({ call: 'insert', ...sending }),
      ).kinds;
    expect(of(2, {})).toEqual([]);
    expect(of(3, {})).toEqual(['write-loop']);
    const scope = new SimulatedScope();
    numbers(5).forEach(n => void scope.sent(INSERT, { parameters: [n], call: 'insert' }));
    expect(scope.kinds).toEqual([]);
    scope.sent(INSERT, { parameters: [6], call: 'insert' });
    expect(scope.kinds).toEqual(['write-loop']);
  });

  test('not within one flush, nor many rows at once', () => {
    const flush = call('flush');
    expect(
      writes(
        6,
        UPDATE,
        n => ['x', n],
        () => ({ call: flush }),
      ).kinds,
    ).toEqual([]);
    expect(
      writes(
        6,
        'insert into "event" ("text") values (?), (?)',
        n => [n, n],
        () => ({ call: 'insertMany' }),
      ).kinds,
    ).toEqual([]);
    expect(
      writes(
        6,
        'delete from "job" where "id" in (?, ?)',
        n => [n, n + 1],
        () => ({ call: 'nativeDelete' }),
      ).kinds,
    ).toEqual([]);
  });

  test('not from different places', () => {
    expect(
      writes(
        6,
        INSERT,
        n => [n],
        n => ({ call: 'insert', site: place(`job.ts:${n}`) }),
      ).kinds,
    ).toEqual([]);
  });

  test('not by a fork each', () => {
    expect(
      writes(
        6,
        INSERT,
        n => [n],
        n => ({ call: 'insert', fork: n }),
      ).kinds,
    ).toEqual([]);
  });

  test('not a retry after an error', () => {
    const scope = new SimulatedScope();
    for (const attempt of numbers(5)) {
      scope.sent(INSERT, { parameters: ['x'], affected: 1, call: 'insert', site: place('job.ts:9') });
      scope.sent('select * from "book" where "id" = ?', { parameters: [attempt], error: '40001' });
    }
    expect(scope.kinds).toEqual([]);
  });

  test('not what has changed nothing and is tried again', () => {
    expect(
      writes(
        6,
        UPDATE,
        () => ['done', 1],
        () => ({ call: 'nativeUpdate', affected: 0 }),
      ).kinds,
    ).toEqual([]);
    expect(
      writes(
        6,
        INSERT,
        () => ['x'],
        () => ({ call: 'insert', affected: 0 }),
      ).kinds,
    ).toEqual([]);
    expect(
      writes(
        6,
        INSERT,
        () => ['x'],
        () => ({ call: 'insert', affected: 1 }),
      ).kinds,
    ).toEqual(['write-loop']);
  });

  test('not the same row over and over, by itself: a heartbeat', () => {
    expect(
      writes(
        6,
        UPDATE,
        n => [`${n} %`, 1],
        () => ({ call: 'nativeUpdate' }),
      ).kinds,
    ).toEqual([]);
    expect(
      writes(
        6,
        UPDATE,
        n => [`${n} %`, 1],
        () => ({ call: 'flush' }),
      ).kinds,
    ).toEqual(['write-loop']);
  });

  test('it is told live', () => {
    const scope = writes(
      5,
      INSERT,
      n => [n],
      () => ({ call: 'insert' }),
    );
    expect(scope.live.map(({ kind, count }) => [kind, count])).toEqual([['write-loop', 3]]);
  });
});
