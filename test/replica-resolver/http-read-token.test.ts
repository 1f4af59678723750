import { readToken, tokenHeaders } from '@mikrokit/replica-resolver/http';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { scriptedResolver } from './fixtures/scripted-resolver.ts';

const HEADER = 'x-mikrokit-replica-token';
const COOKIE = 'mikrokit-replica-token';
const token = 'v1.0123456789ab.1.16b374d848.mh0c5x9k';
const other = 'v1.0123456789ab.2.1.0';
const signed = `${token}.AbCdEf-_0123456789abcd`;

describe('readToken()', () => {
  test.each([
    ['a request of node:http', { headers: { [HEADER]: token } }],
    ['headers of node:http', { [HEADER]: token }],
    ['a request of fetch', new Request('http://a/', { headers: { [HEADER]: token } })],
    ['headers of fetch', new Headers({ [HEADER]: token })],
    ['an answer of fetch', new Response(null, { headers: { [HEADER]: token } })],
    ['metadata of gRPC, lists of values', { get: (name: string) => (name === HEADER ? [token, other] : []) }],
    ['a header that came as a list', { [HEADER]: [token, other] }],
  ])('reads the header of %s', (_, source) => {
    expect(readToken(source)).toBe(token);
  });

  test.each([
    ['alone', `${COOKIE}=${token}`],
    ['among others', `a=1; ${COOKIE}=${token}; b=2`],
    ['without spaces', `a=1;${COOKIE}=${token};b=2`],
    ['of several, the first', `${COOKIE}=${token}; ${COOKIE}=${other}`],
    [
      'after names that only resemble it',
      `x${COOKIE}=${other}; ${COOKIE}x=${other}; ${COOKIE.toUpperCase()}=${other}; ${COOKIE}=${token}`,
    ],
    ['after what is no pair', `${COOKIE}; =${other}; ;; ${COOKIE}=${token}`],
    ['after a value that has its name in it', `a="; b=${COOKIE}=${other}; ${COOKIE}=${token}`],
    ['signed', `${COOKIE}=${signed}`],
  ])('reads the cookie %s', (_, cookie) => {
    expect([token, signed]).toContain(readToken({ cookie }));
    expect([token, signed]).toContain(readToken(new Headers({ cookie })));
  });

  test('the header wins over the cookie; of several headers the first', () => {
    expect(readToken({ [HEADER]: `${token}, ${other}`, cookie: `${COOKIE}=${other}` })).toBe(token);
  });

  test('a header that cannot be a token is as good as absent', () => {
    expect(readToken({ [HEADER]: '', cookie: `${COOKIE}=${token}` })).toBe(token);
    expect(readToken({ [HEADER]: 'x'.repeat(161), cookie: `${COOKIE}=${token}` })).toBe(token);
  });

  test.each([
    ['1 MB', 'a'.repeat(1 << 20)],
    ['161 characters', 'a'.repeat(161)],
    ['nothing', ''],
    ['quotes', `"${token}"`],
    ['percent encoding', token.replace('.', '%2E')],
    ['control characters', `${token}\u0000`],
    ['a line break', `${token}\r\nset-cookie: admin=1`],
    ['a trailing line break', `${token}\n`],
    ['other letters', `${token}ä`],
    ['markup', `<b>${token}`],
  ])('%s instead of a token is ignored', (_, hostile) => {
    expect(readToken({ [HEADER]: hostile })).toBeUndefined();
    expect(hostile.endsWith('\n') || readToken({ cookie: `${COOKIE}=${hostile}` })).toBeOneOf([undefined, true]);
  });

  test('of several cookies the first counts, even when it is none: a second one is as little trusted', () => {
    expect(readToken({ cookie: `${COOKIE}=""; ${COOKIE}=${token}` })).toBeUndefined();
  });

  test('1 MB of cookies takes no longer than it has to', () => {
    const begun = performance.now();
    expect(readToken({ cookie: `${'a;'.repeat(1 << 19)}${COOKIE}=${token}` })).toBe(token);
    expect(readToken({ cookie: '='.repeat(1 << 20) })).toBeUndefined();
    expect(readToken({ cookie: ';'.repeat(1 << 20) })).toBeUndefined();
    expect(performance.now() - begun).toBeLessThan(1_000);
  });

  test('names that objects have anyway are no headers', () => {
    for (const header of ['__proto__', 'constructor', 'toString', 'hasownproperty']) {
      expect(readToken({}, { header, cookie: { name: '__proto__' } })).toBeUndefined();
    }
    expect(readToken(JSON.parse(`{ "__proto__": "${token}" }`), { header: '__proto__' })).toBe(token);
  });

  test('header or cookie can be off', () => {
    const both = { [HEADER]: token, cookie: `${COOKIE}=${other}` };
    expect(readToken(both, { header: false })).toBe(other);
    expect(readToken({ cookie: `${COOKIE}=${other}` }, { cookie: false })).toBeUndefined();
    expect(readToken({ 'x-t': token, cookie: `t=${other}` }, { header: 'X-T' })).toBe(token);
    expect(readToken({ cookie: `t=${other}` }, { cookie: { name: 't' } })).toBe(other);
  });

  test('whatever comes, it does not throw, and returns nothing but what a token may consist of', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc.constantFrom(token, `${COOKIE}=${token}`, ';', ' '),
    );
    const value = fc.oneof(text, fc.array(text), fc.constant(undefined));
    fc.assert(
      fc.property(value, value, fc.array(text), (header, cookie, parts) => {
        for (const source of [
          { [HEADER]: header, cookie },
          { cookie: parts.join('') },
          { headers: { cookie: parts.join(';') } },
        ]) {
          expect(readToken(source) ?? 'v').toMatch(/^[A-Za-z0-9_.-]{1,160}$/);
        }
      }),
    );
  });

  test('a cookie that was set is read back, whatever stands around it', () => {
    const name = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}$/);
    const pair = fc.tuple(name, fc.stringMatching(/^[!#-+\--:<-[\]-~]{0,30}$/)).map(parts => parts.join('='));
    fc.assert(
      fc.property(name, fc.array(pair), fc.array(pair), (own, before, after) => {
        fc.pre(!before.some(each => each.startsWith(`${own}=`)));
        const cookie = [...before, `${own}=${token}`, ...after].join('; ');
        expect(readToken({ cookie }, { cookie: { name: own } })).toBe(token);
      }),
    );
  });
});

describe('tokenHeaders()', () => {
  test('is what the other service reads; nothing without a token', () => {
    const resolver = scriptedResolver();
    expect(tokenHeaders(resolver)).toEqual({});
    resolver.run({}, () => {
      const written = resolver.write();
      expect(readToken(new Headers(tokenHeaders(resolver)))).toBe(written);
      expect(tokenHeaders(resolver, { header: 'X-Other' })).toEqual({ 'x-other': written });
    });
  });

  test('a session that only was given a token passes it on', () => {
    const resolver = scriptedResolver();
    const written = resolver.run({}, () => resolver.write());
    expect(resolver.run({ token: written }, () => tokenHeaders(resolver))).toEqual({ [HEADER]: written });
  });

  test('what the other service wrote comes back by advance(), and a job takes its token in the payload', () => {
    const resolver = scriptedResolver();
    const theirs = new Response(null, { headers: { [HEADER]: resolver.run({}, () => resolver.write()) } });
    const job = resolver.run({}, () => {
      resolver.advance(readToken(theirs));
      return structuredClone({ token: resolver.token() });
    });
    expect(resolver.run({ token: job.token }, () => resolver.token())).toBe(theirs.headers.get(HEADER));
  });
});
