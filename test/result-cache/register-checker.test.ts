import { afterAll, describe, expect, test } from 'vitest';
import { openCluster } from '../harness/open-cluster.ts';
import { evictVersion, flushAll, loseRegistry, restartRedis } from './checker/faults.ts';
import type { Event } from './checker/journal.ts';
import { judge } from './checker/judge.ts';
import { type Figures, type Row, run } from './checker/run.ts';
import { tableOf } from './checker/table.ts';
import type { Subject } from './checker/task.ts';

/*
 * Registers that only grow, read and written by several processes over one Redis, all through MikroORM. Whoever returns
 * less than was committed before it was asked has served what is out of date.
 *
 * Nothing here repeats itself exactly, so there is no seed: what counts is the number of reads. `MIKROKIT_CASES=n` changes
 * it; `npm run test:long` runs a million.
 */
const READS = Number(process.env['MIKROKIT_CASES'] ?? 100_000);
/** How long a control may take to be caught is up to the machine; this is far more than it needs. */
const CONTROL = { reads: 3_000, atLeast: 4_000, processes: 2, pause: 80 };
const LAG = 200;
const TIMEOUT = 3_600_000;

const runs: Figures[] = [];
const running = async (row: Row): Promise<Figures> => {
  const figures = await run(row);
  runs.push(figures);
  return figures;
};

afterAll(() => console.log(`register checker:\n${tableOf(runs)}`));

const nothingStale = { commitStale: 0, ackStale: 0, nonMonotone: 0, dirty: 0, examples: [] };

describe('nothing that is out of date is read from the result cache', () => {
  const share = (part: number): number => Math.ceil(READS * part);

  test('while others write', { timeout: TIMEOUT }, async () => {
    const figures = await running({ name: 'result-cache', reads: share(0.3) });
    expect(figures).toMatchObject(nothingStale);
    expect(figures.hitRate).toBeGreaterThan(0.3);
  });

  test('when Redis evicts versions of tags', { timeout: TIMEOUT }, async () => {
    const figures = await running({ name: 'versions evicted', reads: share(0.2), faults: [evictVersion] });
    expect(figures).toMatchObject(nothingStale);
    expect(figures.faults).toBeGreaterThan(20);
    expect(figures.hitRate).toBeGreaterThan(0.2);
  });

  test('when writers die between COMMIT and telling the store', { timeout: TIMEOUT }, async () => {
    const figures = await running({
      name: 'writers killed, versions evicted',
      reads: share(0.15),
      leastKills: 4,
      pause: 30,
      killed: 0.05,
      faults: [evictVersion],
    });
    expect(figures).toMatchObject(nothingStale);
    expect(figures.kills).toBeGreaterThanOrEqual(4);
    expect(figures.hitRate).toBeGreaterThan(0.05);
  });

  test('when Redis loses the open intents, or everything', { timeout: TIMEOUT }, async () => {
    const figures = await running({
      name: 'registry lost, FLUSHALL',
      reads: share(0.15),
      atLeast: 8_000,
      faults: [loseRegistry, flushAll],
      grace: 700,
    });
    expect(figures).toMatchObject(nothingStale);
    expect(figures.faults).toBeGreaterThan(2);
    expect(figures.hitRate).toBeGreaterThan(0.05);
  });

  test('when Redis is killed and comes back empty', { timeout: TIMEOUT }, async () => {
    const figures = await running({
      name: 'Redis killed',
      reads: share(0.1),
      atLeast: 12_000,
      faults: [restartRedis],
      grace: 1_000,
    });
    expect(figures).toMatchObject(nothingStale);
    expect(figures.faults).toBeGreaterThan(1);
    expect(figures.hitRate).toBeGreaterThan(0.05);
  });

  test('when MikroORM reads from replicas that lag behind', { timeout: TIMEOUT }, async () => {
    const cluster = await lagging();
    const figures = await running({ name: 'lagging replica', reads: share(0.1), cluster });
    expect(figures).toMatchObject(nothingStale);
    expect(figures.hitRate).toBeGreaterThan(0.3);

    const control = await running({
      name: 'control: version vector, lagging replica',
      subject: 'version vector',
      ...CONTROL,
      cluster,
    });
    expect(control.ackStale).toBeGreaterThan(0);
  });
});

