import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { Notes, type Routed } from './fixtures/notes.ts';

/*
 * Somebody counts upwards in a table; whoever reads with { bounded } must see at least what was counted so long ago. The
 * clock is the same for both, and a number counts from when its commit was answered.
 */

let notes: Notes;

beforeAll(async () => {
  notes = await Notes.open(2);
  await notes.sql('create table counter (n int); insert into counter values (0)');
  await notes.cluster.caughtUp();
}, 120_000);

/** Begins to count, and every replica has the beginning. @returns when each number was committed, by the number */
async function counting(every: number): Promise<number[]> {
  await notes.sql('update counter set n = 0');
  await notes.cluster.caughtUp();
  const committed = [performance.now()];
  let stopped = false;
  const ended = (async () => {
    while (!stopped) {
      await notes.sql(`update counter set n = ${committed.length}`);
      committed.push(performance.now());
      await sleep(every);
    }
  })();
  onTestFinished(async () => {
    stopped = true;
    await ended;
  });
  return committed;
}

async function read({ orm }: Routed): Promise<number> {
  const [row] = (await orm.em.fork().getConnection('read').execute('select n from counter')) as { n: number }[];
  return row!.n;
}

interface Seen {
  /** What it may have missed of what was committed, in ms before it began. */
  readonly missed: number;
  readonly where: string;
}

/** Reads for so long, and on until the last five were answered `there`; says of each how old what it showed was. */
async function reads(routed: Routed, committed: readonly number[], ms: number, there?: string): Promise<Seen[]> {
  const seen: Seen[] = [];
  const until = performance.now() + ms;
  const late = until + 10_000;
  const settled = (): boolean => there === undefined || seen.slice(-5).every(({ where }) => where === there);
  while (performance.now() < until || (!settled() && performance.now() < late)) {
    const began = performance.now();
    routed.routes();
    const n = await read(routed);
    const [where] = routed.routes();
    // The first that it does not show.
    const next = committed[n + 1];
    seen.push({ missed: next === undefined ? 0 : Math.max(0, began - next), where: where!.split(':')[0]! });
    await sleep(2);
  }
  return seen;
}

const most = (seen: readonly Seen[]): number => Math.max(...seen.map(({ missed }) => missed));
const places = (seen: readonly Seen[]): string[] => [...new Set(seen.map(({ where }) => where))].toSorted();

test.each([200, 600])(
  '{ bounded: %i }: nothing is missed that was committed longer ago, while replicas stop and go',
  async ms => {
    const routed = await notes.connect({ resolver: { consistency: { bounded: ms }, fallbackShare: 1 } });
    const committed = await counting(5);
    await notes.pause(notes.one);
    const paused = await reads(routed, committed, ms * 2 + 500);
    expect(most(paused)).toBeLessThanOrEqual(ms);
    await notes.pause(notes.two);
    const both = await reads(routed, committed, ms * 2 + 500, 'primary');
    expect(most(both)).toBeLessThanOrEqual(ms);
    // When each was paused for longer than that, the primary is all that is left.
    expect(places(both.slice(-5))).toEqual(['primary']);
    await notes.one.query('select pg_wal_replay_resume()');
    const resumed = await reads(routed, committed, 1_000, 'replica one');
    expect(most(resumed)).toBeLessThanOrEqual(ms);
    expect(places(resumed.slice(-5))).toEqual(['replica one']);
  },
);

test("the other way round: 'eventual' does miss more from the paused one, which shows that the bound does something", async () => {
  const routed = await notes.connect({ resolver: { consistency: 'eventual' } });
  const committed = await counting(5);
  await notes.pause(notes.one);
  const seen = await reads(routed, committed, 1_200);
  expect(most(seen)).toBeGreaterThan(600);
  expect(places(seen)).toEqual(['replica one', 'replica two']);
});

test('what is within the bound is used: a replica that is a little behind answers', async () => {
  const routed = await notes.connect({ resolver: { consistency: { bounded: 5_000 } } });
  const committed = await counting(5);
  await sleep(300);
  await notes.pause(notes.one, notes.two);
  const seen = await reads(routed, committed, 1_000);
  expect(most(seen)).toBeGreaterThan(300);
  expect(seen.filter(({ where }) => where === 'primary')).toEqual([]);
});
