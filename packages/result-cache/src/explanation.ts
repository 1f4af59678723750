import type { CachedRead } from './cached-read.ts';
import type { Entries } from './entries.ts';
import { currentVector, isBlocked } from './entry-judge.ts';
import { freshness } from './expiry.ts';
import type { GuardedStore } from './guarded-store.ts';
import type { Policy } from './policy.ts';

/** What `explain()` tells of one read. */
export interface Explanation {
  readonly entity: string;
  readonly sql: string | undefined;
  readonly key: string | undefined;
  /** In words; an entry is a hit as long as none of them is written to. */
  readonly tags: readonly string[];
  readonly policy: Policy | undefined;
  /** Why it is not cached. */
  readonly reason: string | undefined;
  /** What would be asked of the store. */
  readonly read: CachedRead<unknown> | undefined;
}

/** What `cache.explain()` returns. */
export interface CacheExplanation {
  readonly cacheable: boolean;
  /** Why not. */
  readonly reason: string | undefined;
  readonly sql: string | undefined;
  readonly key: string | undefined;
  /** In words: tables, `table?column=value`, `#name`. An entry is a hit as long as none of them is written to. */
  readonly tags: readonly string[];
  /** ms */
  readonly ttl: number | undefined;
  /** Whether a hit would be served now. */
  readonly present: boolean;
  /** Why there is none, or none that can be served. */
  readonly absence: 'absent' | 'expired' | 'invalidated' | 'pending' | 'damaged' | 'store unavailable' | undefined;
  /** How old the entry is, in ms. */
  readonly age: number | undefined;
  readonly bytes: number | undefined;
}

/** Asks the store what it has for a read. @param explanation of the read; `undefined` if it would send nothing */
export async function explained(
  explanation: Explanation | undefined,
  guard: GuardedStore,
  entries: Entries,
): Promise<CacheExplanation> {
  const { read, reason, sql, key, tags = [], policy } = explanation ?? {};
  const none = { present: false, age: undefined, bytes: undefined };
  const about = { sql, key, tags, ttl: policy?.ttl };
  if (read === undefined) {
    return {
      ...about,
      ...none,
      cacheable: false,
      reason: reason ?? 'it sends no statement, as its entity is in the identity map',
      absence: undefined,
    };
  }
  try {
    await guard.ready();
    const found = await guard.read({ registry: read.registry, key: read.key, tags: read.tags });
    const header = found.entry && entries.header(found.entry);
    const state = header && freshness(header, read.policy, Date.now(), 1);
    const absence =
      found.entry === undefined || found.registry === undefined
        ? 'absent'
        : isBlocked(found.registry, read.tags)
          ? 'pending'
          : header === undefined
            ? 'damaged'
            : header.vector !== currentVector(found)
              ? 'invalidated'
              : state === 'over' || state === 'for emergencies'
                ? 'expired'
                : undefined;
    return {
      ...about,
      cacheable: true,
      reason: undefined,
      present: absence === undefined,
      absence,
      age: header && Date.now() - header.createdAt,
      bytes: found.entry?.length,
    };
  } catch {
    return { ...about, ...none, cacheable: true, reason: undefined, absence: 'store unavailable' };
  }
}
