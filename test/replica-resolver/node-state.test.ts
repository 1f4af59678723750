import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  initialHealth,
  type NodeEvent,
  type NodeHealth,
  type NodeSettings,
  rampOf,
  serves,
  step,
} from '../../packages/replica-resolver/src/node-state.ts';
import * as events from './tables/node-state.ts';

const { beat, coldBeat, drain, hard, missed, primaryBeat, shuttingDown, soft, STORIES, success } = events;

const settings: NodeSettings = {
  maxLag: 1000,
  slowStart: 30_000,
  backoff: attempt => Math.min(10_000, 250 * 2 ** attempt),
};

function after(...happened: readonly [at: number, event: NodeEvent][]): NodeHealth {
  return happened.reduce((health, [at, event]) => step(health, event, at, settings), initialHealth(0));
}

describe('states', () => {
  test.each(STORIES)('$name', ({ steps }) => {
    let health = initialHealth(0);
    const seen = steps.map(([at, event]) => [at, event, (health = step(health, event, at, settings)).state]);
    expect(seen).toEqual(steps);
  });

  test('only warming and up get reads', () => {
    const states = ['unknown', 'warming', 'up', 'lagging', 'suspect', 'down', 'draining'] as const;
    expect(states.filter(serves)).toEqual(['warming', 'up']);
    expect((['candidate-primary', 'primary', 'fenced'] as const).filter(serves)).toEqual([]);
  });

  test('a change says when and why', () => {
    expect(after([0, coldBeat(0)], [700, hard])).toMatchObject({ state: 'down', since: 700, why: 'ECONNREFUSED' });
    expect(after([0, coldBeat(0)], [700, beat(1234.5)])).toMatchObject({
      state: 'lagging',
      since: 700,
      why: '1235 ms behind, more than maxLag (1000 ms)',
    });
  });
});

describe('the share of faults', () => {
  /** `pattern`: x a soft fault, . a success; each followed by a beat, `every` ms apart. */
  function run(pattern: string, every: number): NodeHealth {
    let health = after([0, coldBeat(0)]);
    pattern.split('').forEach((it, index) => {
      health = step(health, it === 'x' ? soft : success, index * every, settings);
      health = step(health, beat(0), index * every, settings);
    });
    return health;
  }

  test.each([
    ['more than half of ten: down', 'xx.xx.xx.x', 100, 'down'],
    ['half of ten is not more than half', 'x..x.x.x.x', 100, 'up'],
    ['fewer than ten outcomes say nothing', '.xx.xx.xx', 100, 'up'],
    ['a success is not what brings it down', 'xx.xx.xx..', 100, 'up'],
    ['but the next fault is', 'xx.xx.xx..x', 100, 'down'],
    ['what is older than 10 s is forgotten', 'xx.xx.xx.x', 5001, 'up'],
    ['as long as 10 s have not passed it counts', 'xx.xx.xx.x', 1100, 'down'],
    ['successes before the first fault do not count', '....................xx.xx.xx.x', 100, 'down'],
  ])('%s: %s', (_, pattern, every, state) => {
    expect(run(pattern, every).state).toBe(state);
  });

  test('nothing is remembered when the last fault is older than 10 s', () => {
    const health = run('x.........', 1200);
    expect(health.outcomes).toBe(undefined);
    expect(step(health, success, 20_000, settings)).toBe(health);
  });
});

describe('slow start', () => {
  test.each([
    [0, 0.1],
    [10_000, 0.4],
    [15_000, 0.55],
    [30_000, 1],
    [90_000, 1],
  ])('%i ms after it began to warm its share is %d', (at, share) => {
    expect(rampOf(after([0, beat(0)]), at, settings)).toBeCloseTo(share, 10);
  });

  test('it goes on where a missed beat interrupted it', () => {
    const health = after([0, beat(0)], [10_000, missed], [10_100, beat(0)]);
    expect(rampOf(health, 15_000, settings)).toBeCloseTo(0.55, 10);
  });

  test('it begins anew after the node was down', () => {
    const health = after([0, beat(0)], [10_000, hard], [20_000, beat(0)]);
    expect(rampOf(health, 20_000, settings)).toBe(0.1);
  });

  test('there is none in other states, and none of 0 ms', () => {
    expect(rampOf(after([0, coldBeat(0)]), 0, settings)).toBe(1);
    expect(rampOf(after([0, beat(0)]), 0, { ...settings, slowStart: 0 })).toBe(1);
  });
});

