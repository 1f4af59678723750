import { LockMode, raw } from '@mikro-orm/core';
import { defineEntity, type MikroORM, p, type SqlEntityManager } from '@mikro-orm/postgresql';
import { beforeAll, describe, expect, test } from 'vitest';
import { GRAMMAR_CALLS, HARMLESS, PURE } from '../../../packages/result-cache/src/sql/functions.ts';
import { NO_CALL } from '../../../packages/result-cache/src/sql/keywords.ts';
import { mayWrite } from '../../../packages/result-cache/src/sql/may-write.ts';
import { analyse, type Statement } from '../../../packages/result-cache/src/sql/statement.ts';
import { openOrm } from '../../harness/orm.ts';
import { recordQueries, type Recorder } from '../../harness/recorder.ts';

const Tag = defineEntity({
  name: 'Tag',
  properties: { id: p.integer().primary(), name: p.string(), posts: () => p.manyToMany(Post).mappedBy('tags') },
});
const Author = defineEntity({
  name: 'Author',
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    email: p.string().unique().nullable(),
    posts: () => p.oneToMany(Post).mappedBy('author'),
  },
});
const Post = defineEntity({
  name: 'Post',
  properties: {
    id: p.integer().primary(),
    title: p.string(),
    tenant: p.integer().default(1),
    meta: p.json().nullable(),
    author: () => p.manyToOne(Author),
    tags: () => p.manyToMany(Tag).inversedBy('posts'),
  },
});
const Seat = defineEntity({
  name: 'Seat',
  properties: { row: p.integer().primary(), place: p.integer().primary(), taken: p.boolean().default(false) },
});

let orm: MikroORM;
let recorder: Recorder;

beforeAll(async () => {
  orm = await openOrm({ entities: [Tag, Author, Post, Seat] });
  recorder = recordQueries(orm);
  const em = orm.em.fork();
  await em.insertMany(
    Author,
    [1, 2, 3].map(id => ({ id, name: `n${id}`, email: `e${id}` })),
  );
  await em.insertMany(Post, [1, 2, 3].map(id => ({ id, title: `what? ${id}`, author: id, tenant: 1 })) as never[]);
  await em.insertMany(
    Tag,
    [1, 2].map(id => ({ id, name: `t${id}` })),
  );
  await em.insertMany(Seat, [
    { row: 1, place: 1 },
    { row: 1, place: 2 },
  ]);
  recorder.clear();
});

interface Ran {
  /** What was written with placeholders, statement by statement. */
  readonly templates: readonly string[];
  readonly statements: readonly Statement[];
}

/** Runs it, and analyses what it sent both as MikroORM wrote it and with the values in place. */
async function ran(action: (em: MikroORM['em']) => Promise<unknown>): Promise<Ran> {
  recorder.clear();
  await action(orm.em.fork());
  const queries = recorder.take();
  const statements = queries.map(({ sql, params }) => {
    const template = analyse(sql);
    const inlined = orm.em.getPlatform().formatQuery(sql, params);
    const sent = analyse(inlined);
    expect(template, sql).toHaveLength(1);
    expect(sent, inlined).toHaveLength(1);
    // The same tables, however its values are written.
    const tables = ({ verb, reads, writes, opaque, uncacheable }: Statement): unknown => ({
      verb,
      opaque,
      uncacheable,
      reads: reads.map(({ name }) => name),
      writes: writes.map(({ name, how, upsert, sets, returning, qualifier }) => [
        name,
        how,
        upsert,
        sets.map(({ column }) => column),
        returning?.present,
        qualifier,
      ]),
    });
    expect(tables(sent[0]!), inlined).toEqual(tables(template[0]!));
    for (const text of [sql, inlined]) {
      const plain = /^select\b/.test(text) && !/for update| E'|\\\?/.test(text);
      expect(mayWrite(text), text).toBe(!plain);
    }
    // Each value that is claimed is the one that was sent.
    template[0]!.reads.forEach((use, index) =>
      use.equals.forEach(({ column, values }) => {
        const other = sent[0]!.reads[index]!.equals.find(equality => equality.column === column);
        if (other === undefined) {
          return; // A literal with a `?` in it.
        }
        const resolved = values.map(value => ('parameter' in value ? String(params[value.parameter]) : value.literal));
        expect(other.values.map(value => ('literal' in value ? value.literal : value))).toEqual(resolved);
      }),
    );
    return template[0]!;
  });
  return { templates: queries.map(({ sql }) => sql), statements };
}

const reads = ({ reads: uses }: Statement): string =>
  uses
    .map(({ name, equals }) => `${name}${equals.map(({ column, values }) => `[${column}:${values.length}]`).join('')}`)
    .join(' ');
