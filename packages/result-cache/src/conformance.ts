import assert from 'node:assert/strict';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { StoreError } from './errors.ts';
import { type CacheStore, type Found, type Intent, MAX_INTENT_TAGS } from './store.ts';

/** What {@link storeConformance} needs of a test framework: `test` of vitest and of node:test will do. */
export interface ConformanceOptions {
  /** Registers a test. */
  test(name: string, run: () => Promise<void>): unknown;
  /** Called for each test; the test disposes of what it gets. */
  createStore(): Promise<ConformanceSubject>;
}

/** A store to be tested, with nothing in it that a test could meet. */
export interface ConformanceSubject {
  /** Two views of the same data, as two processes have them; the same store twice where it is not `shared`. */
  readonly stores: readonly [CacheStore, CacheStore];
  /** Loses everything behind the stores' back, as a server that restarts does. Left out: it cannot be lost. */
  lose?(): Promise<void>;
  /** Ends what `createStore` started, after both stores were disposed of. */
  end?(): Promise<void>;
}

/**
 * Tests of a {@link CacheStore}, one for each promise it makes. They run on real time and take some seconds.
 *
 * ```ts
 * storeConformance({ test, createStore: async () => ({ stores: [myStore(), myStore()] }) });
 * ```
 */
export function storeConformance({ test, createStore }: ConformanceOptions): void {
  for (const [name, run] of TESTS) {
    test(name, async () => {
      const subject = await createStore();
      try {
        await run(new Bench(subject));
      } finally {
        await Promise.all(new Set(subject.stores.map(store => store.dispose())));
        await subject.end?.();
      }
    });
  }
}

const TESTS: readonly (readonly [name: string, run: (bench: Bench) => Promise<void>])[] = [
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
  [
    'watch() can be stopped',
    async ({ one }) => {
      const stop = one.watch?.(() => {});
      stop?.();
      stop?.();
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

/** What a test works with. */
class Bench {
  readonly subject: ConformanceSubject;
  readonly one: CacheStore;
  readonly two: CacheStore;
  /** For `read` and `begin`. */
  readonly ask = { registry: 'registry', key: 'key', tags: ['tag-1', 'tag-2'], ttl: 10_000 };

  constructor(subject: ConformanceSubject) {
    this.subject = subject;
    [this.one, this.two] = subject.stores;
  }

  /** Resolves when fills are allowed. */
  readonly settled = async (): Promise<void> => {
    const deadline = performance.now() + 10_000;
    while (!(await this.one.begin(this.ask)).settled) {
      assert.ok(performance.now() < deadline, 'begin() was not settled within 10 s');
      await sleep(10);
    }
  };
}

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

function intent(id: string, tags: readonly string[], ttl = 10_000): Intent {
  return { id, tags, ttl };
}

function byId<T extends { readonly id: string }>(intents: readonly T[]): T[] {
  return intents.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

async function timed(promise: Promise<unknown>): Promise<number> {
  const start = performance.now();
  await promise;
  return performance.now() - start;
}
