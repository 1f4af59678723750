import { storeConformance } from '@mikrokit/result-cache/conformance';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { memoryStore } from '../../packages/result-cache/src/memory-store.ts';
import type { CacheStore } from '../../packages/result-cache/src/store.ts';

/** Names of the tests of the suite that fail on a store. */
async function failuresOf(makeStore: () => CacheStore): Promise<string[]> {
  const failed: string[] = [];
  const running: Promise<void>[] = [];
  storeConformance({
    test: (name, run) => running.push(run().catch(() => void failed.push(name))),
    createStore: async () => {
      const store = makeStore();
      return { stores: [store, store] };
    },
  });
  await Promise.all(running);
  return failed;
}

/** A memory store with some methods replaced. */
function broken(faults: (store: CacheStore) => Partial<CacheStore>): () => CacheStore {
  return () => {
    const store = memoryStore();
    const replaced = faults(store);
    return new Proxy(store, {
      get(target, name) {
        const value: unknown =
          name in replaced ? replaced[name as keyof CacheStore] : Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  };
}

test('the suite passes a good store', async () => {
  expect(await failuresOf(() => memoryStore())).toEqual([]);
});

test.concurrent.each<readonly [fault: string, caughtBy: RegExp, faults: (store: CacheStore) => Partial<CacheStore>]>([
  [
    'read() takes the versions before the registry',
    /overlaps close/,
    store => ({
      async read(ask) {
        const { versions, entry } = await store.read(ask);
        await sleep(2);
        const { registry } = await store.read(ask);
        return { registry, versions, entry, local: false };
      },
    }),
  ],
  [
    'close() drops the intent before the versions',
    /overlaps close/,
    store => ({
      async close(registry, id, tags) {
        const found = await store.close(registry, id, []);
        await sleep(3);
        await store.close(registry, id, tags);
        return found;
      },
    }),
  ],
  ['open() opens nothing', /never older/, () => ({ open: async () => {} })],
  [
    'open() resolves too early',
    /seen by every read/,
    store => ({
      open: async (...args) =>
        void sleep(5)
          .then(() => store.open(...args))
          .catch(() => {}),
    }),
  ],
  [
    'close() leaves the versions',
    /close\(\) drops the versions/,
    store => ({ close: (registry, id) => store.close(registry, id, []) }),
  ],
  [
    'close() does not tell',
    /whether it was there/,
    store => ({ close: async (...args) => (await store.close(...args)) || true }),
  ],
  [
    'cancel() drops versions',
    /cancel\(\)/,
    store => ({ cancel: async (registry, id) => void (await store.close(registry, id, ['tag-1'])) }),
  ],
  ['renew() does nothing', /renew\(\)/, () => ({ renew: async () => {} })],
  [
    'begin() makes versions every time',
    /which all then find/,
    store => ({
      begin: async ask => {
        await store.close(ask.registry, 'none', ask.tags);
        return await store.begin(ask);
      },
    }),
  ],
  [
    'begin() loses the order of tags',
    /order of the tags/,
    store => ({
      begin: async ask => await store.begin({ ...ask, tags: ask.tags.toSorted() }),
    }),
  ],
  [
    'a version comes back',
    /never given twice/,
    store => ({
      begin: async ask => ({ ...(await store.begin(ask)), versions: ask.tags.map(tag => `version-of-${tag}`) }),
    }),
  ],
  [
    'begin() never settles',
    /settles in time/,
    store => ({ begin: async ask => ({ ...(await store.begin(ask)), settled: false }) }),
  ],
  [
    'fill() keeps a view of the memory it is given',
    /none of the memory/,
    store => {
      const kept = new Map<string, Uint8Array>();
      return {
        fill: async (key, entry) => void kept.set(key, entry),
        read: async ask => ({ ...(await store.read(ask)), entry: kept.get(ask.key) }),
      };
    },
  ],
  ['fill() ignores its ttl', /at most its ttl/, store => ({ fill: (key, entry) => store.fill(key, entry, 60_000) })],
  ['remove() does nothing', /remove\(\) drops/, () => ({ remove: async () => {} })],
  [
    'an empty entry is none',
    /byte for byte/,
    store => ({
      fill: async (key, entry, ttl) => (entry.length === 0 ? undefined : await store.fill(key, entry, ttl)),
    }),
  ],
  [
    'read() makes a registry',
    /changes nothing/,
    store => ({
      read: async ask => {
        await store.begin({ ...ask, ttl: 1 });
        return await store.read(ask);
      },
    }),
  ],
  [
    'registries are one',
    /do not know each other/,
    store => ({
      begin: ask => store.begin({ ...ask, registry: 'all' }),
      read: ask => store.read({ ...ask, registry: 'all' }),
    }),
  ],
  [
    'intents expire into nothing',
    /stays until it is closed/,
    store => ({
      open: async (registry, intent) => {
        await store.open(registry, intent);
        void sleep(intent.ttl)
          .then(() => store.cancel(registry, intent.id))
          .catch(() => {});
      },
    }),
  ],
  ['anybody gets the lease', /to one owner/, () => ({ acquire: async () => true })],
  [
    'anybody gives the lease up',
    /if it is the owner/,
    store => ({ release: async key => await store.release(key, 'owner') }),
  ],
  ['wait() waits for its timeout', /wait\(\) resolves when/, () => ({ wait: (_, timeout) => sleep(timeout) })],
  [
    'wait() does not know of ttls',
    /wait\(\) resolves after/,
    store => ({
      wait: async (key, timeout) => {
        const end = performance.now() + timeout;
        await store.wait(key, timeout);
        await sleep(end - performance.now());
      },
    }),
  ],
  ['it goes on after dispose()', /after dispose/, () => ({ dispose: async () => {} })],
  [
    'it throws synchronously',
    /synchronously/,
    () => ({
      cancel: () => {
        throw new Error('now');
      },
    }),
  ],
])('the suite finds that %s', async (_, caughtBy, faults) => {
  expect((await failuresOf(broken(faults))).join('\n')).toMatch(caughtBy);
});
