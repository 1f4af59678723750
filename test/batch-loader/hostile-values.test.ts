import { type EntityManager, type MikroORM, raw } from '@mikro-orm/core';
import { defineEntity, p } from '@mikro-orm/postgresql';
import { batch, batchLoader } from '@mikrokit/batch-loader';
import { beforeAll, describe, expect, test } from 'vitest';
import { openDatabase } from '../harness/database.ts';
import { openOrm } from '../harness/orm.ts';
import { type Recorder, recordQueries } from '../harness/recorder.ts';

/*
 * Values are never SQL: whatever a string holds and wherever it stands, each call of a window gives what it gives alone, and
 * the statement is the one that harmless strings would have been sent with.
 */

const Memo = defineEntity({
  name: 'Memo',
  filters: { titled: { name: 'titled', cond: (args: { title: string }) => ({ title: args.title }), default: false } },
  properties: {
    id: p.integer().primary(),
    title: p.text(),
    uid: p.uuid().nullable(),
    tags: p.array(),
    meta: p.json<unknown>(),
    amount: p.decimal('string').precision(20).scale(4),
    weight: p.double(),
    label: () => p.manyToOne(Label).ref().nullable(),
  },
});
/** A text as key. */
const Label = defineEntity({
  name: 'Label',
  properties: { name: p.text().primary(), memos: () => p.oneToMany(Memo).mappedBy('label') },
});
const Roll = defineEntity({ name: 'Roll', properties: { id: p.integer().primary(), text: p.text() } });
const entities = [Memo, Label, Roll];

const STRINGS = [
  'plain',
  '',
  ' ',
  `'`,
  `''`,
  `it's`,
  '"',
  '"a"."b"',
  '\\',
  '\\\\',
  `\\'`,
  'end\\',
  '$1',
  '$$',
  '$tag$',
  '?',
  '??',
  '\\?',
  '?::text',
  '--',
  '-- comment\n',
  '/*',
  '*/',
  '/* a */',
  ';',
  `'; drop table memo; --`,
  `' or ''='`,
  `E'\\n'`,
  'NULL',
  'null',
  '{}',
  '{a,b}',
  '{"a"}',
  '[1]',
  'a,b',
  '(a)',
  '%',
  '_',
  '\n',
  '\r\n\t',
  '\u0001',
  '\ud800',
  '\udc00a',
  '😀',
  '"_mk"."tag"',
  ':name',
  '@alias',
  '[::alias::]',
];
const NUL = ['\0', `a\0'; drop table memo; --`];

let plain: MikroORM;
let batched: MikroORM;
let recorder: Recorder;

beforeAll(async () => {
  const { url } = await openDatabase();
  plain = await openOrm({ url, entities });
  await plain.schema.create();
  batched = await openOrm({ url, entities, extensions: [batchLoader()] });
  recorder = recordQueries(batched);
  const { execute } = plain.em.getConnection();
  const send = (sql: string, params: readonly unknown[]): Promise<unknown> =>
    execute.call(plain.em.getConnection(), sql, params as never, 'run');
  for (const [index, title] of STRINGS.entries()) {
    await send('insert into label values (?)', [title]);
    // Two memos of each, so that a window without a mix-up and one with it differ.
    for (const id of [2 * index + 1, 2 * index + 2]) {
      await send('insert into memo values (?, ?, null, array[?, ?], ?, ?, ?, ?)', [
        id,
        title,
        title,
        `tag ${index}`,
        JSON.stringify({ own: title.toWellFormed(), deep: { own: title.toWellFormed() }, number: index }),
        `${index}.5`,
        index / 2,
        title,
      ]);
    }
  }
});

type Call = (em: EntityManager, reads: Pick<EntityManager, 'find' | 'findOne' | 'count'>) => Promise<unknown>;

const ids = (memos: readonly object[]): number[] => memos.map(memo => (memo as { id: number }).id);

const find =
  (where: object, options: object = {}): Call =>
  async (_, reads) =>
    ids(await reads.find(Memo, where as never, { orderBy: { id: 'asc' }, ...options } as never));

/** What a call ends with: its answer, or its error by class and message. */
async function outcome(call: Promise<unknown>): Promise<unknown> {
  return call.catch((error: Error) => ({ error: error.constructor.name, message: error.message }));
}

function isError(answer: unknown): boolean {
  return typeof answer === 'object' && answer !== null && 'error' in answer;
}

