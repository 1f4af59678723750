import { deepStrictEqual, notStrictEqual, strictEqual, throws } from 'node:assert/strict';
import type { EntityClass } from '@mikro-orm/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Polymorphic } from '../../packages/result-cache/src/codec/polymorphic.ts';
import { createCodec } from '../../packages/result-cache/src/codec/values.ts';

/*
 * What is decoded is what was encoded, by node:assert's deepStrictEqual: prototypes, -0, undefined and holes count. What
 * could not be is refused.
 */

/** In place of MikroORM's, which codec-postgres.test.ts has. */
class Ref {
  readonly discriminator: string;
  id: unknown;

  constructor(discriminator: string, id: unknown) {
    this.discriminator = discriminator;
    this.id = id;
  }

  toTuple(): unknown[] {
    return [this.discriminator, this.id];
  }
}
class Post {}
class Comment {}
const classes = new Map<string, EntityClass>(
  [Post, Comment].map(target => [target.name, target as unknown as EntityClass]),
);
const polymorphic: Polymorphic = {
  isReference: (value): value is Ref => value instanceof Ref,
  makeReference: (discriminator, id) => new Ref(discriminator, id),
  nameOf: target => target.name,
  classOf: name => classes.get(name),
};
const codec = createCodec(polymorphic);

const MSGPACK = 1;
const LOSSLESS = 2;
const MARKED = 4;

function twice(value: unknown): readonly [format: number, first: unknown, second: unknown] {
  const encoded = codec.encode(value);
  if (encoded === undefined) {
    throw new Error('refused');
  }
  // As a store may give it: in the middle of something larger.
  const wide = new Uint8Array(encoded.bytes.length + 24).fill(0xa5);
  wide.set(encoded.bytes, 7);
  const bytes = wide.subarray(7, 7 + encoded.bytes.length);
  const first = codec.decode(encoded.format, bytes);
  const second = codec.decode(encoded.format, bytes);
  wide.fill(0);
  return [encoded.format, first, second];
}

function joined(properties: object, target: unknown): object {
  return Object.defineProperty({ ...properties }, 'constructor', {
    value: target,
    enumerable: false,
    configurable: true,
  });
}

function withProto(value: unknown): object {
  return Object.defineProperty({ a: 1 }, '__proto__', { value, enumerable: true, configurable: true, writable: true });
}

const same = { in: 'two places' };
const cycle: { self?: unknown } = {};
cycle.self = [cycle];
const holes: unknown[] = [];
holes[1] = undefined;
holes[3] = 3;
const vast: unknown[] = [];
vast[4_000_000_000] = 'last';
function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) {
    value = level % 2 === 0 ? [value] : { value };
  }
  return value;
}

