import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatLsn, normaliseLsn, parseLsn } from '../../packages/replica-resolver/src/lsn.ts';

/* A position is read and written as PostgreSQL does, and normalised to where a standby's replay position can stop. */

const lsns = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

describe('text', () => {
  test.for([
    ['0/0', 0n],
    ['0/1', 1n],
    ['1/0', 0x1_0000_0000n],
    ['16/B374D848', 0x16_b374_d848n],
    ['FFFFFFFF/FFFFFFFF', 2n ** 64n - 1n],
  ] as const)('%s', ([text, lsn]) => {
    expect(parseLsn(text)).toBe(lsn);
    expect(formatLsn(lsn)).toBe(text);
  });

  test('what is written is read as the same position', () => {
    fc.assert(fc.property(lsns, lsn => parseLsn(formatLsn(lsn)) === lsn));
  });

  test('lower case and leading zeros are read, too: PostgreSQL 19 writes the latter', () => {
    expect(parseLsn('16/b374d848')).toBe(parseLsn('16/B374D848'));
    expect(parseLsn('0/00000A28')).toBe(parseLsn('0/A28'));
  });

  test.for(['', '0', '/', '0/', '/0', '0/0/0', ' 0/0', '0/0\n', '0x1/0', 'G/0', '-1/0', '123456789/0', '0/123456789'])(
    '%j is refused, and the error shows it',
    text => {
      expect(() => parseLsn(text)).toThrow(TypeError);
      expect(() => parseLsn(text)).toThrow(JSON.stringify(text));
    },
  );

  test('no text is read as something that is written otherwise', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[\dA-Fa-f]{0,9}\/[\dA-Fa-f]{0,9}$/)), text => {
        let lsn: bigint;
        try {
          lsn = parseLsn(text);
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
          return;
        }
        expect(formatLsn(lsn)).toBe(text.toUpperCase().replaceAll(/(?<=^|\/)0+(?=[\dA-F])/g, ''));
      }),
    );
  });
});

describe('normalised', () => {
  const mebibyte = 1024 * 1024;
  const segmentSizes = fc.constantFrom(mebibyte, 16 * mebibyte, 64 * mebibyte, 1024 * mebibyte);
  /** Most of them at and about the beginning of a page or a segment. */
  const near = fc
    .tuple(segmentSizes, fc.bigInt({ min: 0n, max: 2n ** 33n }), fc.boolean(), fc.integer({ min: 0, max: 64 }))
    .map(([size, nth, segment, by]) => ({ size, lsn: nth * (segment ? BigInt(size) : 8192n) + BigInt(by) }));

  test.for([
    ['after the header of a page: the end of the page before', '0/2018', '0/2000'],
    ['after the header of a segment: the end of the segment before', '0/3000028', '0/3000000'],
    ['at the beginning of a page: stays', '0/2000', '0/2000'],
    ['at the beginning of a segment: stays', '0/3000000', '0/3000000'],
    ['a record after the header of a page: stays', '0/2020', '0/2020'],
    ['as far into a page as the header of a segment is long: stays', '0/2028', '0/2028'],
    ['within a page: stays', '0/553A268', '0/553A268'],
  ] as const)('%s', ([, lsn, expected]) => {
    expect(formatLsn(normaliseLsn(parseLsn(lsn), 16 * mebibyte))).toBe(expected);
  });

  test('a header is that of a segment only where the server has its segments', () => {
    expect(formatLsn(normaliseLsn(parseLsn('0/1100028'), mebibyte))).toBe('0/1100000');
    expect(formatLsn(normaliseLsn(parseLsn('0/1100028'), 16 * mebibyte))).toBe('0/1100028');
  });

  test('moves back by a header or not at all, to the beginning of a page', () => {
    const moves = new Set<bigint>();
    fc.assert(
      fc.property(near, ({ size, lsn }) => {
        const normalised = normaliseLsn(lsn, size);
        const by = lsn - normalised;
        moves.add(by);
        expect([0n, 24n, 40n]).toContain(by);
        if (by > 0n) {
          expect(normalised % (by === 40n ? BigInt(size) : 8192n)).toBe(0n);
        }
      }),
      { numRuns: 2_000 },
    );
    expect(moves.size).toBe(3);
  });

  test('once is enough', () => {
    fc.assert(
      fc.property(near, ({ size, lsn }) => {
        const normalised = normaliseLsn(lsn, size);
        expect(normaliseLsn(normalised, size)).toBe(normalised);
      }),
      { numRuns: 2_000 },
    );
  });

  test('the order of positions stays', () => {
    fc.assert(
      fc.property(near, fc.bigInt({ min: 0n, max: 64n }), ({ size, lsn }, more) => {
        // No position is within a header: PostgreSQL never tells one.
        const inHeader = (at: bigint): boolean => {
          const from = at % BigInt(size);
          return from < 8192n ? from > 0n && from < 40n : from % 8192n > 0n && from % 8192n < 24n;
        };
        fc.pre(!inHeader(lsn) && !inHeader(lsn + more));
        expect(normaliseLsn(lsn + more, size) >= normaliseLsn(lsn, size)).toBe(true);
      }),
    );
  });
});
