import { raw } from '@mikro-orm/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createKeyOf, optionsKey } from '../../packages/batch-loader/src/batch-key.ts';
import { rawFragment } from '../../packages/batch-loader/src/seam/condition.ts';

const keyOf = createKeyOf(rawFragment);

/*
 * A value is generated as its description: lists of strings, of which JSON is injective. Equal descriptions are values a
 * query cannot tell apart, and each is built anew, so that identity never helps.
 */
interface Description extends ReadonlyArray<string | Description> {
  /** What kind of value; the rest says which. */
  readonly 0: string;
}

// What keys are punctuated with, what could pass for another kind of value, and halves of surrogate pairs.
const PIECES = [...'"\\\0|;:,#@[]{}()n01\u2028\ud83d \ude00é'.split(''), 'null', 'raw', 'set'];
const text = fc.array(fc.constantFrom(...PIECES), { maxLength: 3 }).map(pieces => pieces.join(''));

const numbers = fc.constantFrom(0, -0, 1, -1, 0.1, 1e21, 2 ** 53, NaN, Infinity, -Infinity);
const leaf: fc.Arbitrary<Description> = fc.oneof(
  text.map(it => ['string', it] as const),
  numbers.map(it => ['number', Object.is(it, -0) ? '-0' : String(it)] as const),
  fc.constantFrom('0', '1', '-1', '9007199254740993').map(it => ['bigint', it] as const),
  fc.constantFrom<Description>(['true'], ['false'], ['null'], ['undefined']),
  fc.constantFrom('NaN', '0', '1', '86400000').map(it => ['date', it] as const),
  fc
    .tuple(fc.constantFrom('a', 'a,i', '"', '\\/', '[|]'), fc.constantFrom('', 'i', 'gi', 'u'))
    .map(it => ['regexp', ...it] as const),
  fc.constantFrom('', '00', '0000', '2c', 'ff00').map(it => ['bytes', it] as const),
  text.map(it => ['symbol', it] as const),
);

const { value } = fc.letrec<{ value: Description }>(tie => {
  const items = fc.array(tie('value'), { maxLength: 3 });
  // A Set keeps one of two equal primitives, and 0 for -0.
  const members = fc
    .uniqueArray(tie('value'), { maxLength: 3, selector: it => JSON.stringify(it) })
    .map(list => list.filter(it => it[1] !== '-0'));
  const entries = fc.array(fc.tuple(text, tie('value')), { maxLength: 3 });
  return {
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      leaf,
      items.map(it => ['array', ...it] as const),
      members.map(it => ['set', ...it] as const),
      // As JavaScript keeps them: a repeated key once, and in objects whole numbers first.
      entries.map(it => ['map', ...[...new Map(it)].map(([key, of]) => ['entry', key, of] as const)] as const),
      entries.map(
        it =>
          [
            'object',
            ...Object.entries(Object.fromEntries(it)).map(([key, of]) => ['entry', key, of] as const),
          ] as const,
      ),
      fc.tuple(text, items).map(([sql, params]) => ['raw', sql, ...params] as const),
      fc.tuple(text, items, tie('value')).map(([sql, params, of]) => ['rawKey', ['raw', sql, ...params], of] as const),
    ),
  };
});

function build(description: Description): unknown {
  const kind = description[0];
  const parts = description.slice(1);
  const first = parts[0] as string;
  const rest = (from = 0): unknown[] => (parts.slice(from) as Description[]).map(it => build(it));
  switch (kind) {
    case 'string':
      return first;
    case 'number':
      return Number(first);
    case 'bigint':
      return BigInt(first);
    case 'date':
      return new Date(Number(first));
    case 'regexp':
      return new RegExp(first, parts[1] as string);
    case 'bytes':
      return Uint8Array.from(Buffer.from(first, 'hex'));
    case 'symbol':
      return Symbol.for(first);
    case 'array':
      return rest();
    case 'set':
      return new Set(rest());
    case 'map':
      return new Map(entriesOf(parts));
    case 'object':
      return Object.fromEntries(entriesOf(parts));
    case 'raw':
      return raw(first, rest(1));
    case 'rawKey': {
      const [key, of] = parts as [Description, Description];
      const fragment = build(key) as ReturnType<typeof raw>;
      return { [fragment as unknown as string]: build(of) };
    }
    default:
      return ({ true: true, false: false, null: null, undefined } as Record<string, unknown>)[kind];
  }
}