interface Window {
  readonly answers: readonly unknown[];
  /** What was sent, when the shapes were known. */
  readonly sql: readonly string[];
  /** How many calls went which way. */
  readonly strategies: Readonly<Record<string, number>>;
}

async function inOneWindow(calls: readonly Call[]): Promise<Window> {
  const run = async (): Promise<Window> => {
    const em = batched.em.fork();
    recorder.clear();
    const answers = await Promise.all(calls.map(call => outcome(call(em, batch(em)))));
    const strategies: Record<string, number> = {};
    for (const { strategy, calls: own } of batch(em).explain()) {
      strategies[strategy] = (strategies[strategy] ?? 0) + own;
    }
    return { answers, sql: recorder.take().map(({ sql }) => sql), strategies };
  };
  await run();
  return run();
}

async function alone(calls: readonly Call[]): Promise<unknown[]> {
  const answers: unknown[] = [];
  for (const call of calls) {
    const em = plain.em.fork();
    answers.push(await outcome(call(em, em)));
  }
  return answers;
}

/** Where a string may stand so that calls with different ones are one statement. */
const MERGED: Record<string, (text: string) => Call> = {
  'a value': title => find({ title }),
  'a value, with a limit': title => find({ title }, { limit: 1 }),
  'a value, negated': title => find({ title: { $ne: title }, id: { $lt: 40 } }),
  'a bound': title => find({ title: { $gte: title, $lt: `${title}~` } }),
  'an element of a list': title => find({ title: { $in: [title, 'plain', `no ${title}`] } }),
  'an element of a list of exclusions': title => find({ title: { $nin: [title, 'plain'] }, id: { $lt: 40 } }),
  'a value within $or': title => find({ $or: [{ title }, { id: 3, title: { $ne: title } }] }),
  'a value within $not': title => find({ $not: { title }, id: { $lt: 40 } }),
  'a value in JSON': own => find({ meta: { own } }),
  'a value deep in JSON': own => find({ meta: { deep: { own: { $ne: own } }, own } }),
  'an element of an array': own => find({ tags: { $contains: [own] } }),
  'elements of an array': own => find({ tags: { $overlap: [own, `${own},`] } }),
  'a foreign key': label => find({ label }),
  'the key of a relation': name => find({ label: { name } }),
  'a value next to a raw column': title => find({ [raw(alias => `lower(${alias}.title)`)]: title }),
  'the parameter of a raw column': title =>
    find({ [raw(alias => `(${alias}.title || ?)`, [title])]: `${title}${title}`, id: { $gt: 0 } }),
  'the parameter of a raw condition': title => find({ [raw(alias => `(${alias}.title = ?)`, [title])]: true }),
  'what is counted': title => async (_, reads) => reads.count(Memo, { title }),
  'a key': name => async (_, reads) => (await reads.findOne(Label, { name }, { refresh: true }))?.name,
};

describe.each(Object.entries(MERGED))('%s', (_, make) => {
  const texts = STRINGS;
  const callsOf = (own: readonly string[]): Call[] => own.map(make);

  test('gives what it gives alone, in the statement of harmless strings', async () => {
    const answers = await alone(callsOf(texts));
    expect((await inOneWindow(callsOf(texts))).answers).toEqual(answers);
    // MikroORM itself writes some arrays so that PostgreSQL cannot read them.
    const fine = texts.filter((_, index) => !isError(answers[index]));
    expect(fine.length).toBeGreaterThan(texts.length - 6);
    const hostile = await inOneWindow(callsOf(fine));
    const harmless = await inOneWindow(callsOf(fine.map((_, index) => `harmless ${index}`)));
    expect(harmless.sql).toHaveLength(1);
    expect(hostile.sql).toEqual(harmless.sql);
    expect(hostile.strategies).toEqual(harmless.strategies);
    expect(hostile.strategies).not.toHaveProperty('alone');
  });

  test('with a NUL, which PostgreSQL refuses, fails as alone and takes nobody along', async () => {
    const calls = callsOf(['plain', ...NUL, `it's`]);
    const { answers, sql } = await inOneWindow(calls);
    expect(answers).toEqual(await alone(calls));
    // The two that are fine, and the two that are not.
    expect(sql).toHaveLength(3);
  });
});

