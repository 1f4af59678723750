import { defineEntity, type MikroORM, p } from '@mikro-orm/postgresql';
import { batch, batchLoader } from '@mikrokit/batch-loader';
import { beforeAll, describe, expect, test } from 'vitest';
import { openDatabase } from '../harness/database.ts';
import { openOrm } from '../harness/orm.ts';
import { Author, Book, Copy, ENTITIES } from './library.ts';

/*
 * Bad input to batch(em), with the exact message.
 */

let orm: MikroORM;
let plain: MikroORM;
beforeAll(async () => {
  const { url } = await openDatabase();
  orm = (await openOrm({ url, entities: ENTITIES, extensions: [batchLoader()] })) as MikroORM;
  plain = (await openOrm({ url, entities: ENTITIES })) as MikroORM;
  await orm.schema.create();
});

const NOT_REGISTERED =
  'batch(em) takes an EntityManager of an ORM with the extension, but this one has none. Add batchLoader() to `extensions` in the config of MikroORM.';

describe('batch(em) refuses', () => {
  test('an EntityManager of an ORM without the extension', () => {
    expect(() => batch(plain.em.fork())).toThrow(
      expect.objectContaining({ name: 'BatchLoaderError', code: 'NOT_REGISTERED', message: NOT_REGISTERED }),
    );
  });

  test.each([[undefined], [null], [{}], [7], ['em']])('%o', em => {
    expect(() => batch(em as never)).toThrow(
      expect.objectContaining({ code: 'NOT_REGISTERED', message: NOT_REGISTERED }),
    );
  });
});

describe('an aggregate refuses', () => {
  test.each([
    ['a property that is not one', Book, 'nothing', 'Book'],
    ['a collection', Book, 'tags', 'Book'],
    ['a relation of more than one column', Copy, 'loans', 'Copy'],
    ['an embedded', Author, 'address', 'Author'],
    ['what only a prototype has', Book, 'constructor', 'Book'],
  ])('%s', async (_, entity, property, name) => {
    await expect(batch(orm.em.fork()).sum(entity as never, property as never, {})).rejects.toMatchObject({
      code: 'ARGUMENT',
      message: `batch(em).sum(${name}, property) takes the name of a property with one column, but got: '${property}'. Name a column of ${name}.`,
    });
  });
});

/** How a call is refused: MikroORM's own error, or what it resolves to. */
async function outcome(call: () => Promise<unknown>): Promise<unknown> {
  try {
    return await call();
  } catch (error) {
    const { name, message } = error as Error;
    return `${name}: ${message.replaceAll(/"?_mk\w*"?\.?/g, '')}`;
  }
}

const Stranger = defineEntity({ name: 'Stranger', properties: { id: p.integer().primary() } });

describe('what em refuses is refused in its words, and no other call with it', () => {
  const bad: [string, (b: Pick<MikroORM['em'], 'find' | 'findOne' | 'count'>) => Promise<unknown>][] = [
    ['an unknown property', b => b.find(Book, { nothing: 1 } as never)],
    ['an unknown operator', b => b.find(Book, { pages: { $near: 1 } } as never)],
    ['undefined for a condition of findOne()', b => b.findOne(Book, undefined as never)],
    ['an empty condition of findOne()', b => b.findOne(Book, {})],
    ['text for a number', b => b.find(Book, { pages: 'many' } as never)],
    ['a limit of text', b => b.find(Book, {}, { limit: 'x' as never })],
    ['a limit below zero', b => b.find(Book, {}, { limit: -1 })],
    ['an unknown order', b => b.find(Book, {}, { orderBy: { nothing: 1 } as never })],
    ['an unknown relation to populate', b => b.find(Book, {}, { populate: ['nothing'] as never })],
    ['fields and exclude at once', b => b.find(Book, {}, { fields: ['id'], exclude: ['title'] as never })],
    ['an unknown filter argument', b => b.count(Book, {}, { filters: { atLeast: {} } })],
  ];

  test.each(bad)('%s', async (_, call) => {
    const b = batch(orm.em.fork());
    const expected = await outcome(() => call(plain.em.fork()));
    const [first, second, good, fine] = await Promise.all([
      outcome(() => call(b)),
      outcome(() => call(b)),
      outcome(() => b.find(Book, { pages: 1 })),
      outcome(() => b.find(Book, { pages: 2 })),
    ]);
    expect([first, second]).toEqual([expected, expected]);
    expect([good, fine]).toEqual([[], []]);
  });

  test('an entity of another ORM', async () => {
    const expected = await outcome(() => plain.em.fork().find(Stranger, {}));
    expect(await outcome(() => batch(orm.em.fork()).find(Stranger, {}))).toBe(expected);
  });
});

test('a call on a closed ORM', async () => {
  const { url } = await openDatabase();
  const closed = await openOrm({ url, entities: ENTITIES, extensions: [batchLoader()] });
  const b = batch(closed.em.fork());
  await closed.close();
  await expect(b.find(Book, { pages: 1 })).rejects.toMatchObject({ code: 'CLOSED' });
});