function entriesOf(parts: readonly (string | Description)[]): [string, unknown][] {
  return (parts as [kind: string, key: string, of: Description][]).map(([, key, of]) => [key, build(of)]);
}

describe('a key', () => {
  test('is the same for the same value built twice', () => {
    fc.assert(
      fc.property(value, it => {
        expect(keyOf(build(it))).toBe(keyOf(build(it)));
      }),
      { numRuns: 1_000 },
    );
  });

  test('tells different values apart, whatever they are made of', () => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 20, maxLength: 60, size: 'max' }), descriptions => {
        const known = new Map<string, string>();
        const collisions = descriptions.flatMap(it => {
          const key = keyOf(build(it));
          const description = JSON.stringify(it);
          const other = known.get(key) ?? description;
          known.set(key, description);
          return other === description ? [] : [{ key, other, description }];
        });
        expect(collisions).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  test('tells apart two lists of strings however they are cut', () => {
    fc.assert(
      fc.property(fc.array(text, { maxLength: 4 }), fc.array(text, { maxLength: 4 }), (left, right) => {
        expect(keyOf(left) === keyOf(right)).toBe(JSON.stringify(left) === JSON.stringify(right));
      }),
      { numRuns: 2_000 },
    );
  });
});

/** Values of which no two are the same to a query. */
const lookAlikes: Record<string, readonly unknown[]> = {
  'a number, a bigint and their texts': [1, 1n, '1', '1n', true, 'true', [1], ['1']],
  'zero and the sign of it': [0, -0, '0', '-0', 0n, false, null, '', []],
  'numbers that are none': [NaN, Infinity, -Infinity, 'NaN', 'Infinity', '-Infinity', null],
  'null, undefined, missing': [
    { a: null },
    { a: undefined },
    {},
    { a: 'null' },
    { a: 'undefined' },
    [null],
    [undefined],
    [],
  ],
  'a Date, its number and its text': [
    new Date(0),
    0,
    new Date(0).toISOString(),
    'date(0)',
    new Date(NaN),
    NaN,
    new Date(1),
  ],
  'a RegExp, its flags and its text': [/a/, /a/i, /a/iu, '/a/', 'a', new RegExp('a,i'), new RegExp('a","i')],
  'bytes, their numbers and their text': [
    Uint8Array.of(0),
    Uint8Array.of(0, 0),
    [0],
    [0, 0],
    '00',
    Uint8Array.of(),
    [],
  ],
  'an array and an object with its indexes': [['a'], { 0: 'a' }, new Set(['a']), new Map([[0, 'a']])],
  'a Map, its entries and an object of them': [new Map([['a', 1]]), [['a', 1]], { a: 1 }, new Set([['a', 1]])],
  nesting: [[[], []], [[[]]], [[]], [], {}, [{}], { a: {} }, { a: { a: {} } }],
  'orders of members, which an orderBy depends on': [
    { a: 1, b: 2 },
    { b: 2, a: 1 },
  ],
  'halves of surrogate pairs': ['\ud83d', '\ude00', '\ud83d\ude00', '\\ud83d', '\ufffd'],
  'a list and its text': [['a', 'b'], ['a","b'], ['a,b'], 'a,b', [['a'], 'b'], ['a', ['b']], '["a","b"]', '"a"', 'a'],
  'a name and the same with quotes': [{ a: 1 }, { '"a"': 1 }, { 'a":1,"b': 2 }, { a: 1, b: 2 }],
  'raw() and a text like it': [
    raw('a'),
    'a',
    'raw("a",[])',
    raw('a', [1]),
    raw('a', ['1']),
    raw('a', [1, 2]),
    raw('a,[1]'),
  ],
  'raw() as a key and a key like it': [
    { [raw('a')]: 1 },
    { a: 1 },
    { [raw('a', [1])]: 1 },
    { [raw('a', [2])]: 1 },
    { 'raw("a",[])': 1 },
  ],
  'registered symbols and their names': [Symbol.for('a'), 'a', '@"a"', Symbol.for('b'), Symbol.for('"a"')],
  'registered symbols as keys': [{ [Symbol.for('a')]: 1 }, { a: 1 }, { '@"a"': 1 }, { [Symbol.for('b')]: 1 }],
};

