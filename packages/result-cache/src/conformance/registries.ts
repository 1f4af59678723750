import assert from 'node:assert/strict';
import { type ConformanceTest, intent } from './bench.ts';

/** Tests of `renew()`, and of registries that are others or were lost. */
export const REGISTRIES: readonly ConformanceTest[] = [
  [
    'renew() replaces the epoch, makes it if there is none, and lets intents stay',
    async ({ one, two, ask }) => {
      await one.renew(ask.registry);
      const first = (await two.read(ask)).registry;
      assert.ok(first);
      await one.open(ask.registry, intent('a', ask.tags));
      const { versions } = await one.begin(ask);
      await two.renew(ask.registry);
      const found = await one.read(ask);
      assert.notEqual(found.registry?.epoch, first.epoch);
      assert.deepEqual(found.registry?.intents, [{ id: 'a', tags: ask.tags, expired: false }]);
      assert.deepEqual(found.versions, versions);
    },
  ],
  [
    'registries do not know each other',
    async ({ one, two, ask }) => {
      const other = { ...ask, registry: `${ask.registry}-2` };
      const mine = await one.begin(ask);
      const theirs = await two.begin(other);
      assert.notEqual(mine.registry.epoch, theirs.registry.epoch);
      await one.open(ask.registry, intent('a', ask.tags));
      assert.deepEqual((await one.read(other)).registry, theirs.registry);
      assert.equal(await one.close(other.registry, 'a', []), false);
      await two.renew(other.registry);
      assert.equal((await one.read(ask)).registry?.epoch, mine.registry.epoch);
    },
  ],
  [
    'what was lost is made anew: under other names, unsettled while intents may come back',
    async ({ one, two, ask, subject, settled }) => {
      if (subject.lose === undefined) {
        return;
      }
      await settled();
      const before = await one.begin(ask);
      await one.fill(ask.key, Uint8Array.of(1), 10_000);
      await subject.lose();
      assert.equal((await two.read(ask)).registry, undefined);
      const after = await two.begin(ask);
      assert.notEqual(after.registry.epoch, before.registry.epoch);
      assert.notEqual(after.versions[0], before.versions[0]);
      assert.equal(after.settled, false);
      assert.equal(await one.close(ask.registry, 'a', ask.tags), false);
      await one.open(ask.registry, intent('a', ask.tags));
      assert.equal((await two.begin(ask)).registry.intents.length, 1);
      await settled();
    },
  ],
];
