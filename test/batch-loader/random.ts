import { SEED } from '../harness/seed.ts';

/** A repeatable source of random choices (mulberry32); the seed is printed with every test that uses one. */
export interface Random {
  readonly seed: number;
  /** From 0 to below 1. */
  next(): number;
  /** A whole number from 0 to below `max`. */
  int(max: number): number;
  pick<T>(list: readonly T[]): T;
  chance(probability: number): boolean;
}

/**
 * @param seed that of all tests, when left out
 * @param stream tells sources of one seed apart
 */
export function createRandom(seed: number = SEED, stream = 0): Random {
  let state = (seed + stream * 0x9e3779b9) >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const int = (max: number): number => Math.floor(next() * max);
  return {
    seed,
    next,
    int,
    pick: list => list[int(list.length)]!,
    chance: probability => next() < probability,
  };
}
