import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Candidate, Selector, type Strategy } from '../../packages/replica-resolver/src/selection.ts';

function node(name: string, given: Partial<Candidate> = {}): Candidate {
  return { name, weight: 1, ramp: 1, rtt: 1, load: 0, zone: undefined, caughtUp: undefined, ...given };
}

/** mulberry32: the same numbers each time. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function selector(strategy: Strategy = 'p2c', given: { zone?: string; random?: () => number } = {}): Selector {
  return new Selector({ strategy, window: 15, zone: given.zone, random: given.random ?? seeded(1) });
}

/** Share of `count` picks that each gets. */
function shares(by: Selector, candidates: readonly Candidate[], count = 20_000): Record<string, number> {
  const picked: Record<string, number> = {};
  for (let left = count; left > 0; left--) {
    const { name } = by.pick(candidates)!;
    picked[name] = (picked[name] ?? 0) + 1 / count;
  }
  return picked;
}

const BUILT_IN = ['p2c', 'round-robin', 'random'] as const;

interface Row {
  readonly name: string;
  readonly candidates: readonly Candidate[];
  readonly zone?: string;
  /** All that may be picked: each of them is, in time. */
  readonly picked: string;
}

const ROWS: readonly Row[] = [
  { name: 'the only one, whatever it is', candidates: [node('a', { weight: 0, rtt: 900 })], picked: 'a' },
  { name: 'all that are alike', candidates: [node('a'), node('b'), node('c')], picked: 'abc' },
  {
    name: 'those known to be caught up first',
    candidates: [
      node('a', { caughtUp: false }),
      node('b'),
      node('c', { caughtUp: true }),
      node('d', { caughtUp: true }),
    ],
    picked: 'cd',
  },
  { name: 'all where none is', candidates: [node('a', { caughtUp: false }), node('b')], picked: 'ab' },
  {
    name: 'the own zone first',
    candidates: [node('a', { zone: 'west' }), node('b', { zone: 'east' }), node('c'), node('d', { zone: 'west' })],
    zone: 'west',
    picked: 'ad',
  },
  { name: 'all where none is in it', candidates: [node('a', { zone: 'east' }), node('b')], zone: 'west', picked: 'ab' },
  {
    name: 'zones do not matter without an own one',
    candidates: [node('a', { zone: 'east' }), node('b')],
    picked: 'ab',
  },
  {
    name: 'caught up before the own zone',
    candidates: [node('a', { zone: 'west' }), node('b', { zone: 'east', caughtUp: true })],
    zone: 'west',
    picked: 'b',
  },
  {
    name: 'the own zone before the shortest round trip',
    candidates: [node('a', { zone: 'west', rtt: 80 }), node('b', { zone: 'east', rtt: 1 })],
    zone: 'west',
    picked: 'a',
  },
  {
    name: 'a node with 500 ms more round trip gets nothing',
    candidates: [node('a', { rtt: 501 }), node('b'), node('c')],
    picked: 'bc',
  },
  {
    name: 'within 15 ms of the shortest',
    candidates: [node('a', { rtt: 16 }), node('b', { rtt: 16.1 }), node('c')],
    picked: 'ac',
  },
  {
    name: 'a round trip that is not known counts as within',
    candidates: [node('a', { rtt: undefined }), node('b', { rtt: 5 }), node('c', { rtt: 50 })],
    picked: 'ab',
  },
  { name: 'weight 0 gets nothing', candidates: [node('a', { weight: 0 }), node('b'), node('c')], picked: 'bc' },
  {
    name: 'weight 0 gets nothing, though it is the only one caught up and in the own zone',
    candidates: [node('a', { weight: 0, caughtUp: true, zone: 'west' }), node('b'), node('c')],
    zone: 'west',
    picked: 'bc',
  },
  {
    name: 'weight 0 where there is nothing else',
    candidates: [node('a', { weight: 0 }), node('b', { weight: 0 })],
    picked: 'ab',
  },
];

describe.each(BUILT_IN)('%s: who may be picked', strategy => {
  test.each(ROWS)('$name', ({ candidates, zone, picked }) => {
    const by = selector(strategy, zone === undefined ? {} : { zone });
    expect(
      Object.keys(shares(by, candidates, 200))
        .toSorted()
        .join(''),
    ).toBe(picked);
  });

  test('nobody of none', () => {
    expect(selector(strategy).pick([])).toBe(undefined);
  });

  test('the caller gets its own object back', () => {
    const own = [
      { ...node('a'), pool: 1 },
      { ...node('b'), pool: 2 },
    ];
    const picked = selector(strategy).pick(own);
    expect(own.some(it => it === picked)).toBe(true);
    expect(picked?.pool).toBeGreaterThan(0);
  });
});