describe('exactly', () => {
  test.for<readonly [name: string, value: unknown, format?: number]>([
    ['null', null],
    ['undefined', undefined],
    ['true', true],
    ['0', 0],
    ['-0', -0, LOSSLESS],
    ['-0 in a row', [{ a: 1 }, { a: -0 }], LOSSLESS],
    ['NaN', Number.NaN],
    ['Infinity', Infinity],
    ['-Infinity', -Infinity],
    [
      'numbers at the bounds of their sizes',
      [31, 32, 63, 64, 127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32],
    ],
    ['negative ones', [-1, -32, -33, -128, -129, -32_768, -32_769, -(2 ** 31), -(2 ** 31) - 1, -(2 ** 53)]],
    ['fractions', [0.1, 1.5e300, 5e-324, Number.MAX_VALUE, 2 ** 53]],
    ['bigint', [0n, 1n, -1n, 127n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 64n - 1n]],
    ['bigint beyond 64 bits', [2n ** 64n, -(2n ** 63n) - 1n, 2n ** 100_000n, -(2n ** 100_000n) + 1n]],
    ['empty string', ''],
    ['strings of all lengths', Array.from({ length: 300 }, (_, length) => 'x'.repeat(length))],
    ['strings of two, three and four bytes', ['é'.repeat(70), '€'.repeat(70), '😀'.repeat(70), '\0', '\u{10ffff}']],
    ['a long string', 'ä'.repeat(100_000)],
    ['a byte order mark', `\ufeff${'x'.repeat(100)}`, LOSSLESS],
    ['a byte order mark in a key', { [`\ufeff${'x'.repeat(100)}`]: 1 }, LOSSLESS],
    ['a lone surrogate', { a: '\ud800' }, LOSSLESS],
    ['a lone surrogate in a key', { '\udfff': 1 }, LOSSLESS],
    ['surrogates the wrong way round', '\udc00\ud800', LOSSLESS],
    ['Date', [new Date(0), new Date(1), new Date('2026-11-21T12:34:56.789Z'), new Date('1969-12-31T23:59:59.999Z')]],
    ['dates far away', [new Date(8.64e15), new Date(-8.64e15), new Date('0001-01-01'), new Date(2 ** 32 * 1000)]],
    ['invalid Date', new Date(Number.NaN)],
    ['Buffer', [Buffer.from('blob'), Buffer.alloc(0), Buffer.alloc(300, 1), Buffer.alloc(70_000, 2)]],
    ['Uint8Array', [new Uint8Array([1, 2]), new Uint8Array(), new Uint8Array(300), new Uint8Array(70_000)]],
    [
      'binary values in the lossless format',
      [-0, Buffer.from('blob'), new Uint8Array([1, 2, 3]), Buffer.alloc(0)],
      LOSSLESS,
    ],
    ['a property that is undefined', { a: undefined, b: null }],
    ['holes', holes, LOSSLESS],
    ['a vast array of holes', vast, LOSSLESS],
    ['undefined in an array', [undefined]],
    [
      'Map',
      new Map<unknown, unknown>([
        ['a', 1],
        [2, new Map()],
        [{ k: 1 }, new Date(5)],
      ]),
    ],
    ['Set', new Set<unknown>([1, 'a', { b: new Set([null]) }])],
    ['RegExp', [/a+\/b/giu, /(?:)/, /[é\n]/v]],
    ['own __proto__', withProto({ polluted: true }), LOSSLESS],
    ['own __proto__ of a row', [withProto(1), withProto(2)], LOSSLESS],
    [
      'names that objects have',
      { constructor: 'c', toString: 1, hasOwnProperty: 2, toJSON: 'j', valueOf: null, prototype: {} },
    ],
    ['a constructor of data', [{ constructor: null }, { constructor: undefined }, { constructor: { name: 'x' } }]],
    [
      'odd keys',
      { '': 1, ' ': 2, 'a.b': 3, '"': 4, '1': 5, '-1': 6, '\u2028': 7, 'a]:r(),[x': 8, [`k${'x'.repeat(300)}`]: 9 },
    ],
    ['rows', Array.from({ length: 40 }, (_, id) => ({ id, name: `n${id}`, at: new Date(id), tags: ['a', { id }] }))],
    [
      'more kinds of objects than there are records',
      Array.from({ length: 300 }, (_, n) => ({ [`k${n % 150}`]: n, n })),
    ],
    ['empty ones', [{}, [], {}, [], new Map(), new Set()]],
    ['wide', Object.fromEntries(Array.from({ length: 2000 }, (_, n) => [`key ${n}`, n]))],
    ['deep', nested(499)],
    ['the same twice', [same, [same]], LOSSLESS],
    ['a cycle', cycle, LOSSLESS],
    ['a reference', new Ref('post', 1), MSGPACK + MARKED],
    [
      'references of rows',
      [
        { on: new Ref('post', 1n), x: [new Ref('tag', ['a', 2])] },
        { on: null, x: [] },
      ],
      MSGPACK + MARKED,
    ],
    ['a reference beside -0', { on: new Ref('post', '1'), x: -0, '1': holes }, LOSSLESS + MARKED],
    ['a reference beside __proto__', { on: new Ref('post', '1'), x: withProto(3) }, LOSSLESS + MARKED],
    ['a joined row', [{ on: joined({ id: 1, in: joined({}, Comment) }, Post) }], MSGPACK + MARKED],
    ['a joined row with a reference', joined({ id: -0, of: new Ref('tag', 4) }, Post), LOSSLESS + MARKED],
  ])('%s', ([, value, format = MSGPACK]) => {
    const [used, first, second] = twice(value);
    deepStrictEqual(first, value);
    deepStrictEqual(second, value);
    strictEqual(used, format);
    if (typeof value === 'object' && value !== null) {
      notStrictEqual(first, value);
      notStrictEqual(second, first);
    }
  });

  test('identity within a value', () => {
    const [, first] = twice({ cycle, twice: [same, same] });
    const { cycle: decodedCycle, twice: decodedTwice } = first as { cycle: { self: unknown[] }; twice: unknown[] };
    strictEqual(decodedCycle.self[0], decodedCycle);
    strictEqual(decodedTwice[0], decodedTwice[1]);
  });

  test('the same joined row twice, and a reference in it', () => {
    const row = joined({ of: new Ref('tag', 4) }, Post);
    const value = [{ on: row }, { on: row }];
    const [, first] = twice(value);
    deepStrictEqual(first, value);
    const [one, two] = first as [{ on: object }, { on: object }];
    strictEqual(one.on, two.on);
    strictEqual(one.on.constructor, Post);
  });

  test('the class of a joined row stays hidden, and can be replaced as in the original', () => {
    const [, first] = twice(joined({ id: 1 }, Post));
    deepStrictEqual(Object.getOwnPropertyDescriptor(first, 'constructor'), {
      value: Post,
      enumerable: false,
      configurable: true,
      writable: false,
    });
  });

  test('a reference is one', () => {
    const [, first, second] = twice({ on: new Ref('post', [1, new Date(3)]) });
    const { on } = first as { on: Ref };
    expect(on).toBeInstanceOf(Ref);
    deepStrictEqual(on.toTuple(), ['post', [1, new Date(3)]]);
    notStrictEqual(on, (second as { on: Ref }).on);
  });

  test('an object without a prototype has one afterwards', () => {
    const [, first] = twice(Object.assign(Object.create(null), { a: 1 }));
    deepStrictEqual(first, { a: 1 });
  });

  test.for([MSGPACK, LOSSLESS])('binary values are copies, in format %d', format => {
    const value = { blob: Buffer.from('blob'), bytes: new Uint8Array([1, 2]), zero: format === LOSSLESS ? -0 : 0 };
    const { bytes, format: used } = codec.encode(value)!;
    strictEqual(used, format);
    const before = Buffer.from(bytes);
    const first = codec.decode(used, bytes) as typeof value;
    first.blob.fill(0);
    first.bytes.fill(0);
    expect(before.equals(bytes)).toBe(true);
    deepStrictEqual(codec.decode(used, bytes), value);
  });

  test('what was encoded before stays as it is', () => {
    const values = Array.from({ length: 200 }, (_, n) => ({ n, text: 'x'.repeat(n * 50) }));
    const encoded = values.map(value => codec.encode(value)!);
    codec.encode('large'.repeat(1_000_000));
    for (const [index, { format, bytes }] of encoded.entries()) {
      deepStrictEqual(codec.decode(format, bytes), values[index]);
    }
  });
});

