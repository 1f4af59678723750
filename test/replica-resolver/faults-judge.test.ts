import { describe, expect, test } from 'vitest';
import type { Facts } from './faults/facts.ts';
import type { Event, NodeEvent, ReadEvent, WriteEvent } from './faults/journal.ts';
import { judge } from './faults/judge.ts';
import { failuresOf } from './faults/scenario.ts';
import { tableOf } from './faults/table.ts';

/* The judge of the fault suite has to notice what it looks for; else its zeros say nothing. */

const PORTS = { primary: 1, 'replica-1': 2, 'replica-2': 3 };
/** Key 1 is of the process 0, key 10 001 of the process 1. */
const KEY = 1;

const wrote = (version: number, start: number, more: Partial<WriteEvent> = {}): WriteEvent => ({
  kind: 'write',
  start,
  end: start + 5,
  key: KEY,
  version,
  outcome: 'acked',
  ...more,
});
const read = (version: number, start: number, more: Partial<ReadEvent> = {}): ReadEvent => ({
  kind: 'read',
  start,
  end: start + 2,
  key: KEY,
  required: 0,
  version,
  port: PORTS['replica-1'],
  ...more,
});
const failedRead = (start: number): ReadEvent => ({
  kind: 'read',
  start,
  end: start + 2,
  key: KEY,
  required: 0,
  error: 'Error: no',
});
const node = (at: number, to: string): NodeEvent => ({ kind: 'node', at, node: 'replica-1', from: '', to, why: '' });
const entry = (version: number, sent = 0, writer = 'worker-0'): Facts['entries'][number] => ({
  key: KEY,
  version,
  writer,
  sent,
});

const judged = (journals: readonly (readonly Event[])[], more: Partial<Facts> = {}): ReturnType<typeof judge> =>
  judge({
    id: 'F0',
    title: 'a test',
    subject: 'mikrokit',
    journals,
    moments: { begun: 0, fault: 1_000, promoted: undefined, healed: 9_000, ended: 20_000 },
    ports: PORTS,
    faulty: ['replica-1'],
    primary: { before: 'primary', after: 'primary' },
    entries: [],
    oldEntries: [],
    held: 0,
    stuck: 0,
    failures: [],
    measured: {},
    ...more,
  });

describe('out of date', () => {
  const entries = [entry(1), entry(2)];

  test('is less than what was asked for', () => {
    const journals = [[wrote(1, 0), wrote(2, 10), read(1, 20, { required: 2 }), read(2, 20, { required: 2 })]];
    expect(judged(journals, { entries })).toMatchObject({ stale: 1, reads: 2 });
  });

  test('is nothing that was not asked for', () => {
    expect(judged([[wrote(1, 0), read(0, 20)]], { entries })).toMatchObject({ stale: 0 });
  });

  test('is what another process has read, too', () => {
    expect(judged([[wrote(1, 0)], [read(0, 20, { required: 1 })]], { entries })).toMatchObject({
      stale: 1,
      elsewhere: 1,
    });
  });

  test('is not what a promotion has lost, but what was before that', () => {
    const lost = judged([[wrote(1, 0), wrote(2, 10), read(1, 20, { required: 2 }), read(0, 20, { required: 2 })]], {
      entries: [entry(1)],
    });
    expect(lost).toMatchObject({ stale: 1, lost: 1 });
  });
});

describe('lost', () => {
  test('is what was acknowledged and is not there', () => {
    expect(judged([[wrote(1, 0)]])).toMatchObject({ lost: 1, lostAsync: 0 });
  });

  test('is not what failed or is unknown', () => {
    expect(judged([[wrote(1, 0, { outcome: 'failed' }), wrote(2, 0, { outcome: 'unknown' })]])).toMatchObject({
      lost: 0,
      failedWrites: 1,
      unknown: 1,
    });
  });

  const moments: Facts['moments'] = { begun: 0, fault: 1_000, promoted: 1_500, healed: undefined, ended: 9_000 };
  const promoted = { moments, primary: { before: 'primary', after: 'replica-1' } };

  test('by asynchronous replication is what was begun before the process knew of the new primary', () => {
    const heard: Event = { kind: 'primary', at: 1_700, to: 'replica-1' };
    expect(judged([[wrote(1, 1_600), heard, wrote(2, 1_800)]], promoted)).toMatchObject({
      lost: 1,
      lostAsync: 1,
      detectMs: 200,
    });
  });

  test('a process that never tells has to know 2 s after the promotion', () => {
    expect(judged([[wrote(1, 3_400), wrote(2, 3_600)]], promoted)).toMatchObject({
      lost: 1,
      lostAsync: 1,
      detectMs: Infinity,
    });
  });

  test('misrouted is what the old primary was sent after that', () => {
    const heard: Event = { kind: 'primary', at: 1_700, to: 'replica-1' };
    const oldEntries = [entry(1, 1_600), entry(2, 1_800), entry(3, 1_800, 'worker-1')];
    expect(judged([[heard], []], { ...promoted, oldEntries })).toMatchObject({ misrouted: 1 });
  });

  test('writes have resumed with the first that the new primary has, in the last process', () => {
    const entries = [entry(1), { ...entry(1), key: 10_001 }];
    const journals = [[wrote(1, 1_600)], [wrote(1, 1_900, { key: 10_001 })]];
    expect(judged(journals, { ...promoted, entries })).toMatchObject({ resumeMs: 405 });
  });
});

