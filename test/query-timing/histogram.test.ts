import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Histogram } from '../../packages/query-timing/src/histogram.ts';

/* Times are counted in the buckets of OpenTelemetry's exponential histogram of scale 4, and percentiles read from them. */

const MOST = 2 ** 25;

/** Whether 2^(index / 16) < value <= 2^((index + 1) / 16): the definition, in whole numbers, with nothing rounded. */
function belongs(value: number, index: number): boolean {
  // From 1 on, no number has more than 52 digits behind the point, in binary.
  const power = BigInt(value * 2 ** 52) ** 16n;
  const one = 52n * 16n;
  return power > 2n ** (one + BigInt(index)) && power <= 2n ** (one + BigInt(index) + 1n);
}

function histogramOf(values: Iterable<number>): Histogram {
  const histogram = new Histogram();
  for (const value of values) {
    histogram.record(value);
  }
  return histogram;
}

/** The one bucket that a value is in. */
function bucketOf(value: number): number {
  const buckets = [...histogramOf([value]).buckets()];
  expect(buckets).toHaveLength(1);
  return buckets[0]![0];
}

/** The next larger and the next smaller number. */
function neighbours(value: number): readonly [below: number, above: number] {
  const bits = new BigInt64Array(1);
  const number = new Float64Array(bits.buffer);
  number[0] = value;
  bits[0]! -= 1n;
  const below = number[0];
  bits[0]! += 2n;
  return [below, number[0]];
}

const exponents = fc.double({ min: 0, max: 25, noNaN: true, minExcluded: true });
/** As likely in each octave. */
const times = exponents.map(exponent => 2 ** exponent).filter(value => value > 1);

describe('buckets', () => {
  test.for([
    [1, -1],
    [1.04, 0],
    [1.05, 1],
    [2, 15],
    [3, 25],
    [4, 31],
    [1_000, 159],
    [1_024, 159],
    [1_025, 160],
    [1_000_000, 318],
    [MOST, 399],
  ])('%d µs: bucket %d', ([value, bucket]) => {
    expect(bucketOf(value!)).toBe(bucket);
  });

  test('a value is in the bucket that the definition gives', () => {
    fc.assert(
      fc.property(times, value => belongs(value, bucketOf(value))),
      { numRuns: 20_000 },
    );
  });

  test('so is every bound, the numbers about it, and every whole number up to 5000', () => {
    for (let index = 0; index < 400; index++) {
      const bound = Histogram.upperBound(index);
      const [below, above] = neighbours(bound);
      expect([bucketOf(below), bucketOf(bound), bucketOf(above)]).toEqual([index, index, index + 1]);
      expect(belongs(below, index) && belongs(bound, index) && belongs(above, index + 1), String(index)).toBe(true);
    }
    for (let value = 2; value <= 5_000; value++) {
      expect(belongs(value, bucketOf(value)), String(value)).toBe(true);
    }
  });

  test('bounds leave no gap', () => {
    expect(Histogram.lowerBound(-1)).toBe(0);
    expect(Histogram.upperBound(-1)).toBe(1);
    for (let index = 0; index <= 400; index++) {
      expect(Histogram.lowerBound(index)).toBe(Histogram.upperBound(index - 1));
    }
    expect(Histogram.upperBound(399)).toBe(MOST);
    expect(Histogram.upperBound(400)).toBe(Infinity);
  });

  test('what is at most 1 µs is in the first bucket, what is above 33.5 s in the last one', () => {
    for (const value of [0, -0, 5e-324, 0.001, 0.999, 1]) {
      expect(bucketOf(value)).toBe(Histogram.underflow);
    }
    for (const value of [neighbours(MOST)[1], 1e9, 2 ** 32, 2 ** 40, Number.MAX_VALUE]) {
      expect(bucketOf(value)).toBe(Histogram.overflow);
    }
  });

  test('come in order, without empty ones', () => {
    expect([...histogramOf([1e9, 3, 0, 3, 2]).buckets()]).toEqual([
      [-1, 1],
      [15, 1],
      [25, 2],
      [400, 1],
    ]);
  });
});

describe('what is no time', () => {
  test('a negative one counts as 0', () => {
    const histogram = histogramOf([-1, -1e300]);
    expect([...histogram.buckets()]).toEqual([[-1, 2]]);
    expect([histogram.count, histogram.sum, histogram.min, histogram.max]).toEqual([2, 0, 0, 0]);
  });

  test('what is not finite is left out', () => {
    const histogram = histogramOf([NaN, Infinity, -Infinity]);
    expect([...histogram.buckets()]).toEqual([]);
    expect([histogram.count, histogram.sum, histogram.min, histogram.max]).toEqual([0, 0, 0, 0]);
  });
});

describe('totals', () => {
  test('are exact', () => {
    const histogram = histogramOf([7.5, 2, 40_000_000]);
    expect([histogram.count, histogram.sum, histogram.min, histogram.max]).toEqual([3, 40_000_009.5, 2, 40_000_000]);
  });
});