describe('refused', () => {
  class Sub extends Date {}
  const extra = Object.assign([1, 2], { more: true });
  const extraForHole: unknown[] = Object.assign([], { more: true });
  extraForHole[1] = 2;
  const lastIndex = /a/g;
  lastIndex.lastIndex = 1;
  const ref = new Ref('post', 1);
  test.for<readonly [name: string, value: unknown]>([
    ['function', () => 1],
    ['symbol', Symbol('s')],
    ['class instance', new Post()],
    ['class instance in a row', [{ a: [new Post()] }]],
    ['Date of a subclass', new Sub()],
    ['Date with a property', Object.assign(new Date(), { tz: 'UTC' })],
    ['not really a Date', Object.create(Date.prototype)],
    ['not really a Map', Object.create(Map.prototype)],
    ['Error', new Error('e')],
    ['boxed', Object('s')],
    ['Promise', Promise.resolve(1)],
    ['WeakMap', new WeakMap()],
    ['URL', new URL('https://example.org')],
    ['other typed arrays', new Float32Array(2)],
    ['ArrayBuffer', new ArrayBuffer(2)],
    ['array of a subclass', new (class List extends Array {})()],
    ['array with a property', extra],
    ['array with a property for a hole', extraForHole],
    ['RegExp in use', lastIndex],
    ['symbol key', { [Symbol('raw')]: 1 }],
    ['hidden property', Object.defineProperty({}, 'x', { value: 1, enumerable: false })],
    ['hidden constructor that is no entity', joined({}, class Other {})],
    ['hidden constructor of the name of an entity', joined({}, { Post: class Post {} }.Post)],
    ['hidden constructor that is no class', joined({}, 'Post')],
    ['hidden constructor and another property', Object.defineProperty(joined({}, Post), 'x', { value: 1 })],
    ['the same reference twice', [ref, ref]],
    ['a reference in a Map', new Map([[1, new Ref('a', 1)]])],
    ['a joined row in a Set', new Set([joined({}, Post)])],
    ['a reference in a reference', new Ref('a', new Ref('b', 1))],
    ['a reference with more', Object.assign(new Ref('a', 1), { more: 1 })],
    ['too deep', nested(501)],
    ['endlessly deep', nested(100_000)],
  ])('%s', ([, value]) => {
    strictEqual(codec.encode(value), undefined);
    strictEqual(codec.encode([{ value: { inside: value } }]), undefined);
  });

  test('references and joined rows, of a codec that knows none', () => {
    const plain = createCodec();
    strictEqual(plain.encode({ on: new Ref('post', 1) }), undefined);
    strictEqual(plain.encode(joined({}, Post)), undefined);
    const { format, bytes } = codec.encode({ on: new Ref('post', 1) })!;
    throws(() => plain.decode(format, bytes));
  });

  test('a class that is not there when it is decoded', () => {
    const { format, bytes } = codec.encode(joined({}, Post))!;
    throws(() => createCodec({ ...polymorphic, classOf: () => undefined }).decode(format, bytes));
  });
});

