import type { EntityName, MikroORM } from '@mikro-orm/core';
import * as library from '../library.ts';
import { createRandom } from '../random.ts';

/** The fields of Query, and what they list. */
export const ROOTS: Readonly<Record<string, EntityName>> = {
  tags: library.Tag,
  publishers: library.Publisher,
  imprints: library.Imprint,
  authors: library.Author,
  profiles: library.Profile,
  books: library.Book,
  copies: library.Copy,
  loans: library.Loan,
  days: library.Day,
  slips: library.Slip,
  people: library.Person,
  animals: library.Animal,
  toys: library.Toy,
};

/**
 * Fills a library, and reads all of it: by root, its entities with everything that can be reached from them. The oracle of
 * what any query has to answer.
 */
export async function readWholeLibrary(orm: MikroORM): Promise<Record<string, object[]>> {
  await library.fillLibrary(orm, createRandom(7).next);
  // What a filter hides depends on the path that leads there.
  await orm.em.getConnection().execute('update book set withdrawn = false');
  const everything: Record<string, object[]> = {};
  // Class by class into one identity map: `populate: ['*']` of a graph with cycles does not end in MikroORM 7.2.
  // No flush before a find: MikroORM 7.2 takes a reference by `targetKey` for a new entity.
  const em = orm.em.fork({ flushMode: 'commit' });
  for (const [root, entity] of Object.entries(ROOTS)) {
    const { props } = orm.getMetadata(entity);
    const populate = props.filter(property => property.lazy || property.targetMeta).map(property => property.name);
    everything[root] = await em.find(entity, {}, { populate, strategy: 'select-in', dataloader: false } as never);
  }
  return everything;
}

/** A response without the order of its lists: without an `orderBy` PostgreSQL promises none. */
export function unordered(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value
      .map(unordered)
      .map(item => [JSON.stringify(item), item] as const)
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([, item]) => item);
  }
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, unordered(item)]));
  }
  return value;
}