describe('quantile', () => {
  test('is in the bucket of the true one, and so at most 4.4 % off', () => {
    fc.assert(
      fc.property(
        fc.array(times, { minLength: 1, maxLength: 200 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, q) => {
          const sorted = values.toSorted((a, b) => a - b);
          const exact = sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)]!;
          const estimate = histogramOf(values).quantile(q);
          expect(estimate).toBeGreaterThanOrEqual(Math.max(sorted[0]!, exact / 1.0443));
          expect(estimate).toBeLessThanOrEqual(Math.min(sorted.at(-1)!, exact * 1.0443));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test('within 1 % for many times that lie evenly on the scale of the logarithm', () => {
    const values = Array.from({ length: 20_000 }, (_, at) => 2 ** (((at + 0.5) / 20_000) * 25));
    const histogram = histogramOf(values);
    for (const q of [0.01, 0.25, 0.5, 0.75, 0.95, 0.99]) {
      expect(histogram.quantile(q) / values[q * 20_000]!).toBeCloseTo(1, 2);
    }
  });

  test('never falls as q grows', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -5, max: 1e9, noNaN: true })), values => {
        const histogram = histogramOf(values);
        let last = 0;
        for (let q = 0; q <= 1; q += 1 / 64) {
          expect(histogram.quantile(q)).toBeGreaterThanOrEqual(last);
          last = histogram.quantile(q);
        }
      }),
    );
  });

  test('0 is the least, 1 the most; of one value it is that, always', () => {
    const histogram = histogramOf([3, 1_000, 50_000_000]);
    expect([histogram.quantile(0), histogram.quantile(1)]).toEqual([3, 50_000_000]);
    const single = histogramOf([1_234.5]);
    expect([0, 0.5, 0.99, 1].map(q => single.quantile(q))).toEqual([1_234.5, 1_234.5, 1_234.5, 1_234.5]);
  });

  test('half of four values: the second one', () => {
    const histogram = histogramOf([10, 100, 1_000, 10_000]);
    expect(histogram.quantile(0.5)).toBe(Histogram.upperBound(bucketOf(100)));
  });

  test('within a bucket: evenly, on the scale of the logarithm', () => {
    const histogram = histogramOf([2, 1_000, 1_000, 1_000_000]);
    const bucket = bucketOf(1_000);
    expect(histogram.quantile(0.5)).toBeCloseTo(
      Math.sqrt(Histogram.lowerBound(bucket) * Histogram.upperBound(bucket)),
      9,
    );
  });

  test('in the last bucket: between its bound and the most', () => {
    const histogram = histogramOf([2 ** 26, 2 ** 27, 2 ** 28]);
    expect(histogram.quantile(0.5)).toBe(MOST + (2 ** 28 - MOST) / 2);
  });

  test('of nothing: 0', () => {
    expect(new Histogram().quantile(0.5)).toBe(0);
  });

  test.for([-0.1, 1.1, 95, NaN, Infinity])('%d is refused', q => {
    expect(() => histogramOf([1]).quantile(q)).toThrow(
      `quantile() takes a number from 0 to 1, but got: ${q}. Pass 0.95 for the 95th percentile.`,
    );
    expect(() => histogramOf([1]).quantile(q)).toThrow(expect.objectContaining({ code: 'ARGUMENT' }));
  });
});

describe('merge', () => {
  const state = (histogram: Histogram): unknown => [
    [...histogram.buckets()],
    histogram.count,
    histogram.min,
    histogram.max,
  ];

  test('is as if one had recorded all', () => {
    const some = fc.array(fc.oneof(times, fc.double()));
    fc.assert(
      fc.property(some, some, (a, b) => {
        const merged = histogramOf(a);
        const other = histogramOf(b);
        const before = state(other);
        merged.merge(other);
        expect(state(merged)).toEqual(state(histogramOf([...a, ...b])));
        expect(state(other)).toEqual(before);
      }),
    );
  });

  test('adds the sums', () => {
    const merged = histogramOf([1.5, 2]);
    merged.merge(histogramOf([4]));
    expect(merged.sum).toBe(7.5);
  });

  test('a full bucket stays full, and the count goes on', () => {
    const histogram = histogramOf([3]);
    for (let doubled = 0; doubled < 32; doubled++) {
      histogram.merge(histogram);
    }
    histogram.record(3);
    expect([...histogram.buckets()]).toEqual([[25, 2 ** 32 - 1]]);
    expect(histogram.count).toBe(2 ** 32 + 1);
    expect(histogram.quantile(0.5)).toBe(3);
  });
});

test('reset forgets everything', () => {
  const histogram = histogramOf([1, 1e9]);
  histogram.reset();
  histogram.record(5);
  expect([...histogram.buckets()]).toEqual([[37, 1]]);
  expect([histogram.count, histogram.sum, histogram.min, histogram.max]).toEqual([1, 5, 5, 5]);
});
