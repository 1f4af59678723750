import { Collection, Reference, ScalarReference, Utils, helper } from '@mikro-orm/core';
import { beforeAll, describe, expect, test } from 'vitest';
import { openOrm } from '../harness/orm.ts';
import { Author, Book, Day, ENTITIES, Tag, fillLibrary } from './library.ts';
import { createRandom } from './random.ts';

/*
 * What `seam/peer-layer.ts`, `seam/asking.ts` and `seam/guard-layer.ts` rely on in MikroORM, asked of MikroORM itself,
 * without the extension.
 */

const moved = (internal: string): string => `MikroORM ${Utils.getORMVersion()} has moved ${internal}`;

type Orm = Awaited<ReturnType<typeof openOrm>>;
let orm: Orm;
beforeAll(async () => {
  orm = await openOrm({ entities: ENTITIES });
  await fillLibrary(orm, createRandom(1).next);
});

describe('peers', () => {
  test('every entity that is hydrated is registered as loaded, those of one result in one synchronous run', async () => {
    const em = orm.em.fork();
    const uow = em.getUnitOfWork(false) as unknown as { register(...args: unknown[]): unknown };
    const register = uow.register.bind(uow);
    const runs: string[][] = [];
    let run: string[] | undefined;
    uow.register = (...args) => {
      const [entity, data, options] = args as [object, object | undefined, { loaded?: boolean } | undefined];
      if (data !== undefined && options?.loaded && helper(entity).__initialized) {
        if (run === undefined) {
          run = [];
          runs.push(run);
          queueMicrotask(() => void (run = undefined));
        }
        run.push(helper(entity).__meta.className);
      }
      return register(...args);
    };
    await em.find(Book, { id: [1, 2] }, { filters: false });
    em.clear();
    await em.find(Book, { id: [1] }, { populate: ['author'], strategy: 'joined', filters: false });
    em.clear();
    (await em.execute('select * from tag where id < 3')).forEach((row: object) => em.map(Tag, row as never));
    expect(runs, moved('UnitOfWork.register(entity, data, { loaded })')).toEqual([
      ['Book', 'Book'],
      ['Author', 'Book'],
      ['Tag', 'Tag'],
    ]);
  });

  test('an entity that is known and read again is not registered: its result tells of it', async () => {
    const em = orm.em.fork();
    const first = await em.find(Tag, { id: [1, 2] });
    const again = await em.find(Tag, { id: [1, 2, 3] }, { orderBy: { id: 'asc' } });
    expect(again[0] === first.find(tag => tag.id === 1), moved('EntityManager.find()')).toBe(true);
  });

  test('the prototypes that a load goes through', () => {
    expect(
      [Reference.prototype.load, ScalarReference.prototype.load, Collection.prototype.loadCount].map(it => typeof it),
      moved('Reference.load, ScalarReference.load or Collection.loadCount'),
    ).toEqual(['function', 'function', 'function']);
  });

  test('a row whose key is a Date is another instance each time', async () => {
    const em = orm.em.fork();
    const [days, again] = [await em.find(Day, {}), await em.find(Day, {})];
    // When this fails, `hasDateKey` of the seam has no use any more.
    expect(
      again.some(day => days.includes(day)),
      moved('identity of Date keys'),
    ).toBe(false);
  });
});

describe('the guard', () => {
  test('symbols in options reach the driver, and only for the call itself', async () => {
    const note = Symbol('note');
    const seen: string[] = [];
    const driver = orm.driver as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
    const originals = new Map(['find', 'findOne', 'count'].map(name => [name, driver[name]!]));
    for (const [name, original] of originals) {
      driver[name] = (...args) => {
        if ((args[2] as object | undefined) && note in (args[2] as object)) {
          seen.push(name);
        }
        return original.apply(driver, args);
      };
    }
    const em = orm.em.fork();
    await em.find(Author, { id: 1 }, { populate: ['books'], [note]: true } as never);
    await em.findOne(Tag, 1, { [note]: true } as never);
    await em.count(Tag, {}, { [note]: true } as never);
    originals.forEach((original, name) => (driver[name] = original));
    expect(seen, moved('options of driver.find, findOne, count')).toEqual(['find', 'findOne', 'find', 'count']);
  });

  test("populate's own finds say `convertCustomTypes`", async () => {
    const em = orm.em.fork();
    const find = em.find.bind(em) as (...args: unknown[]) => Promise<unknown>;
    const own: boolean[] = [];
    (em as unknown as Record<string, unknown>)['find'] = (...args: unknown[]) => {
      own.push(Object.hasOwn(args[2] as object, 'convertCustomTypes'));
      return find(...args);
    };
    await em.find(Author, {}, { populate: ['books', 'mentor'] });
    await em.find(Author, {}, { populate: ['bio'] });
    const authors = await em.find(Author, {}, {});
    await em.populate(authors, ['notes', 'pupils']);
    expect(own.filter(it => !it).length, moved("EntityLoader's calls of em.find()")).toBe(3);
    expect(own.filter(Boolean).length, moved("EntityLoader's calls of em.find()")).toBeGreaterThan(2);
  });
});
