import type { CacheStore } from '@mikrokit/result-cache';
import { randomDelay } from './delays.ts';

/** What is taken out of the protocol, to see that the checker notices. */
export type Flaw = 'opens no intent' | 'keeps the versions' | 'forgets some tags';

export interface Disturbance {
  /** How often a writer is killed after its COMMIT, before it has told of it; 0 to 1. */
  readonly killed: number;
  readonly flaw: Flaw | undefined;
  /** Called after a COMMIT, before anything is done about it. */
  readonly committed?: () => void;
}

/** A real store, with delays where a reader and a writer can pass each other. */
export function disturbed(store: CacheStore, { killed, flaw, committed }: Disturbance): CacheStore {
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
      committed?.();
      if (Math.random() < killed) {
        process.kill(process.pid, 'SIGKILL');
      }
      await randomDelay();
      if (flaw === 'keeps the versions') {
        await store.cancel(registry, id);
        return true;
      }
      const known = flaw === 'forgets some tags' ? tags.filter(() => Math.random() < 0.4) : tags;
      const found = await store.close(registry, id, known);
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
