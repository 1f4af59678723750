import { createHook } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { backoff } from '../../packages/replica-resolver/src/backoff.ts';
import { FallbackBudget, FallbackRefused } from '../../packages/replica-resolver/src/fallback-budget.ts';
import { RetryBudget } from '../../packages/replica-resolver/src/retry-budget.ts';

/* What is done again, or elsewhere, is bounded: in number, at one time, and in pace. */

describe('retries', () => {
  const clock = { now: 0 };
  const budget = (options: { share?: number; minimum?: number } = {}): RetryBudget => {
    clock.now = 0;
    return new RetryBudget({ share: 0.2, window: 10_000, minimum: 10, ...options, now: () => clock.now });
  };
  const takeAll = (of: RetryBudget): number => {
    let taken = 0;
    while (of.take()) {
      taken++;
    }
    return taken;
  };
  const read = (of: RetryBudget, times: number): void => {
    for (let time = 0; time < times; time++) {
      of.read();
    }
  };

  test('few are allowed without any read', () => {
    const of = budget();
    expect(of.available).toBe(10);
    expect(takeAll(of)).toBe(10);
    expect(of.available).toBe(0);
  });

  test('a share of the reads is, not in addition to those few', () => {
    const of = budget();
    read(of, 1_000);
    expect(of.available).toBe(200);
    expect(takeAll(of)).toBe(200);
    read(of, 5);
    expect(takeAll(of)).toBe(1);
  });

  test('a part of a retry is none', () => {
    const of = budget({ minimum: 0 });
    read(of, 4);
    expect(of.take()).toBe(false);
    read(of, 1);
    expect(of.take()).toBe(true);
    expect(takeAll(budget({ minimum: 0, share: 0 }))).toBe(0);
  });

  test('after a window all are allowed again, and its reads do not count any more', () => {
    const of = budget();
    read(of, 1_000);
    takeAll(of);
    clock.now = 8_999;
    expect(of.available).toBe(0);
    clock.now = 11_000;
    expect(of.available).toBe(10);
    expect(takeAll(of)).toBe(10);
    clock.now = 1_000_000;
    expect(takeAll(of)).toBe(10);
  });

  test('under steady load stays within its share, and reaches nearly all of it', () => {
    const of = budget();
    let retries = 0;
    for (let ms = 0; ms < 100_000; ms++) {
      clock.now = ms;
      of.read();
      retries += of.take() ? 1 : 0;
    }
    expect(retries).toBeLessThanOrEqual(20_000);
    expect(retries).toBeGreaterThan(15_000);
  });

  test('whenever one is allowed, those of the last window are within the bound', () => {
    const gap = fc.oneof(fc.constant(0), fc.nat({ max: 30 }), fc.nat({ max: 300 }));
    const steps = fc.array(fc.tuple(gap, fc.boolean()), { maxLength: 300, size: 'max' });
    const shares = fc.constantFrom(0, 0.2, 0.5, 1);
    fc.assert(
      fc.property(shares, fc.nat({ max: 3 }), fc.nat({ max: 1_000 }), steps, (share, minimum, start, events) => {
        let now = start;
        const of = new RetryBudget({ share, window: 100, minimum, now: () => now });
        const reads: number[] = [];
        const retries: number[] = [];
        const ofLastWindow = (moments: number[]): number => moments.filter(moment => moment > now - 100).length;
        for (const [later, retry] of events) {
          now += later;
          if (!retry) {
            of.read();
            reads.push(now);
            continue;
          }
          const { available } = of;
          const taken = of.take();
          expect(taken).toBe(available > 0);
          if (taken) {
            retries.push(now);
            expect(of.available).toBe(available - 1);
            expect(ofLastWindow(retries)).toBeLessThanOrEqual(Math.max(minimum, share * ofLastWindow(reads)));
          }
        }
      }),
    );
  });
});