test('so many reads were judged', () => {
  const judged = runs.filter(({ name }) => !name.startsWith('control')).reduce((sum, { reads }) => sum + reads, 0);
  expect(judged).toBeGreaterThanOrEqual(READS);
});

describe('the checker catches what is not as careful', () => {
  const caught: readonly (readonly [Subject, (keyof Figures)[]])[] = [
    ['cache-aside', ['commitStale', 'ackStale', 'nonMonotone']],
    ['leases', ['commitStale']],
    ['version vector', ['commitStale']],
    ["MikroORM's cache", ['commitStale', 'ackStale']],
  ];

  test.for(caught)('%s', { timeout: TIMEOUT }, async ([subject, counts]) => {
    const figures = await running({ name: `control: ${subject}`, subject, ...CONTROL });
    for (const count of counts) {
      expect(figures[count], count).toBeGreaterThan(0);
    }
  });

  test('a store that forgets the intents', { timeout: TIMEOUT }, async () => {
    const figures = await running({
      name: 'control: no intents',
      ...CONTROL,
      flaw: 'opens no intent',
    });
    expect(figures.commitStale).toBeGreaterThan(0);
  });

  test('a store that forgets to drop the versions when a write is over', { timeout: TIMEOUT }, async () => {
    const figures = await running({ name: 'control: versions kept', ...CONTROL, flaw: 'keeps the versions' });
    expect(figures.commitStale).toBeGreaterThan(0);
    expect(figures.ackStale).toBeGreaterThan(0);
  });
});

describe('the judge', () => {
  const wrote = (value: number, commit: number, ack: number): Event[] => [
    { kind: 'commit', at: commit, register: 'r', value },
    { kind: 'ack', at: ack, register: 'r', value },
  ];
  const read = (value: number, start: number, end: number): Event => ({
    kind: 'read',
    register: 'r',
    value,
    start,
    end,
  });

  test('allows either value while a write is under way', () => {
    expect(judge([...wrote(1, 10, 20), read(0, 5, 30), read(1, 5, 8), read(1, 11, 12)])).toMatchObject(nothingStale);
  });

  test('tells an old value after the commit from one after the call', () => {
    expect(judge([...wrote(1, 10, 20), read(0, 15, 16)])).toMatchObject({ commitStale: 1, ackStale: 0 });
    expect(judge([...wrote(1, 10, 20), read(0, 25, 26)])).toMatchObject({ commitStale: 1, ackStale: 1 });
  });

  test('notices that a later read returns less, though nobody lived to tell of the commit', () => {
    expect(judge([read(1, 10, 11), read(0, 12, 13)])).toMatchObject({ nonMonotone: 1, commitStale: 0 });
    expect(judge([read(1, 10, 13), read(0, 12, 14)])).toMatchObject({ nonMonotone: 0 });
  });

  test('counts rows of which each commit makes one more', () => {
    const inserted = (at: number): Event => ({ kind: 'commit', at, register: 'r', value: undefined });
    expect(judge([inserted(10), inserted(20), read(1, 15, 30), read(1, 25, 30)])).toMatchObject({ commitStale: 1 });
  });

  test('notices what was rolled back', () => {
    expect(judge([read(-1, 1, 2)])).toMatchObject({ dirty: 1 });
  });
});

async function lagging(): ReturnType<typeof openCluster> {
  // A primary does not look at it.
  return await openCluster({ embedded: true, replicas: 1, conf: [`recovery_min_apply_delay = '${LAG}ms'`] });
}
