import { MessageChannel } from 'node:worker_threads';
import { setImmediate as nextPoll, setTimeout as delay } from 'node:timers/promises';
import type { MikroORM } from '@mikro-orm/postgresql';
import { type BatchWindow, batchLoader } from '@mikrokit/batch-loader';
import fc from 'fast-check';
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { createSchedule } from '../../packages/batch-loader/src/batch-window.ts';
import { openDatabase } from '../harness/database.ts';
import { openOrm } from '../harness/orm.ts';
import { recordQueries } from '../harness/recorder.ts';
import { Book, ENTITIES, SIZES, fillLibrary } from './library.ts';
import { createRandom } from './random.ts';
import { keysOf } from './statement-keys.ts';

/** Books whose tags are loaded, each by a caller of its own. */
const CALLERS = 20;

let url: string;
beforeAll(async () => {
  ({ url } = await openDatabase());
  const orm = await openOrm({ url, entities: ENTITIES });
  await orm.schema.create();
  await fillLibrary(orm, createRandom(1).next);
});

async function open(batchWindow?: BatchWindow): Promise<MikroORM> {
  return openOrm({ url, entities: ENTITIES, extensions: [batchLoader({ batchWindow })], pool: { max: 5 } });
}

/** How many books each statement loaded the tags of, when every caller first does what `before` does. */
async function statementsOf(orm: MikroORM, before: (caller: number) => unknown, callers = CALLERS): Promise<number[]> {
  const em = orm.em.fork();
  const books = await em.find(Book, {}, { filters: false, orderBy: { id: 'asc' }, limit: callers });
  using recorder = recordQueries(orm);
  await Promise.all(
    books.map(async (book, caller) => {
      await before(caller);
      await book.tags.load();
    }),
  );
  expect(books.map(book => book.tags.isInitialized(true))).toEqual(books.map(() => true));
  return recorder.queries.filter(query => query.sql.includes('"book_tags"')).map(query => keysOf(query).length);
}

const skew = async (turns: number): Promise<void> => {
  for (let turn = 0; turn < turns; turn++) {
    await Promise.resolve();
  }
};
const message = (): Promise<void> =>
  new Promise(resolve => {
    const { port1, port2 } = new MessageChannel();
    port2.on('message', () => {
      port2.close();
      resolve();
    });
    port1.postMessage(null);
  });

/** What callers await first, and how many share a statement. */
const situations: Record<string, { before(caller: number): unknown; immediate: number[]; tick: number[] }> = {
  nothing: { before: () => undefined, immediate: [20], tick: [20] },
  '0 to 4 microtasks': { before: caller => skew(caller % 5), immediate: [20], tick: [20] },
  'an immediate each': { before: () => nextPoll(), immediate: [20], tick: Array.from({ length: 20 }, () => 1) },
  'a timer each': { before: () => delay(1), immediate: [20], tick: Array.from({ length: 20 }, () => 1) },
  'a message each': { before: message, immediate: [20], tick: Array.from({ length: 20 }, () => 1) },
};

describe.each(['immediate', 'tick'] as const)("'%s', when callers first await", window => {
  let orm: MikroORM;
  beforeAll(async () => {
    orm = await open(window);
  });

  // Whether callers are resumed in one turn of the event loop is up to the machine: the best of some runs says what the
  // window can do, and what it cannot do none of them shows.
  const bestOf = async (before: (caller: number) => unknown, good: (run: number[]) => boolean): Promise<number[]> => {
    const runs: number[][] = [];
    while (runs.length < 10 && !runs.some(good)) {
      runs.push(await statementsOf(orm, before));
    }
    return runs.toSorted((a, b) => a.length - b.length)[0]!;
  };

  test.each(Object.entries(situations))('%s', async (_name, situation) => {
    const expected = situation[window];
    expect(await bestOf(situation.before, run => run.length === expected.length)).toEqual(expected);
  });

  test('a query each, on a pool of five connections', async () => {
    const best = await bestOf(
      () => orm.em.getConnection().execute('select 1'),
      run => run.length <= 5,
    );
    if (window === 'tick') {
      expect(best).toEqual(Array.from({ length: 20 }, () => 1));
    } else {
      // Five on a quiet machine; more when its sockets become readable one by one.
      expect(best.length).toBeLessThan(20);
      expect(best.reduce((sum, books) => sum + books, 0)).toBe(20);
    }
  });
});

test("'immediate' is the default", async () => {
  expect(await statementsOf(await open(), () => nextPoll())).toEqual([20]);
});