const writes = ({ writes: all }: Statement): string =>
  all
    .map(
      ({ name, how, equals, sets }) =>
        `${how} ${name}${equals.map(({ column, values }) => `[${column}:${values.length}]`).join('')}${sets.length > 0 ? ` ${sets.map(({ column, value }) => `${column}${value ? '' : '?'}`).join()}` : ''}`,
    )
    .join(', ');
const summary = ({ statements }: Ran): string[] =>
  statements.map(statement => {
    const { verb, detail, uncacheable, opaque } = statement;
    const parts = [reads(statement), writes(statement), uncacheable, opaque && 'opaque'].filter(Boolean);
    return `${verb}${detail === undefined ? '' : ` ${detail}`}${parts.length > 0 ? `: ${parts.join('; ')}` : ''}`;
  });

type Action = (em: MikroORM['em']) => Promise<unknown>;

const CASES: Readonly<Record<string, Action>> = {
  'find with a page': em =>
    em.find(Post, { tenant: 1, title: { $like: 'a%' } }, { orderBy: { id: 1 }, limit: 5, offset: 1 }),
  'populate, joined': em => em.find(Post, { tenant: 1 }, { populate: ['author', 'tags'], strategy: 'joined' }),
  'populate, select-in': em => em.find(Post, { id: [1, 2] }, { populate: ['author', 'tags'], strategy: 'select-in' }),
  'a condition on relations': em => em.find(Post, { author: { name: 'n1' }, tags: { name: 't1' } }),
  or: em => em.find(Post, { $or: [{ tenant: 1 }, { tenant: 2 }] }),
  'and, not': em => em.find(Post, { $and: [{ tenant: 1 }, { $not: { id: 2 } }] }),
  some: em => em.find(Author, { posts: { $some: { tenant: 1 } } }),
  none: em => em.find(Author, { posts: { $none: { tenant: 1 } } }),
  'a property of JSON': em => em.find(Post, { meta: { a: 1 } }),
  'odd values': em => em.find(Post, { title: "what? it's \\ here", tenant: -5, [raw('lower(title)')]: 'x?' }),
  'a composite key': em => em.findOne(Seat, { row: 1, place: 2 }),
  'composite keys': em =>
    em.find(Seat, {
      [raw('("row", place)')]: [
        [1, 1],
        [1, 2],
      ],
    } as never),
  'a page of what is joined': em =>
    em.find(Author, {}, { populate: ['posts'], limit: 1, strategy: 'joined', orderBy: { posts: { title: 1 } } }),
  count: em => em.count(Post, { tenant: 1, author: { name: 'x' } }),
  findAndCount: em => em.findAndCount(Post, { tenant: 1 }, { limit: 1 }),
  findByCursor: em => em.findByCursor(Post, { where: { tenant: 1 }, first: 1, orderBy: { id: 1 } }),
  countBy: em => em.countBy(Post, 'author', { where: { tenant: 1 } }),
  'a lock': em => em.transactional(inner => inner.find(Post, { id: 1 }, { lockMode: LockMode.PESSIMISTIC_WRITE })),
  'a shared lock': em =>
    em.transactional(inner => inner.findOne(Post, { id: 1 }, { lockMode: LockMode.PESSIMISTIC_READ })),
  'nested transactions': em =>
    em.transactional(outer => outer.transactional(inner => inner.count(Tag)), {
      isolationLevel: 'repeatable read' as never,
    }),
  insert: em => em.insert(Tag, { id: 10, name: "it's" }),
  insertMany: em =>
    em.insertMany(Tag, [
      { id: 11, name: 'a' },
      { id: 12, name: 'b' },
    ]),
  upsert: em => em.upsert(Author, { email: 'e1', name: 'up', id: 1 }),
  upsertMany: em =>
    em.upsertMany(Author, [
      { id: 2, email: 'e2', name: 'u2' },
      { id: 9, email: 'e9', name: 'u9' },
    ]),
  'upsert, by choice': em =>
    em.upsert(Author, { email: 'e1', name: 'up', id: 1 }, { onConflictFields: ['email'], onConflictAction: 'ignore' }),
  nativeUpdate: em => em.nativeUpdate(Post, { id: [1, 2], tenant: 1 }, { title: 'new' }),
  'nativeUpdate with a join': em => em.nativeUpdate(Post, { author: { name: 'n3' } }, { title: 'joined' }),
  'nativeUpdate with SQL': em => em.nativeUpdate(Post, { id: 1 }, { title: raw("title || '!'") as never }),
  nativeDelete: em => em.nativeDelete(Tag, { id: 12 }),
  'nativeDelete with or': em => em.nativeDelete(Tag, { $or: [{ id: 12 }, { name: 'zz' }] }),
  'flush of one change': async em => {
    const post = await em.findOneOrFail(Post, 1);
    post.title = 'flushed';
    await em.flush();
  },
  'flush of many changes': async em => {
    const posts = await em.find(Post, {}, { orderBy: { id: 1 } });
    posts.forEach((post, index) => (post.title = `flushed ${index}`));
    em.create(Tag, { id: 20, name: 'x' });
    em.create(Tag, { id: 21, name: 'y' });
    await em.flush();
  },
  'flush of composite keys': async em => {
    const seats = await em.find(Seat, {});
    seats.forEach(seat => (seat.taken = true));
    await em.flush();
  },
  'flush of a pivot table': async em => {
    const post = await em.findOneOrFail(Post, 2, { populate: ['tags'] });
    post.tags.add(em.getReference(Tag, 1), em.getReference(Tag, 2));
    await em.flush();
    post.tags.remove(em.getReference(Tag, 1));
    await em.flush();
    post.tags.removeAll();
    await em.flush();
  },
  'flush of a removal': async em => {
    em.remove(await em.findOneOrFail(Tag, 20));
    await em.flush();
  },
  'query builder, sub-query': async em => {
    const posts = (em as SqlEntityManager).qb(Post, 'p').select('p.author').where({ tenant: 1 });
    await (em as SqlEntityManager)
      .qb(Author, 'a')
      .select('*')
      .where({ id: { $in: posts.getNativeQuery() } })
      .execute();
  },
  'query builder, CTE': async em => {
    const posts = (em as SqlEntityManager).qb(Post, 'p').select('*').where({ tenant: 1 });
    await (em as SqlEntityManager).qb(Author, 'a').with('recent', posts).select('*').where({ id: 1 }).execute();
  },
  'query builder, from a sub-query': async em => {
    const posts = (em as SqlEntityManager).qb(Post, 'p').select('*').where({ tenant: 1 });
    await (em as SqlEntityManager)
      .createQueryBuilder(posts as never, 'q')
      .select('*')
      .execute();
  },
  'query builder, grouped': em =>
    (em as SqlEntityManager)
      .qb(Post, 'p')
      .select(['p.author', raw('count(*) as n')])
      .groupBy('p.author')
      .having('count(*) > ?', [0])
      .execute(),
  'query builder, update': em => (em as SqlEntityManager).qb(Post).update({ title: 'qb' }).where({ id: 1 }).execute(),
  'query builder, insert': em =>
    (em as SqlEntityManager)
      .qb(Author)
      .insert({ id: 1, name: 'z' })
      .onConflict('id')
      .merge({ name: 'merged' })
      .execute(),
  'query builder, delete': em => (em as SqlEntityManager).qb(Tag).delete({ name: 'none' }).execute(),
  'query builder, truncate': em => (em as SqlEntityManager).qb(Seat).truncate().execute(),
  'raw SQL': em => em.getConnection().execute('select * from post where id = ? and meta \\? ?', [1, 'a']),
};

