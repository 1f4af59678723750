import { type EntityManager, type QueryBuilder, raw } from '@mikro-orm/postgresql';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { OTHER, Shapes } from '../../packages/query-timing/src/shapes.ts';
import { transactionControl } from '../../packages/query-timing/src/transaction-control.ts';
import { cpuTime } from '../harness/cpu-time.ts';
import { compiled, kyselyOf, Library, Tag } from './fixtures/library.ts';

/* SQL and values that nobody would write by accident: what is sent, answered and failed is the same as without us. */

let library: Library;
beforeAll(async () => {
  library = await Library.open();
});

/** What a text is answered with, or refused with. */
async function answer(em: EntityManager, sql: string, parameters: unknown[] = []): Promise<unknown> {
  try {
    return await em.execute(sql, parameters);
  } catch (error) {
    return (error as { code?: string }).code ?? (error as Error).message;
  }
}

const texts: readonly string[] = [
  '',
  ' ',
  ';',
  ';;;',
  '--',
  '/*',
  '/* /* */',
  '*/',
  "'",
  '"',
  '$$',
  '$a$ $b$',
  'select',
  'select 1;',
  'select 1; select 2',
  'select 1 -- ?',
  'select 1 /* ? */',
  "select '?'",
  'select "?"  from (select 1 as "?") as x',
  "select e'\\''",
  'select $$ ? $$',
  "select ''''''",
  'SELECT\t1\r\n',
  '\uFEFFselect 1',
  'select 1\u0000',
  'select \u202E1',
  'selectselectselect',
  'begin; select 1; commit',
  'rollback',
  'explain select 1',
  'values (1), (2), (3)',
  'table tag',
  'with x as (select 1) select * from x',
  "with x as (insert into tag (id, name) values (500, 'x') returning id) delete from tag where id = 500",
  'select * from tag where id in ()',
  'set application_name = default',
  'show all',
  'do $$ begin perform 1; end $$',
  'prepare p as select 1',
  'deallocate all',
  'listen x',
  'copy (select 1) to stdout',
  `select ${'('.repeat(500)}1${')'.repeat(500)} as one`,
  `select ${Array.from({ length: 1_000 }, (_, index) => index).join(', ')}`,
  `select 1 in (${Array.from({ length: 5_000 }, (_, index) => index).join(', ')}) as one`,
  `select '${'x'.repeat(100_000)}' as one`,
  `select 1 as "${'y'.repeat(63)}"`,
];

describe('SQL', () => {
  test('is answered, or refused, as it is without', async () => {
    const { orm, timing } = await library.timed({
      slow: 0,
      parameters: 'full',
      callSites: { sample: 1 },
      nPlusOne: { threshold: 2 },
      comments: 'full',
    });
    const plain = await library.plain();
    for (const sql of texts) {
      const [timed, expected] = [
        await answer(orm.em.fork() as EntityManager, sql),
        await answer(plain.em.fork() as EntityManager, sql),
      ];
      expect(timed, sql.slice(0, 80)).toEqual(expected);
    }
    expect(timing.report().own.failures).toBe(0);
  });

  test('of Kysely, too', async () => {
    const { orm } = await library.timed({ slow: 0, comments: 'full' });
    const plain = await library.plain();
    const ask = async (em: EntityManager, sql: string): Promise<unknown> => {
      try {
        return (await kyselyOf(em).executeQuery(compiled(sql))).rows;
      } catch (error) {
        return (error as { code?: string }).code ?? (error as Error).message;
      }
    };
    for (const sql of texts) {
      const [timed, expected] = [
        await ask(orm.em.fork() as EntityManager, sql),
        await ask(plain.em.fork() as EntityManager, sql),
      ];
      expect(timed, sql.slice(0, 80)).toEqual(expected);
    }
  });

  test('that begins like a statement that is under way is told apart from it', async () => {
    const { orm, records } = await library.timed();
    const em = orm.em.fork() as EntityManager;
    await Promise.all([em.execute('select 1 as one'), em.execute('select 1 as one, 2 as two'), em.execute('select 1')]);
    expect(new Set(records.map(({ shape }) => shape.text))).toEqual(
      new Set(['select ? as one', 'select ? as one, ? as two', 'select ?']),
    );
  });
});