describe('a node that is down', () => {
  test('is probed after a backoff that grows with each failed probe', () => {
    let health = after([0, coldBeat(0)], [1000, hard]);
    const waits = [health.probeAt - 1000];
    for (let probe = 0; probe < 7; probe++) {
      const at = health.probeAt;
      health = step(health, missed, at, settings);
      waits.push(health.probeAt - at);
    }
    expect(waits).toEqual([250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
  });

  test('begins with a short backoff when it was well for the length of slow start', () => {
    const well = after([0, beat(0)], [100, hard], [350, beat(0)], [30_350, beat(0)], [30_350, hard]);
    expect(well.probeAt - 30_350).toBe(250);
    const relapsed = after([0, beat(0)], [100, hard], [350, beat(0)], [30_349, hard]);
    expect(relapsed.probeAt - 30_349).toBe(500);
  });

  test('begins so after 10 s, where there is no slow start', () => {
    const abrupt = { ...settings, slowStart: 0 };
    const relapse = (at: number): number => {
      let health = step(initialHealth(0), hard, 0, abrupt);
      health = step(health, beat(0), 250, abrupt);
      return step(health, hard, at, abrupt).probeAt - at;
    };
    expect([relapse(10_249), relapse(10_250)]).toEqual([500, 250]);
  });

  test('and flaps changes its state no more often than the backoff lets it', () => {
    // It answers every probe and fails every statement: each 10 ms both.
    let health = after([0, coldBeat(0)]);
    let changes = 0;
    for (let at = 0; at < 120_000; at += 10) {
      for (const event of [hard, beat(0)]) {
        const next = step(health, event, at, settings);
        if (next.state !== health.state) changes++;
        health = next;
      }
    }
    // Backoffs of 0.25, 0.5, 1, 2, 4, 8 s are over after 16 s, then one in 10 s; two changes each.
    expect(changes).toBeGreaterThan(20);
    expect(changes).toBeLessThanOrEqual(2 * (6 + Math.ceil(104 / 10) + 1));
  });
});

describe('an event that changes nothing returns the same object', () => {
  const up = after([0, coldBeat(0)]);
  const down = after([0, coldBeat(0)], [1, hard]);
  const primary = after([0, primaryBeat], [0, { type: 'primary' }]);
  const draining = after([0, coldBeat(0)], [1, drain], [2, beat(0)]);
  const leaving = after([0, coldBeat(0)], [1, shuttingDown]);
  test.each<[string, NodeHealth, NodeEvent]>([
    ['success of up', up, success],
    ['beat of up', up, beat(0)],
    ['lag not known of up', up, beat()],
    ['beat of warming', after([0, beat(0)]), beat(0)],
    ['beat of lagging', after([0, beat(2000)]), beat(2000)],
    ['lag not known of unknown', initialHealth(0), beat()],
    ['hard fault of down', down, hard],
    ['early beat of down', down, beat(0)],
    ['beat of the primary', primary, primaryBeat],
    ['election of the primary', primary, { type: 'primary' }],
    ['drain of drained', draining, drain],
    ['beat of drained', draining, beat(0)],
    ['shutdown announced by the next connection', leaving, shuttingDown],
  ])('%s', (_, health, event) => {
    expect(step(health, event, 3, settings)).toBe(health);
  });
});

describe('whatever happens', () => {
  const anyEvent = fc.constantFrom<NodeEvent>(
    beat(0),
    beat(400),
    beat(2000),
    beat(),
    coldBeat(0),
    primaryBeat,
    missed,
    hard,
    soft,
    success,
    drain,
    events.undrain,
    shuttingDown,
    events.elected,
    events.fence,
    events.unfence,
  );
  const history = fc.array(fc.tuple(fc.constantFrom(0, 1, 100, 1000, 12_000), anyEvent), { maxLength: 40 });

  function replay(
    passed: readonly (readonly [number, NodeEvent])[],
    look: (...seen: [NodeHealth, NodeEvent, NodeHealth, number]) => void,
  ): void {
    let health = Object.freeze(initialHealth(0));
    let now = 0;
    for (const [wait, event] of passed) {
      now += wait;
      const next = Object.freeze(step(health, event, now, settings));
      look(health, event, next, now);
      health = next;
    }
  }

  test('a drained node does not serve, down has a probe ahead, and a new state has a new date', () => {
    fc.assert(
      fc.property(history, passed => {
        replay(passed, (before, event, health, now) => {
          if (health.drained) expect(serves(health.state), JSON.stringify(event)).toBe(false);
          if (health.state === 'down' && before.state !== 'down') expect(health.probeAt).toBeGreaterThan(now);
          if (health.state !== before.state) expect(health.since).toBe(now);
          else expect(health.since).toBe(before.since);
          expect(rampOf(health, now, settings)).toBeGreaterThanOrEqual(0.1);
        });
      }),
    );
  });

  test('only an election makes a primary, only a fence fences, and only unfence or an election ends that', () => {
    fc.assert(
      fc.property(history, passed => {
        replay(passed, (before, event, health) => {
          if (health.state === before.state) return;
          if (health.state === 'primary') expect(event.type).toBe('primary');
          if (health.state === 'fenced') expect(event.type).toBe('fence');
          if (before.state === 'fenced') expect(event.type).toMatch(/^(?:unfence|primary)$/);
        });
      }),
    );
  });

  test('a node that answers in time ends in use, unless somebody took it out', () => {
    fc.assert(
      fc.property(history, passed => {
        let last = initialHealth(0);
        let now = 0;
        replay(passed, (_before, _event, health, at) => {
          last = health;
          now = at;
        });
        for (let beats = 0; beats < 60; beats++) last = step(last, beat(0), (now += 1000), settings);
        if (last.state !== 'fenced') expect(last.state).toBe(last.drained ? 'draining' : 'up');
      }),
    );
  });
});