describe('shares', () => {
  test.each(BUILT_IN)('%s: by weight × ramp where loads are equal', strategy => {
    const found = shares(selector(strategy), [
      node('a', { weight: 5 }),
      node('b', { weight: 3 }),
      node('c', { weight: 20, ramp: 0.1 }),
    ]);
    expect(found['a']).toBeCloseTo(0.5, 1.7);
    expect(found['b']).toBeCloseTo(0.3, 1.7);
    expect(found['c']).toBeCloseTo(0.2, 1.7);
  });

  test('p2c: of two the one with less to do, always', () => {
    expect(shares(selector(), [node('a', { load: 3 }), node('b', { load: 2 })])).toEqual({ b: expect.closeTo(1, 5) });
  });

  test('p2c: what a node has to do is measured by its weight', () => {
    // (5 + 1) / 4 < (1 + 1) / 1
    expect(Object.keys(shares(selector(), [node('a', { load: 5, weight: 4 }), node('b', { load: 1 })]))).toEqual(['a']);
    // (8 + 1) / 4 > (1 + 1) / 1
    expect(Object.keys(shares(selector(), [node('a', { load: 8, weight: 4 }), node('b', { load: 1 })]))).toEqual(['b']);
  });

  test('p2c: the most loaded of all gets nothing, the least loaded the most, but not everything', () => {
    const found = shares(selector(), [node('a', { load: 9 }), node('b', { load: 4 }), node('c', { load: 0 })]);
    // Of the three pairs two have c in them, and the third has b.
    expect(found).toEqual({ c: expect.closeTo(2 / 3, 1.7), b: expect.closeTo(1 / 3, 1.7) });
  });

  test('p2c: a node that is three times as slow gets a third', () => {
    // Each tick brings two reads; one takes 4 ticks, on the slow node 12.
    const random = seeded(3);
    const by = selector('p2c', { random });
    const ends: Record<string, number[]> = { a: [], b: [], slow: [] };
    const reads: Record<string, number> = { a: 0, b: 0, slow: 0 };
    for (let tick = 0; tick < 20_000; tick++) {
      for (const name of Object.keys(ends)) ends[name] = ends[name]!.filter(end => end > tick);
      for (let read = 0; read < 2; read++) {
        const { name } = by.pick(Object.keys(ends).map(it => node(it, { load: ends[it]!.length })))!;
        ends[name]!.push(tick + (name === 'slow' ? 12 : 4));
        reads[name]!++;
      }
    }
    expect(reads['slow']! / reads['a']!).toBeGreaterThan(0.2);
    expect(reads['slow']! / reads['a']!).toBeLessThan(0.6);
    expect(reads['a']! / reads['b']!).toBeCloseTo(1, 1);
  });

  test('round-robin: in turn, and evenly spread (nginx: a a b a c a a)', () => {
    const by = selector('round-robin');
    const candidates = [node('a', { weight: 5 }), node('b'), node('c')];
    const order = Array.from({ length: 14 }, () => by.pick(candidates)!.name).join('');
    expect(order).toBe('aabacaaaabacaa');
  });

  test('round-robin: turns are kept while others have theirs, but not of names without end', () => {
    const next = (pairs: number): string => {
      const by = selector('round-robin');
      by.pick([node('a'), node('b')]);
      for (let pair = 0; pair < pairs; pair++) by.pick([node(`pod-${pair}`), node(`other-pod-${pair}`)]);
      return by.pick([node('a'), node('b')])!.name;
    };
    expect(next(100)).toBe('b');
    expect(next(200)).toBe('a');
  });
});

describe('a strategy of the application', () => {
  const a = node('a', { load: 7, rtt: 3 });
  const b = node('b', { load: 1 });

  test('is asked, with those that are left', () => {
    const asked: string[][] = [];
    const by = selector(candidates => {
      asked.push(candidates.map(it => it.name));
      return candidates.toSorted((one, other) => other.load - one.load)[0];
    });
    expect(by.pick([a, b, node('far', { rtt: 600 })])).toBe(a);
    expect(asked).toEqual([['a', 'b']]);
  });

  test.each<[string, Strategy]>([
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ],
    ['returns nothing', () => undefined],
    ['returns another', () => node('a')],
    ['returns a promise', (async () => a) as unknown as Strategy],
  ])('that %s is replaced by p2c', (_, strategy) => {
    expect(selector(strategy).pick([a, b])).toBe(b);
  });

  test('cannot spoil the array of the caller', () => {
    const own = [a, b];
    selector(candidates => (candidates as Candidate[]).pop()).pick(own);
    expect(own).toEqual([a, b]);
  });
});

test('whatever the candidates and the random numbers, one of them is picked', () => {
  const candidate = fc.record({
    name: fc.constantFrom('a', 'b', 'c', 'd'),
    weight: fc.constantFrom(0, 0.5, 1, 100),
    ramp: fc.constantFrom(0, 0.1, 1),
    rtt: fc.constantFrom(undefined, 0, 1, 20, 500),
    load: fc.nat({ max: 20 }),
    zone: fc.constantFrom(undefined, 'west', 'east'),
    caughtUp: fc.constantFrom(undefined, true, false),
  });
  fc.assert(
    fc.property(
      fc.uniqueArray(candidate, { minLength: 1, selector: it => it.name }),
      fc.constantFrom(...BUILT_IN),
      fc.constantFrom(undefined, 'west'),
      fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
      (candidates, strategy, zone, numbers) => {
        const by = new Selector({ strategy, window: 15, zone, random: () => numbers.next().value as number });
        const picked = by.pick(candidates);
        expect(candidates).toContain(picked);
        const weighs = (it: Candidate): boolean => it.weight * it.ramp > 0;
        if (candidates.some(weighs)) expect(weighs(picked!)).toBe(true);
      },
    ),
  );
});