/** Where a string is part of what decides which calls share a statement: each is sent as MikroORM sends it. */
const APART: Record<string, (text: string) => Call> = {
  'the parameter of an order': title =>
    find({ id: { $lt: 9 } }, { orderBy: [{ [raw('title = ?', [title])]: 'desc' }, { id: 'asc' }] }),
  'the parameter of a raw value': title => find({ title: raw('coalesce(?, title)', [title]) }),
  'a value in an object': own => find({ meta: { $contains: { own } } }),
  'the parameter of a filter': title => find({ id: { $gt: 0 } }, { filters: { titled: { title } } }),
};

describe.each(Object.entries(APART))('%s', (_, make) => {
  test('gives what it gives alone', async () => {
    const calls = STRINGS.map(make);
    const { answers, strategies } = await inOneWindow(calls);
    expect(answers).toEqual(await alone(calls));
    expect(strategies).toEqual({ alone: calls.length });
  });
});

/** Where most strings are an error, each its own. */
const REFUSED: Record<string, (text: string) => Call> = {
  'a value of an integer': id => find({ id }),
  'an element of a list of integers': id => find({ id: { $in: [1, id] } }),
  'a value of a uuid': uid => find({ uid }),
  'a value of a decimal': amount => find({ amount }),
  'a value of a float': weight => find({ weight }),
  'a like pattern': title => find({ title: { $like: title } }),
  'an ilike pattern': title => find({ title: { $ilike: `${title}%` } }),
  'a regular expression': title => find({ title: { $re: title } }),
  'a limit': limit => find({ id: { $lt: 5 } }, { limit }),
  'an offset': offset => find({ id: { $lt: 5 } }, { limit: 2, offset }),
  'an aggregate over text that is no number': own =>
    find({ [raw(alias => `(${alias}.meta->>'own')::int`)]: own, id: { $lt: 3 } }),
};

describe.each(Object.entries(REFUSED))('%s', (_, make) => {
  test('gives the answer or error that it gives alone', async () => {
    // Each error is found by halves: a few are enough, and a few that are none.
    const texts = [...STRINGS, '1', '2', ' 3 ', '1.5', ...NUL];
    const calls = texts.map(make);
    const { answers } = await inOneWindow(calls);
    expect(answers).toEqual(await alone(calls));
  });
});

test('strings of a megabyte give what they give alone, in one statement', async () => {
  const texts = [`'\\`, '?ü'].map(part => part.repeat(2 ** 19));
  const em = plain.em.fork();
  texts.forEach((text, id) => em.create(Roll, { id, text }));
  await em.flush();
  const calls = [...texts, 'short'].map(
    (text): Call =>
      async (_, reads) =>
        (await reads.find(Roll, { text: { $in: [text, `${text}!`] } })).map(({ id }) => id),
  );
  const { answers, sql } = await inOneWindow(calls);
  expect(answers).toEqual([[0], [1], []]);
  expect(answers).toEqual(await alone(calls));
  expect(sql).toHaveLength(1);
});

describe('numbers', () => {
  const NUMBERS = [0, -0, 0.1, -1.5, 1e21, 1e-7, NaN, Infinity, 2 ** 31, -(2 ** 31), 2 ** 53, 2 ** 63, 1, 2, 7];
  const MADE: Record<string, (value: number | bigint) => Call> = {
    'of an integer': id => find({ id }),
    'of an integer, as bounds': id => find({ id: { $gt: id } }),
    'in a list of integers': id => find({ id: { $in: [id, 3] } }),
    'of a decimal': amount => find({ amount: { $gte: amount } }),
    'of a float': weight => find({ weight }),
    'in JSON': number => find({ meta: { number } }),
    'in JSON, as bounds': number => find({ meta: { number: { $lt: number } } }),
    'next to a raw column': length => find({ [raw(alias => `length(${alias}.title)`)]: length }),
    'for a text': title => find({ title }),
  };
  const values = [...NUMBERS, 5n, -(2n ** 63n), 2n ** 63n, 2n ** 80n];

  test.each(Object.entries(MADE))('%s give what they give alone', async (_, make) => {
    const calls = values.map(make);
    const { answers } = await inOneWindow(calls);
    expect(answers).toEqual(await alone(calls));
  });

  test.each([0, 1, 2, 1.5, -1, NaN, Infinity, 2 ** 40])(
    'a limit or offset of %d gives what it gives alone',
    async value => {
      const calls = [
        { limit: value },
        { limit: 2 },
        { limit: 3, offset: value },
        { limit: 3, offset: 1 },
        { offset: value },
      ].map(options => find({ id: { $lt: 9 } }, options));
      const { answers } = await inOneWindow(calls);
      expect(answers).toEqual(await alone(calls));
    },
  );
});