describe('places on the primary', () => {
  const budget = (limit: number | (() => number), options: { maxWait?: number; maxQueue?: number } = {}) =>
    new FallbackBudget({
      limit: typeof limit === 'number' ? () => limit : limit,
      maxWait: 10_000,
      maxQueue: 1_000,
      ...options,
    });
  const refusal = async (place: Promise<unknown>): Promise<FallbackRefused> => {
    const error = await place.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(FallbackRefused);
    return error as FallbackRefused;
  };

  test('there are as many as the limit says, and one given back is taken by who waits', async () => {
    const of = budget(2);
    const first = await of.acquire();
    await of.acquire();
    const third = of.acquire();
    expect([of.inUse, of.waiting]).toEqual([2, 1]);
    first();
    // Taken at once: nobody comes between.
    expect([of.inUse, of.waiting]).toEqual([2, 0]);
    (await third)();
    expect([of.inUse, of.waiting]).toEqual([1, 0]);
  });

  test('giving back twice gives back once', async () => {
    const of = budget(2);
    const release = await of.acquire();
    await of.acquire();
    release();
    release();
    expect(of.inUse).toBe(1);
  });

  test('who came first is served first, also before one who comes when there is room again', async () => {
    let limit = 1;
    const of = budget(() => limit);
    const holder = await of.acquire();
    const served: number[] = [];
    const all = [1, 2, 3].map(async name => {
      const release = await of.acquire();
      served.push(name);
      release();
    });
    limit = 2;
    const last = of.acquire();
    expect([of.inUse, of.waiting]).toEqual([2, 3]);
    holder();
    await Promise.all(all);
    (await last)();
    expect(served).toEqual([1, 2, 3]);
    expect([of.inUse, of.waiting]).toEqual([0, 0]);
  });

  test('one who waits too long is refused, and is not in the way of others', async () => {
    const of = budget(1, { maxWait: 40 });
    const release = await of.acquire();
    const error = await refusal(of.acquire());
    expect(error.waited).toBeGreaterThanOrEqual(35);
    expect(error.limit).toBe(1);
    expect(error.message).toContain('at most 40 ms');
    expect([of.inUse, of.waiting]).toEqual([1, 0]);
    const next = of.acquire();
    release();
    (await next)();
    expect(of.inUse).toBe(0);
  });

  test('one who got a place is not refused later', async () => {
    const of = budget(1, { maxWait: 30 });
    const release = await of.acquire();
    const next = of.acquire();
    release();
    const taken = await next;
    await sleep(60);
    expect(of.inUse).toBe(1);
    taken();
    expect(of.inUse).toBe(0);
  });

  test('when too many wait, one more is refused at once', async () => {
    const of = budget(1, { maxQueue: 2 });
    await of.acquire();
    void of.acquire();
    void of.acquire();
    const error = await refusal(of.acquire());
    expect(error).toMatchObject({ waited: 0, limit: 1 });
    expect(error.message).toContain('At most 2 reads wait');
    expect(of.waiting).toBe(2);
  });

  test.for([0, 0.5, -1])('a limit of %d refuses at once', async limit => {
    const of = budget(limit);
    expect(await refusal(of.acquire())).toMatchObject({ waited: 0, limit });
    expect([of.inUse, of.waiting]).toEqual([0, 0]);
  });

  test('a part of a place is none', async () => {
    const of = budget(2.5);
    await of.acquire();
    await of.acquire();
    void of.acquire();
    expect([of.inUse, of.waiting]).toEqual([2, 1]);
  });

  test('a limit that has shrunk leaves holders alone, and lets nobody in until there are fewer', async () => {
    let limit = 3;
    const of = budget(() => limit);
    const holders = [await of.acquire(), await of.acquire(), await of.acquire()];
    limit = 1;
    const next = of.acquire();
    holders[0]!();
    holders[1]!();
    expect([of.inUse, of.waiting]).toEqual([1, 1]);
    holders[2]!();
    expect([of.inUse, of.waiting]).toEqual([1, 0]);
    await next;
  });

  test('a limit that has grown is noticed at the end of a wait at the latest', async () => {
    let limit = 1;
    const of = budget(() => limit, { maxWait: 20 });
    await of.acquire();
    const [second, third] = [of.acquire(), of.acquire()];
    limit = 3;
    await Promise.all([second, third]);
    expect([of.inUse, of.waiting]).toEqual([3, 0]);
  });

  test('when there are no places any more, those who wait are refused', async () => {
    let limit = 1;
    const of = budget(() => limit);
    const release = await of.acquire();
    const waiting = [refusal(of.acquire()), refusal(of.acquire())];
    limit = 0;
    release();
    expect((await Promise.all(waiting)).map(error => error.limit)).toEqual([0, 0]);
    expect([of.inUse, of.waiting]).toEqual([0, 0]);
  });

  test('whatever happens, nobody gets in above the limit, and no place is lost', async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('acquire' as const) }),
      fc.record({ do: fc.constant('release' as const), nth: fc.nat() }),
      fc.record({ do: fc.constant('limit' as const), to: fc.nat({ max: 5 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80, size: 'max' }), async steps => {
        let limit = 2;
        const of = budget(() => limit, { maxQueue: 4 });
        const held: (() => void)[] = [];
        const order: number[] = [];
        let [asked, settled] = [0, 0];
        for (const each of steps) {
          const before = of.inUse;
          if (each.do === 'limit') {
            limit = each.to;
          } else if (each.do === 'release') {
            held.splice(each.nth % (held.length || 1), 1)[0]?.();
          } else {
            const name = asked++;
            of.acquire()
              .then(release => {
                held.push(release);
                order.push(name);
              })
              .catch((error: unknown) => expect(error).toBeInstanceOf(FallbackRefused))
              .finally(() => settled++);
          }
          expect(of.inUse).toBeLessThanOrEqual(Math.max(before, limit));
          expect(of.waiting).toBeLessThanOrEqual(4);
          await sleep(0);
          expect(of.inUse).toBe(held.length);
          expect(asked - settled).toBe(of.waiting);
        }
        expect(order).toEqual(order.toSorted((a, b) => a - b));
        limit = 1;
        while (held.length > 0) {
          held.pop()!();
          await sleep(0);
        }
        expect([of.inUse, of.waiting, asked - settled]).toEqual([0, 0, 0]);
      }),
      { numRuns: 100 },
    );
  });

  test('a free place costs no timer, a wait costs one that does not keep the process alive', async () => {
    let timers = 0;
    const hook = createHook({
      init(_id, type) {
        timers += type === 'Timeout' ? 1 : 0;
      },
    });
    const keepingAlive = (): number => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length;
    const of = budget(1);
    const before = keepingAlive();
    hook.enable();
    const places = Array.from({ length: 10 }, () => of.acquire().then(release => release()));
    const [started, alive] = [timers, keepingAlive()];
    hook.disable();
    expect(started).toBe(9);
    expect(alive).toBe(before);
    await Promise.all(places);
    const kept = setTimeout(() => {}, 1);
    expect(keepingAlive()).toBe(before + 1);
    clearTimeout(kept);
  });
});

