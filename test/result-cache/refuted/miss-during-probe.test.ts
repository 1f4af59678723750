import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { GuardedStore } from '../../../packages/result-cache/src/guarded-store.ts';
import { memoryStore } from '../../../packages/result-cache/src/memory-store.ts';
import type { CacheStore } from '../../../packages/result-cache/src/store.ts';

/* A write that is missed while a probe waits for its answer is missed after the epoch that the probe has made. */
test('what is missed while the epoch is renewed has the epoch renewed again', async () => {
  const inner = memoryStore();
  let renewals = 0;
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>();
  const slow = new Proxy(inner, {
    get(target, name) {
      if (name === 'shared') {
        return true;
      }
      if (name === 'renew') {
        return async (registry: string) => {
          await target.renew(registry);
          renewals += 1;
          // The answer takes its time, as over a bad network.
          await arrived;
        };
      }
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
    },
  }) as CacheStore;
  const guard = new GuardedStore(
    slow,
    { timeout: 30_000, retryAfter: 50 },
    { failed: () => undefined, recovered: () => undefined },
  );
  guard.uses('r');
  await guard.ready();
  guard.missed('r', 'one');
  await sleep(60);
  expect(guard.available).toBe(false); // starts the probe
  await expect.poll(() => renewals).toBe(1);
  // Another process fills an entry under the new epoch; then a commit of this one ends that could not tell the store.
  const { epoch } = (await inner.read({ registry: 'r', key: 'k', tags: [] })).registry!;
  expect(guard.available).toBe(false);
  guard.missed('r', 'one');
  arrive();
  while (!guard.available) {
    await sleep(10);
  }
  expect((await inner.read({ registry: 'r', key: 'k', tags: [] })).registry!.epoch).not.toBe(epoch);
  await guard.dispose();
});

/* Were writes not told while the store is probed again, each would ask for one more probe. */
test('a store that is told of writes all the time is used again', async () => {
  const inner = memoryStore();
  const slow = new Proxy(inner, {
    get(target, name) {
      if (name === 'shared') {
        return true;
      }
      if (name === 'renew') {
        return async (registry: string) => {
          await target.renew(registry);
          await sleep(50);
        };
      }
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
    },
  }) as CacheStore;
  const guard = new GuardedStore(
    slow,
    { timeout: 1_000, retryAfter: 20 },
    { failed: () => undefined, recovered: () => undefined },
  );
  guard.uses('r');
  await guard.ready();
  guard.missed('r', 'w0');
  // What Intents does with a write that nobody can be told of.
  let writes = 0;
  const writer = setInterval(() => {
    writes += 1;
    if (!guard.listens) {
      guard.missed('r', `w${writes}`);
    }
  }, 10);
  // Never, if each write asked for one more probe; how soon is the machine's business.
  const until = performance.now() + 20_000;
  while (!guard.available && performance.now() < until) {
    await sleep(10);
  }
  clearInterval(writer);
  expect(guard.available).toBe(true);
  expect(writes).toBeGreaterThan(5);
  await guard.dispose();
});
