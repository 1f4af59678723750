import type { NodeEvent, NodeState } from '../../../packages/replica-resolver/src/node-state.ts';

/** What happens at a time (ms), and the state after it. */
export type Step = readonly [at: number, event: NodeEvent, state: NodeState];

export interface Story {
  readonly name: string;
  readonly steps: readonly Step[];
}

export const beat = (lag?: number): NodeEvent => ({ type: 'beat', role: 'replica', lag });
export const coldBeat = (lag?: number): NodeEvent => ({ type: 'beat', role: 'replica', lag, cold: true });
export const primaryBeat: NodeEvent = { type: 'beat', role: 'primary', lag: undefined };
export const missed: NodeEvent = { type: 'missed', why: 'not answered in time' };
export const hard: NodeEvent = { type: 'fault', severity: 'hard', why: 'ECONNREFUSED' };
export const soft: NodeEvent = { type: 'fault', severity: 'soft', why: 'ECONNRESET' };
export const success: NodeEvent = { type: 'success' };
export const drain: NodeEvent = { type: 'drain' };
export const undrain: NodeEvent = { type: 'undrain' };
export const shuttingDown: NodeEvent = { type: 'shutting-down', why: '57P01' };
export const elected: NodeEvent = { type: 'primary' };
export const fence: NodeEvent = { type: 'fence', why: 'of an old timeline' };
export const unfence: NodeEvent = { type: 'unfence' };

const up: Step = [0, coldBeat(0), 'up'];
const toPrimary: readonly Step[] = [
  [0, primaryBeat, 'candidate-primary'],
  [0, elected, 'primary'],
];

