import assert from 'node:assert/strict';
import { StoreError } from '../errors.ts';
import { type ConformanceTest, intent, timed } from './bench.ts';

/** Tests of what a store says of itself, and of how it ends. */
export const LIFE: readonly ConformanceTest[] = [
  [
    'has a name, says whether it is shared, and can be used as it is set up',
    async ({ one, two }) => {
      assert.ok(one.name.length > 0);
      assert.equal(typeof one.shared, 'boolean');
      await one.check?.();
      if (!one.shared) {
        assert.equal(one, two, 'a store that is not shared has one view');
      }
    },
  ],
  [
    'watch() can be stopped',
    async ({ one }) => {
      const stop = one.watch?.(() => {});
      stop?.();
      stop?.();
    },
  ],
  [
    'after dispose() it rejects, and waits for nothing',
    async ({ one, ask }) => {
      await one.acquire(ask.key, 'owner', 10_000);
      const waiting = timed(one.wait(ask.key, 10_000));
      await one.dispose();
      await one.dispose();
      assert.ok((await waiting) < 5_000);
      await one.wait(ask.key, 10_000);
      const closed = (error: unknown): boolean => error instanceof StoreError && error.code === 'CLOSED';
      await assert.rejects(async () => await one.read(ask), closed);
      await assert.rejects(async () => await one.begin(ask), closed);
      await assert.rejects(async () => await one.fill(ask.key, Uint8Array.of(1), 1_000), closed);
      await assert.rejects(async () => await one.open(ask.registry, intent('a', [])), closed);
      await assert.rejects(async () => await one.close(ask.registry, 'a', []), closed);
    },
  ],
  [
    'nothing throws synchronously',
    async ({ one, ask }) => {
      await one.dispose();
      const calls: (() => Promise<unknown>)[] = [
        async () => await one.check?.(),
        () => one.read(ask),
        () => one.begin(ask),
        () => one.fill(ask.key, Uint8Array.of(1), 1),
        () => one.remove([ask.key]),
        () => one.open(ask.registry, intent('a;', [])),
        () => one.close(ask.registry, 'a', []),
        () => one.cancel(ask.registry, 'a'),
        () => one.renew(ask.registry),
        () => one.acquire(ask.key, 'owner', 1),
        () => one.release(ask.key, 'owner'),
        () => one.wait(ask.key, 1),
        () => one.dispose(),
      ];
      for (const call of calls) {
        await call().catch(() => {});
      }
    },
  ],
];
