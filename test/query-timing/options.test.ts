import type { EntityManager } from '@mikro-orm/postgresql';
import { queryTiming, type QueryTimingOptions } from '@mikrokit/query-timing';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { resolveOptions } from '../../packages/query-timing/src/resolved-options.ts';
import { Author, Book, Library } from './fixtures/library.ts';

let library: Library;
beforeAll(async () => {
  library = await Library.open({ authors: 12, books: 12 });
});
afterEach(() => void vi.unstubAllEnvs());

describe('defaults', () => {
  test('by environment', () => {
    const of = (environment: QueryTimingOptions['environment']): unknown => {
      const { nPlusOne, terminal, slow, parameters, callSites, comments } = resolveOptions({ environment });
      const { threshold, minTime, proof } = nPlusOne!;
      return {
        nPlusOne: { threshold, minTime, proof },
        terminal: terminal !== undefined,
        slow: slow.overall,
        parameters,
        sample: callSites!.sample,
        comments: comments.mode,
      };
    };
    const same = { slow: 100, parameters: 'types', comments: 'off' };
    const early = { threshold: 3, minTime: 0, proof: true };
    expect(of('development')).toEqual({ ...same, sample: 256, nPlusOne: early, terminal: true });
    expect(of('test')).toEqual({ ...same, sample: 1, nPlusOne: early, terminal: false });
    const late = { threshold: 5, minTime: 50, proof: true };
    expect(of('production')).toEqual({ ...same, sample: 256, nPlusOne: late, terminal: false });
  });

  test.each([
    ['production', 'production'],
    ['test', 'test'],
    ['development', 'development'],
    ['staging', 'development'],
    ['', 'development'],
  ])('NODE_ENV=%s is %s', (name, environment) => {
    vi.stubEnv('NODE_ENV', name);
    expect(resolveOptions().environment).toBe(environment);
    expect(resolveOptions({ environment: 'test' }).environment).toBe('test');
  });

  test('undefined is the same as left out', () => {
    const all: Required<{ [Name in keyof QueryTimingOptions]: undefined }> = {
      environment: undefined,
      slow: undefined,
      nPlusOne: undefined,
      parameters: undefined,
      secretColumns: undefined,
      callSites: undefined,
      plans: undefined,
      advice: undefined,
      idleInTransaction: undefined,
      longTransaction: undefined,
      poolWait: undefined,
      comments: undefined,
      terminal: undefined,
      baseline: undefined,
    };
    expect(JSON.stringify(resolveOptions(all))).toBe(JSON.stringify(resolveOptions()));
    expect(() => queryTiming()).not.toThrow();
  });

  test('options are read once: what is changed afterwards changes nothing', async () => {
    const entities: [unknown, number][] = [[Book, 60_000]];
    const slow = { overall: 60_000, entities };
    const { orm, timing } = await library.timed({ slow });
    slow.overall = 0;
    entities[0]![1] = 0;
    await orm.em.fork().find(Book, {});
    expect(timing.report().findings).toEqual([]);
  });
});

describe('nPlusOne', () => {
  const lazily = async (em: EntityManager, most: number): Promise<void> => {
    for (const book of await em.find(Book, { id: { $lte: most } })) {
      await book.author.load();
    }
  };
  async function found(options: QueryTimingOptions, most = 8): Promise<unknown> {
    const { orm, timing } = await library.timed(options);
    await timing.run('list', () => lazily(orm.em.fork() as EntityManager, most));
    return timing.report().findings.map(({ kind, count, parent }) => [kind, count, parent?.proved]);
  }

  test.each<[string, QueryTimingOptions, number, unknown]>([
    ['is looked for, and proved', {}, 8, [['n+1', 8, true]]],
    ['from the third repeat on', {}, 3, [['n+1', 3, true]]],
    ['not before', {}, 2, []],
    ['from another one on', { nPlusOne: { threshold: 9 } }, 8, []],
    ['not at all', { nPlusOne: false }, 8, []],
    ['not if all together are fast', { nPlusOne: { minTime: 60_000 } }, 8, []],
    ['not in this file', { nPlusOne: { ignore: ['options.test'] } }, 8, []],
    ['not in such a file', { nPlusOne: { ignore: [/options\.test\.ts$/] } }, 8, []],
    ['not in this function', { nPlusOne: { ignore: ['lazily'] } }, 8, []],
    ['not of this entity', { nPlusOne: { ignore: ['Author'] } }, 8, []],
    ['but of others', { nPlusOne: { ignore: ['Tag', /^nothing/] } }, 8, [['n+1', 8, true]]],
    ['without keys of rows: it is only likely', { nPlusOne: { proof: false } }, 8, [['n+1', 8, false]]],
    ['in production only of what takes long', { environment: 'production' }, 8, []],
  ])('%s', async (_, options, most, expected) => {
    expect(await found(options, most)).toEqual(expected);
  });
});

describe('baseline', () => {
  test('ids of findings that are not told of', async () => {
    const run = async (options: QueryTimingOptions): Promise<{ ids: string[]; told: string[] }> => {
      const { orm, timing } = await library.timed(options);
      const told: string[] = [];
      timing.on('finding', ({ id }) => void told.push(id));
      timing.on('scope', ({ findings }) => void told.push(...findings.map(({ id }) => id)));
      await timing.run('list', async () => {
        for (const author of await orm.em.fork().find(Author, {})) {
          await author.books.init();
        }
      });
      return { ids: timing.report().findings.map(({ id }) => id), told };
    };
    const { ids, told } = await run({});
    expect(ids).toHaveLength(1);
    expect(new Set(told)).toEqual(new Set(ids));
    expect(await run({ baseline: ids })).toEqual({ ids: [], told: [] });
    expect((await run({ baseline: ['0000000000000000'] })).ids).toEqual(ids);
  });
});

describe('comments', () => {
  test.each<[QueryTimingOptions['comments'], RegExp]>([
    ['off', /^select query from pg_stat_activity where pid = pg_backend_pid\(\)$/],
    ['static', / \/\*db_driver='mikro-orm',route='%2Fbooks'\*\/$/],
    ['full', / \/\*db_driver='mikro-orm',route='%2Fbooks',tenant='a'\*\/$/],
    [
      { mode: 'static', application: 'shop', prepend: true },
      /^\/\*application='shop',db_driver='mikro-orm',route='%2Fbooks'\*\/ ?select/,
    ],
    [{ mode: 'static', tags: () => ({ shard: '7' }) }, /shard='7'\*\/$/],
  ])('%j', async (comments, expected) => {
    const { orm, timing, records } = await library.timed({ comments });
    const [row] = await timing.run({ name: 'x', tags: { route: '/books', tenant: 'a' } }, () =>
      orm.em.fork().execute<{ query: string }[]>('select query from pg_stat_activity where pid = pg_backend_pid()'),
    );
    expect(row!.query).toMatch(expected);
    expect(records[0]!.shape.text).toBe('select query from pg_stat_activity where pid = pg_backend_pid()');
  });

  test('a function of tags that throws is counted and fails no query', async () => {
    const tags = (): never => {
      throw new Error('tags boom');
    };
    const { orm, timing } = await library.timed({ comments: { mode: 'full', tags } });
    expect(await orm.em.fork().count(Book)).toBe(12);
    expect(timing.report().own.failures).toBe(1);
  });
});