describe('backoff', () => {
  test('doubles what it may wait with each attempt, up to the most', () => {
    const longest = (attempt: number): number => backoff(attempt, { base: 250, max: 10_000, random: () => 1 });
    expect([0, 1, 2, 3, 4, 5, 6, 7, 5_000].map(longest)).toEqual([
      250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000,
    ]);
  });

  test('waits any share of that', () => {
    expect(backoff(3, { random: () => 0.5 })).toBe(1_000);
  });

  test('never waits less than a quarter of the base, so that it does not spin', () => {
    expect(backoff(7, { random: () => 0 })).toBe(62.5);
    expect(backoff(0, { base: 40, random: () => 0 })).toBe(10);
  });

  test('is between its least and its most for any options', () => {
    const ms = fc.integer({ min: 1, max: 100_000 });
    fc.assert(
      fc.property(fc.nat(), ms, ms, fc.double({ min: 0, max: 1, noNaN: true }), (attempt, base, max, random) => {
        const wait = backoff(attempt, { base, max, random: () => random });
        expect(wait).toBeGreaterThanOrEqual(Math.min(base, max) / 4);
        expect(wait).toBeLessThanOrEqual(max);
      }),
    );
  });

  test('those who failed together come back spread out', () => {
    const waits = Array.from({ length: 1_000 }, () => backoff(6));
    const perQuarter = [0, 1, 2, 3].map(quarter => waits.filter(wait => Math.floor(wait / 2_500) === quarter).length);
    // Even shares are 250 each; less than 150 or more than 350 would be over 7 standard deviations.
    for (const count of perQuarter) {
      expect(count).toBeGreaterThan(150);
      expect(count).toBeLessThan(350);
    }
  });
});
