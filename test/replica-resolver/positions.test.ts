import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Position, Positions } from '../../packages/replica-resolver/src/positions.ts';

/* Where the primary was and when tells how far a replica is behind, and from where on it shows all of a moment. */

/** One sample a second, `step` bytes each. */
function steady(seconds: number, step: bigint): Positions {
  const positions = new Positions();
  for (let second = 0; second <= seconds; second++) {
    positions.add(second * 1_000, BigInt(second) * step);
  }
  return positions;
}

describe('lag', () => {
  test('is not known without a sample', () => {
    expect(new Positions().lagOf(0n, 0)).toBeUndefined();
    expect(new Positions().latest).toBeUndefined();
  });

  test('is 0 for a replica that has replayed all that is known of, or more', () => {
    const positions = steady(10, 100n);
    expect(positions.latest).toEqual({ at: 10_000, lsn: 1_000n });
    expect(positions.lagOf(1_000n, 10_900)).toBe(0);
    expect(positions.lagOf(1_234n, 10_900)).toBe(0);
  });

  test('is how long ago the primary was there', () => {
    expect(steady(10, 100n).lagOf(700n, 10_500)).toBe(3_500);
  });

  test('between two samples grows evenly with the position', () => {
    const positions = steady(10, 100n);
    expect(positions.lagOf(725n, 10_000)).toBe(2_750);
    expect(positions.lagOf(999n, 10_000)).toBeCloseTo(10, 6);
  });

  test('before the oldest sample is not known while that is within the reach, and then it is at least as old', () => {
    const positions = new Positions({ reach: 1_000 });
    positions.add(0, 100n);
    expect(positions.lagOf(99n, 10)).toBeUndefined();
    expect(positions.lagOf(99n, 1_000)).toBeUndefined();
    expect(positions.lagOf(99n, 1_001)).toBe(1_001);
    expect(positions.lagOf(100n, 1_001)).toBe(0);
  });

  test('is told up to the reach, however often the primary is asked', () => {
    const positions = new Positions({ reach: 1_000 });
    for (let at = 0; at <= 5_000; at++) {
      positions.add(at, BigInt(at));
    }
    expect(positions.latest).toEqual({ at: 5_000, lsn: 5_000n });
    expect(positions.lagOf(4_321n, 5_000)).toBeCloseTo(679, 6);
    expect(positions.lagOf(4_000n, 5_000)).toBeCloseTo(1_000, 6);
    expect(positions.lagOf(0n, 5_000)).toBeGreaterThan(1_000);
    expect(positions.floorSince(4_000)).toBeLessThan(4_020n);
  });

  test('is exact beyond what numbers can tell apart', () => {
    const positions = new Positions();
    const from = 2n ** 63n;
    positions.add(0, from);
    positions.add(1_000, from + 4n);
    expect(positions.lagOf(from - 1n, 1_000)).toBe(1_000);
    expect(positions.lagOf(from + 1n, 1_000)).toBe(750);
    expect(positions.lagOf(from + 4n, 1_000)).toBe(0);
  });

  test('is never less than 0, for a moment before the sample', () => {
    expect(steady(10, 100n).lagOf(950n, 9_000)).toBe(0);
  });
});

describe('an idle primary', () => {
  test('a replica that has replayed all is not behind, however long nobody writes', () => {
    const positions = steady(100_000, 0n);
    expect(positions.lagOf(0n, 100_000_000)).toBe(0);
  });

  test('when it writes again, a replica that had replayed all is behind since then only', () => {
    const positions = steady(100, 0n);
    positions.add(101_000, 500n);
    expect(positions.lagOf(0n, 101_200)).toBe(1_200);
    expect(positions.lagOf(250n, 101_200)).toBe(700);
  });

  test('one that stands still is further behind every second, however long nobody writes', () => {
    const positions = new Positions({ capacity: 4 });
    positions.add(0, 0n);
    positions.add(1_000, 100n);
    for (let second = 2; second <= 1_000; second++) {
      positions.add(second * 1_000, 100n);
      expect(positions.lagOf(0n, second * 1_000)).toBe(second * 1_000);
      expect(positions.lagOf(50n, second * 1_000)).toBe(second * 1_000 - 500);
    }
    expect(positions.floorSince(500_000)).toBe(100n);
    expect(positions.floorSince(1_000_000)).toBe(100n);
    expect(positions.floorSince(1_000_001)).toBeUndefined();
  });
});

describe('floor', () => {
  test('is the first sample asked for at that moment or later', () => {
    const positions = steady(10, 100n);
    expect(positions.floorSince(3_000)).toBe(300n);
    expect(positions.floorSince(3_001)).toBe(400n);
    expect(positions.floorSince(-1)).toBe(0n);
  });

  test('is not known when nothing was asked since', () => {
    expect(steady(10, 100n).floorSince(10_001)).toBeUndefined();
    expect(new Positions().floorSince(0)).toBeUndefined();
  });
});

