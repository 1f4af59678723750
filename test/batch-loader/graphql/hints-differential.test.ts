import { inspect } from 'node:util';
import type { MikroORM } from '@mikro-orm/core';
import { hints } from '@mikrokit/batch-loader/graphql';
import type { GraphQLResolveInfo } from 'graphql';
import { beforeAll, describe, expect, test } from 'vitest';
import { openOrm } from '../../harness/orm.ts';
import { ENTITIES } from '../library.ts';
import { createRandom } from '../random.ts';
import { MAJORS } from './executable.ts';
import { NAMES, readProperty, SDL, typeOf } from './library-schema.ts';
import { randomQuery } from './random-query.ts';
import { readWholeLibrary, ROOTS, unordered } from './whole-library.ts';

/*
 * The oracle of `hints`: what it has read, on a fresh fork, answers any query as the whole database would, with resolvers
 * that load nothing.
 */

const QUERIES = 300;
/** Longer ones read the whole library several times over, and show nothing new. */
const LONGEST = 3000;
/** See `random-query.ts` about days. */
const ROOTS_ASKED = Object.keys(ROOTS).filter(root => root !== 'days');

let orm: MikroORM;
let everything: Record<string, object[]>;

beforeAll(async () => {
  orm = await openOrm({ entities: ENTITIES });
  everything = await readWholeLibrary(orm);
});

describe.each(MAJORS)('graphql %s', (version, graphql) => {
  test(`${QUERIES} random queries`, { timeout: 300_000 }, async () => {
    const random = createRandom(undefined, Number(version));
    const schema = graphql.buildSchema(SDL);
    const answer = (query: { text: string; variables: object }, read: (info: GraphQLResolveInfo) => unknown) =>
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
      const query = randomQuery(schema, root, random, 1 + random.int(3), 'hints');
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
