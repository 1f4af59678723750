import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { memoryStore } from '../../packages/result-cache/src/memory-store.ts';
import { manualClock } from '../harness/clock.ts';

const ask = { registry: 'orm', key: 'k', tags: ['a', 'b'], ttl: 1_000 };

test('takes the memory that maxBytes says, within a tenth, with 100 000 entries of any size', async () => {
  for (const size of [200, 1_000, 10_000]) {
    const { promised, counted, real } = await memoryOf('entries', size);
    expect(counted / promised, `${size} bytes: counted`).toBeGreaterThan(0.99);
    expect(counted / promised, `${size} bytes: counted`).toBeLessThanOrEqual(1);
    expect(real / promised, `${size} bytes: real`).toBeGreaterThan(0.9);
    expect(real / promised, `${size} bytes: real`).toBeLessThan(1.1);
  }
}, 120_000);

test('versions are part of maxBytes, and of the count', async () => {
  const { counted, real } = await memoryOf('versions', 0);
  expect(real / counted).toBeGreaterThan(0.85);
  expect(real / counted).toBeLessThan(1.15);
});

/** Measured in a process of its own, where nothing else takes memory. */
async function memoryOf(what: string, size: number): Promise<{ promised: number; counted: number; real: number }> {
  const child = spawn(
    process.execPath,
    [
      '--expose-gc',
      '--conditions=@mikrokit/source',
      fileURLToPath(new URL('fixtures/memory-of-store.ts', import.meta.url)),
      what,
      `${size}`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let output = '';
  child.stdout.on('data', chunk => (output += String(chunk)));
  await once(child, 'close');
  return JSON.parse(output) as { promised: number; counted: number; real: number };
}

test('the least recently used entry goes first, and one larger than everything is not kept', async () => {
  const store = memoryStore({ maxBytes: 5_000 });
  for (const key of ['1', '2', '3']) {
    await store.fill(key, new Uint8Array(1_000), 1_000);
  }
  await store.read({ ...ask, key: '1' });
  await store.fill('4', new Uint8Array(1_000), 1_000);
  const there = await Promise.all(
    ['1', '2', '3', '4'].map(async key => (await store.read({ ...ask, key })).entry !== undefined),
  );
  expect(there).toEqual([true, false, true, true]);
  await store.fill('5', new Uint8Array(5_000), 1_000);
  expect((await store.read({ ...ask, key: '5' })).entry).toBeUndefined();
  expect(store.size().entries).toBe(3);
});

test('versions may go, registries and intents never do', async () => {
  const store = memoryStore({ maxBytes: 20_000 });
  const { registry, versions } = await store.begin(ask);
  await store.open('orm', { id: 'i', tags: ['a'], ttl: 1_000 });
  for (let index = 0; index < 1_000; index++) {
    await store.begin({ ...ask, registry: `orm-${index}`, tags: [`tag-${index}`] });
    await store.open(`orm-${index}`, { id: 'i', tags: [], ttl: 1_000 });
  }
  expect(store.size().bytes).toBeLessThanOrEqual(20_000);
  const found = await store.read(ask);
  expect(found.versions).toEqual([undefined, undefined]);
  expect(found.registry).toMatchObject({ epoch: registry.epoch, intents: [{ id: 'i' }] });
  expect((await store.begin(ask)).versions).not.toEqual(versions);
  expect((await store.read({ ...ask, registry: 'orm-0' })).registry?.intents).toHaveLength(1);
});

test('versions have an eighth of maxBytes at most, and entries the rest', async () => {
  const store = memoryStore({ maxBytes: 80_000 });
  for (let index = 0; index < 200; index++) {
    await store.fill(`k${index}`, new Uint8Array(1_000), 1_000);
    await store.begin({ ...ask, tags: [`tag-${index}`] });
    expect(store.size().bytes).toBeLessThanOrEqual(80_000);
  }
  expect(store.size().entries).toBeGreaterThan(40);
});

test('it is settled at once: nothing outside this process can lose an intent', async () => {
  expect((await memoryStore().begin(ask)).settled).toBe(true);
});

test('time is that of the clock: entries, intents and leases end to the millisecond', async () => {
  const clock = manualClock(5_000);
  const store = memoryStore({}, clock);
  await store.fill('k', Uint8Array.of(1), 1_000);
  await store.open('orm', { id: 'i', tags: ['a'], ttl: 1_000 });
  await store.acquire('k', 'o', 1_000);
  await clock.advance(999);
  const before = await store.read(ask);
  expect([before.entry?.length, before.registry?.intents[0]?.expired]).toEqual([1, false]);
  expect(await store.acquire('k', 'p', 1_000)).toBe(false);
  await clock.advance(1);
  const after = await store.read(ask);
  expect([after.entry, after.registry?.intents[0]?.expired]).toEqual([undefined, true]);
  expect(store.size().entries).toBe(0);
  expect(await store.acquire('k', 'p', 1_000)).toBe(true);
});

test('wait() takes no longer than the lease, its release or the timeout, and leaves no timer', async () => {
  const clock = manualClock();
  const store = memoryStore({}, clock);
  const ended: string[] = [];
  const wait = (name: string, timeout: number): void => void store.wait('k', timeout).then(() => ended.push(name));
  await store.acquire('k', 'o', 500);
  wait('timeout', 100);
  wait('lease', 1_000);
  await clock.advance(99);
  expect(ended).toEqual([]);
  await clock.advance(1);
  expect(ended).toEqual(['timeout']);
  await clock.advance(400);
  expect(ended).toEqual(['timeout', 'lease']);
  await store.acquire('k', 'o', 500);
  wait('released', 1_000);
  await store.release('k', 'other');
  await clock.settle();
  expect(clock.pending).toBe(1);
  await store.release('k', 'o');
  await clock.settle();
  expect(ended).toEqual(['timeout', 'lease', 'released']);
  expect(clock.pending).toBe(0);
});

test('leases that nobody gave up end, however many', async () => {
  let now = 0;
  const store = memoryStore({}, { now: () => now++, setTimeout, clearTimeout: () => {} });
  for (let index = 0; index < 10_000; index++) {
    await store.acquire(`k${index}`, 'o', 10);
  }
  expect(await store.acquire('k9999', 'p', 10)).toBe(false);
  expect(await store.acquire('k1', 'p', 10)).toBe(true);
});

test('what was read stays as it was when the entry is replaced', async () => {
  const store = memoryStore();
  await store.fill('k', Uint8Array.of(1), 1_000);
  const { entry } = await store.read(ask);
  await store.fill('k', Uint8Array.of(2), 1_000);
  expect([...entry!]).toEqual([1]);
  expect([...(await store.read(ask)).entry!]).toEqual([2]);
});