describe('what is forgotten', () => {
  test('the oldest, when there is no room', () => {
    const positions = new Positions({ capacity: 3 });
    for (let at = 0; at < 10; at++) {
      positions.add(at, BigInt(at));
    }
    expect(positions.lagOf(6n, 9)).toBe(2);
    expect(positions.lagOf(7n, 9)).toBe(2);
    expect(positions.floorSince(0)).toBe(7n);
  });

  test('everything, when positions go back: it is another primary', () => {
    const positions = steady(10, 100n);
    positions.add(11_000, 650n);
    expect(positions.latest).toEqual({ at: 11_000, lsn: 650n });
    expect(positions.lagOf(600n, 11_000)).toBeUndefined();
    expect(positions.lagOf(600n, 11_001)).toBe(1);
    expect(positions.floorSince(0)).toBe(650n);
  });

  test('everything, when told', () => {
    const positions = steady(10, 100n);
    positions.clear();
    expect(positions.latest).toBeUndefined();
    expect(positions.lagOf(500n, 11_000)).toBeUndefined();
    expect(positions.floorSince(0)).toBeUndefined();
    positions.add(0, 1n);
    expect(positions.latest).toEqual({ at: 0, lsn: 1n });
  });

  test('an answer that comes after that to a later question', () => {
    const positions = steady(10, 100n);
    positions.add(9_500, 980n);
    positions.add(9_500, 1_100n);
    expect(positions.latest).toEqual({ at: 10_000, lsn: 1_000n });
    expect(positions.lagOf(900n, 10_000)).toBe(1_000);
  });
});

/** The same by looking at each sample. */
class Naive {
  samples: Position[] = [];
  readonly capacity: number;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  add(at: number, lsn: bigint): void {
    const last = this.samples.at(-1);
    if (last !== undefined && at < last.at) {
      return;
    }
    if (last !== undefined && lsn < last.lsn) {
      this.samples = [];
    }
    this.samples.push({ at, lsn });
    this.samples = this.samples.filter(
      (sample, index, all) => sample.lsn !== all[index - 1]?.lsn || sample.lsn !== all[index + 1]?.lsn,
    );
    this.samples = this.samples.slice(-this.capacity);
  }

  lagOf(replayed: bigint, now: number): number | undefined {
    const next = this.samples.findIndex(sample => sample.lsn > replayed);
    if (this.samples.length === 0 || next === 0) {
      const least = now - (this.samples[0]?.at ?? now);
      return least > 0 ? least : undefined;
    }
    if (next === -1) {
      return 0;
    }
    const [a, b] = [this.samples[next - 1]!, this.samples[next]!];
    return Math.max(0, now - (a.at + (Number(replayed - a.lsn) / Number(b.lsn - a.lsn)) * (b.at - a.at)));
  }

  floorSince(at: number): bigint | undefined {
    return this.samples.find(sample => sample.at >= at)?.lsn;
  }
}

test('whatever is added, it answers as a plain list would', () => {
  // Forward mostly, often not at all, now and then back.
  const at = fc.oneof({ weight: 20, arbitrary: fc.nat({ max: 3 }) }, { weight: 1, arbitrary: fc.constant(-2) });
  const by = fc.oneof({ weight: 30, arbitrary: fc.nat({ max: 3 }) }, { weight: 1, arbitrary: fc.constant(-3) });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.array(fc.tuple(at, by), { maxLength: 60, size: 'max' }),
      (capacity, steps) => {
        const positions = new Positions({ capacity });
        const naive = new Naive(capacity);
        let now = 0;
        let lsn = 50;
        for (const [later, more] of steps) {
          positions.add((now += later), BigInt((lsn += more)));
          naive.add(now, BigInt(lsn));
          expect(positions.latest).toEqual(naive.samples.at(-1));
        }
        for (let at = -1; at <= now + 3; at++) {
          expect(positions.floorSince(at), `since ${at}`).toBe(naive.floorSince(at));
        }
        for (let replayed = 0; replayed <= lsn + 4; replayed++) {
          expect(positions.lagOf(BigInt(replayed), now + 1), `of ${replayed}`).toBe(
            naive.lagOf(BigInt(replayed), now + 1),
          );
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('a replica that has the floor of a moment shows what was committed before, whenever it was asked', () => {
  // Commits at these moments; the answer to a question is any position between those of asking and of answering.
  const commits = fc.array(fc.nat({ max: 200 }), { minLength: 1 }).map(moments => moments.toSorted((a, b) => a - b));
  const questions = fc.array(fc.tuple(fc.nat({ max: 10 }), fc.nat({ max: 5 })), { minLength: 1 });
  fc.assert(
    fc.property(commits, questions, fc.nat({ max: 200 }), (moments, asked, at) => {
      const committedBefore = (moment: number): bigint => BigInt(moments.filter(commit => commit < moment).length);
      const positions = new Positions();
      let now = 0;
      for (const [later, took] of asked) {
        now += later;
        positions.add(now, committedBefore(now + took));
        now += took;
      }
      const floor = positions.floorSince(at);
      if (floor !== undefined) {
        expect(floor >= committedBefore(at)).toBe(true);
      }
    }),
  );
});