describe('keys tell apart', () => {
  test.each(Object.entries(lookAlikes))('%s', (_name, values) => {
    const keys = values.map(it => keyOf(it));
    expect(keys).toEqual([...new Set(keys)]);
  });
});

describe('what has no value to compare goes by identity:', () => {
  class Money {
    amount = 1;
  }
  const pairs: Record<string, () => WeakKey> = {
    functions: () => () => 1,
    'class instances': () => new Money(),
    'boxed primitives': () => Object(1) as WeakKey,
    AbortSignals: () => new AbortController().signal,
    'symbols that are not registered': () => Symbol('a'),
    classes: () => class {},
  };
  test.each(Object.entries(pairs))('%s', (_name, make) => {
    const [one, other] = [make(), make()];
    expect(keyOf(one)).toBe(keyOf(one));
    expect(keyOf({ a: [one] })).toBe(keyOf({ a: [one] }));
    expect(keyOf(one)).not.toBe(keyOf(other));
    expect([keyOf('#1'), keyOf('#2')]).not.toContain(keyOf(one));
  });

  test('a well-known symbol as a key', () => {
    expect(keyOf({ [Symbol.iterator]: 1 })).toBe(keyOf({ [Symbol.iterator]: 1 }));
    expect(keyOf({ [Symbol.iterator]: 1 })).not.toBe(keyOf({ [Symbol.hasInstance]: 1 }));
  });
});

describe('what a query cannot tell apart has one key:', () => {
  const twins: Record<string, readonly [unknown, unknown]> = {
    'an object without a prototype and a plain one': [Object.assign(Object.create(null) as object, { a: 1 }), { a: 1 }],
    'a Buffer and an Uint8Array': [Buffer.from([1, 2]), Uint8Array.of(1, 2)],
    'a part of a larger buffer and a copy of it': [Buffer.from([9, 1, 2, 9]).subarray(1, 3), Uint8Array.of(1, 2)],
    'a raw() key made twice': [{ [raw('lower(name)')]: 'a' }, { [raw('lower(name)')]: 'a' }],
    'a RegExp that was used and one that was not': [Object.assign(/a/g, { lastIndex: 1 }), /a/g],
  };
  test.each(Object.entries(twins))('%s', (_name, [left, right]) => {
    expect(keyOf(left)).toBe(keyOf(right));
  });
});

describe('optionsKey', () => {
  const key = (options: object, ...except: string[]): string => optionsKey(options, keyOf, new Set(except));

  test('is empty for no options', () => {
    expect(key({})).toBe('');
    expect(key({ where: undefined, limit: undefined })).toBe('');
  });

  test('passes over undefined, but not over null and not over what is false', () => {
    expect(key({ a: 1, b: undefined })).toBe(key({ a: 1 }));
    const keys = [{}, { a: null }, { a: false }, { a: 0 }, { a: '' }].map(it => key(it));
    expect(keys).toEqual([...new Set(keys)]);
  });

  test('passes over the members named, and only over those', () => {
    expect(key({ dataloader: true, a: 1, failHandler: () => new Error() }, 'dataloader', 'failHandler')).toBe(
      key({ a: 1 }),
    );
    expect(key({ a: { dataloader: true } }, 'dataloader')).not.toBe(key({ a: {} }, 'dataloader'));
    expect(key({ dataloader: true }, 'dataloader')).toBe('');
  });

  test('keeps the order of the members', () => {
    expect(key({ a: 1, b: 2 })).not.toBe(key({ b: 2, a: 1 }));
  });

  test('tells names and values apart', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(text, text), { maxLength: 3 }),
        fc.array(fc.tuple(text, text), { maxLength: 3 }),
        (left, right) => {
          const [one, other] = [Object.fromEntries(left), Object.fromEntries(right)];
          expect(key(one) === key(other)).toBe(
            JSON.stringify(Object.entries(one)) === JSON.stringify(Object.entries(other)),
          );
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
