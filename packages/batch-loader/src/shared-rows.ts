import type { EntityMetadata } from '@mikro-orm/core';
import type { Call } from './calls.ts';
import type { LoadContext } from './load-context.ts';
import { mergedOptions } from './readings.ts';
import type { Row } from './seam/intercept.ts';

/** The rows of several calls, for one run of MikroORM. */
export interface Shared {
  /** Each root entity's rows once, for MikroORM to hydrate. */
  readonly rows: Row[];
  /** Number of root entities. */
  readonly size: number;
  /** For each call, which of them are its. */
  readonly places: number[][];
}

/**
 * The rows of all calls, those of one entity once: a row that several calls found is hydrated for all of them.
 *
 * @returns `undefined` if the rows do not tell whose they are
 */
export function shareRows(answers: readonly Row[][], meta: EntityMetadata): Shared | undefined {
  const keys = meta.getPrimaryProps().flatMap(({ fieldNames }) => fieldNames);
  const [key] = keys as [string];
  const rows: Row[] = [];
  const places: number[][] = [];
  const byKey = new Map<unknown, { place: number; owner: number }>();
  for (const [owner, own] of answers.entries()) {
    const list: number[] = [];
    const seen = new Set<number>();
    for (const row of own) {
      let id: unknown;
      if (keys.length === 1) {
        id = row[key];
      } else {
        id = JSON.stringify(keys.map(name => row[name]));
      }
      if (id === undefined || id === null || typeof id === 'object') {
        return undefined;
      }
      let known = byKey.get(id);
      if (known === undefined) {
        known = { place: byKey.size, owner };
        byKey.set(id, known);
      }
      // An entity populated by joins has several rows; those that another call found are the same.
      if (known.owner === owner) {
        rows.push(row);
      }
      if (!seen.has(known.place)) {
        seen.add(known.place);
        list.push(known.place);
      }
    }
    places.push(list);
  }
  return { rows, size: byKey.size, places };
}

/** Whether callers may be given the same entities, populated by one run of MikroORM. */
export function isShareable(leader: Call, { orm }: LoadContext): boolean {
  const options = mergedOptions(leader);
  if (options['disableIdentityMap'] ?? orm.config.get('disableIdentityMap')) {
    return false;
  }
  // What is populated depends on each call's own condition, eager relations too.
  return (options['populateWhere'] ?? orm.config.get('populateWhere')) !== 'infer';
}