describe('a function', () => {
  test('decides when: a window that ends 100 ms after the last call merges what immediates keep apart', async () => {
    const windows: (() => void)[] = [];
    const orm = await open(dispatch => void windows.push(dispatch));
    let calls = 0;
    const afterPolls = async (caller: number): Promise<void> => {
      for (let poll = 0; poll < caller % 3; poll++) {
        await nextPoll();
      }
      if (++calls === CALLERS) {
        setTimeout(() => windows.forEach(dispatch => dispatch()), 100);
      }
    };
    expect(await statementsOf(orm, afterPolls)).toEqual([20]);
  });

  test('is called once per window', async () => {
    const windows: string[] = [];
    const orm = await open(dispatch => {
      windows.push('opened');
      setImmediate(dispatch);
    });
    await statementsOf(orm, () => undefined);
    expect(windows).toEqual(['opened']);
    await statementsOf(orm, () => undefined);
    expect(windows).toEqual(['opened', 'opened']);
  });

  test('that calls dispatch twice sends one statement', async () => {
    const orm = await open(dispatch => {
      setImmediate(dispatch);
      setImmediate(dispatch);
      setTimeout(dispatch, 1);
    });
    expect(await statementsOf(orm, () => undefined)).toEqual([20]);
    await delay(2);
    expect(await statementsOf(orm, () => undefined)).toEqual([20]);
  });

  test('is given a dispatch that works once', async () => {
    const dispatched: string[] = [];
    createSchedule(dispatch => {
      dispatch();
      dispatch();
      setImmediate(dispatch);
    })(() => dispatched.push('sent'));
    await nextPoll();
    expect(dispatched).toEqual(['sent']);
  });

  test("that throws is answered as with 'immediate', and warned of", async () => {
    const emitWarning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    onTestFinished(() => void vi.restoreAllMocks());
    const orm = await open(() => {
      throw new RangeError('no window today');
    });
    expect(await statementsOf(orm, () => nextPoll())).toEqual([20]);
    expect(emitWarning.mock.calls).toEqual([
      [
        "batchLoader({ batchWindow }) threw, the batch is sent with 'immediate': RangeError: no window today",
        'MikrokitWarning',
      ],
    ]);
  });

  test('that throws after it has arranged a dispatch sends one statement', async () => {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    onTestFinished(() => void vi.restoreAllMocks());
    const orm = await open(dispatch => {
      setTimeout(dispatch, 1);
      throw new RangeError('too late');
    });
    expect(await statementsOf(orm, () => undefined)).toEqual([20]);
  });
});

describe('fake timers do not stop the loader:', () => {
  test.each(['immediate', 'tick'] as const)('%s', async window => {
    const orm = await open(window);
    await statementsOf(orm, () => undefined); // connects, with timers that run
    const realImmediate = globalThis.setImmediate;
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    expect(globalThis.setImmediate, 'the timers are faked').not.toBe(realImmediate);
    expect(await statementsOf(orm, () => undefined)).toEqual([20]);
  });
});

describe('whatever callers await before and between their loads', () => {
  type Pause = readonly [kind: 'microtask' | 'nextTick' | 'poll' | 'timer', times: number];
  const pause = async ([kind, times]: Pause): Promise<void> => {
    switch (kind) {
      case 'microtask':
        return skew(times);
      case 'nextTick':
        return new Promise(resolve => process.nextTick(resolve));
      case 'poll':
        for (let poll = 0; poll < times; poll++) {
          await nextPoll();
        }
        return;
      case 'timer':
        return delay(times);
    }
  };
  const pauses = fc.array(
    fc.tuple(
      fc.constantFrom('microtask', 'nextTick', 'poll', 'timer'),
      fc.integer({ min: 1, max: 3 }),
    ) as fc.Arbitrary<Pause>,
    { maxLength: 3 },
  );
  const schedules = fc.array(pauses, { minLength: 1, maxLength: CALLERS });
  /** Callers of one wave are resumed by the same turns of the event loop; what they do within a turn is no matter. */
  const waveOf = (schedule: readonly Pause[]): string => JSON.stringify(schedule.filter(([kind]) => kind === 'poll'));
  const callAfter = (schedule: readonly Pause[]): Promise<void> =>
    schedule.reduce((before, it) => before.then(() => pause(it)), Promise.resolve());

  test('there are no more statements than waves', async () => {
    const orm = await open();
    await fc.assert(
      fc.asyncProperty(schedules, async drawn => {
        // Not timers: two of the same length, set a moment apart, end in one turn or in two as the machine pleases.
        const list = drawn.map(schedule => schedule.filter(([kind]) => kind !== 'timer'));
        const statements = await statementsOf(orm, caller => callAfter(list[caller]!), list.length);
        expect(statements.reduce((sum, books) => sum + books, 0)).toBe(list.length);
        expect(statements.length, JSON.stringify(statements)).toBeLessThanOrEqual(new Set(list.map(waveOf)).size);
      }),
      { numRuns: 100, timeout: 20_000 },
    );
  });

  test.each(['immediate', 'tick'] as const)("no chain of loads stalls ('%s')", async window => {
    const orm = await open(window);
    await fc.assert(
      fc.asyncProperty(schedules, async list => {
        const em = orm.em.fork();
        const reached: string[] = [];
        await Promise.all(
          list.map(async (schedule, caller) => {
            const book = em.getReference(Book, 1 + (caller % SIZES.books), { wrapped: true });
            await callAfter(schedule);
            const loaded = await book.loadOrFail({ filters: false });
            await callAfter(schedule);
            await Promise.all([loaded.tags.load(), loaded.author.load(), loaded.copies.loadCount()]);
            await callAfter(schedule.toReversed());
            await loaded.author.unwrap().books.load({ where: { pages: { $gt: caller } } });
            reached.push(`caller ${caller}`);
          }),
        );
        expect(reached.toSorted()).toEqual(list.map((_, caller) => `caller ${caller}`).toSorted());
      }),
      { numRuns: 30, timeout: 20_000 },
    );
  });
});
