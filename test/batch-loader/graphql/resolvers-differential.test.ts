import { inspect } from 'node:util';
import type { EntityName, MikroORM } from '@mikro-orm/core';
import { batchLoader } from '@mikrokit/batch-loader';
import { hints, relation } from '@mikrokit/batch-loader/graphql';
import type { GraphQLObjectType, GraphQLResolveInfo, GraphQLSchema } from 'graphql';
import { beforeAll, describe, expect, test } from 'vitest';
import { openOrm } from '../../harness/orm.ts';
import { type Recorder, recordQueries } from '../../harness/recorder.ts';
import * as library from '../library.ts';
import { createRandom } from '../random.ts';
import { MAJORS } from './executable.ts';
import { NAMES, readProperty, SDL, typeOf } from './library-schema.ts';
import { randomQuery } from './random-query.ts';
import { readWholeLibrary, ROOTS, unordered } from './whole-library.ts';

/*
 * The oracle of `relation`: with a resolver for every relation, and roots that have read what `hints` says or nothing but
 * their own columns, any query is answered as the whole database would.
 */

const QUERIES = 300;
const LONGEST = 3000;

/** Relations by GraphQL type; those of an interface belong to its types. */
const RELATIONS: Readonly<Record<string, readonly [entity: EntityName, ...fields: string[]]>> = {
  Tag: [library.Tag, 'books'],
  Publisher: [library.Publisher, 'books', 'imprints'],
  Imprint: [library.Imprint, 'publisher'],
  Author: [library.Author, 'mentor', 'pupils', 'writings', 'tags', 'friends', 'profile'],
  Profile: [library.Profile, 'author'],
  Book: [library.Book, 'author', 'editor', 'publisher', 'tags', 'readers', 'copies'],
  Copy: [library.Copy, 'book', 'loans', 'marks'],
  Loan: [library.Loan, 'copy', 'borrower', 'day', 'slip'],
  Day: [library.Day, 'loans'],
  Slip: [library.Slip, 'loans'],
  Student: [library.Student, 'loans'],
  Teacher: [library.Teacher, 'loans'],
  Dog: [library.Dog, 'toys'],
  Cat: [library.Cat, 'toys'],
  Toy: [library.Toy, 'animal', 'about'],
};

/** See `random-query.ts` about days. */
const ROOTS_ASKED = Object.keys(ROOTS).filter(root => root !== 'days');

let orm: MikroORM;
let recorder: Recorder;
let everything: Record<string, object[]>;

beforeAll(async () => {
  orm = await openOrm({ entities: library.ENTITIES, extensions: [batchLoader()] });
  everything = await readWholeLibrary(orm);
  recorder = recordQueries(orm);
});

function resolveRelations(schema: GraphQLSchema): void {
  for (const [type, [entity, ...fields]] of Object.entries(RELATIONS)) {
    const definitions = (schema.getType(type) as GraphQLObjectType).getFields();
    for (const field of fields) {
      const property = field === 'writings' ? 'books' : field;
      definitions[field]!.resolve = relation(entity, property as never, { hints: NAMES }) as never;
    }
  }
}

describe.each(MAJORS)('graphql %s', (version, graphql) => {
  test(`${QUERIES} random queries`, { timeout: 300_000 }, async () => {
    const random = createRandom(undefined, 100 + Number(version));
    const whole = graphql.buildSchema(SDL);
    const resolved = graphql.buildSchema(SDL);
    resolveRelations(resolved);
    const answer = (
      schema: GraphQLSchema,
      query: { text: string; variables: Record<string, unknown> },
      read: (info: GraphQLResolveInfo) => unknown,
      contextValue: object,
    ) =>
      graphql.execute({
        schema,
        document: graphql.parse(query.text),
        variableValues: query.variables,
        contextValue,
        typeResolver: typeOf,
        fieldResolver: (source, args, context, info) =>
          info.parentType.name === 'Query' ? read(info) : readProperty(source, args, context, info),
      });
    let statements = 0;
    for (let at = 0; at < QUERIES; at++) {
      const root = random.pick(ROOTS_ASKED);
      const isPlain = random.chance(0.4);
      const query = randomQuery(whole, root, random, 1 + random.int(3), isPlain ? 'resolvers' : 'hints and resolvers');
      if (query.text.length > LONGEST) {
        continue;
      }
      // No flush before a find: MikroORM 7.2 takes a reference by `targetKey` for a new entity.
      const em = orm.em.fork({ flushMode: 'commit' });
      let found: { populate: string[] } | undefined;
      recorder.clear();
      const actual = await answer(
        resolved,
        query,
        info => {
          found = hints(info, ROOTS[root]!, NAMES);
          const { props } = orm.getMetadata(ROOTS[root]!);
          const lazy = props.filter(property => property.lazy).map(({ name }) => name);
          return em.find(ROOTS[root]!, {}, (isPlain ? { populate: lazy } : found) as never);
        },
        { em },
      );
      const expected = await answer(whole, query, () => everything[root], {});
      const shown = `seed ${random.seed}: ${query.text}\n${inspect([isPlain, found, actual.errors], { depth: 5 })}`;
      expect(expected.errors, shown).toBeUndefined();
      expect(unordered(actual), shown).toEqual(unordered(expected));
      // A place in a query is read with a few statements, however many entities are there: N+1 would be dozens.
      const places = query.text.split('{').length;
      expect(recorder.queries.length, shown).toBeLessThanOrEqual(3 * places + 3);
      statements += recorder.queries.length;
    }
    expect(statements).toBeGreaterThan(QUERIES);
  });
});
