import { setImmediate as nextPoll, setTimeout as delay } from 'node:timers/promises';
import type { MikroORM } from '@mikro-orm/core';
import { batch, batchLoader, type BatchWindow } from '@mikrokit/batch-loader';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { openOrm } from '../harness/orm.ts';
import { recordQueries } from '../harness/recorder.ts';
import { Book, ENTITIES, fillLibrary, Tag } from './library.ts';
import { createRandom } from './random.ts';

/*
 * Whenever calls of `batch(em)` are made, every one is answered, as it would be alone, and those of one wave share statements.
 */

const CALLERS = 16;

type Pause = readonly [kind: 'microtask' | 'nextTick' | 'poll' | 'timer' | 'query', times: number];
/** How a caller spends the time before its call, and which calls it makes then, one after the other. */
interface Caller {
  readonly before: readonly Pause[];
  readonly calls: readonly (keyof typeof SHAPES)[];
  readonly value: number;
}

let answers: { pages: number[][]; tags: number[][]; sums: (number | null)[] };

/** Three shapes, with the right answer to each value. */
const SHAPES = {
  find: async (em: MikroORM['em'], value: number) =>
    expect(
      (await batch(em).find(Book, { pages: { $gt: 50 * value } }, { filters: false, orderBy: { id: 'asc' } })).map(
        ({ id }) => id,
      ),
    ).toEqual(answers.pages[value]),
  limited: async (em: MikroORM['em'], value: number) =>
    expect(
      (await batch(em).find(Tag, { weight: value % 3 }, { orderBy: { id: 'desc' }, limit: 2 })).map(({ id }) => id),
    ).toEqual(answers.tags[value]),
  sum: async (em: MikroORM['em'], value: number) =>
    expect(await batch(em).sum(Book, 'pages', { author: value }, { filters: false })).toBe(answers.sums[value]),
};

async function open(batchWindow?: BatchWindow): Promise<MikroORM> {
  const orm = await openOrm({ entities: ENTITIES, extensions: [batchLoader({ batchWindow })], pool: { max: 5 } });
  await fillLibrary(orm, createRandom(1).next);
  const em = orm.em.fork();
  const values = Array.from({ length: 8 }, (_, value) => value);
  const books = await em.find(Book, {}, { filters: false, orderBy: { id: 'asc' } });
  const tags = await em.find(Tag, {}, { orderBy: { id: 'desc' } });
  answers = {
    pages: values.map(value => books.filter(({ pages }) => pages > 50 * value).map(({ id }) => id)),
    tags: values.map(value =>
      tags
        .filter(({ weight }) => weight === value % 3)
        .slice(0, 2)
        .map(({ id }) => id),
    ),
    sums: values.map(value => {
      const own = books.filter(({ author }) => author.id === value);
      return own.length === 0 ? null : own.reduce((sum, { pages }) => sum + pages, 0);
    }),
  };
  // Learns the shapes, which takes statements of its own.
  for (const shape of Object.values(SHAPES)) {
    const fork = orm.em.fork();
    await Promise.all([shape(fork, 1), shape(fork, 2), shape(fork, 3)]);
  }
  return orm;
}

function wait(orm: MikroORM, [kind, times]: Pause): Promise<unknown> {
  switch (kind) {
    case 'microtask':
      return Array.from({ length: times }).reduce<Promise<unknown>>(
        before => before.then(() => undefined),
        Promise.resolve(),
      );
    case 'nextTick':
      return new Promise<void>(resolve => process.nextTick(resolve));
    case 'poll':
      return Array.from({ length: times }).reduce<Promise<unknown>>(
        before => before.then(() => nextPoll()),
        Promise.resolve(),
      );
    case 'timer':
      return delay(times);
    case 'query':
      return orm.em
        .fork()
        .getConnection()
        .execute(`select pg_sleep(${times / 1000})`);
  }
}

const callersOf = (kinds: readonly Pause[0][], mostCalls: number): fc.Arbitrary<Caller[]> =>
  fc.array(
    fc.record({
      before: fc.array(fc.tuple(fc.constantFrom(...kinds), fc.integer({ min: 1, max: 3 })), { maxLength: 3 }),
      calls: fc.array(fc.constantFrom('find', 'limited', 'sum'), { minLength: 1, maxLength: mostCalls }),
      value: fc.integer({ min: 0, max: 7 }),
    }),
    { minLength: 1, maxLength: CALLERS },
  );

/** Makes the calls of all callers on one fork. */
async function run(orm: MikroORM, callers: readonly Caller[], em = orm.em.fork()): Promise<void> {
  await Promise.all(
    callers.map(async ({ before, calls, value }) => {
      for (const shape of calls) {
        for (const pause of before) {
          await wait(orm, pause);
        }
        await SHAPES[shape](em, value);
      }
    }),
  );
}

describe("'immediate'", () => {
  let orm: MikroORM;
  beforeAll(async () => {
    orm = await open();
  });

  // A wave: the calls that are made after as many turns of the event loop. Microtasks and ticks within a turn are no matter;
  // timers and queries are left out here, as the machine decides in which turn they end.
  const waveOf = ({ before }: Caller): number =>
    before.reduce((polls, [kind, times]) => polls + (kind === 'poll' ? times : 0), 0);

  test('there are no more statements than waves, of each shape', async () => {
    await fc.assert(
      fc.asyncProperty(callersOf(['microtask', 'nextTick', 'poll'], 1), async callers => {
        using recorder = recordQueries(orm);
        await run(orm, callers);
        const waves = new Set(callers.map(waveOf)).size;
        const shapes = new Set(callers.map(({ calls: [shape] }) => shape)).size;
        expect(recorder.sql.length).toBeLessThanOrEqual(waves * shapes);
      }),
      { numRuns: 150, timeout: 20_000 },
    );
  });
});

test.each(['immediate', 'tick'] as const)(
  "'%s': no chain of calls stalls, and each is answered right",
  async window => {
    const orm = await open(window);
    await fc.assert(
      fc.asyncProperty(callersOf(['microtask', 'nextTick', 'poll', 'timer', 'query'], 4), callers => run(orm, callers)),
      { numRuns: 60, timeout: 20_000 },
    );
  },
);

test('in a transaction, too', async () => {
  const orm = await open();
  await fc.assert(
    fc.asyncProperty(callersOf(['microtask', 'nextTick', 'poll', 'timer'], 3), callers =>
      orm.em.fork().transactional(em => run(orm, callers, em)),
    ),
    { numRuns: 40, timeout: 20_000 },
  );
});
