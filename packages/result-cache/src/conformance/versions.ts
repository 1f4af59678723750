import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConformanceTest } from './bench.ts';

/** Tests of `read()` and `begin()`: a registry and the versions of tags. */
export const VERSIONS: readonly ConformanceTest[] = [
  [
    'read() finds nothing in an empty store, and changes nothing',
    async ({ one, two, ask }) => {
      const nothing = { registry: undefined, versions: [undefined, undefined], entry: undefined, local: false };
      assert.deepEqual(await one.read(ask), nothing);
      assert.deepEqual(await two.read(ask), nothing);
    },
  ],
  [
    'begin() makes the registry and the versions, which all then find',
    async bench => {
      const { one, two, ask } = bench;
      const begun = await one.begin(ask);
      assert.deepEqual(begun.registry.intents, []);
      assert.ok(begun.registry.epoch.length > 0);
      assert.equal(begun.versions.length, 2);
      for (const store of [one, two]) {
        const found = await store.read(ask);
        assert.deepEqual(found.registry, begun.registry);
        assert.deepEqual(found.versions, begun.versions);
      }
      const again = await two.begin(ask);
      assert.deepEqual([again.registry, again.versions], [begun.registry, begun.versions], 'what is there stays');
    },
  ],
  [
    'read() and begin() answer in the order of the tags, and for no tags',
    async ({ one, two, ask }) => {
      const { versions } = await one.begin(ask);
      const more = await two.begin({ ...ask, tags: ['tag-3', ...[...ask.tags].reverse()] });
      assert.deepEqual(more.versions.slice(1), [...versions].reverse());
      const found = await one.read({ ...ask, tags: ['tag-4', ...ask.tags, 'tag-3', ask.tags[0]!] });
      assert.deepEqual(found.versions, [undefined, ...versions, more.versions[0], versions[0]]);
      assert.deepEqual((await one.begin({ ...ask, tags: [] })).versions, []);
      assert.deepEqual((await one.read({ ...ask, tags: [] })).versions, []);
    },
  ],
  [
    'begin() settles in time, and stays settled',
    async bench => {
      await bench.settled();
      assert.equal((await bench.two.begin(bench.ask)).settled, true);
    },
  ],
  [
    'begin() lets the tags live for at least ttl more, of several the longest',
    async ({ one, two, ask }) => {
      const { versions } = await one.begin({ ...ask, ttl: 400 });
      await two.begin({ ...ask, ttl: 2_000 });
      await one.begin({ ...ask, ttl: 50 });
      await sleep(700);
      assert.deepEqual((await one.read(ask)).versions, versions);
    },
  ],
  [
    'a version is never given twice',
    async ({ one, two, ask }) => {
      const seen = new Set<string>();
      for (let round = 0; round < 50; round++) {
        const { versions } = await (round % 2 ? one : two).begin(ask);
        assert.equal(seen.has(versions[0]!), false);
        seen.add(versions[0]!);
        await one.close(ask.registry, 'none', ask.tags);
      }
    },
  ],
];
