import type { CacheStore } from '@mikrokit/result-cache';
import { randomDelay } from './delays.ts';
import type { Journal } from './journal.ts';
import { noteCommit } from './write-watch.ts';

/** What is taken out of the protocol, to see that the checker notices. */
export type Flaw = 'opens no intent' | 'keeps the versions';

export interface Disturbance {
  /** How often a writer is killed after its COMMIT, before it has told of it; 0 to 1. */
  readonly killed: number;
  readonly flaw: Flaw | undefined;
}

/** A real store, with delays where a reader and a writer can pass each other. */
export function disturbed(store: CacheStore, journal: Journal, { killed, flaw }: Disturbance): CacheStore {
  return {
    name: store.name,
    shared: store.shared,
    warnings: store.warnings,
    check: async () => await store.check?.(),
    read: ask => store.read(ask),
    async begin(ask) {
      const begun = await store.begin(ask);
      await randomDelay();
      return begun;
    },
    async fill(key, entry, ttl) {
      await randomDelay();
      await store.fill(key, entry, ttl);
    },
    remove: keys => store.remove(keys),
    async open(registry, intent) {
      if (flaw !== 'opens no intent') {
        await store.open(registry, intent);
      }
      await randomDelay();
    },
    async close(registry, id, tags) {
      noteCommit(journal);
      if (Math.random() < killed) {
        process.kill(process.pid, 'SIGKILL');
      }
      await randomDelay();
      if (flaw === 'keeps the versions') {
        await store.cancel(registry, id);
        return true;
      }
      const found = await store.close(registry, id, tags);
      return found || flaw === 'opens no intent';
    },
    cancel: (registry, id) => store.cancel(registry, id),
    renew: registry => store.renew(registry),
    acquire: (key, owner, ttl) => store.acquire(key, owner, ttl),
    release: (key, owner) => store.release(key, owner),
    wait: (key, timeout) => store.wait(key, timeout),
    watch: onLost => store.watch?.(onLost) ?? (() => {}),
    size: () => store.size(),
    dispose: () => store.dispose(),
  };
}
