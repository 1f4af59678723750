import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KeySample } from '../../packages/query-timing/src/findings/key-sample.ts';
import { hashText, hashValue, hashValues, NOTHING } from '../../packages/query-timing/src/findings/value-hash.ts';
import { cpuTime } from '../harness/cpu-time.ts';
import { numbers } from './corpus/simulated-scope.ts';

describe('hashes of values', () => {
  test('a number, a bigint and their decimal text are the same value', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), n => {
        // -0 is 0 for PostgreSQL.
        const value = n === 0 ? 0 : n;
        expect(hashValue(String(value))).toBe(hashValue(value));
        expect(hashValue(BigInt(value))).toBe(hashValue(value));
      }),
    );
  });

  test('bigints beyond what a number holds are as their texts', () => {
    fc.assert(fc.property(fc.bigInt(), n => hashValue(n) === hashValue(String(n))));
  });

  test.each<[string, unknown, unknown]>([
    ['leading zeros are no number', '007', 7],
    ['nor is a sign alone', '-', 0],
    ['nor a minus zero', '-0', 0],
    ['nor an empty text', '', 0],
    ['nor what has a blank', ' 7', 7],
    ['capital letters count', 'a', 'A'],
    ['true and 1', true, 1],
    ['true and false', true, false],
    ['a fraction', 1.5, 1],
    ['dates', new Date(1), new Date(2)],
    ['bytes', Uint8Array.of(1, 2), Uint8Array.of(1, 3)],
    ['lists', [1, 2], [2, 1]],
    ['json', { a: 1 }, { a: 2 }],
    ['long texts that differ at their ends', `${'x'.repeat(1_000)}a`, `${'x'.repeat(1_000)}b`],
    ['long texts that differ in length', 'x'.repeat(1_000), 'x'.repeat(1_001)],
    ['long decimal texts', '1'.repeat(16), '1'.repeat(17)],
  ])('different: %s', (_, one, other) => {
    expect(hashValue(one)).not.toBe(hashValue(other));
  });

  test('what is nothing is nothing, and nothing else is', () => {
    expect([hashValue(null), hashValue(undefined)]).toEqual([NOTHING, NOTHING]);
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.integer(), fc.double(), fc.bigInt(), fc.boolean(), fc.date()),
        value => hashValue(value) !== NOTHING,
      ),
    );
  });

  test('they are 32 bits, the same each time', () => {
    fc.assert(
      fc.property(fc.anything(), value => {
        const hash = hashValue(value);
        expect(hash).toBe(hash | 0);
        expect(hashValue(value)).toBe(hash);
      }),
    );
  });

  test('10 000 keys in a row have hardly ever the same one', () => {
    const different = (keys: readonly unknown[]): number => new Set(keys.map(hashValue)).size;
    expect(different(numbers(10_000))).toBe(10_000);
    expect(different(numbers(10_000).map(n => `key-${n}`))).toBeGreaterThan(9_998);
    expect(different(numbers(10_000).map(n => n * 4_294_967_296))).toBeGreaterThan(9_998);
    expect(
      different(numbers(10_000).map(n => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`)),
    ).toBeGreaterThan(9_998);
  });

  test('of several, their order and their number count', () => {
    expect(hashValues([1, 2])).not.toBe(hashValues([2, 1]));
    expect(hashValues([1])).not.toBe(hashValues([1, null]));
    expect(hashValues(numbers(100))).not.toBe(hashValues([...numbers(99), 7]));
    expect(hashValues([])).toBe(hashValues([]));
  });

  test('a text of any length takes a bounded time', () => {
    const long = 'x'.repeat(10_000_000);
    expect(cpuTime(() => numbers(1_000).forEach(() => hashText(long)))).toBeLessThan(1_000);
  });
});

describe('samples of a key column', () => {
  const sampled = (values: readonly unknown[], sample = new KeySample()): KeySample => {
    sample.add(
      values.map(id => ({ id })),
      'id',
    );
    return sample;
  };

  test('at most 32 values are kept, whatever comes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.oneof(fc.integer(), fc.constant(null)), { maxLength: 200 }), { maxLength: 20 }),
        lists => {
          const sample = new KeySample();
          lists.forEach(list => void sampled(list, sample));
          expect(sample.values.length).toBeLessThanOrEqual(32);
          expect(sample.values).not.toContain(NOTHING);
          const all = new Set(lists.flat().map(hashValue));
          expect(sample.values.every(value => all.has(value))).toBe(true);
        },
      ),
    );
  });

  test('of up to 32 rows all are known, and it says so', () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { maxLength: 32 }), values => {
        const sample = sampled(values);
        expect(sample.isComplete).toBe(true);
        expect(values.every(value => sample.has(hashValue(value)))).toBe(true);
      }),
    );
  });

  test('of more, the first 16 and some of all the rest', () => {
    const sample = sampled(numbers(1_000));
    expect(sample.isComplete).toBe(false);
    expect(numbers(16).every(n => sample.has(hashValue(n)))).toBe(true);
    const others = numbers(1_000).filter(n => n > 16 && sample.has(hashValue(n)));
    expect(others).toHaveLength(16);
    expect(Math.max(...others)).toBeGreaterThan(900);
  });

  test('a value that follows itself is kept once', () => {
    expect(sampled(numbers(30).map(n => Math.ceil(n / 10))).values).toHaveLength(3);
  });
});