/** What each of them reads and writes, with the number of values of each equality; `?` is a value that is not told. */
const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  'find with a page': ['select: post[tenant:1]'],
  'populate, joined': ['select: post[tenant:1] author post_tags tag'],
  'populate, select-in': ['select: post[id:2]', 'select: author[id:2]', 'select: post_tags[post_id:2] tag'],
  'a condition on relations': ['select: post author[name:1] post_tags tag[name:1]'],
  or: ['select: post'],
  'and, not': ['select: post[tenant:1]'],
  some: ['select: author author post[tenant:1]'],
  none: ['select: author author post[tenant:1]'],
  'a property of JSON': ['select: post'],
  'odd values': ['select: post[title:1][tenant:1]'],
  'a composite key': ['select: seat[row:1][place:1]'],
  'composite keys': ['select: seat[row:2][place:2]'],
  'a page of what is joined': ['select: author post author post'],
  count: ['select: post[tenant:1] author[name:1]'],
  findAndCount: ['select: post[tenant:1]', 'select: post[tenant:1]'],
  findByCursor: ['select: post[tenant:1]', 'select: post[tenant:1]'],
  countBy: ['select: post[tenant:1]'],
  'a lock': ['begin', 'select: post[id:1]; for update', 'commit'],
  'a shared lock': ['begin', 'select: post[id:1]; for share', 'commit'],
  'nested transactions': ['begin repeatable read', 'savepoint trx1', 'select: tag', 'release trx1', 'commit'],
  insert: ['insert: insert tag[id:1][name:1]'],
  insertMany: ['insert: insert tag[id:2][name:2]'],
  upsert: ['insert: insert author[email:1][name:1][id:1] email?,name?'],
  upsertMany: ['insert: insert author[id:2][email:2][name:2] email?,name?'],
  'upsert, by choice': ['insert: insert author[email:1][name:1][id:1]', 'select: author[email:1]'],
  nativeUpdate: ['update: post[id:2][tenant:1]; update post[id:2][tenant:1] title'],
  'nativeUpdate with a join': ['update: post post author[name:1]; update post title'],
  'nativeUpdate with SQL': ['update: post[id:1]; update post[id:1] title'],
  nativeDelete: ['delete: tag[id:1]; delete tag[id:1]'],
  'nativeDelete with or': ['delete: tag; delete tag'],
  'flush of one change': ['select: post[id:1]', 'begin', 'update: post[id:1]; update post[id:1] title', 'commit'],
  'flush of many changes': [
    'select: post',
    'begin',
    'insert: insert tag[id:2][name:2]',
    'update: post[id:3]; update post[id:3] title?',
    'commit',
  ],
  'flush of composite keys': [
    'select: seat',
    'begin',
    'update: seat[row:2][place:2]; update seat[row:2][place:2] taken?',
    'commit',
  ],
  'flush of a pivot table': [
    'select: post[id:1]',
    'select: post_tags[post_id:1] tag',
    'begin',
    'insert: insert post_tags[tag_id:2][post_id:2]',
    'commit',
    'begin',
    'delete: post_tags[tag_id:1][post_id:1]; delete post_tags[tag_id:1][post_id:1]',
    'commit',
    'begin',
    'delete: post_tags[tag_id:1][post_id:1]; delete post_tags[tag_id:1][post_id:1]',
    'commit',
  ],
  'flush of a removal': ['select: tag[id:1]', 'begin', 'delete: tag[id:1]; delete tag[id:1]', 'commit'],
  'query builder, sub-query': ['select: author post[tenant:1]'],
  'query builder, CTE': ['select: post[tenant:1] author[id:1]'],
  'query builder, from a sub-query': ['select: post[tenant:1]'],
  'query builder, grouped': ['select: post'],
  'query builder, update': ['update: post[id:1]; update post[id:1] title'],
  'query builder, insert': ['insert: insert author[id:1][name:1] name'],
  'query builder, delete': ['delete: tag[name:1]; delete tag[name:1]'],
  'query builder, truncate': ['truncate: truncate seat'],
  'raw SQL': ['select: post[id:1]'],
};

