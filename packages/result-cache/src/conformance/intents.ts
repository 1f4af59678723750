import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { MAX_INTENT_TAGS } from '../store.ts';
import { type ConformanceTest, intent } from './bench.ts';

/** Tests of `open()`, `close()` and `cancel()`: who is about to commit what. */
export const INTENTS: readonly ConformanceTest[] = [
  [
    'open() is seen by every read that begins after it',
    async bench => {
      const { one, two, ask } = bench;
      await bench.settled();
      await one.open(ask.registry, intent('a', ask.tags));
      for (const store of [one, two]) {
        assert.deepEqual((await store.read(ask)).registry?.intents, [{ id: 'a', tags: ask.tags, expired: false }]);
        assert.deepEqual((await store.begin(ask)).registry.intents, [{ id: 'a', tags: ask.tags, expired: false }]);
      }
    },
  ],
  [
    'open() makes a registry that is not there, takes what letters may be in a tag, and no tags',
    async ({ one, two, ask }) => {
      const id = 'aZ09-_';
      const tags = ['A-z_0', '-', '_', '9'];
      await one.open(ask.registry, intent(id, tags));
      await one.open(ask.registry, intent('empty', []));
      assert.deepEqual(byId((await two.read(ask)).registry?.intents ?? []), [
        { id, tags, expired: false },
        { id: 'empty', tags: [], expired: false },
      ]);
    },
  ],
  [
    'open() takes as many tags as an intent may have',
    async ({ one, two, ask }) => {
      const tags = Array.from({ length: MAX_INTENT_TAGS }, (_, index) => `tag-${index}`);
      await one.open(ask.registry, intent('a', tags));
      assert.deepEqual((await two.read(ask)).registry?.intents[0]?.tags, tags);
      assert.equal(await two.close(ask.registry, 'a', tags), true);
    },
  ],
  [
    'open() rejects what would damage the registry, and leaves it as it was',
    async ({ one, two, ask }) => {
      await one.open(ask.registry, intent('a', ask.tags));
      for (const wrong of [intent('a;b', []), intent('b', ['a,b']), intent('b', ['']), intent('', [])]) {
        await assert.rejects(async () => await one.open(ask.registry, wrong));
      }
      assert.deepEqual(
        (await two.read(ask)).registry?.intents.map(each => each.id),
        ['a'],
      );
    },
  ],
  [
    'open() with the same id extends an intent; it expires, and stays until it is closed',
    async ({ one, two, ask }) => {
      await one.open(ask.registry, intent('a', ask.tags, 300));
      await one.open(ask.registry, intent('b', ask.tags, 200));
      await sleep(100);
      await one.open(ask.registry, intent('a', ask.tags, 10_000));
      await sleep(200);
      assert.deepEqual(byId((await two.begin(ask)).registry.intents), [
        { id: 'a', tags: ask.tags, expired: false },
        { id: 'b', tags: ask.tags, expired: true },
      ]);
      assert.equal((await two.read(ask)).registry?.intents.length, 2);
      assert.equal(await two.close(ask.registry, 'b', ask.tags), true);
      assert.deepEqual(
        (await one.begin(ask)).registry.intents.map(each => each.id),
        ['a'],
      );
    },
  ],
  [
    'close() drops the versions of its tags and the intent, and says whether it was there',
    async ({ one, two, ask }) => {
      const before = await one.begin({ ...ask, tags: [...ask.tags, 'other'] });
      await one.open(ask.registry, intent('a', ask.tags));
      await one.open(ask.registry, intent('b', ['other']));
      assert.equal(await one.close(ask.registry, 'a', ask.tags), true);
      const found = await two.read({ ...ask, tags: [...ask.tags, 'other'] });
      assert.deepEqual(found.versions, [undefined, undefined, before.versions[2]]);
      assert.deepEqual(
        found.registry?.intents.map(each => each.id),
        ['b'],
      );
      assert.equal(found.registry?.epoch, before.registry.epoch, 'the epoch stays');
      assert.equal(await two.close(ask.registry, 'a', ask.tags), false);
      assert.equal(await two.close(`${ask.registry}-never`, 'a', []), false);
    },
  ],
  [
    'close() drops versions even if the intent was lost',
    async ({ one, two, ask }) => {
      await one.begin(ask);
      assert.equal(await one.close(ask.registry, 'never', ask.tags), false);
      assert.deepEqual((await two.read(ask)).versions, [undefined, undefined]);
    },
  ],
  [
    'cancel() drops an intent and nothing else',
    async ({ one, two, ask }) => {
      const before = await one.begin(ask);
      await one.open(ask.registry, intent('a', ask.tags));
      await one.cancel(ask.registry, 'a');
      await one.cancel(ask.registry, 'never');
      await one.cancel(`${ask.registry}-never`, 'a');
      const found = await two.read(ask);
      assert.deepEqual([found.registry, found.versions], [before.registry, before.versions]);
    },
  ],
  [
    'intents opened and closed at the same time do not lose each other',
    async ({ one, two, ask }) => {
      const ids = Array.from({ length: 40 }, (_, index) => `i-${index}`);
      await Promise.all(ids.map((id, index) => (index % 2 ? one : two).open(ask.registry, intent(id, ask.tags))));
      assert.equal((await one.read(ask)).registry?.intents.length, 40);
      const closed = await Promise.all(
        ids.slice(0, 39).map((id, index) => (index % 2 ? two : one).close(ask.registry, id, [])),
      );
      assert.ok(closed.every(Boolean));
      assert.deepEqual(
        (await two.read(ask)).registry?.intents.map(each => each.id),
        ['i-39'],
      );
    },
  ],
];

function byId<T extends { readonly id: string }>(intents: readonly T[]): T[] {
  return intents.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}
