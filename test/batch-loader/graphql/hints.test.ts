import type { EntityName, MikroORM } from '@mikro-orm/core';
import { defineEntity, p } from '@mikro-orm/postgresql';
import { hints, type HintsOptions } from '@mikrokit/batch-loader/graphql';
import * as graphql16 from 'graphql';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openOrm } from '../../harness/orm.ts';
import { type Recorder, recordQueries } from '../../harness/recorder.ts';
import {
  Animal,
  Author,
  Book,
  Copy,
  ENTITIES,
  fillLibrary,
  Imprint,
  Loan,
  Person,
  Publisher,
  Toy,
} from '../library.ts';
import { createRandom } from '../random.ts';
import { MAJORS } from './executable.ts';
import { NAMES, readProperty, SDL, typeOf } from './library-schema.ts';

/*
 * Which selection asks for what: hints and statements. That the answers are right is the differential test's.
 */

let orm: MikroORM;
let recorder: Recorder;

beforeAll(async () => {
  orm = await openOrm({ entities: ENTITIES });
  await fillLibrary(orm, createRandom(3).next);
  recorder = recordQueries(orm);
});

beforeEach(() => recorder.clear());

describe.each(MAJORS)('graphql %s', (_, graphql) => {
  const schema = graphql.buildSchema(SDL);

  /** Runs an operation; the hints of its last field, and its answer. */
  async function run(
    text: string,
    entity: EntityName,
    options: HintsOptions = NAMES,
    variableValues: Record<string, unknown> = {},
  ): Promise<{ populate: unknown; fields: unknown; data: Record<string, unknown[]> }> {
    let found: { populate: unknown; fields?: unknown } | undefined;
    const { data, errors } = await graphql.execute({
      schema,
      document: graphql.parse(text),
      variableValues,
      typeResolver: typeOf,
      fieldResolver: async (source, args, context, info) => {
        if (info.parentType.name !== 'Query') {
          return readProperty(source, args, context, info);
        }
        found = hints(info, entity, options);
        const entities = await orm.em.fork().find(entity, {}, { ...(found as object), limit: 50 });
        return info.fieldName === 'authorPage' ? { authors: entities } : entities;
      },
    });
    if (errors) {
      throw errors[0]!;
    }
    return { populate: found?.populate, fields: found?.fields, data: data as never };
  }

  const asked = async (...args: Parameters<typeof run>) => {
    const { populate, fields } = await run(...args);
    return { populate, fields };
  };

  describe('columns', () => {
    test('the key and what is selected, and no other column', async () => {
      expect(await asked('{ authors { name name } }', Author)).toEqual({ populate: [], fields: ['id', 'name'] });
      expect(recorder.sql).toEqual(['select "a0"."id", "a0"."name" from "author" as "a0" limit ?']);
    });

    test('nothing selected is the key', async () => {
      expect(await asked('{ authors { __typename } }', Author)).toEqual({ populate: [], fields: ['id'] });
    });

    test('aliases, fragments, and several nodes of one field are one selection', async () => {
      const text = `
        { authors { mine: name ...A } authors { ... on Author { born } ... { notes } } }
        fragment A on Author { tags { ...T } }
        fragment T on Tag { label: name }`;
      expect(await asked(text, Author)).toEqual({
        populate: ['tags', 'notes'],
        fields: ['id', 'name', 'born', 'notes', 'tags.id', 'tags.name'],
      });
    });

    test('@skip and @include, with literals, variables and defaults', async () => {
      const text = `query($yes: Boolean!, $no: Boolean! = false) {
        authors {
          id @include(if: $no) name @skip(if: true) born @include(if: $yes) notes @skip(if: $yes)
          ... @include(if: $no) { bio }
          ...F @skip(if: $no)
          tags @include(if: $no) { name }
        }
      }
      fragment F on Author { tags @include(if: $yes) { weight } }`;
      expect(await asked(text, Author, NAMES, { yes: true })).toEqual({
        populate: ['tags'],
        fields: ['id', 'born', 'tags.id', 'tags.weight'],
      });
    });

    test('variables called as the members of graphql 17’s variable values', async () => {
      const text = `query($coerced: Boolean!, $sources: Boolean!) {
        authors { name @include(if: $coerced) born @include(if: $sources) }
      }`;
      const { fields } = await asked(text, Author, NAMES, { coerced: true, sources: false });
      expect(fields).toEqual(graphql === graphql16 ? ['id', 'name'] : expect.arrayContaining(['id', 'name']));
    });

    test('lazy columns are populated, also further down', async () => {
      const { populate, data } = await run('{ books { summary author { bio notes } } }', Book);
      expect(populate).toEqual(['author', 'summary', 'author.bio', 'author.notes']);
      expect(recorder.sql[0]).toMatch(/"b0"\."summary".*"a1"\."bio".*"a1"\."notes"/);
      expect(JSON.stringify(data)).toMatch(/"bio of \d"/);
    });

    test('an embeddable is read whole: with a part of its columns null, MikroORM would take it for none', async () => {
      await orm.em.getConnection().execute('update author set address_city = null where id = 1');
      const { fields, data } = await run('{ authors { id address { city } } }', Author);
      expect(fields).toEqual(['id', 'address']);
      expect(data['authors']).toContainEqual({ id: 1, address: { city: null } });
    });

    test('the columns of orderBy, of relations as well', async () => {
      expect(
        await asked('{ books { id } }', Book, { orderBy: [{ pages: 'desc' }, { author: { name: 'asc' }, id: 1 }] }),
      ).toEqual({ populate: ['author'], fields: ['id', 'pages', 'author', 'author.id', 'author.name'] });
    });
  });

  describe('computed fields', () => {
    test('read the columns that `dependencies` names', async () => {
      const { fields, data } = await run('{ authors { title } }', Author);
      expect(fields).toEqual(['id', 'name', 'born']);
      expect(data['authors']).toContainEqual({ title: 'author 1, 1911-02-01' });
    });

    test('without, every column of their entity and of no other', async () => {
      const { fields } = await run('{ authors { shout tags { name } } }', Author);
      expect(fields).toEqual(['id', 'name', 'born', 'address', 'mentor', 'profile', 'tags.id', 'tags.name']);
      expect((await run('{ authors { shout } }', Author)).fields).toBeUndefined();
      expect((await run('{ books { author { shout } pages } }', Book)).fields).not.toContain('title');
    });

    test('a dependency beyond a relation populates it; alone it is the foreign key, with `.*` every column', async () => {
      const reading = (...paths: string[]): HintsOptions => ({ dependencies: { Book: { blurb: paths } } });
      // The resolver of blurb reads other columns, which is none of hints' business here.
      const at = async (...paths: string[]) => await asked('{ books { blurb } }', Book, reading(...paths));
      expect(await at('author.name')).toEqual({
        populate: ['author'],
        fields: ['id', 'author', 'author.id', 'author.name'],
      });
      expect(await at('author')).toEqual({ populate: [], fields: ['id', 'author'] });
      expect((await at('publisher.*')).fields).toEqual([
        'id',
        'publisher',
        'publisher.id',
        'publisher.name',
        'publisher.code',
      ]);
      expect(await at()).toEqual({ populate: [], fields: ['id'] });
    });

    test('a dependency that leads nowhere is an error that names it', async () => {
      const options = { dependencies: { Book: { blurb: ['author.nam'] } } };
      await expect(run('{ books { blurb } }', Book, options)).rejects.toThrow(
        "must lead through Author, but got: 'author.nam'. There is no column or relation 'nam'",
      );
    });

    test('names of the prototype of objects are no properties', async () => {
      const odd = graphql.buildSchema(
        'type Query { authors: [Author!]! } type Author { constructor: String toString: String }',
      );
      let found: unknown;
      await graphql.execute({
        schema: odd,
        document: graphql.parse('{ authors { constructor toString } }'),
        rootValue: {
          authors: (_args: unknown, _context: unknown, info: graphql16.GraphQLResolveInfo) => {
            found = hints(info, Author, NAMES);
            return [];
          },
        },
      });
      expect(found).toEqual({ populate: [] });
    });
  });

  describe('to-one relations', () => {
    test('of which only the key is selected cost nothing', async () => {
      expect(await asked('{ books { author { id } publisher { id __typename } } }', Book)).toEqual({
        populate: [],
        fields: ['id', 'author', 'publisher'],
      });
      expect(recorder.sql).toEqual([
        'select "b0"."id", "b0"."author_id", "b0"."publisher_id" from "book" as "b0" where "b0"."withdrawn" = ? limit ?',
      ]);
    });

    test('a composite key, and the key within it', async () => {
      expect(await asked('{ loans { copy { number book { id } } } }', Loan)).toEqual({
        populate: [],
        fields: ['id', 'copy'],
      });
      expect((await asked('{ loans { copy { number book { title } } } }', Loan)).populate).toEqual([
        'copy',
        'copy.book',
      ]);
    });

    test('a reference by a unique column has that, not the primary key', async () => {
      expect((await asked('{ imprints { publisher { code } } }', Imprint)).populate).toEqual([]);
      expect((await asked('{ imprints { publisher { id } } }', Imprint)).populate).toEqual(['publisher']);
    });

    test('the inverse of a 1:1 is found in the same statement', async () => {
      expect(await asked('{ authors { profile { id } } }', Author)).toEqual({
        populate: [],
        fields: ['id', 'profile'],
      });
      expect(recorder.sql).toHaveLength(1);
    });

    test('a class that only the row tells has to be read', async () => {
      const { populate, data } = await run('{ loans { borrower { id } } }', Loan);
      expect(populate).toEqual(['borrower']);
      expect(data['loans']).toHaveLength(30);
    });

    test('more than the key is one join', async () => {
      expect(await asked('{ books { author { name } } }', Book)).toEqual({
        populate: ['author'],
        fields: ['id', 'author', 'author.id', 'author.name'],
      });
      expect(recorder.sql).toHaveLength(1);
    });
  });

  describe('collections', () => {
    test('read the columns selected, and the one that tells whose they are', async () => {
      expect(await asked('{ authors { writings { title } tags { name } } }', Author)).toEqual({
        populate: ['books', 'tags'],
        fields: ['id', 'books.id', 'books.author', 'books.title', 'tags.id', 'tags.name'],
      });
      expect(recorder.sql.slice(1)).toEqual([
        expect.stringMatching(/^select "b0"\."id", "b0"\."author_id", "b0"\."title" from "book" as "b0" where/),
        expect.stringMatching(
          /^select "a0"\."tag_id", "a0"\."author_id", "t1"\."id" as "t1__id", "t1"\."name" as "t1__name" from "author_tags"/,
        ),
      ]);
    });

    test('one that refers by a unique column reads that of its owners', async () => {
      expect((await asked('{ publishers { imprints { label } } }', Publisher)).fields).toEqual([
        'id',
        'code',
        'imprints.id',
        'imprints.publisher',
        'imprints.label',
      ]);
    });

    test('fields with arguments are left to their resolvers, unless asked otherwise', async () => {
      const text = '{ authors { id ... @include(if: true) { a: books(genre: "poem") { title } } } }';
      const read = (options: HintsOptions) =>
        run(text, Author, options).then(
          ({ populate }) => populate,
          (error: Error) => error.message,
        );
      expect(await read({})).toMatch('Expected Iterable');
      expect(await read({ populateWithArguments: true })).toEqual(['books']);
    });

    test('connections: edges and nodes are seen through, a count alone reads no items', async () => {
      const text = (selection: string) => `{ books { copies { ${selection} } } }`;
      for (const selection of [
        'edges { node { shelf } }',
        'nodes { shelf }',
        'edges { cursor node { shelf } } totalCount',
      ]) {
        expect(await asked(text(selection), Book)).toMatchObject({
          populate: ['copies'],
          fields: expect.arrayContaining(['copies.shelf']) as unknown,
        });
      }
      expect(await asked(text('totalCount'), Book)).toEqual({ populate: [], fields: ['id'] });
      expect((await asked(text('pageInfo { hasNextPage }'), Book)).populate).toEqual(['copies']);
    });

    test('where an owner may also be further up, MikroORM would fill it with nothing: left to its resolver', async () => {
      const text = '{ authors { pupils { friends { writings { title } tags { name } } } } }';
      await expect(run(text, Author)).rejects.toThrow('Expected Iterable');
      // What it would be. When this fails, MikroORM has mended it, and the rule can go.
      const whole = await orm.em.fork().find(Author, {}, { populate: ['pupils.friends.books'] });
      const friends = new Set(
        whole.flatMap(author => author.pupils.getItems().flatMap(pupil => pupil.friends.getItems())),
      );
      const emptied = [...friends].filter(friend => friend.books.isEmpty()).map(friend => friend.id);
      expect(await orm.em.fork().count(Book, { author: { $in: emptied } })).toBeGreaterThan(0);
    });

    test('an entity whose collection is left to a resolver is read: a reference has none', async () => {
      const text = '{ books { author { id books { title } } } }';
      expect(await run(text, Book).catch((error: Error) => error.message)).toMatch('Expected Iterable');
      expect(
        (await asked('{ books { author { id ... @skip(if: true) { books { title } } } } }', Book)).populate,
      ).toEqual([]);
      expect(recorder.sql[0]).toMatch('join "author"');
    });
  });

  describe('interfaces and unions', () => {
    test('conditions name classes; those of other entities are passed over', async () => {
      const text = `{ search {
        ... on Author { name } ... on Book { pages } ... on Mistake { message }
        ... on Named { name }
      } }`;
      expect(await asked(text, Author)).toEqual({ populate: [], fields: ['id', 'name'] });
      expect(await asked(text, Book)).toEqual({ populate: [], fields: ['id', 'pages'] });
    });

    test('types that are not called as their class', async () => {
      const text = '{ named { name ... on Publisher { code } ... on Author { born } } }';
      const { fields } = await asked(text, Author, { types: { Publisher: Author, Author: Publisher } });
      // Another resolver of types would be needed as well: this is about the columns.
      expect(fields).toBeUndefined();
      expect((await asked(text, Author)).fields).toEqual(['id', 'name', 'born']);
    });

    test('single-table inheritance: columns of the subclasses asked for', async () => {
      const { fields, data } = await run(
        '{ people { name ... on Student { school } ... on Teacher { subject } } }',
        Person,
      );
      expect(fields).toEqual(['id', 'name', 'school', 'subject']);
      expect(data['people']).toHaveLength(8);
    });

    test('table-per-type inheritance is read whole: with fields, MikroORM would lose the classes', async () => {
      const { fields, data } = await run(
        '{ animals { __typename ... on Dog { breed } ... on Cat { lives } } }',
        Animal,
      );
      expect(fields).toBeUndefined();
      expect(data['animals']).toContainEqual({ __typename: 'Dog', breed: 'breed 1' });
      expect((await run('{ toys { label animal { name } } }', Toy)).fields).toEqual(['id', 'label', 'animal']);
    });

    test('a polymorphic reference: only the key costs nothing, more reads its owner whole', async () => {
      expect(await asked('{ toys { label about { __typename ... on Author { id } } } }', Toy)).toEqual({
        populate: [],
        fields: ['id', 'label', 'about'],
      });
      expect(await asked('{ toys { about { ... on Author { name } ... on Book { title } } } }', Toy)).toEqual({
        populate: ['about'],
        fields: undefined,
      });
    });
  });

  test('`path` leads from a payload to its entities', async () => {
    expect(await asked('{ authorPage { total authors { name } } }', Author, { path: 'authors' })).toEqual({
      populate: [],
      fields: ['id', 'name'],
    });
  });

  test('one class is read with the same columns wherever it occurs', async () => {
    const { fields } = await asked('{ books { title author { writings { pages } } } }', Book);
    expect(fields).toEqual(expect.arrayContaining(['title', 'pages', 'author.books.title', 'author.books.pages']));
  });
});

test('an entity that no ORM knows is an error that names it', () => {
  const Stranger = defineEntity({ name: 'Stranger', properties: { id: p.integer().primary() } });
  expect(() => hints({} as never, Stranger)).toThrow(
    'An entity class or schema that MikroORM has discovered is needed, but got: Stranger',
  );
  expect(() => hints({} as never, undefined as never)).toThrow('but got: undefined');
});

test('em.find takes the hints and keeps its types', async () => {
  const schema = graphql16.buildSchema('type Query { copies: [Copy!]! } type Copy { shelf: String }');
  const shelves: string[] = [];
  await graphql16.execute({
    schema,
    document: graphql16.parse('{ copies { shelf } }'),
    rootValue: {
      copies: async (_: unknown, __: unknown, info: graphql16.GraphQLResolveInfo) => {
        const copies = await orm.em.fork().find(Copy, {}, { ...hints(info, Copy), limit: 2 });
        shelves.push(...copies.map(copy => copy.shelf));
        return copies;
      },
    },
  });
  expect(shelves).toHaveLength(2);
});
