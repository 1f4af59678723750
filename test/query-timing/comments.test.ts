import { OptionsError, type QueryTimingOptions } from '@mikrokit/query-timing';
import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { comment } from '../../packages/query-timing/src/comments/comment.ts';
import { commented } from '../../packages/query-timing/src/comments/commented.ts';
import { commentSettings } from '../../packages/query-timing/src/comments/comment-settings.ts';
import { CommentTags } from '../../packages/query-timing/src/comments/comment-tags.ts';

/** One comment, whose tags have nothing in them that SQL, MikroORM or a log could take for something else. */
const oneComment = /^\/\*(?:[\w.~%-]+='[\w.~%-]+',?)+\*\/$/;

/** What a reader on the server gets out of it. */
function tagsOf(text: string): [string, string][] {
  return [...text.matchAll(/([^',*/]+)='([^']*)'/g)].map(([, key, value]) => [
    decodeURIComponent(key!),
    decodeURIComponent(value!),
  ]);
}

describe('a comment', () => {
  test('has its tags sorted by key, and both sides percent-encoded', () => {
    expect(comment({ route: '/books/:id', controller: 'books', action: 'list' })).toBe(
      `/*action='list',controller='books',route='%2Fbooks%2F%3Aid'*/`,
    );
    expect(comment({ 'ключ *': 'é' })).toBe(`/*%D0%BA%D0%BB%D1%8E%D1%87%20%2A='%C3%A9'*/`);
  });

  test.each([
    ['ends the comment', '*/; drop table book; --', '%2A%2F%3B%20drop%20table%20book%3B%20--'],
    ['ends the value', `' or 1=1`, '%27%20or%201%3D1'],
    ['escapes', `\\'`, '%5C%27'],
    ['opens another', '/*', '%2F%2A'],
    ['is a placeholder', '? $1 ?? :x', '%3F%20%241%20%3F%3F%20%3Ax'],
    ['is encoded already', '%27', '%2527'],
    ['what encodeURIComponent() leaves', "!'()*", '%21%27%28%29%2A'],
    ['half of a surrogate pair', 'a\ud800b', 'a%EF%BF%BDb'],
    ['control characters', 'a\u0000\r\n\u001b[31m\u007f\u0085b', 'a%5B31mb'],
  ])('nothing that %s comes through', (_, value, shown) => {
    expect(comment({ key: value })).toBe(`/*key='${shown}'*/`);
  });

  test('what is undefined, empty or no text is left out; without tags there is no comment', () => {
    expect(comment({ a: undefined, b: '', c: '\n', d: 'd', '': 'e' })).toBe(`/*d='d'*/`);
    expect(comment({ a: 1, b: null, c: { toString: () => 'c' } } as never)).toBe('');
    expect(comment({})).toBe('');
  });

  test('a value has 256 bytes at most, and no half characters', () => {
    expect(tagsOf(comment({ key: 'a'.repeat(300) }))).toEqual([['key', 'a'.repeat(256)]]);
    expect(tagsOf(comment({ key: `a${'é'.repeat(300)}` }))).toEqual([['key', `a${'é'.repeat(127)}`]]);
    expect(tagsOf(comment({ key: `abc${'😀'.repeat(300)}` }))).toEqual([['key', `abc${'😀'.repeat(63)}`]]);
  });

  test('the first 20 tags, a key of 64 bytes, each key once', () => {
    const many = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`key${99 - index}`, 'x']));
    expect(tagsOf(comment(many)).map(([key]) => key)).toEqual(
      Array.from({ length: 20 }, (_, index) => `key${80 + index}`),
    );
    expect(tagsOf(comment({ ['k'.repeat(100)]: 'x' }))).toEqual([['k'.repeat(64), 'x']]);
    expect(comment({ a: '1', 'a\u0000': '2' })).toBe(`/*a='1'*/`);
  });

  test('1 MB in a tag costs nothing', () => {
    const huge = 'a\u0000'.repeat(1 << 19);
    const begun = performance.now();
    for (let index = 0; index < 100; index++) {
      comment({ key: huge, other: 'é'.repeat(1 << 10) });
    }
    expect(performance.now() - begun).toBeLessThan(500);
  });

  test('whatever the tags are: one comment, sorted, each tag as it was, as far as it is kept', () => {
    const text = fc.string({ unit: 'binary', maxLength: 400 });
    fc.assert(
      fc.property(fc.dictionary(text, fc.option(text, { nil: undefined })), tags => {
        const made = comment(tags);
        if (made === '') {
          return;
        }
        expect(made).toMatch(oneComment);
        const read = tagsOf(made);
        const keys = made
          .slice(2, -2)
          .split(',')
          .map(tag => tag.slice(0, tag.indexOf('=')));
        expect(keys).toEqual([...new Set(keys)].toSorted());
        const kept = Object.entries(tags).map(([key, value]) => [printable(key), printable(value ?? '')] as const);
        for (const [key, value] of read) {
          expect(kept.some(([from, of]) => from.startsWith(key) && of.startsWith(value))).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });

  function printable(text: string): string {
    return text.toWellFormed().replace(/\p{Cc}/gu, '');
  }
});

describe('SQL with a comment', () => {
  const note = `/*a='b'*/`;

  test.each([
    ['select 1', `select 1 ${note}`],
    ['select 1;', `select 1 ${note}`],
    ['select 1 ;\n ; ', `select 1 ${note}`],
    [`select ';'`, `select ';' ${note}`],
    ['select 1; select 2;', `select 1; select 2 ${note}`],
  ])('%j: at its end, where its semicolon was', (sql, expected) => {
    expect(commented(sql, false, note, false)).toBe(expected);
  });

  test('in front, if that is wanted; the rest stays', () => {
    expect(commented('select 1;', false, note, true)).toBe(`${note} select 1;`);
  });

  test.each(['', ' \n', ';', ' ; '])('%j: nothing is added to nothing', sql => {
    expect(commented(sql, false, note, false)).toBe(sql);
    expect(commented(sql, false, note, true)).toBe(sql);
  });

  test('a second comment is never added, and an empty one neither', () => {
    expect(commented('select 1 -- mine', true, note, false)).toBe('select 1 -- mine');
    expect(commented('select 1;', false, '', false)).toBe('select 1;');
  });

  test('a megabyte of white space is not a trap', () => {
    const begun = performance.now();
    commented(`select ${' '.repeat(1 << 20)}1`, false, note, false);
    commented(`select 1${' ;'.repeat(1 << 19)}`, false, note, false);
    expect(performance.now() - begun).toBeLessThan(1_000);
  });
});

describe('the option', () => {
  const scope = { route: '/books', method: 'GET', tenant: '7', traceparent: 'of the request' };
  const failures: unknown[] = [];
  const tagsFor = (comments: QueryTimingOptions['comments']): CommentTags =>
    new CommentTags(commentSettings(comments), error => failures.push(error));

  beforeEach(() => void failures.splice(0));

  test(`'off', and left out: no comment`, () => {
    expect(tagsFor('off').for(scope)).toBe('');
    expect(tagsFor(undefined).for(scope)).toBe('');
  });

  test(`'static': what all requests of a route have in common`, () => {
    const tags = tagsFor({ mode: 'static', application: 'shop' });
    expect(tags.for(scope)).toBe(`/*application='shop',db_driver='mikro-orm',method='GET',route='%2Fbooks'*/`);
    expect(tags.for()).toBe(`/*application='shop',db_driver='mikro-orm'*/`);
  });

  test('the text of a scope is made once', () => {
    let reads = 0;
    const counted = {
      get route() {
        reads += 1;
        return '/books';
      },
    };
    const tags = tagsFor('static');
    expect(tags.for(counted)).toBe(tags.for(counted));
    expect(reads).toBe(1);
  });

  test(`'full': all tags of the scope`, () => {
    expect(tagsOf(tagsFor('full').for(scope))).toEqual([
      ['db_driver', 'mikro-orm'],
      ['method', 'GET'],
      ['route', '/books'],
      ['tenant', '7'],
      ['traceparent', 'of the request'],
    ]);
  });

  test('its tags are asked for each query, in either mode', () => {
    let asked = 0;
    const tags = (): Record<string, string> => ({ count: String((asked += 1)), route: 'mine' });
    for (const mode of ['static', 'full'] as const) {
      asked = 0;
      const of = tagsFor({ mode, tags });
      const own = { method: 'GET', route: '/' };
      expect(of.for(own)).toBe(`/*count='1',db_driver='mikro-orm',method='GET',route='mine'*/`);
      expect(of.for(own)).toContain(`count='2'`);
    }
  });

  test('a tag of the scope wins over what is said always', () => {
    const own = { application: 'of the scope', db_driver: 'another' };
    expect(tagsOf(tagsFor({ mode: 'full', application: 'shop' }).for(own))).toEqual(Object.entries(own));
  });

  test('its tags win over those of the scope: the active span over the one that the request came with', () => {
    const span = { now: {} as Record<string, string> };
    const traced = tagsFor({ mode: 'full', tags: () => span.now });
    const traceparent = (): string | undefined => new Map(tagsOf(traced.for(scope))).get('traceparent');
    expect(traceparent()).toBe('of the request');
    span.now = { traceparent: 'of the span' };
    expect(traceparent()).toBe('of the span');
  });

  test('tags that throw are told of, and are no tags; the query has a comment nevertheless', () => {
    const wrong = new Error('wrong');
    const fail = (): never => {
      throw wrong;
    };
    const failing = { mode: 'full', application: 'shop', tags: fail } as const;
    expect(tagsFor(failing).for(scope)).toBe(`/*application='shop',db_driver='mikro-orm'*/`);
    expect(
      tagsFor({ ...failing, tags: () => Object.defineProperty({}, 'a', { get: fail, enumerable: true }) }).for(),
    ).toBe(`/*application='shop',db_driver='mikro-orm'*/`);
    expect(failures).toEqual([wrong, wrong]);
    expect(tagsFor({ mode: 'full', tags: () => null as never }).for()).toBe(`/*db_driver='mikro-orm'*/`);
    expect(failures).toHaveLength(2);
  });

  test('a tag may be called like anything that objects have', () => {
    const hostile = JSON.parse('{ "__proto__": "p", "constructor": "c", "toString": "t" }') as Record<string, string>;
    expect(tagsOf(tagsFor('full').for(hostile)).map(([key]) => key)).toEqual([
      '__proto__',
      'constructor',
      'db_driver',
      'toString',
    ]);
  });

  test('too many tags of a user do not push out the first ones', () => {
    const many = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`a${index}`, 'x']));
    const keys = tagsOf(tagsFor('full').for({ ...many, route: '/', traceparent: 't' })).map(([key]) => key);
    expect(keys).toHaveLength(20);
    expect(keys).toEqual(expect.arrayContaining(['db_driver', 'route', 'traceparent']));
  });

  test.each<[unknown, string]>([
    ['on', `comments is one of 'off', 'static', 'full', but got: "on". Leave it out for 'off'.`],
    [true, `comments is one of 'off', 'static', 'full', but got: true. Leave it out for 'off'.`],
    [{}, `comments.mode is one of 'off', 'static', 'full', but got: undefined. Say 'static' if in doubt.`],
    [
      { mode: 'full', tag: 1 },
      `comments has mode, application, prepend, tags, but got: an object with mode, tag. Remove "tag".`,
    ],
    [
      { mode: 'full', tags: {} },
      'comments.tags is a function that returns tags, but got: an object with nothing in it. Leave it out if there are none.',
    ],
    [
      { mode: 'full', application: '' },
      'comments.application is a text that is not empty, but got: "". Leave it out if there is none.',
    ],
    [{ mode: 'full', prepend: 1 }, 'comments.prepend is true or false, but got: 1. Leave it out for false.'],
  ])('%j is refused', (comments, message) => {
    expect(() => commentSettings(comments as never)).toThrow(OptionsError);
    expect(() => commentSettings(comments as never)).toThrow(expect.objectContaining({ message }) as Error);
  });
});