describe('values', () => {
  const values = fc.oneof(
    fc.string({ unit: 'binary' }).map(text => text.replaceAll('\u0000', '')),
    fc.constantFrom("'", "''", '\\', "\\'", '?', '$1', '--', '/*', '*/', ';', '"', '%', '\u202E', '😀', '\uD800'),
    fc.string({ minLength: 1, maxLength: 5 }).map(text => text.replaceAll('\u0000', '').repeat(500)),
  );

  test('come back as they went, whatever they are', async () => {
    const { orm } = await library.timed({ parameters: 'full', slow: 0, comments: 'full' });
    const plain = await library.plain();
    await fc.assert(
      fc.asyncProperty(fc.array(values, { minLength: 1, maxLength: 4 }), async list => {
        const sql = `select ${list.map((_, index) => `?::text as c${index}`).join(', ')}`;
        expect(await answer(orm.em.fork() as EntityManager, sql, list)).toEqual(
          await answer(plain.em.fork() as EntityManager, sql, list),
        );
      }),
      { numRuns: 60 },
    );
  });

  test('of names: labels and scopes are bounded, and have no control characters', async () => {
    const { orm, records, timing } = await library.timed();
    const name = `\u001B[31m<script>${'x'.repeat(1_000_000)}`;
    await timing.run(name, () => orm.em.fork().find(Tag, {}, { logging: { label: name } }));
    const shown = `\uFFFD[31m<script>${'x'.repeat(186)}…`;
    expect(records[0]!.label).toBe(shown);
    expect(timing.report().scopes[0]!.name).toBe(shown);
  });

  test('a label that is none is left out', async () => {
    const { orm, records } = await library.timed();
    for (const label of [5, null, {}, []]) {
      await orm.em.fork().find(Tag, {}, { logging: { label: label as never } });
    }
    expect(records.map(({ label }) => label)).toEqual([undefined, undefined, undefined, undefined]);
  });

  test('entities that are none fail as they do without', async () => {
    const { orm } = await library.timed();
    const plain = await library.plain();
    const ask = async (em: EntityManager, entity: unknown): Promise<unknown> => {
      try {
        return await em.find(entity as never, {});
      } catch (error) {
        return (error as Error).message;
      }
    };
    for (const entity of [undefined, null, 5, 'Nothing', {}, class Nothing {}, Symbol('x'), () => 5]) {
      expect(await ask(orm.em.fork() as EntityManager, entity)).toEqual(
        await ask(plain.em.fork() as EntityManager, entity),
      );
    }
  });

  test('fragments of raw SQL and builders within builders', async () => {
    const { orm, records } = await library.timed({ parameters: 'full' });
    const em = orm.em.fork() as EntityManager;
    const inner = em.createQueryBuilder(Tag, 'i').select(raw('max(id)')) as QueryBuilder<object>;
    await em.find(Tag, { [raw("name || '/*' || ?", ['x'])]: 'old/*x', id: { $in: inner.getNativeQuery() } as never });
    expect(records[0]!.error).toBeUndefined();
    expect(records[0]!.rows).toBe(0);
  });
});

describe('shapes', () => {
  test('any text has one, the same each time, and no more than so many are kept', () => {
    const shapes = new Shapes();
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        const shape = shapes.of(text);
        expect(shapes.of(text).id).toBe(shape.id);
        expect(shape.text.length).toBeLessThanOrEqual(4_096);
        expect(shape.summary.length).toBeLessThanOrEqual(255);
      }),
      { numRuns: 500 },
    );
    for (let index = 0; index < 3_000; index++) {
      shapes.of(`select c${index.toString(36).replaceAll(/\d/g, 'z')}q${'abcdefghij'[index % 10]} from t${index}x`);
    }
    expect([...shapes].length).toBeLessThanOrEqual(1_001);
    expect([...shapes].some(({ id }) => id === OTHER)).toBe(true);
    expect(shapes.dropped).toBeGreaterThan(0);
  });
});

describe('transaction control of any text', () => {
  test.each<[string, unknown]>([
    ['begin', { verb: 'begin', ends: false, begins: true, leavesOpen: true }],
    ['start transaction isolation level serializable', { verb: 'begin', ends: false, begins: true, leavesOpen: true }],
    ['BEGIN WORK', { verb: 'begin', ends: false, begins: true, leavesOpen: true }],
    ['commit', { verb: 'commit', ends: true, begins: false, leavesOpen: false }],
    ['end transaction', { verb: 'commit', ends: true, begins: false, leavesOpen: false }],
    ['commit and chain', { verb: 'commit', ends: true, begins: true, leavesOpen: true }],
    ['rollback and no chain', { verb: 'rollback', ends: true, begins: false, leavesOpen: false }],
    ['rollback to x', { verb: 'rollback', ends: false, begins: false, leavesOpen: false }],
    ['rollback to savepoint x', { verb: 'rollback', ends: false, begins: false, leavesOpen: false }],
    ['rollback work to savepoint x', { verb: 'rollback', ends: false, begins: false, leavesOpen: false }],
    ['abort', { verb: 'rollback', ends: true, begins: false, leavesOpen: false }],
    ['savepoint x', { verb: 'savepoint', ends: false, begins: false, leavesOpen: false }],
    ['prepare transaction ?', { verb: 'prepare', ends: true, begins: false, leavesOpen: false }],
    ['commit prepared ?', undefined],
    ['prepare p as select ?', undefined],
    ['select ?', undefined],
    ['select ?; select ?', undefined],
    ['begin; select ?; commit', { verb: 'begin', ends: false, begins: true, leavesOpen: false }],
    ['select ?; begin', { verb: undefined, ends: false, begins: true, leavesOpen: true }],
    ['commit; begin', { verb: 'commit', ends: true, begins: true, leavesOpen: true }],
    ['commit; begin; commit', { verb: 'commit', ends: true, begins: true, leavesOpen: false }],
    ['', undefined],
    [';;', undefined],
  ])('%s', (text, expected) => {
    expect(transactionControl(text)).toEqual(expected);
  });

  test('never throws, and takes no time that matters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => void transactionControl(text)),
      { numRuns: 500 },
    );
    for (const part of [';', 'begin;', 'commit ', ' ', 'rollback to ', 'a;']) {
      expect(
        cpuTime(() => transactionControl(part.repeat(4_096 / part.length))),
        part,
      ).toBeLessThan(500);
    }
  });
});
