import { createHmac } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mergeTokens, type Token } from '../../packages/replica-resolver/src/token.ts';
import {
  clusterDigest,
  decodeToken,
  encodeToken,
  type ExpectedToken,
} from '../../packages/replica-resolver/src/token-text.ts';

/* Tokens of one cluster are a semilattice; of each there is one text, and nobody else's text is taken. */

const cluster = clusterDigest('7372819283746352819');
const other = clusterDigest('7372819283746352820');
const now = Date.UTC(2026, 0, 2, 3, 4, 5);
const token: Token = { cluster, timeline: 3, lsn: 0x16_b374_d848n, at: now - 1_000 };
const unsigned: ExpectedToken = { cluster, secret: undefined, now, ttl: 60_000 };
const signed: ExpectedToken = { ...unsigned, secret: 'a secret' };

/** Few values, so that equal ones meet. */
const near = (clusters: string[]): fc.Arbitrary<Token> =>
  fc.record({
    cluster: fc.constantFrom(...clusters),
    timeline: fc.integer({ min: 1, max: 3 }),
    lsn: fc.bigInt({ min: 0n, max: 3n }),
    at: fc.integer({ min: 0, max: 3 }),
  });

describe('merging', () => {
  const some = fc.option(near([cluster]), { nil: undefined });
  const any = fc.option(near([cluster, other]), { nil: undefined });

  test('takes the later timeline, there the greater position, and the later moment', () => {
    const old: Token = { cluster, timeline: 1, lsn: 900n, at: 50 };
    const promoted: Token = { cluster, timeline: 2, lsn: 100n, at: 40 };
    expect(mergeTokens(old, promoted)).toEqual({ cluster, timeline: 2, lsn: 100n, at: 50 });
    expect(mergeTokens(promoted, { ...promoted, lsn: 101n, at: 30 })).toEqual({ ...promoted, lsn: 101n });
  });

  test('with nothing changes nothing', () => {
    expect(mergeTokens(undefined, undefined)).toBeUndefined();
    expect(mergeTokens(token, undefined)).toBe(token);
    expect(mergeTokens(undefined, token)).toBe(token);
  });

  test('in any order, grouped anyhow, as often as one likes: the same', () => {
    fc.assert(
      fc.property(some, some, some, (a, b, c) => {
        expect(mergeTokens(a, b)).toEqual(mergeTokens(b, a));
        expect(mergeTokens(a, a)).toEqual(a);
        expect(mergeTokens(mergeTokens(a, b), c)).toEqual(mergeTokens(a, mergeTokens(b, c)));
      }),
      { numRuns: 1_000 },
    );
  });

  test('loses nothing, and adds nothing that neither had', () => {
    const position = ({ timeline, lsn }: Token): bigint => (BigInt(timeline) << 64n) | lsn;
    fc.assert(
      fc.property(near([cluster]), near([cluster]), (a, b) => {
        const merged = mergeTokens(a, b)!;
        for (const one of [a, b]) {
          expect(position(merged) >= position(one)).toBe(true);
          expect(merged.at).toBeGreaterThanOrEqual(one.at);
        }
        expect([position(a), position(b)]).toContain(position(merged));
        expect([a.at, b.at]).toContain(merged.at);
      }),
      { numRuns: 1_000 },
    );
  });

  test('of different clusters the later one is kept as it is, whichever comes first', () => {
    const far: Token = { cluster, timeline: 9, lsn: 9n, at: 1 };
    const late: Token = { cluster: other, timeline: 1, lsn: 1n, at: 2 };
    expect(mergeTokens(far, late)).toBe(late);
    expect(mergeTokens(late, far)).toBe(late);
    fc.assert(
      fc.property(any, any, (a, b) => {
        expect(mergeTokens(a, b)).toEqual(mergeTokens(b, a));
        expect(mergeTokens(a, a)).toEqual(a);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('text', () => {
  const tokens: fc.Arbitrary<Token> = fc.record({
    cluster: fc.string().map(clusterDigest),
    timeline: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    lsn: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    at: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
  });
  const secrets = fc.option(fc.oneof(fc.string(), fc.uint8Array()), { nil: undefined });

  test('is version, cluster, timeline, position and time, then the signature', () => {
    const text = `v1.${cluster}.3.16b374d848.${token.at.toString(36)}`;
    expect(encodeToken(token)).toBe(text);
    const signature = createHmac('sha256', 'a secret').update(text).digest().subarray(0, 16).toString('base64url');
    expect(encodeToken(token, 'a secret')).toBe(`${text}.${signature}`);
    expect(encodeToken(token, Buffer.from('a secret'))).toBe(`${text}.${signature}`);
  });

  test('is read as the token it was made of, with the same secret', () => {
    fc.assert(
      fc.property(tokens, secrets, (any, secret) => {
        const text = encodeToken(any, secret);
        expect(text.length).toBeLessThanOrEqual(78);
        expect(text).toMatch(/^[\w.-]+$/);
        expect(decodeToken(text, { cluster: any.cluster, secret, now: any.at, ttl: 0 })).toEqual({ token: any });
      }),
    );
  });

  test.for([
    ['cluster', { ...token, cluster: 'main' }],
    ['timeline 0', { ...token, timeline: 0 }],
    ['timeline 2^32', { ...token, timeline: 2 ** 32 }],
    ['negative lsn', { ...token, lsn: -1n }],
    ['lsn 2^64', { ...token, lsn: 2n ** 64n }],
    ['a part of a millisecond', { ...token, at: now + 0.5 }],
    ['no time', { ...token, at: Number.NaN }],
  ] as const)('is not made of a token that would not be taken back: %s', ([, wrong]) => {
    expect(() => encodeToken(wrong)).toThrow(TypeError);
    expect(() => encodeToken(wrong, 'a secret')).toThrow(`this one is v1.${wrong.cluster}.${wrong.timeline}.`);
  });

  test('of a cluster: 12 hexadecimal digits that tell clusters apart', () => {
    expect(clusterDigest('abc')).toBe('ba7816bf8f01');
    expect(cluster).not.toBe(other);
  });
});

describe('rejected', () => {
  const rejection = (text: unknown, expected: ExpectedToken): string | undefined => {
    const result = decodeToken(text as string, expected);
    return 'rejected' in result ? result.rejected : undefined;
  };
  const at = token.at.toString(36);

  test.for([
    ['nothing', ''],
    ['another version', `v2.${cluster}.3.1.${at}`],
    ['upper case in the cluster', `v1.${cluster.toUpperCase().replace(/^./, 'A')}.3.1.${at}`],
    ['a short cluster', `v1.${cluster.slice(1)}.3.1.${at}`],
    ['timeline 0', `v1.${cluster}.0.1.${at}`],
    ['a leading zero in the timeline', `v1.${cluster}.03.1.${at}`],
    ['timeline 2^32', `v1.${cluster}.4294967296.1.${at}`],
    ['a signed timeline', `v1.${cluster}.+3.1.${at}`],
    ['timeline as 1e1', `v1.${cluster}.1e1.1.${at}`],
    ['a leading zero in the position', `v1.${cluster}.3.01.${at}`],
    ['upper case in the position', `v1.${cluster}.3.A.${at}`],
    ['no position', `v1.${cluster}.3..${at}`],
    ['position 2^64', `v1.${cluster}.3.10000000000000000.${at}`],
    ['a leading zero in the time', `v1.${cluster}.3.1.0${at}`],
    ['a time beyond whole numbers', `v1.${cluster}.3.1.${(2 ** 53).toString(36)}`],
    ['a space before', ` v1.${cluster}.3.1.${at}`],
    ['a line feed after', `v1.${cluster}.3.1.${at}\n`],
    ['a dot after', `v1.${cluster}.3.1.${at}.`],
    ['too long', `v1.${cluster}.3.1.${at}`.padEnd(161, '0')],
    ['a short signature', encodeToken(token, 'a secret').slice(0, -1)],
    ['no string', undefined],
    ['several', [encodeToken(token)]],
    ['an object that is no text', { __proto__: null, length: 1 }],
  ] as const)('malformed: %s', ([, text]) => {
    expect(rejection(text, unsigned)).toBe('malformed');
    expect(rejection(text, signed)).toBe('malformed');
  });

  test('malformed: signed, where no secret is known', () => {
    expect(rejection(encodeToken(token, 'a secret'), unsigned)).toBe('malformed');
  });

  test('signature: not signed, or with another secret', () => {
    expect(rejection(encodeToken(token), signed)).toBe('signature');
    expect(rejection(encodeToken(token, 'another secret'), signed)).toBe('signature');
    expect(rejection(encodeToken(token, ''), signed)).toBe('signature');
  });

  test('signature: other bits that stand for the same bytes', () => {
    const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const text = encodeToken(token, 'a secret');
    const last = digits.indexOf(text.at(-1)!);
    const twin = `${text.slice(0, -1)}${digits[last ^ 1]}`;
    expect(Buffer.from(twin.slice(-22), 'base64url')).toEqual(Buffer.from(text.slice(-22), 'base64url'));
    expect(rejection(twin, signed)).toBe('signature');
  });

  test('cluster: of another one; not checked while ours is not known', () => {
    const foreign = { ...token, cluster: other };
    expect(rejection(encodeToken(foreign), unsigned)).toBe('cluster');
    expect(decodeToken(encodeToken(foreign), { ...unsigned, cluster: undefined })).toEqual({ token: foreign });
  });

  test('expired: older than its ttl', () => {
    expect(rejection(encodeToken({ ...token, at: now - 60_001 }), unsigned)).toBe('expired');
    expect(rejection(encodeToken({ ...token, at: now - 60_000 }), unsigned)).toBeUndefined();
  });

  test('future: further ahead than its ttl; nearer, it becomes now', () => {
    expect(rejection(encodeToken({ ...token, at: now + 60_001 }), unsigned)).toBe('future');
    expect(decodeToken(encodeToken({ ...token, at: now + 60_000 }), unsigned)).toEqual({
      token: { ...token, at: now },
    });
  });

  test('a forged token tells nothing but that it is forged', () => {
    expect(rejection(encodeToken({ ...token, cluster: other, at: 0 }, 'another secret'), signed)).toBe('signature');
  });
});

describe('any text', () => {
  const accepted = (text: string, expected: ExpectedToken): Token | undefined => {
    const result = decodeToken(text, expected);
    return 'token' in result ? result.token : undefined;
  };
  /** Texts that nearly are tokens, some of them quite: each part is right more often than not. */
  const part = (right: string, other: RegExp): fc.Arbitrary<string> =>
    fc.oneof({ weight: 4, arbitrary: fc.constant(right) }, { weight: 1, arbitrary: fc.stringMatching(other) });
  const alike = fc
    .tuple(
      part('v1', /^[vV]?\d?$/),
      part(cluster, /^[\da-fA-F]{11,13}$/),
      part('3', /^[\d+e-]{0,11}$/),
      part('16b374d848', /^[\da-fA-F]{0,17}$/),
      part(token.at.toString(36), /^[\da-z]{0,12}$/),
      part('', /^\.?[\w=-]{21,23}$/),
    )
    .map(([version, of, timeline, lsn, at, end]) => `${version}.${of}.${timeline}.${lsn}.${at}${end}`);
  const texts = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ maxLength: 300 }), alike);

  test('is a token only if that token has this text', () => {
    let taken = 0;
    fc.assert(
      fc.property(texts, text => {
        // So wide that no time is clamped or refused.
        const result = accepted(text, { ...unsigned, cluster: undefined, now: Number.MAX_SAFE_INTEGER, ttl: 2 ** 53 });
        if (result !== undefined) {
          taken++;
          expect(encodeToken(result)).toBe(text);
        }
      }),
      { numRuns: 5_000 },
    );
    expect(taken).toBeGreaterThan(100);
  });

  test('is never taken for a signed token', () => {
    fc.assert(
      fc.property(texts, text => {
        expect(accepted(text, { ...signed, cluster: undefined })).toBeUndefined();
      }),
      { numRuns: 2_000 },
    );
  });

  test('made from a signed token by any change is not taken', () => {
    const text = encodeToken(token, 'a secret');
    expect(accepted(text, signed)).toEqual(token);
    const place = fc.nat({ max: text.length });
    fc.assert(
      fc.property(place, place, fc.string({ unit: 'binary', maxLength: 4 }), (from, to, put) => {
        const changed = text.slice(0, Math.min(from, to)) + put + text.slice(Math.max(from, to));
        fc.pre(changed !== text);
        expect(accepted(changed, signed)).toBeUndefined();
      }),
      { numRuns: 2_000 },
    );
    for (let index = 0; index < text.length; index++) {
      for (const character of '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.=+ ') {
        const changed = `${text.slice(0, index)}${character}${text.slice(index + 1)}`;
        expect(accepted(changed, signed), changed).toEqual(changed === text ? token : undefined);
      }
    }
  });

  test('with the content of one signed token and the signature of another is not taken', () => {
    const further = encodeToken({ ...token, lsn: token.lsn + 1n }, 'a secret');
    const text = encodeToken(token, 'a secret');
    expect(accepted(further.slice(0, -22) + text.slice(-22), signed)).toBeUndefined();
  });
});
