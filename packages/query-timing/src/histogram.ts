import { shown } from './checks.ts';
import { QueryTimingError } from './errors.ts';

/** Of a factor of two. */
const BUCKETS_PER_OCTAVE = 16;
/** 1 µs to 2^25 µs, which is 33.5 s. */
const OCTAVES = 25;
const BUCKETS = OCTAVES * BUCKETS_PER_OCTAVE;
const MOST = 2 ** OCTAVES;
const FULL = 0xffff_ffff;

/** Powers of 2^(1/16): the largest numbers that are not above the true ones, which are irrational. */
const STEPS: readonly number[] = [
  1, 1.0442737824274138, 1.0905077326652575, 1.1387886347566916, 1.189207115002721, 1.241857812073484,
  1.2968395546510096, 1.3542555469368927, 1.414213562373095, 1.4768261459394991, 1.5422108254079407, 1.6104903319492543,
  1.681792830507429, 1.7562521603732995, 1.8340080864093424, 1.9152065613971472,
];

/* Places count from the bucket of what is at most 1 µs: they are one more than the indices. */

/** What is in a bucket at most. The scaling is exact. */
const UPPER = Float64Array.from(
  { length: BUCKETS + 1 },
  (_, place) => STEPS[place % BUCKETS_PER_OCTAVE]! * 2 ** Math.floor(place / BUCKETS_PER_OCTAVE),
);

/** An octave in equal parts, so narrow that no bucket begins and ends within one. */
const PARTS = 64;
/** By part, the place of the least number in it, counted from that of the octave's first number. */
const FIRST = Uint8Array.from({ length: PARTS }, (_, part) => STEPS.filter(step => step < 1 + part / PARTS).length);
/** Brings the numbers of an octave to what begins with `PARTS`. The last octave has one number. */
const TO_PARTS = Float64Array.from({ length: OCTAVES + 1 }, (_, octave) => PARTS / 2 ** octave);

/**
 * How often which time was measured, in buckets whose bounds grow by 2^(1/16), 4.4 %: those of OpenTelemetry's exponential
 * histogram of scale 4 and of Prometheus' native histogram of schema 4, so that it is exported without loss. A time is in
 * bucket `ceil(log2(µs) * 16) - 1`, exactly: bounds are compared, as logarithms are rounded.
 *
 * Bucket -1 has all up to 1 µs, bucket 400 all above 2^25 µs (33.5 s). Constant space (1.6 kB); `record()` takes
 * nanoseconds and allocates nothing.
 *
 * Source: OpenTelemetry, Metrics Data Model, ExponentialHistogram; the cut of an octave into equal parts is that of HDR
 * histograms.
 */
export class Histogram {
  /** Index of the bucket of what is at most 1 µs, zero included. */
  static readonly underflow: number = -1;
  /** Index of the bucket of what is above 2^25 µs. */
  static readonly overflow: number = BUCKETS;

  /** By place. */
  readonly #counts = new Uint32Array(BUCKETS + 2);
  #count = 0;
  #sum = 0;
  #min = Infinity;
  #max = 0;

  /** How many times were recorded. */
  get count(): number {
    return this.#count;
  }

  /** In µs. */
  get sum(): number {
    return this.#sum;
  }

  /** The least, in µs; 0 if there is none. */
  get min(): number {
    // Of -0, 0.
    return this.#count === 0 ? 0 : this.#min + 0;
  }

  /** The most, in µs; 0 if there is none. */
  get max(): number {
    return this.#max;
  }

  /**
   * Counts one more. A negative one, of a clock that went back, counts as 0; what is not finite is no time, and is left out.
   *
   * Trap: a bucket stays at 2^32 - 1 when it is full; `count` and `sum` go on.
   */
  record(us: number): void {
    let place = 0;
    if (us > 1) {
      if (us <= MOST) {
        place = placeOf(us);
      } else if (us === Infinity) {
        return;
      } else {
        place = BUCKETS + 1;
      }
    } else if (!(us >= 0)) {
      if (!(us > -Infinity)) {
        return;
      }
      us = 0;
    }
    if (this.#counts[place]! < FULL) {
      this.#counts[place]! += 1;
    }
    this.#count += 1;
    this.#sum += us;
    if (us < this.#min) {
      this.#min = us;
    }
    if (us > this.#max) {
      this.#max = us;
    }
  }

  /**
   * The time, in µs, that the share `q` of all did not exceed; 0 if there is none. It is in the bucket of the true one, hence
   * at most 4.4 % off; within the bucket times are taken to be spread evenly on the scale of the logarithm (as Prometheus
   * does for native histograms), in the two outer ones evenly. Never outside of `min` and `max`.
   * @param q from 0 to 1: 0.95 for the 95th percentile
   * @throws {QueryTimingError} `ARGUMENT`
   */
  quantile(q: number): number {
    if (!(q >= 0 && q <= 1)) {
      throw new QueryTimingError(
        'ARGUMENT',
        `quantile() takes a number from 0 to 1, but got: ${shown(q)}. Pass 0.95 for the 95th percentile.`,
      );
    }
    const total = this.#counts.reduce((sum, count) => sum + count, 0);
    const rank = q * total;
    let before = 0;
    for (const [index, count] of this.buckets()) {
      if (before + count >= rank) {
        const share = (rank - before) / count;
        const lower = Histogram.lowerBound(index);
        const upper = Math.min(Histogram.upperBound(index), this.#max);
        const outer = index === Histogram.underflow || index === Histogram.overflow;
        const value = outer ? lower + (upper - lower) * share : lower * (upper / lower) ** share;
        return Math.min(Math.max(value, this.#min), upper);
      }
      before += count;
    }
    return this.max;
  }

  /** Adds what another one has counted; that one stays as it is. */
  merge(other: Histogram): void {
    for (let place = 0; place < this.#counts.length; place++) {
      this.#counts[place] = Math.min(this.#counts[place]! + other.#counts[place]!, FULL);
    }
    this.#count += other.#count;
    this.#sum += other.#sum;
    this.#min = Math.min(this.#min, other.#min);
    this.#max = Math.max(this.#max, other.#max);
  }

  /** Forgets everything. */
  reset(): void {
    this.#counts.fill(0);
    this.#count = 0;
    this.#sum = 0;
    this.#min = Infinity;
    this.#max = 0;
  }

  /** The buckets that have any, by index: from `underflow` to `overflow`. */
  *buckets(): Generator<readonly [index: number, count: number], void, undefined> {
    for (let place = 0; place < this.#counts.length; place++) {
      const count = this.#counts[place]!;
      if (count > 0) {
        yield [place - 1, count];
      }
    }
  }

  /** The most that is in a bucket, in µs: 2^((index + 1) / 16), or the largest number below it; Infinity for `overflow`. */
  static upperBound(index: number): number {
    return index < 0 ? 1 : (UPPER[index + 1] ?? Infinity);
  }

  /** What is above this is in the bucket, in µs: the upper bound of the one before; 0 for `underflow`, which has 0, too. */
  static lowerBound(index: number): number {
    return index < 0 ? 0 : Histogram.upperBound(Math.min(index, BUCKETS) - 1);
  }
}

/** @param us above 1, at most 2^25 */
function placeOf(us: number): number {
  const octave = 31 - Math.clz32(us);
  const place = octave * BUCKETS_PER_OCTAVE + FIRST[Math.trunc(us * TO_PARTS[octave]!) - PARTS]!;
  return us > UPPER[place]! ? place + 1 : place;
}
