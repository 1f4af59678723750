import assert from 'node:assert/strict';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { CacheStore, Found } from '../store.ts';
import { type Bench, type ConformanceTest, intent } from './bench.ts';

/** Tests of what holds while readers and writers race. */
export const RACES: readonly ConformanceTest[] = [
  [
    'a read that overlaps close() finds the intent, or the versions gone',
    async bench => {
      const { one, two, ask } = bench;
      await bench.settled();
      for (let round = 0; round < 30; round++) {
        const id = `i-${round}`;
        const before = await one.begin(ask);
        await one.open(ask.registry, intent(id, ask.tags));
        const reads = Array.from({ length: 12 }, async (_, index) => {
          await sleep(index % 4);
          return await (index % 2 ? one : two).read(ask);
        });
        await sleep(round % 4);
        const closing = one.close(ask.registry, id, ask.tags);
        const found = await Promise.all(reads);
        await closing;
        for (const { registry, versions } of found) {
          const isOpen = registry?.intents.some(open => open.id === id);
          const isGone = versions.every((version, index) => version !== before.versions[index]);
          assert.ok(isOpen === true || isGone, 'neither: what was committed would be missed');
        }
      }
    },
  ],
  [
    'a hit is never older than a commit that came before the read',
    async bench => {
      await bench.settled();
      await checkRegister(bench);
    },
  ],
];

/** For how long readers and writers race, in ms. */
const RACE = 1_000;

/**
 * Values that only grow stand for the database; writers and readers of both views follow the protocol, with delays. A hit
 * that is older than what was committed before its read began is a violation.
 */
async function checkRegister({ one, two, ask }: Bench): Promise<void> {
  const tags = ['r-0', 'r-1', 'r-2', 'r-3'];
  const values = tags.map(() => 0);
  const end = performance.now() + RACE;
  let hits = 0;
  const write = async (store: CacheStore, name: string): Promise<void> => {
    for (let round = 0; performance.now() < end; round++) {
      const index = Math.floor(Math.random() * tags.length);
      const id = `${name}-${round}`;
      await store.open(ask.registry, intent(id, [tags[index]!]));
      await pause();
      values[index]!++;
      await pause();
      await store.close(ask.registry, id, [tags[index]!]);
      await sleep(Math.random() * 5);
    }
  };
  const read = async (store: CacheStore): Promise<void> => {
    while (performance.now() < end) {
      // Lets timers run, where a read takes none.
      await nextTurn();
      const index = Math.floor(Math.random() * tags.length);
      // The other tag makes the versions more than one, on different servers perhaps.
      const asked = { ...ask, key: `entry-${index}`, tags: [tags[index]!, 'quiet'] };
      const committed = values[index]!;
      let found = await store.read(asked);
      if (found.local && hitIn(found, asked.tags) === undefined) {
        found = await store.read({ ...asked, refresh: true });
      }
      const hit = hitIn(found, asked.tags);
      if (hit === undefined) {
        await fill(store, asked, () => values[index]!);
      } else {
        hits++;
        assert.ok(hit >= committed, `a hit was ${committed - hit} commits behind`);
      }
    }
  };
  const stores = [one, two, one, two, one, two];
  const ended = await Promise.allSettled([
    ...[one, two].map((store, index) => write(store, `w-${index}`)),
    ...stores.map(read),
  ]);
  for (const each of ended) {
    if (each.status === 'rejected') {
      throw each.reason;
    }
  }
  assert.ok(hits > 0, 'no read was a hit');
}

async function fill(store: CacheStore, ask: Bench['ask'], select: () => number): Promise<void> {
  const { registry, versions, settled } = await store.begin(ask);
  await pause();
  const value = select();
  await pause();
  if (settled && !registry.intents.some(open => open.tags.some(tag => ask.tags.includes(tag)))) {
    const entry = new TextEncoder().encode(JSON.stringify({ epoch: registry.epoch, versions, value }));
    await store.fill(ask.key, entry, ask.ttl);
  }
}

/** The value of an entry that the protocol allows to be used. */
function hitIn({ registry, versions, entry }: Found, tags: readonly string[]): number | undefined {
  if (registry === undefined || entry === undefined) {
    return undefined;
  }
  const kept = JSON.parse(new TextDecoder().decode(entry)) as { epoch: string; versions: string[]; value: number };
  const valid =
    kept.epoch === registry.epoch &&
    kept.versions.every((version, index) => version === versions[index]) &&
    !registry.intents.some(open => open.tags.some(tag => tags.includes(tag)));
  return valid ? kept.value : undefined;
}

async function pause(): Promise<void> {
  await sleep(Math.random() * 3);
}