describe("MikroORM's own statements", () => {
  test.each(Object.keys(CASES))('%s', async name => {
    expect(summary(await ran(CASES[name]!))).toEqual(EXPECTED[name]);
  });

  test('a raw fragment among the parameters is SQL, which only the text that is sent tells', async () => {
    recorder.clear();
    await orm.em.fork().nativeUpdate(Post, { id: 1 }, { title: raw('(select max(name) from tag)') as never });
    const { sql, params } = recorder.take()[0]!;
    const sent = analyse(orm.em.getPlatform().formatQuery(sql, params));
    expect(sent[0]!.reads.map(({ name }) => name)).toEqual(['post', 'tag']);
    expect(sent[0]!.writes[0]!.sets).toEqual([{ column: 'title', value: undefined }]);
  });
});

describe("what is known of the server's functions", () => {
  test('none that counts as pure is volatile, and all exist', async () => {
    const rows = await orm.em.getConnection().execute<{ name: string; volatile: boolean }[]>(
      `select proname as name, bool_or(provolatile = 'v') as volatile from pg_proc
        where pronamespace = 'pg_catalog'::regnamespace group by proname`,
    );
    const volatile = new Map(rows.map(row => [row.name, row.volatile]));
    expect([...PURE].filter(name => volatile.get(name) !== false)).toEqual([]);
    expect([...HARMLESS].filter(name => !volatile.has(name))).toEqual([]);
    expect([...PURE].filter(name => HARMLESS.has(name))).toEqual([]);
  });

  test('no function can have the name of a word that calls nothing', async () => {
    const rows = await orm.em
      .getConnection()
      .execute<{ word: string }[]>(`select word from pg_get_keywords() where catcode in ('R', 'C')`);
    const words = new Set(rows.map(({ word }) => word));
    expect([...NO_CALL, ...GRAMMAR_CALLS].filter(word => !words.has(word))).toEqual([]);
  });
});
