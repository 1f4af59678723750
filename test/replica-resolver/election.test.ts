import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Claim, elect, type Election } from '../../packages/replica-resolver/src/election.ts';

const primary = (node: string, timeline: number): Claim => ({ node, inRecovery: false, readOnly: false, timeline });
const replica = (node: string, timeline: number): Claim => ({ node, inRecovery: true, readOnly: false, timeline });
const readOnly = (node: string, timeline: number): Claim => ({ node, inRecovery: false, readOnly: true, timeline });

interface Row {
  readonly name: string;
  readonly claims: readonly Claim[];
  readonly current?: string;
  readonly highest?: number;
  readonly expected: Partial<Election>;
}

const ROWS: readonly Row[] = [
  { name: 'nobody answers', claims: [], expected: { primary: undefined, timeline: 0 } },
  { name: 'nobody answers: what was seen is not forgotten', claims: [], highest: 7, expected: { timeline: 7 } },
  {
    name: 'the one that takes writes',
    claims: [replica('a', 1), primary('b', 1), replica('c', 1)],
    expected: { primary: 'b', timeline: 1 },
  },
  { name: 'replicas only', claims: [replica('a', 1), replica('b', 1)], current: 'a', expected: { primary: undefined } },
  {
    name: 'after a failover the promoted one wins, and the old primary is fenced',
    claims: [primary('a', 1), primary('b', 2)],
    current: 'a',
    highest: 1,
    expected: { primary: 'b', timeline: 2, fenced: ['a'], splitBrain: [] },
  },
  {
    name: 'an old primary that is back before the new one has answered is fenced, not elected',
    claims: [primary('a', 1)],
    current: 'b',
    highest: 2,
    expected: { primary: undefined, timeline: 2, fenced: ['a'] },
  },
  {
    name: 'a replica on a newer timeline is proof of a promotion',
    claims: [primary('a', 1), replica('c', 2)],
    current: 'a',
    highest: 1,
    expected: { primary: undefined, timeline: 2, fenced: ['a'] },
  },
  {
    name: 'a replica on an older timeline is only behind',
    claims: [primary('a', 2), replica('c', 1)],
    expected: { primary: 'a', timeline: 2, fenced: [] },
  },
  {
    name: 'split brain: the current one stays',
    claims: [primary('b', 3), primary('a', 3)],
    current: 'b',
    expected: { primary: 'b', fenced: [], splitBrain: ['a', 'b'] },
  },
  {
    name: 'split brain without a current one: none, never guess',
    claims: [primary('b', 3), primary('a', 3)],
    expected: { primary: undefined, splitBrain: ['a', 'b'] },
  },
  {
    name: 'split brain of two others: none',
    claims: [primary('b', 3), primary('a', 3), primary('c', 2)],
    current: 'c',
    expected: { primary: undefined, fenced: ['c'], splitBrain: ['a', 'b'] },
  },
  {
    name: 'a server told twice is no split brain',
    claims: [primary('a', 3), primary('a', 3)],
    expected: { primary: 'a', splitBrain: [] },
  },
  {
    name: 'a read-only one is never elected',
    claims: [readOnly('a', 1)],
    current: 'a',
    expected: { primary: undefined, fenced: [] },
  },
  {
    name: 'a read-only one is no rival',
    claims: [readOnly('a', 1), primary('b', 1)],
    expected: { primary: 'b', splitBrain: [] },
  },
  {
    name: 'but one of a newer timeline still ends the older',
    claims: [readOnly('a', 2), primary('b', 1)],
    current: 'b',
    expected: { primary: undefined, timeline: 2, fenced: ['b'] },
  },
];

describe('who takes writes', () => {
  test.each(ROWS)('$name', ({ claims, current, highest, expected }) => {
    expect(elect(claims, current, highest ?? 0)).toMatchObject(expected);
  });
});

describe('whatever is claimed', () => {
  const claims = fc.uniqueArray(
    fc.record({
      node: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      inRecovery: fc.boolean(),
      readOnly: fc.boolean(),
      timeline: fc.integer({ min: 1, max: 4 }),
    }),
    { selector: claim => claim.node },
  );
  const current = fc.constantFrom(undefined, 'a', 'b', 'c');
  const highest = fc.integer({ min: 0, max: 4 });

  test('the order of claims does not matter', () => {
    const shuffled = claims.chain(it => fc.tuple(fc.constant(it), fc.shuffledSubarray(it, { minLength: it.length })));
    fc.assert(
      fc.property(shuffled, current, highest, ([one, other], was, seen) => {
        expect(elect(other, was, seen)).toEqual(elect(one, was, seen));
      }),
    );
  });

  test('the elected one may take writes, on the highest timeline that was ever seen', () => {
    fc.assert(
      fc.property(claims, current, highest, (all, was, seen) => {
        const result = elect(all, was, seen);
        expect(result.timeline).toBe(Math.max(seen, ...all.map(claim => claim.timeline)));
        if (result.primary === undefined) return;
        expect(all.find(claim => claim.node === result.primary)).toMatchObject({
          inRecovery: false,
          readOnly: false,
          timeline: result.timeline,
        });
      }),
    );
  });

  test('nobody is elected and fenced; with a rival only the current one is elected; without one it always is', () => {
    fc.assert(
      fc.property(claims, current, highest, (all, was, seen) => {
        const { primary: elected, fenced, splitBrain, timeline } = elect(all, was, seen);
        expect(fenced).not.toContain(elected);
        const able = all.filter(it => !it.inRecovery && !it.readOnly && it.timeline === timeline).map(it => it.node);
        if (able.length === 1) expect(elected).toBe(able[0]);
        if (able.length < 2) expect(splitBrain).toEqual([]);
        else {
          expect(splitBrain).toEqual(able.toSorted());
          expect(elected).toBe(able.find(it => it === was));
        }
      }),
    );
  });

  test('the same claims again change nothing', () => {
    fc.assert(
      fc.property(claims, current, highest, (all, was, seen) => {
        const once = elect(all, was, seen);
        expect(elect(all, once.primary, once.timeline)).toEqual(once);
      }),
    );
  });
});
