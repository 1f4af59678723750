import fc from 'fast-check';
import { parse } from 'graphql';
import { describe, expect, test } from 'vitest';
import { boundedText } from '../../packages/query-timing/src/http/bounded-text.ts';
import { operationName } from '../../packages/query-timing/src/http/operation-name.ts';
import { pathName } from '../../packages/query-timing/src/http/path-name.ts';
import { traceParent } from '../../packages/query-timing/src/http/trace-parent.ts';

describe('a path has :id for what looks like a value', () => {
  test.each([
    ['/', '/'],
    ['', '/'],
    ['*', '*'],
    ['/books', '/books'],
    ['/books/', '/books/'],
    ['/books/7', '/books/:id'],
    ['/books/7/pages/12', '/books/:id/pages/:id'],
    ['/sales/2026-07-31', '/sales/:id'],
    ['/books/7f3c9a52-7f9b-4a6e-9a3f-1f2e3d4c5b6a', '/books/:id'],
    ['/books/7F3C9A527F9B4A6E', '/books/:id'],
    ['/books/507f1f77bcf86cd799439011', '/books/:id'],
    ['/books/01ARZ3NDEKTSV4RRFFQ69G5FAV', '/books/:id'],
    ['/reset/eyJhbGciOiJIUzI1NiJ9.e30.ZRrHA1JJ', '/reset/:id'],
    ['/users/ann@example.com', '/users/:id'],
    ['/users/ann%40example.com', '/users/:id'],
    [`/${'a'.repeat(65)}`, '/:id'],
    ['/v1/api', '/v1/api'],
    ['/oauth2/callback', '/oauth2/callback'],
    ['/internationalization-guide', '/internationalization-guide'],
    ['/facade', '/facade'],
  ])('%s: %s', (target, name) => expect(pathName(target)).toBe(name));

  test.each([
    ['the query', '/books?q=secret'],
    ['a query without a path', '?secret'],
    ['a fragment', '/books#secret'],
    ['parameters', '/books;jsessionid=secret/pages'],
    ['user and password', 'http://secret:secret@host/books'],
    ['the host', 'https://secret.example/books?secret'],
    ['the host alone', 'https://secret.example?secret'],
  ])('never %s', (_, target) => expect(pathName(target)).not.toContain('secret'));

  test('whatever is asked for: what follows ? is not in it, and there is an end to it', () => {
    fc.assert(
      fc.property(fc.webPath(), fc.string(), (path, query) => {
        expect(pathName(`${path}?${query}`)).toBe(pathName(path));
      }),
    );
    fc.assert(
      fc.property(fc.string({ maxLength: 5_000, unit: 'binary' }), target => {
        expect(pathName(target).length).toBeLessThanOrEqual(6_000);
      }),
    );
  });

  test.each(['/', 'a', '1', '/1', '-', ':', 'a:', 'http://', ';', '?', '%40', 'f-', '\u0000', '😀'])(
    'a megabyte of %j takes no time',
    part => {
      const target = part.repeat(1_000_000 / part.length);
      const start = performance.now();
      for (let times = 0; times < 100; times++) {
        pathName(target);
      }
      expect((performance.now() - start) / 100).toBeLessThan(5);
    },
  );
});

describe('text from outside', () => {
  test('that is short and harmless stays', () => {
    expect(boundedText('GET /bücher/本 😀', 100)).toBe('GET /bücher/本 😀');
  });

  test('is cut, with a sign that it was', () => {
    expect(boundedText('abcdef', 6)).toBe('abcdef');
    expect(boundedText('abcdefg', 6)).toBe('abcde…');
  });

  test('has no characters that move a cursor or turn the text, nor halves of any', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 50 }), (text, most) => {
        const bounded = boundedText(`\u001b[2J\u009b\u2028\u202e\ud83d${text}`, most);
        expect(bounded.length).toBeLessThanOrEqual(most);
        expect(bounded).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_C}]/u);
        expect(bounded.isWellFormed()).toBe(true);
      }),
    );
  });
});

describe('traceparent', () => {
  const hex = (length: number): fc.Arbitrary<string> =>
    fc.string({
      unit: fc.constantFrom('0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'),
      minLength: length,
      maxLength: length,
    });

  test('as the standard has it', () => {
    const some = (text: string): boolean => /[^0]/.test(text);
    fc.assert(
      fc.property(hex(32).filter(some), hex(16).filter(some), hex(2), (trace, parent, flags) => {
        const header = `00-${trace}-${parent}-${flags}`;
        expect(traceParent(header)).toBe(header);
      }),
    );
  });

  test('never anything else', () => {
    fc.assert(
      fc.property(fc.anything(), header => {
        expect(traceParent(header)).toBeUndefined();
      }),
    );
    expect(traceParent(['00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'])).toBeUndefined();
  });
});

describe('a GraphQL operation is called', () => {
  test.each([
    ['query Books { books { id } }', undefined, 'query Books'],
    ['mutation Add { add }', undefined, 'mutation Add'],
    ['subscription { books { id } }', undefined, 'subscription { books }'],
    ['{ mine: books(secret: 1) { id } authors { id } }', undefined, 'query { books, authors }'],
    ['{ a b c d e }', undefined, 'query { a, b, c, … }'],
    ['{ ...All ... { b } } fragment All on Query { a }', undefined, 'query { …All, … }'],
    ['query A { a } query B { b }', 'B', 'query B'],
    ['query A { a } query B { b }', null, 'query A'],
  ])('%s (%s): %s', (source, chosen, name) => {
    expect(operationName({ document: parse(source), operationName: chosen })).toBe(name);
  });

  test('nothing, when the document has no such operation', () => {
    expect(operationName({ document: parse('query A { a }'), operationName: 'B' })).toBeUndefined();
    expect(operationName({ document: { definitions: [] } })).toBeUndefined();
  });
});