/** With maxLag 1000 ms, slowStart 30 s, backoff 250 ms · 2ⁿ up to 10 s. Every node begins as unknown. */
export const STORIES: readonly Story[] = [
  // Start
  {
    name: 'the first beat warms it, and it is up when slow start is over',
    steps: [
      [0, beat(5), 'warming'],
      [29_999, beat(5), 'warming'],
      [30_000, beat(5), 'up'],
    ],
  },
  { name: 'nodes that start together need no slow start', steps: [[0, coldBeat(5), 'up']] },
  {
    name: 'it is unknown while its lag is',
    steps: [
      [0, beat(), 'unknown'],
      [1000, coldBeat(), 'unknown'],
      [2000, beat(5), 'warming'],
    ],
  },
  { name: 'one that begins far behind lags', steps: [[0, coldBeat(1001), 'lagging']] },
  {
    name: 'one that never answers is down after two beats',
    steps: [
      [0, missed, 'unknown'],
      [1000, missed, 'down'],
    ],
  },
  {
    name: 'a beat between two missed ones makes the count begin anew',
    steps: [
      [0, missed, 'unknown'],
      [1000, beat(), 'unknown'],
      [2000, missed, 'unknown'],
      [3000, missed, 'down'],
    ],
  },
  {
    name: 'a success or a soft fault says nothing of an unknown one',
    steps: [
      [0, success, 'unknown'],
      [0, soft, 'unknown'],
      [0, soft, 'unknown'],
      [0, soft, 'unknown'],
    ],
  },

  // Lag
  { name: 'up lags above the limit, not at it', steps: [up, [1000, beat(1000), 'up'], [2000, beat(1001), 'lagging']] },
  {
    name: 'warming lags, too',
    steps: [
      [0, beat(0), 'warming'],
      [1000, beat(5000), 'lagging'],
    ],
  },
  {
    name: 'lagging is up after three beats in a row below half the limit',
    steps: [
      up,
      [1000, beat(2000), 'lagging'],
      [2000, beat(499), 'lagging'],
      [3000, beat(499), 'lagging'],
      [4000, beat(500), 'lagging'],
      [5000, beat(499), 'lagging'],
      [6000, beat(499), 'lagging'],
      [7000, beat(), 'lagging'],
      [8000, beat(499), 'lagging'],
      [9000, beat(499), 'lagging'],
      [10_000, beat(499), 'up'],
    ],
  },
  {
    name: 'a lag that is not known is not held against a node in use',
    steps: [up, [1000, beat(), 'up'], [2000, beat(), 'up']],
  },

  { name: 'one that begins at the limit does not lag', steps: [[0, beat(1000), 'warming']] },

  // Missed beats
  {
    name: 'one missed beat makes it suspect, and a beat what it was',
    steps: [up, [1000, missed, 'suspect'], [1100, beat(0), 'up'], [2000, missed, 'suspect'], [2100, beat(0), 'up']],
  },
  { name: 'two missed beats in a row: down', steps: [up, [1000, missed, 'suspect'], [1100, missed, 'down']] },
  {
    name: 'lagging becomes suspect and lagging again',
    steps: [up, [1000, beat(2000), 'lagging'], [2000, missed, 'suspect'], [2100, beat(100), 'lagging']],
  },
  {
    name: 'warming becomes suspect and goes on warming',
    steps: [
      [0, beat(0), 'warming'],
      [1000, missed, 'suspect'],
      [1100, beat(0), 'warming'],
      [30_000, beat(0), 'up'],
    ],
  },
  {
    name: 'a suspect one that answers late may lag by then',
    steps: [up, [1000, missed, 'suspect'], [1100, beat(9000), 'lagging']],
  },

  // Faults
  ...(['up', 'warming', 'lagging'] as const).map((state): Story => ({
    name: `a hard fault of ${state}: down at once`,
    steps: [
      [0, state === 'up' ? coldBeat(0) : beat(state === 'warming' ? 0 : 2000), state],
      [1, hard, 'down'],
    ],
  })),
  { name: 'a hard fault of an unknown one: down', steps: [[0, hard, 'down']] },
  {
    name: 'a soft fault makes it suspect, and a beat what it was',
    steps: [up, [1000, soft, 'suspect'], [1010, beat(0), 'up']],
  },
  {
    name: 'a suspect one is probed at once: when that fails, it is down',
    steps: [up, [1000, soft, 'suspect'], [1010, missed, 'down']],
  },
  {
    name: 'a success of a suspect one is not enough: a beat must tell',
    steps: [up, [1000, soft, 'suspect'], [1001, success, 'suspect'], [1010, beat(0), 'up']],
  },
  {
    name: 'three soft faults in a row: down',
    steps: [up, [1, soft, 'suspect'], [2, soft, 'suspect'], [3, soft, 'down']],
  },
  {
    name: 'beats do not excuse soft faults',
    steps: [up, [1, soft, 'suspect'], [2, beat(0), 'up'], [3, soft, 'suspect'], [4, beat(0), 'up'], [5, soft, 'down']],
  },
  {
    name: 'successes do',
    steps: [
      up,
      [1, soft, 'suspect'],
      [2, soft, 'suspect'],
      [3, success, 'suspect'],
      [4, soft, 'suspect'],
      [5, soft, 'suspect'],
    ],
  },

  // Down
  {
    name: 'down warms again by a beat, not before its probe is due',
    steps: [up, [1000, hard, 'down'], [1249, beat(0), 'down'], [1250, beat(0), 'warming']],
  },
  {
    name: 'down stays down while probes fail',
    steps: [
      up,
      [1000, hard, 'down'],
      [1250, missed, 'down'],
      [1750, missed, 'down'],
      [2749, beat(0), 'down'],
      [2750, beat(0), 'warming'],
    ],
  },
  {
    name: 'a user query is never the probe: a success does not bring it back',
    steps: [up, [1000, hard, 'down'], [5000, success, 'down']],
  },
  {
    name: 'statements that fail late change nothing',
    steps: [
      up,
      [1000, hard, 'down'],
      [1100, hard, 'down'],
      [1200, soft, 'down'],
      [1200, shuttingDown, 'down'],
      [1250, beat(0), 'warming'],
    ],
  },
  { name: 'down comes back lagging when it is', steps: [up, [1000, hard, 'down'], [2000, beat(9000), 'lagging']] },
  {
    name: 'down comes back unknown while its lag is',
    steps: [up, [1000, hard, 'down'], [2000, beat(), 'unknown'], [3000, beat(0), 'warming']],
  },
  {
    name: 'faults from before it was down do not count afterwards',
    steps: [
      up,
      [1, soft, 'suspect'],
      [2, soft, 'suspect'],
      [3, hard, 'down'],
      [1000, coldBeat(0), 'up'],
      [1001, soft, 'suspect'],
    ],
  },

  // Draining
  {
    name: 'drained by hand it stays so, whatever it answers, and warms when it is taken back',
    steps: [
      up,
      [1000, drain, 'draining'],
      [2000, beat(0), 'draining'],
      [60_000, beat(0), 'draining'],
      [60_001, soft, 'draining'],
      [61_000, undrain, 'warming'],
      [90_999, beat(0), 'warming'],
      [91_000, beat(0), 'up'],
    ],
  },
  { name: 'undrain without drain changes nothing', steps: [up, [1, undrain, 'up']] },
  {
    name: 'a drained one that dies is down, and draining when it is back',
    steps: [
      up,
      [0, drain, 'draining'],
      [1000, missed, 'draining'],
      [2000, missed, 'down'],
      [3000, beat(0), 'draining'],
      [4000, undrain, 'warming'],
    ],
  },
  {
    name: 'undrain does not raise the dead',
    steps: [up, [0, drain, 'draining'], [1000, hard, 'down'], [1001, undrain, 'down'], [2000, beat(0), 'warming']],
  },
  {
    name: 'drained while unknown it is unknown afterwards',
    steps: [
      [0, drain, 'draining'],
      [1, undrain, 'unknown'],
    ],
  },
  {
    name: 'drained while unknown, but probed meanwhile, it warms',
    steps: [
      [0, drain, 'draining'],
      [1, beat(0), 'draining'],
      [2, undrain, 'warming'],
    ],
  },
  {
    name: 'one that lags when it is taken back lags',
    steps: [up, [0, drain, 'draining'], [1, beat(3000), 'draining'], [2, undrain, 'lagging']],
  },
  {
    name: 'a server that shuts down drains, and is down with the first missed beat',
    steps: [up, [1000, shuttingDown, 'draining'], [1000, shuttingDown, 'draining'], [1500, missed, 'down']],
  },
  {
    name: 'one connection killed by hand says the same: two beats prove that the server is there',
    steps: [
      up,
      [1000, shuttingDown, 'draining'],
      [1100, beat(0), 'draining'],
      [2100, beat(0), 'up'],
      [3000, missed, 'suspect'],
    ],
  },
  {
    name: 'drained by hand while it shuts down, it stays drained',
    steps: [
      up,
      [0, shuttingDown, 'draining'],
      [0, drain, 'draining'],
      [1, beat(0), 'draining'],
      [2, beat(0), 'draining'],
      [3, undrain, 'warming'],
    ],
  },

  { name: 'taken back at once it warms all the same', steps: [up, [0, drain, 'draining'], [1, undrain, 'warming']] },
  {
    name: 'a beat missed while it was drained counts, until it answers',
    steps: [
      up,
      [0, drain, 'draining'],
      [1000, missed, 'draining'],
      [1001, undrain, 'warming'],
      [1002, beat(0), 'warming'],
      [2000, missed, 'suspect'],
    ],
  },
  {
    name: 'a beat missed while it was drained counts',
    steps: [up, [0, drain, 'draining'], [1000, missed, 'draining'], [1001, undrain, 'warming'], [2000, missed, 'down']],
  },
  {
    name: 'to undrain a server that shuts down does not stop it',
    steps: [up, [0, shuttingDown, 'draining'], [1, drain, 'draining'], [2, undrain, 'draining'], [3, missed, 'down']],
  },

  // Primary
  {
    name: 'a replica that takes writes is a candidate until it is elected',
    steps: [
      up,
      [1000, primaryBeat, 'candidate-primary'],
      [2000, primaryBeat, 'candidate-primary'],
      [2001, elected, 'primary'],
      [3000, primaryBeat, 'primary'],
    ],
  },
  {
    name: 'a candidate that is a replica after all warms',
    steps: [up, [1000, primaryBeat, 'candidate-primary'], [2000, beat(0), 'warming']],
  },
  { name: 'a demoted primary warms', steps: [...toPrimary, [1000, beat(0), 'warming']] },
  {
    name: 'a primary that misses one beat stays, with two it is down',
    steps: [
      ...toPrimary,
      [1000, missed, 'primary'],
      [2000, primaryBeat, 'primary'],
      [3000, missed, 'primary'],
      [4000, missed, 'down'],
    ],
  },
  { name: 'a hard fault of the primary: down', steps: [...toPrimary, [1000, hard, 'down']] },
  {
    name: 'soft faults do not unseat a primary',
    steps: [...toPrimary, [1, soft, 'primary'], [2, soft, 'primary'], [3, soft, 'primary'], [4, soft, 'primary']],
  },
  {
    name: 'a primary that shuts down is down with the first missed beat',
    steps: [...toPrimary, [1000, shuttingDown, 'primary'], [1100, missed, 'down']],
  },
  {
    name: 'a connection killed on the primary changes nothing after two beats',
    steps: [
      ...toPrimary,
      [1000, shuttingDown, 'primary'],
      [1100, primaryBeat, 'primary'],
      [2100, primaryBeat, 'primary'],
      [3100, missed, 'primary'],
    ],
  },
  {
    name: 'a failover does not wait for the backoff',
    steps: [up, [1000, hard, 'down'], [1001, primaryBeat, 'candidate-primary']],
  },
  {
    name: 'a drained replica can be promoted, and is drained when it is a replica again',
    steps: [
      up,
      [0, drain, 'draining'],
      [1000, primaryBeat, 'candidate-primary'],
      [1001, elected, 'primary'],
      [2000, beat(0), 'draining'],
      [3000, undrain, 'warming'],
    ],
  },

  // Fenced
  {
    name: 'fenced stays fenced until it is unfenced, and is unknown then',
    steps: [
      up,
      [0, fence, 'fenced'],
      [1, beat(0), 'fenced'],
      [2, primaryBeat, 'fenced'],
      [3, missed, 'fenced'],
      [4, hard, 'fenced'],
      [5, soft, 'fenced'],
      [6, shuttingDown, 'fenced'],
      [7, undrain, 'fenced'],
      [8, unfence, 'unknown'],
      [9, beat(0), 'warming'],
    ],
  },
  { name: 'an old primary is fenced', steps: [...toPrimary, [1, fence, 'fenced'], [2, primaryBeat, 'fenced']] },
  {
    name: 'a fenced one that is elected is a primary like any other',
    steps: [up, [0, fence, 'fenced'], [1, elected, 'primary'], [2, hard, 'down']],
  },
  { name: 'unfence without fence changes nothing', steps: [up, [1, unfence, 'up']] },
  {
    name: 'drained and fenced it is still drained when it is unfenced',
    steps: [up, [0, drain, 'draining'], [1, fence, 'fenced'], [2, unfence, 'unknown'], [3, beat(0), 'draining']],
  },
];
