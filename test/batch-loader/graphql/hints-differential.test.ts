import { inspect } from 'node:util';
import type { EntityName, MikroORM } from '@mikro-orm/core';
import { hints } from '@mikrokit/batch-loader/graphql';
import * as graphql16 from 'graphql';
import * as graphql17 from 'graphql-17';
import { beforeAll, describe, expect, test } from 'vitest';
import { openOrm } from '../../harness/orm.ts';
import * as library from '../library.ts';
import { createRandom } from '../random.ts';
import { NAMES, readProperty, SDL, typeOf } from './library-schema.ts';
import { randomQuery } from './random-query.ts';

/*
 * The oracle of `hints`: what it has read, on a fresh fork, answers any query as the whole database would, with resolvers
 * that load nothing.
 */

const QUERIES = 300;
/** Longer ones read the whole library several times over, and show nothing new. */
const LONGEST = 3000;
const ROOTS: Record<string, EntityName> = {
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

/** See `random-query.ts` about days. */
const ROOTS_ASKED = Object.keys(ROOTS).filter(root => root !== 'days');

let orm: MikroORM;
/** By root: all of its entities, with everything that can be reached from them. */
const everything: Record<string, object[]> = {};

beforeAll(async () => {
  orm = await openOrm({ entities: library.ENTITIES });
  await library.fillLibrary(orm, createRandom(7).next);
  // What a filter hides depends on the path that leads there; hints.test.ts looks at that.
  await orm.em.getConnection().execute('update book set withdrawn = false');
  // Class by class into one identity map: `populate: ['*']` of a graph with cycles does not end in MikroORM 7.2.
  // No flush before a find: MikroORM 7.2 takes a reference by `targetKey` for a new entity.
  const em = orm.em.fork({ flushMode: 'commit' });
  for (const [root, entity] of Object.entries(ROOTS)) {
    const { props } = orm.getMetadata(entity);
    const populate = props.filter(property => property.lazy || property.targetMeta).map(property => property.name);
    everything[root] = await em.find(entity, {}, { populate, strategy: 'select-in' } as never);
  }
});

describe.each([
  ['16', graphql16],
  ['17', graphql17 as unknown as typeof graphql16],
])('graphql %s', (version, graphql) => {
  test(`${QUERIES} random queries`, { timeout: 300_000 }, async () => {
    const random = createRandom(undefined, Number(version));
    const schema = graphql.buildSchema(SDL);
    const answer = (
      query: { text: string; variables: object },
      read: (info: graphql16.GraphQLResolveInfo) => unknown,
    ) =>
      graphql.execute({
        schema,
        document: graphql.parse(query.text),
        variableValues: query.variables as Record<string, unknown>,
        typeResolver: typeOf,
        fieldResolver: (source, args, context, info) =>
          info.parentType.name === 'Query' ? read(info) : readProperty(source, args, context, info),
      });
    let answers = 0;
    for (let at = 0; at < QUERIES; at++) {
      const root = random.pick(ROOTS_ASKED);
      const query = randomQuery(schema, root, random, 1 + random.int(3));
      if (query.text.length > LONGEST) {
        continue;
      }
      const invalid = graphql.validate(schema, graphql.parse(query.text));
      expect(invalid, query.text).toEqual([]);
      let found: unknown;
      const hinted = await answer(query, info => {
        found = hints(info, ROOTS[root]!, NAMES);
        return orm.em.fork().find(ROOTS[root]!, {}, found as never);
      });
      const whole = await answer(query, () => everything[root]);
      const shown = `seed ${random.seed}: ${query.text}\n${inspect(found, { depth: 5 })}`;
      expect(whole.errors, shown).toBeUndefined();
      expect(unordered(hinted), shown).toEqual(unordered(whole));
      answers += JSON.stringify(whole.data).length;
    }
    // A generator that selects nothing would prove nothing.
    expect(answers).toBeGreaterThan(QUERIES * 100);
  });
});

/** Without an `orderBy` PostgreSQL promises no order. */
function unordered(value: unknown): unknown {
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