const key = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom('a', 'b', '__proto__', 'constructor', 'toJSON', 'hasOwnProperty', '1', ''),
);
const { value: anything } = fc.letrec<{ value: unknown }>(tie => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    fc.string({ unit: 'binary' }),
    fc.string({ unit: 'binary-ascii', maxLength: 400 }),
    fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 90 }).map(units => String.fromCharCode(...units)),
    fc.double(),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.bigInt(),
    fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
    fc.date({ noInvalidDate: false }),
    fc.uint8Array(),
    fc.uint8Array().map(bytes => Buffer.from(bytes)),
    fc.constantFrom(null, undefined, true, false, -0),
    fc.array(tie('value'), { maxLength: 8 }),
    fc.sparseArray(tie('value'), { maxLength: 8 }),
    fc.array(fc.tuple(key, tie('value')), { maxLength: 8 }).map(entries => Object.fromEntries(entries)),
    fc
      .tuple(
        fc.uniqueArray(key, { maxLength: 5 }),
        fc.array(fc.array(tie('value'), { maxLength: 5 }), { maxLength: 9 }),
      )
      .map(([columns, rows]) => rows.map(row => Object.fromEntries(columns.map((column, n) => [column, row[n]])))),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 4 }).map(entries => new Map(entries)),
    fc.array(tie('value'), { maxLength: 4 }).map(items => new Set(items)),
    tie('value').map(id => new Ref('post', id)),
    tie('value').map(value => joined({ value }, Comment)),
    fc.constantFrom(/a/, /b/gi).map(({ source, flags }) => new RegExp(source, flags)),
    fc.constantFrom(new Post(), Symbol('s'), new Float64Array(1)),
  ),
}));

