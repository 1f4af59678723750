import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ConformanceTest, intent } from './bench.ts';

/** Tests of `fill()` and `remove()`: entries, and how long they are there. */
export const ENTRIES: readonly ConformanceTest[] = [
  [
    'fill() puts an entry that all find as it is, byte for byte',
    async ({ one, two, ask }) => {
      const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
      await one.fill(ask.key, all, 10_000);
      for (const store of [one, two, one, two]) {
        const { entry } = await store.read(ask);
        assert.deepEqual([...entry!], [...all]);
      }
      const other = { ...ask, key: `${ask.key}-empty` };
      await one.fill(other.key, new Uint8Array(0), 10_000);
      assert.equal((await two.read(other)).entry?.byteLength, 0);
    },
  ],
  [
    'fill() keeps none of the memory it is given',
    async ({ one, ask }) => {
      const block = new Uint8Array(64).fill(1);
      await one.fill(ask.key, block.subarray(16, 32), 10_000);
      block.fill(2);
      const { entry } = await one.read(ask);
      assert.deepEqual([...entry!], Array(16).fill(1));
    },
  ],
  [
    'fill() replaces, which shows where no copy is asked for',
    async ({ one, two, ask }) => {
      await one.fill(ask.key, Uint8Array.of(1), 10_000);
      assert.deepEqual([...(await two.read(ask)).entry!], [1]);
      await one.fill(ask.key, Uint8Array.of(2, 2), 10_000);
      assert.deepEqual([...(await one.read(ask)).entry!], [2, 2]);
      const found = await two.read({ ...ask, refresh: true });
      assert.deepEqual([...found.entry!], [2, 2]);
      assert.equal(found.local, false);
      const stale = await two.read(ask);
      assert.ok(stale.entry!.length === 2 || stale.local, 'only a local copy may be behind');
    },
  ],
  [
    'an entry is there for at most its ttl, in every view',
    async ({ one, two, ask }) => {
      await one.fill(ask.key, Uint8Array.of(1), 400);
      assert.ok((await two.read(ask)).entry);
      assert.ok((await one.read(ask)).entry);
      await sleep(500);
      assert.equal((await one.read(ask)).entry, undefined);
      assert.equal((await two.read(ask)).entry, undefined);
    },
  ],
  [
    'ttls need not be whole',
    async ({ one, ask }) => {
      await one.begin({ ...ask, ttl: 1_000.5 });
      await one.fill(ask.key, Uint8Array.of(1), 1_000.5);
      await one.open(ask.registry, { ...intent('a', ask.tags), ttl: 1_000.5 });
      assert.equal(await one.acquire(ask.key, 'owner', 1_000.5), true);
      assert.ok((await one.read(ask)).entry);
    },
  ],
  [
    'remove() drops entries, whether they are there or not',
    async ({ one, two, ask }) => {
      const other = { ...ask, key: `${ask.key}-2` };
      await one.fill(ask.key, Uint8Array.of(1), 10_000);
      await one.fill(other.key, Uint8Array.of(2), 10_000);
      await two.remove([ask.key, other.key, 'never there']);
      await two.remove([]);
      for (const each of [ask, other]) {
        assert.equal((await two.read(each)).entry, undefined);
        assert.equal((await one.read({ ...each, refresh: true })).entry, undefined);
      }
    },
  ],
  [
    'size() counts what is kept in this process',
    async ({ one, ask }) => {
      const { bytes, entries } = one.size();
      await one.fill(ask.key, new Uint8Array(1_000), 10_000);
      const after = one.size();
      if (!one.shared) {
        assert.equal(after.entries, entries + 1);
        assert.ok(after.bytes >= bytes + 1_000);
      }
      assert.ok(after.entries >= entries && after.bytes >= bytes);
    },
  ],
];