test('mislabelled is what is said to have failed, and is there', () => {
  expect(judged([[wrote(1, 0, { outcome: 'failed' })]], { entries: [entry(1)] })).toMatchObject({ mislabelled: 1 });
});

describe('ejected', () => {
  test('is from the fault until the last process gives it up', () => {
    expect(judged([[node(1_100, 'down')], [node(1_300, 'suspect'), node(1_400, 'down')]])).toMatchObject({
      ejectMs: 300,
      downs: 1,
      stateChanges: 2,
    });
  });

  test('is as soon as the process could know, where a connection broke', () => {
    const lost: Event = { kind: 'lost', at: 1_090, node: 'replica-1' };
    expect(judged([[lost, node(1_100, 'down')]]).ejectMs).toBe(10);
    expect(judged([[node(1_080, 'down'), lost]]).ejectMs).toBe(0);
  });

  test('is never while one process keeps it, or takes it back', () => {
    expect(judged([[node(1_100, 'down')], []]).ejectMs).toBe(Infinity);
    expect(judged([[node(1_100, 'down'), node(2_000, 'warming')]]).ejectMs).toBe(Infinity);
  });

  test('as reads feel it: the last that begins and is hurt', () => {
    const reads = [failedRead(1_200), read(0, 1_500, { end: 3_000 }), read(0, 4_000)];
    expect(judged([reads])).toMatchObject({ lastHurtMs: 500, worstReadMs: 1_500, failedReads: 1 });
  });
});

test('recovered is when it answers the first read', () => {
  expect(judged([[read(0, 8_000), read(0, 9_500), read(0, 9_700)]])).toMatchObject({ recoverMs: 502 });
  expect(judged([[read(0, 8_000)]])).toMatchObject({ recoverMs: Infinity });
});

test('the shares of replicas and of the faulty one are of the reads that were answered', () => {
  const reads = [
    read(0, 3_000),
    read(0, 3_000, { port: PORTS['replica-2'] }),
    read(0, 3_000, { port: PORTS.primary }),
    read(0, 3_000, { port: PORTS.primary }),
    failedRead(3_000),
  ];
  expect(judged([reads])).toMatchObject({ onReplicas: 0.5, onFaulty: 0.25 });
});

test('beyond the budget is more than was allowed at that moment', () => {
  const budget = (inUse: number, limit: number): Event => ({ kind: 'budget', at: 0, inUse, limit });
  expect(judged([[budget(5, 5), budget(3, 2)]])).toMatchObject({ fallback: 5, overBudget: 1 });
});

describe('a pass line', () => {
  test('names what does not pass, and what was not measured', () => {
    const figures = judged([[wrote(1, 0)]]);
    expect(failuresOf(figures, { lost: { atMost: 0 }, writes: { atLeast: 1 } })).toEqual([
      'lost has to be at most 0, but is 1',
    ]);
    expect(failuresOf(figures, { measured: { conflicts: { atLeast: 1 } } })).toEqual([
      'conflicts has to be at least 1, but is undefined',
    ]);
  });

  test('does not take what is no number for a pass', () => {
    expect(failuresOf(judged([[]]), { ejectMs: { atMost: 50 } })).toEqual([
      'ejectMs has to be at most 50, but is Infinity',
    ]);
  });
});

test('the table is markdown, a row for each run', () => {
  const lines = tableOf([judged([[]]), { ...judged([[]]), subject: 'plain' }]).split('\n');
  expect(lines).toHaveLength(4);
  expect(new Set(lines.map(line => line.split('|').length)).size).toBe(1);
  expect(lines[3]).toContain('MikroORM');
});
