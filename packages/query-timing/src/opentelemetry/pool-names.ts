import type { PoolReport } from '../timing-report.ts';

/**
 * The names of pools, made unique: two figures under one name would overwrite each other, and Prometheus refuses them all.
 */
export function poolNames(pools: readonly PoolReport[]): readonly string[] {
  const taken = new Set<string>();
  return pools.map(({ name }) => {
    let unique = name;
    for (let number = 2; taken.has(unique); number++) {
      unique = `${name}#${number}`;
    }
    taken.add(unique);
    return unique;
  });
}
