import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ConformanceTest, timed } from './bench.ts';

/** Tests of `acquire()`, `release()` and `wait()`: who fills an entry. */
export const LEASES: readonly ConformanceTest[] = [
  [
    'acquire() gives a lease to one owner, who extends it by asking again',
    async ({ one, two, ask }) => {
      const won = await Promise.all(
        Array.from(
          { length: 20 },
          async (_, index) => await (index % 2 ? one : two).acquire(ask.key, `o-${index}`, 10_000),
        ),
      );
      assert.equal(won.filter(Boolean).length, 1);
      const owner = `o-${won.indexOf(true)}`;
      assert.equal(await one.acquire(ask.key, owner, 200), true);
      assert.equal(await two.acquire(ask.key, 'other', 200), false);
      assert.equal(await one.acquire(`${ask.key}-2`, 'other', 200), true, 'another key is another lease');
      await sleep(300);
      assert.equal(await two.acquire(ask.key, 'other', 10_000), true, 'a lease ends by its ttl');
    },
  ],
  [
    'release() gives a lease up, if it is the owner who does',
    async ({ one, two, ask }) => {
      assert.equal(await one.acquire(ask.key, 'owner', 10_000), true);
      await two.release(ask.key, 'other');
      assert.equal(await two.acquire(ask.key, 'other', 10_000), false);
      await one.release(ask.key, 'owner');
      await one.release(ask.key, 'owner');
      assert.equal(await two.acquire(ask.key, 'other', 10_000), true);
    },
  ],
  [
    'wait() resolves when the lease is given up, wherever',
    async ({ one, two, ask }) => {
      for (const [owner, waiter] of [
        [one, two],
        [two, one],
        [one, one],
      ] as const) {
        assert.equal(await owner.acquire(ask.key, 'owner', 10_000), true);
        const waiting = timed(waiter.wait(ask.key, 5_000));
        await sleep(150);
        await owner.release(ask.key, 'owner');
        const took = await waiting;
        assert.ok(took < 1_000, `woken after ${took} ms`);
      }
    },
  ],
  [
    'wait() resolves after its timeout, when the lease ends by its ttl, and at once when there is none',
    async ({ one, two, ask }) => {
      assert.ok((await timed(two.wait(ask.key, 5_000))) < 1_000, 'no lease');
      await one.acquire(ask.key, 'owner', 600);
      assert.ok((await timed(two.wait(ask.key, 100))) < 500, 'timeout');
      assert.ok((await timed(two.wait(ask.key, 5_000))) < 1_200, 'ttl');
    },
  ],
];
