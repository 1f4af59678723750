import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ConditionedCall, type Statement, planStatements } from '../../packages/batch-loader/src/where-parts.ts';

interface Call extends ConditionedCall {
  readonly owner: { readonly name: string };
}

const owners = Array.from({ length: 6 }, (_, index) => ({ name: `owner ${index}` }));

/** `''` is no condition; conditions from `m` on can stand beside others. */
function call(owner: number, whereKey: string): Call {
  return { owner: owners[owner]!, where: whereKey === '' ? undefined : { key: whereKey }, whereKey };
}
const mergeable = (where: unknown): boolean => (where as { key: string }).key >= 'm';

const calls = fc.array(
  fc.tuple(fc.nat(owners.length - 1), fc.constantFrom('', 'a', 'b', 'm', 'n', 'o', 'p')).map(it => call(...it)),
  { maxLength: 40 },
);
const plan = (list: readonly Call[]): Statement<Call>[] => planStatements(list, mergeable);

/** A plan as `[['condition: owners', …], …]`. */
function shown(statements: readonly Statement<Call>[]): string[][] {
  return statements.map(parts =>
    parts.map(part => `${part.calls[0]!.whereKey}: ${part.calls.map(it => it.owner.name.slice(-1)).join(' ')}`),
  );
}

describe('for any calls', () => {
  const forAnyPlan = (check: (statements: Statement<Call>[], given: readonly Call[]) => void): void => {
    fc.assert(
      fc.property(calls, given => {
        check(plan(given), given);
      }),
      { numRuns: 500 },
    );
  };

  test('each is in exactly one part', () => {
    forAnyPlan((statements, given) => {
      const planned = statements.flat().flatMap(part => part.calls);
      expect(planned).toHaveLength(given.length);
      expect(new Set(planned)).toEqual(new Set(given));
    });
  });

  test('the calls of a part have one condition, the part has it too, and no other part has it', () => {
    forAnyPlan(statements => {
      const keys = statements.flat().map(part => [...new Set(part.calls.map(it => it.whereKey))]);
      expect(keys).toEqual([...new Set(keys.flat())].map(key => [key]));
      for (const part of statements.flat()) {
        expect(part.calls.map(it => it.where)).toContainEqual(part.where);
      }
    });
  });

  test('no owner is in two parts of a statement', () => {
    forAnyPlan(statements => {
      for (const parts of statements) {
        const perPart = parts.flatMap(part => [...new Set(part.calls.map(it => it.owner))]);
        expect(perPart).toEqual([...new Set(perPart)]);
      }
    });
  });

  test('no condition, and a condition that does not merge, are alone in their statements', () => {
    forAnyPlan(statements => {
      const wrong = statements.filter(
        parts => parts.length > 1 && parts.some(part => part.where === undefined || !mergeable(part.where)),
      );
      expect(shown(wrong)).toEqual([]);
    });
  });

  test('the order of the calls decides neither the parts nor who is in them', () => {
    const parts = (list: readonly Call[]): string[] =>
      plan(list)
        .flat()
        .map(
          part =>
            `${part.calls[0]!.whereKey}: ${part.calls
              .map(it => it.owner.name)
              .toSorted()
              .join()}`,
        )
        .toSorted();
    fc.assert(
      fc.property(
        calls.chain(list => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }))),
        ([list, shuffled]) => {
          expect(parts(shuffled)).toEqual(parts(list));
        },
      ),
    );
  });

  test('an empty statement is never planned', () => {
    forAnyPlan(statements => {
      expect(statements.filter(parts => parts.length === 0)).toEqual([]);
    });
  });
});

test('no calls are no statements', () => {
  expect(plan([])).toEqual([]);
});

test('equal conditions are one part, in the order of the calls', () => {
  expect(shown(plan([call(2, 'm'), call(0, 'm'), call(1, 'm')]))).toEqual([['m: 2 0 1']]);
});

test('different conditions of different owners share a statement', () => {
  expect(shown(plan([call(0, 'm'), call(1, 'n'), call(2, 'o')]))).toEqual([['m: 0', 'n: 1', 'o: 2']]);
});

test('different conditions of one owner do not', () => {
  expect(shown(plan([call(0, 'm'), call(0, 'n'), call(1, 'n'), call(2, 'o')]))).toEqual([['m: 0', 'o: 2'], ['n: 0 1']]);
});

test('one owner asking the same twice is one part with both calls', () => {
  expect(shown(plan([call(0, 'm'), call(1, 'n'), call(0, 'm')]))).toEqual([['m: 0 0', 'n: 1']]);
});

test('no condition, conditions that merge and those that do not', () => {
  expect(shown(plan([call(0, ''), call(1, 'm'), call(2, 'a'), call(3, 'n'), call(4, 'b'), call(5, '')]))).toEqual([
    [': 0 5'],
    ['m: 1', 'n: 3'],
    ['a: 2'],
    ['b: 4'],
  ]);
});

describe('5 000 different conditions', () => {
  const distinct = (owner: (index: number) => object): ConditionedCall[] =>
    Array.from({ length: 5_000 }, (_, index) => ({ owner: owner(index), where: index, whereKey: `k${index}` }));

  test('of as many owners are 50 statements of 100, in order', () => {
    const statements = planStatements(
      distinct(() => ({})),
      () => true,
    );
    expect(statements.map(parts => parts.length)).toEqual(Array.from({ length: 50 }, () => 100));
    expect(statements.flat().map(part => part.where)).toEqual(Array.from({ length: 5_000 }, (_, index) => index));
  });

  test('of one owner are a statement each', () => {
    const owner = {};
    const statements = planStatements(
      distinct(() => owner),
      () => true,
    );
    expect(statements.map(parts => parts.map(part => part.where))).toEqual(
      Array.from({ length: 5_000 }, (_, index) => [index]),
    );
  });

  test('of 50 owners are 100 statements of 50', () => {
    const fifty = Array.from({ length: 50 }, () => ({}));
    const statements = planStatements(
      distinct(index => fifty[index % 50]!),
      () => true,
    );
    expect(statements.map(parts => parts.length)).toEqual(Array.from({ length: 100 }, () => 50));
  });

  test('are each asked once whether they merge', () => {
    const asked: unknown[] = [];
    planStatements(
      distinct(() => ({})),
      where => asked.push(where) > 0,
    );
    expect(asked).toEqual(Array.from({ length: 5_000 }, (_, index) => index));
  });
});
