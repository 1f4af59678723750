import type { Policy } from './policy.ts';

/** What an entry says of its own age. */
export interface Age {
  /** ms since 1970, on the clock of the process that filled it. */
  readonly createdAt: number;
  /** How long it is fresh, in ms, jitter included. */
  readonly freshFor: number;
  /** What its fill took, in ms. */
  readonly cost: number;
}

/** What may be done with an entry that no write has made invalid. */
export type Freshness = 'fresh' | 'refresh early' | 'stale' | 'for emergencies' | 'over';

/** @param random from 0 (exclusive) to 1 */
export function freshness(age: Age, policy: Policy, now: number, random: number): Freshness {
  // Whoever asks for a shorter TTL than the entry was filled with gets it.
  const left = age.createdAt + Math.min(age.freshFor, policy.ttl) - now;
  if (left > 0) {
    // XFetch: −Δ·β·ln(rand) ≥ what is left. A clock that differs between processes shifts it, and nothing else.
    return policy.earlyRefresh > 0 && -age.cost * policy.earlyRefresh * Math.log(random) >= left
      ? 'refresh early'
      : 'fresh';
  }
  if (-left < policy.staleWhileRevalidate) {
    return 'stale';
  }
  return -left < policy.failSafe ? 'for emergencies' : 'over';
}

/** The TTL of a new entry, shortened at random by up to the policy's jitter. */
export function jittered(policy: Policy, random: number): number {
  return policy.ttl * (1 - policy.jitter * random);
}

/** How long a store has to keep an entry: as long as anything of it may be served. */
export function kept(policy: Policy): number {
  return Math.ceil(policy.ttl + Math.max(policy.staleWhileRevalidate, policy.failSafe));
}