test('any value comes back, or is refused, and is not changed', () => {
  let refused = 0;
  const formats = new Set<number>();
  fc.assert(
    fc.property(fc.clone(anything, 2), ([value, untouched]) => {
      const encoded = codec.encode(value);
      deepStrictEqual(value, untouched);
      if (encoded === undefined) {
        refused++;
        return;
      }
      formats.add(encoded.format);
      const [, first, second] = twice(value);
      deepStrictEqual(first, untouched);
      deepStrictEqual(second, untouched);
    }),
    { numRuns: 5000 },
  );
  expect(refused).toBeGreaterThan(100);
  expect(refused).toBeLessThan(2500);
  deepStrictEqual(formats, new Set([MSGPACK, LOSSLESS, MSGPACK + MARKED, LOSSLESS + MARKED]));
});

describe('bytes of anyone', () => {
  test('are data, or an error, and change nothing else', () => {
    const samples = [
      [
        { id: 1, on: new Ref('post', 1), at: new Date(1), blob: Buffer.from('x'), big: 2n ** 70n, tags: ['a'] },
        joined({ a: 1 }, Post),
      ],
      [-0, { id: 1, on: new Ref('post', 1), map: new Map([[1, /a/]]) }, joined({ a: 1 }, Post)],
    ].map(value => codec.encode(value)!);
    const prototypes = [Object.prototype, Array.prototype, Ref.prototype, Post.prototype, Function.prototype];
    const before = prototypes.map(prototype => Reflect.ownKeys(prototype));
    fc.assert(
      fc.property(
        fc.constantFrom(...samples),
        fc.constantFrom(MSGPACK, MSGPACK + MARKED, 0, 3, 8, 255),
        fc.array(fc.tuple(fc.nat({ max: 400 }), fc.nat({ max: 255 })), { maxLength: 6 }),
        ({ format, bytes }, other, flips) => {
          const broken = Buffer.from(bytes);
          for (const [at, byte] of flips) {
            broken[at % broken.length] = byte;
          }
          for (const used of [format, other]) {
            try {
              codec.decode(used, broken);
            } catch {
              // As it should.
            }
          }
        },
      ),
      { numRuns: 3000 },
    );
    deepStrictEqual(
      prototypes.map(prototype => Reflect.ownKeys(prototype)),
      before,
    );
    deepStrictEqual(
      codec.decode(samples[0]!.format, samples[0]!.bytes),
      twice(codec.decode(samples[0]!.format, samples[0]!.bytes))[1],
    );
  });

  test.for<readonly [name: string, marks: unknown]>([
    ['through the prototype', [[['__proto__', 'polluted'], 'post', 1]]],
    ['onto the prototype', [[['__proto__'], 'Post']]],
    ['through a constructor', [[['constructor', 'prototype', 'polluted'], 'post', 1]]],
    ['through inherited properties', [[['list', 'push'], 'post', 1]]],
    ['to a place that is not there', [[['polluted'], 'post', 1]]],
    ['of a class that is none', [[['list'], 'Object']]],
    ['of a class that is inherited', [[['list'], 'constructor']]],
    ['on a number', [[['one'], 'Post']]],
    ['without a name', [[['list'], 1, 1]]],
    ['that are none', 'marks'],
    ['that are not lists', [1]],
  ])('a mark leads nowhere %s', ([, marks]) => {
    const { bytes } = codec.encode([{ list: [1], one: 1 }, marks])!;
    throws(() => codec.decode(MSGPACK + MARKED, bytes), TypeError);
    strictEqual(Reflect.get({}, 'polluted'), undefined);
  });

  test('a key __proto__ in records does not reach a prototype', () => {
    const { format, bytes } = codec.encode([{ xx_proto_x: { polluted: 1 } }, { xx_proto_x: { polluted: 1 } }])!;
    const text = Buffer.from(bytes).toString('latin1');
    const forged = Buffer.from(text.replace('\xaaxx_proto_x', '\xa9__proto__'), 'latin1');
    strictEqual(forged.length, bytes.length - 1);
    const decoded = codec.decode(format, forged) as object[];
    for (const row of decoded) {
      strictEqual(Object.getPrototypeOf(row), Object.prototype);
      strictEqual(Reflect.get(row, 'polluted'), undefined);
    }
    strictEqual(Reflect.get({}, 'polluted'), undefined);
  });
});
