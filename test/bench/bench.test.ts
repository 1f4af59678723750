import { describe, expect, it } from 'vitest';
import { choose, parseArguments } from './arguments.ts';
import { atLeast, atMost, type Bench } from './bench.ts';
import { interleave, median, prepared } from './interleave.ts';
import { figureText, table } from './table.ts';

describe('interleave', () => {
  it('measures in turns, each round beginning with another variant, and not the warm-up', async () => {
    const order: string[] = [];
    const { samples } = await interleave(
      { a: () => order.push('a'), b: () => order.push('b') },
      { repetitions: 3, warmup: 1 },
    );
    expect(order.join('')).toBe('abbaabba');
    expect(samples.a).toHaveLength(3);
  });

  it('gives the medians and their ratio, and does not time what is prepared', async () => {
    let clock = 0;
    const slow = [40, 20, 1000, 30, 10];
    const { medians, ratio } = await interleave(
      {
        slow: prepared(
          () => {
            clock += 5000;
            return slow.shift()!;
          },
          async ms => {
            await Promise.resolve();
            clock += ms;
          },
        ),
        fast: () => (clock += 10),
      },
      { repetitions: 5, warmup: 0, now: () => clock },
    );
    expect(medians).toEqual({ slow: 30, fast: 10 });
    expect(ratio('slow', 'fast')).toBe(3);
  });

  it('needs something to measure', async () => {
    await expect(interleave({ a: () => {} }, { repetitions: 0 })).rejects.toThrow(
      'repetitions is a whole number of at least 1, but got: 0',
    );
    expect(() => median([])).toThrow('A median needs at least one value, but got none.');
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });
});

describe('the command line', () => {
  const nothing = { run: () => ({ value: 1, unit: '×' }), bar: atMost(1, '×') };
  const benches: Bench[] = [
    {
      package: 'a',
      cases: [
        { name: 'one', ...nothing },
        { name: 'two', ...nothing },
      ],
    },
    { package: 'b', cases: [{ name: 'one more', ...nothing }] },
  ];
  const names = (...argv: string[]): string[] =>
    choose(benches, parseArguments(argv)).map(({ package: name, case: each }) => `${name} ${each.name}`);

  it('chooses by package and by a part of the name', () => {
    expect(names()).toEqual(['a one', 'a two', 'b one more']);
    expect(names('a', '--check')).toEqual(['a one', 'a two']);
    expect(names('--only', 'one')).toEqual(['a one', 'b one more']);
    expect(parseArguments(['a', '--json', 'x.json'])).toEqual({ package: 'a', json: 'x.json', check: false });
  });

  it.each([
    [['c'], 'The package is one that has benches (a, b), but got: c'],
    [['a', 'b'], 'At most one package can be named, but got: a, b.'],
    [['--chek'], "Unknown option '--chek'"],
    [['--json'], "Option '--json <value>' argument missing"],
    [
      ['--json', '/no/such/folder/x.json'],
      '--json names a file in a folder that exists, but got: /no/such/folder/x.json.',
    ],
    [['a', '--only', 'three'], "--only is a part of a case's name, but got: three. The cases are:\n  one\n  two"],
  ])('%j is refused', (argv, message) => {
    expect(() => names(...argv)).toThrow(message);
  });
});

describe('the table', () => {
  it('shows case, figure, bar and verdict', () => {
    const rows = [
      { package: 'a', case: 'one', figure: 1.1234, unit: '×', bar: '≤ 1.3 × find', verdict: 'met' },
      { package: 'a', case: 'another', bar: '≥ 10 ×', verdict: 'failed', error: 'Error: no' },
    ] as const;
    expect(table(rows)).toBe(
      [
        '| case    | figure | bar          |        |',
        '| ------- | ------ | ------------ | ------ |',
        '| one     | 1.12 × | ≤ 1.3 × find | met    |',
        '| another | –      | ≥ 10 ×       | failed |',
      ].join('\n'),
    );
  });

  it.each([
    [0, '0 ms'],
    [0.0012345, '0.00123 ms'],
    [12.345, '12.3 ms'],
    [8123.4, '8123 ms'],
  ])('shows %d as %s', (figure, text) => expect(figureText({ figure, unit: 'ms' })).toBe(text));

  it('has bars that include their limit', () => {
    expect([atMost(1.3, '×').isMet(1.3), atMost(1.3, '×').isMet(1.31)]).toEqual([true, false]);
    expect([atLeast(10, '×').isMet(10), atLeast(10, '×').isMet(9.9)]).toEqual([true, false]);
  });
});
