import type { EntityManager } from '@mikro-orm/core';
import { describeValue, Made, rawKey, rawValue } from './described.ts';
import { Code, ENTITIES as LIBRARY } from './library.ts';
import type { Random } from './random.ts';
import { POOLS, SAMPLES } from './samples.ts';

/*
 * Random conditions of one structure: what is chosen when a condition is made is the same for all that are drawn from it,
 * what is chosen when one is drawn is its values.
 */

/** One condition of the structure, with random values. */
export type Draw = (random: Random) => unknown;

export const entities = Object.fromEntries(
  [...LIBRARY, ...SAMPLES].map(entity => [entity.meta.className, entity]),
) as unknown as Record<string, never>;

/** The entity of this key: a reference of the fork. */
export function entityOf(name: string, key: unknown): Made {
  return new Made(`ref(${name}, ${describeValue(key)})`, (em: EntityManager) =>
    em.getReference(entities[name]!, key as never),
  );
}

const HOSTILE = [
  `'; drop table sample; --`,
  '$1',
  '?',
  '??',
  '\\?',
  '--',
  '/*',
  '\ud800',
  '😀',
  '{a,b}',
  'NULL',
  '',
  '\\',
  `'`,
  '"',
  '%',
  '\u0000',
  `E'\\n'`,
  '$$',
];
const ODD_NUMBERS = [-0, 0.1, 1e21, NaN, 2 ** 31, 2 ** 53, -1.5, Infinity, 1e-7];

type Pool = readonly unknown[];

const list = (pool: Pool, random: Random, most = 4): unknown[] =>
  Array.from({ length: random.int(most + 1) }, () => random.pick(pool));

/** A condition on a column: a shape of operators, drawn with values of the pool. */
function compared(property: string, pool: Pool, random: Random, ordered = true): Draw {
  const one = (r: Random): unknown => r.pick(pool);
  const kinds: (() => Draw)[] = [
    () => r => ({ [property]: one(r) }),
    () => r => ({ [property]: one(r) }),
    () => r => ({ [property]: { $eq: one(r) } }),
    () => r => ({ [property]: { $ne: one(r) } }),
    () => r => ({ [property]: { $in: list(pool, r) } }),
    () => r => ({ [property]: list(pool, r) }),
    () => r => ({ [property]: { $nin: list(pool, r) } }),
    () => () => ({ [property]: null }),
    () => () => ({ [property]: { $ne: null } }),
    () => r => ({ [property]: { $exists: r.chance(0.5) } }),
    () => r => ({ [property]: r.chance(0.2) ? null : one(r) }),
    () => r => ({ $not: { [property]: one(r) } }),
  ];
  if (ordered) {
    const operator = random.pick(['$gt', '$gte', '$lt', '$lte']);
    kinds.push(
      () => r => ({ [property]: { [operator]: one(r) } }),
      () => r => ({ [property]: { $gte: one(r), $lt: one(r) } }),
      () => r => ({ [property]: { [operator]: one(r), $ne: one(r) } }),
    );
  }
  return random.pick(kinds)();
}

/** As `compared`, but with now and then a value that another kind of column would hold, or none. */
function compared2(property: string, pool: Pool, odd: Pool, random: Random, ordered = true): Draw {
  return compared(property, random.chance(0.12) ? [...pool, ...odd] : pool, random, ordered);
}

function text(property: string, pool: readonly string[], random: Random): Draw {
  const part = (r: Random): string => {
    // By code unit: a pattern may end in half an emoji.
    return r.pick(pool).slice(0, 1 + r.int(3));
  };
  const kinds: (() => Draw)[] = [
    () => compared2(property, pool, HOSTILE, random),
    () => compared2(property, pool, HOSTILE, random),
    () => r => ({ [property]: { $like: `%${part(r)}%` } }),
    () => r => ({ [property]: { $ilike: `${part(r)}%` } }),
    () => r => ({ [property]: { $not: { $like: `${part(r)}%` } } }),
    // None that is no pattern: whether PostgreSQL comes to look at it depends on what else is asked, and in which order.
    () => r => ({ [property]: { $re: r.pick(['^p', 'n$', '\\?', `'`, 'a|b', '^\\$1$', '[[:alpha:]]+']) } }),
    () => r => ({ [property]: r.pick(PATTERNS) }),
    () => r => ({ [property]: rawValue('lower(?)', r.pick(pool)) }),
    () => r => ({ [rawKey(`lower(@."${property}")`)]: r.pick(pool).toLowerCase() }),
    () => r => ({ [rawKey(`length(@."${property}")`)]: { $gt: r.int(8) } }),
    () => r => ({ [rawKey(`@."${property}" || '\\?'`)]: `${r.pick(pool)}?` }),
  ];
  return random.pick(kinds)();
}

const PATTERNS = [/^p/i, /\?/, /^\$1$/, /un.er/, /'/].map(
  pattern => new Made(String(pattern), () => new RegExp(pattern)),
);

const words = ['a', 'b', '{a,b}', `it's`, 'NULL', '', '\\', '?', '"'];

type Make = (random: Random) => Draw;

const SAMPLE: readonly Make[] = [
  random =>
    compared(
      'id',
      Array.from({ length: 50 }, (_, id) => id),
      random,
    ),
  random =>
    compared(
      'id',
      Array.from({ length: 50 }, (_, id) => id),
      random,
    ),
  random => compared2('small', POOLS.small, [40_000, ...ODD_NUMBERS], random),
  random => compared2('whole', POOLS.whole, ODD_NUMBERS, random),
  random => compared2('whole', POOLS.whole, ['1', ' 2 ', '1.5', ...HOSTILE], random),
  random => compared2('indexed', POOLS.indexed, ODD_NUMBERS, random),
  random => compared('indexed', POOLS.indexed, random),
  random => compared2('big', POOLS.big, [2n ** 63n, -(2n ** 70n), 1, '1'], random),
  random => compared2('bigText', POOLS.bigText, [2n ** 63n, 1], random),
  random => compared2('exact', POOLS.exact, [1, 0.1, '1', '1e0', 'NaN', ...ODD_NUMBERS], random),
  random => compared2('price', POOLS.price, ODD_NUMBERS, random),
  random => compared2('real', POOLS.real, ODD_NUMBERS, random),
  random => compared2('double', POOLS.double, ODD_NUMBERS, random),
  random => compared('flag', [true, false], random, false),
  random => text('name', POOLS.name, random),
  random => text('name', POOLS.name, random),
  random => text('code', [...POOLS.code, 'ab  ', 'ab '], random),
  random => text('nick', [...POOLS.nick, 'ANN', 'bOb'], random),
  random => compared2('moment', POOLS.moment, [new Date(NaN), '2000-01-01', 0], random),
  random =>
    compared('momentText', [...POOLS.momentText, '2024-01-01 01:00:00.123457+01', '2024-06-01T12:00:00Z'], random),
  random => compared('local', POOLS.moment, random),
  random => compared2('day', POOLS.day, ['2024-02-30', 'today', new Date('2024-02-29T00:00:00Z')], random),
  random => compared('time', POOLS.time, random),
  random => compared2('uid', POOLS.uid, [POOLS.uid[1].toUpperCase(), 'no uuid'], random),
  random => compared('bytes', POOLS.bytes, random, false),
  random => compared('kind', POOLS.kind, random),
  random => compared2('mood', POOLS.mood, ['angry'], random),
  random => compared('length', POOLS.length, random),
  random => compared('nameLength', [0, 1, 4, 5, 13], random),
  random => {
    const value = (r: Random): unknown =>
      r.pick([1, 2, '1', `it's ?`, 'plain', true, ...(r.chance(0.1) ? HOSTILE : [])]);
    return random.pick<Draw>([
      r => ({ json: { a: value(r) } }),
      r => ({ json: { b: { c: value(r) } } }),
      r => ({ json: { b: { c: { $in: [value(r), value(r)] } } } }),
      r => ({ json: { a: { $gt: r.int(3) } } }),
      r => ({ json: { a: { $ne: value(r) } } }),
      r => ({ json: { [r.pick(['a', 'flag', `a'b`, 'b?'])]: value(r) } }),
      r => ({ json: { $contains: r.pick(POOLS.json) } }),
      r => ({ json: { $hasKey: r.pick(['a', 'b', '?']) } }),
      r => ({ json: { $hasSomeKeys: ['a', r.pick(['b', 'flag', `'`])] } }),
      r => ({ json: { $hasKeys: r.pick([['a'], ['a', 'b']]) } }),
      r => ({ json: r.pick(POOLS.json) }),
    ]);
  },
  random =>
    random.pick<Draw>([
      r => ({ words: { $contains: list(words, r, 2) } }),
      r => ({ words: { $overlap: list(words, r, 3) } }),
      r => ({ words: { $contained: [...list(words, r, 3), 'a'] } }),
      r => ({ words: r.pick(POOLS.words) }),
      r => ({ words: { $eq: r.pick(POOLS.words) } }),
      r => ({ words: { $ne: r.pick(POOLS.words) } }),
      r => ({ numbers: { $overlap: list([1, 2, 3], r, 2) } }),
      r => ({ numbers: { $contains: list([1, 2, 3], r, 2) } }),
      r => ({ [rawKey('cardinality(@.words)')]: { $gte: r.int(3) } }),
    ]),
  random =>
    compared(
      'shelf',
      ['A', `B'`, '?'].flatMap(a => [1, 2].map(n => [a, n])),
      random,
      false,
    ),
  random =>
    random.pick<Draw>([
      r => ({ shelf: { aisle: r.pick(POOLS.aisle), number: 1 + r.int(4) } }),
      r => ({ shelf: { aisle: r.pick(POOLS.aisle) } }),
      r => ({ shelf: { label: `shelf A${r.int(4)}` } }),
      r => ({ shelf: { number: { $gt: r.int(3) } } }),
      r => ({ shelf: entityOf('Shelf', [r.pick(POOLS.aisle), 1 + r.int(3)]) }),
      r => ({ parent: { name: r.pick(POOLS.name) } }),
      r => ({ parent: { indexed: { $gte: r.int(4) }, flag: r.chance(0.5) } }),
      r => ({ parent: 1 + r.int(4) }),
      r => ({ parent: { $in: [1 + r.int(4), 2] } }),
      r => ({ parent: entityOf('Sample', 1 + r.int(4)) }),
      r => ({ parent: { id: { $lt: r.int(4) } } }),
      r => ({ children: { indexed: r.int(5) } }),
      r => ({ children: { $some: { whole: { $gt: r.pick(POOLS.whole) } } } }),
      r => ({ children: { $none: { indexed: r.int(5) } } }),
      r => ({ children: { $every: { indexed: { $gte: r.int(3) } } } }),
      r => ({ labels: { name: `tag ${r.int(4)}` } }),
      r => ({ labels: 1 + r.int(7) }),
      r => ({ labels: { $in: [1 + r.int(7), 1 + r.int(7)] } }),
      r => ({ labels: { $some: { weight: r.int(3) } } }),
      r => ({ labels: { $none: { weight: { $lte: r.int(3) } } } }),
      r => ({ labels: { $size: r.int(3) } }),
      r => ({ labels: { $size: { $gte: r.int(3) } } }),
    ]),
  random => {
    const town = random.pick(['place', 'origin']);
    return random.pick<Draw>([
      r => ({ [town]: { town: r.pick(POOLS.town) } }),
      r => ({ [town]: { floor: { $gt: r.int(3) } } }),
      r => ({ [town]: { town: { $like: `${r.pick(['U', '?', 'K', `L'`])}%` }, floor: r.int(3) } }),
    ]);
  },
  () => r => ({ whole: rawValue('? + ?', r.int(3), r.int(3)) }),
  () => r => ({ [rawKey('@.small + @.indexed')]: { $lt: r.pick([0, 3, 1.5]) } }),
  () => r => ({ [rawKey('coalesce(@."indexed", 0)')]: r.int(5) }),
  () => r => ({ [rawKey("(@.json ->> 'a')")]: r.pick(['1', '2', '?']) }),
  () => r => ({ [rawKey("@.json \\? 'a'")]: r.chance(0.5) }),
  () => () => ({
    [rawKey("@.tenant = coalesce(nullif(current_setting('mikrokit.tenant', true), '')::int, @.tenant)")]: true,
  }),
  () => r => ({ name: undefined, indexed: r.int(5) }),
  () => () => ({}),
];

const codeOf = (random: Random): Made => {
  const code = `slip-${random.int(6)}`;
  return new Made(`new Code('${code}')`, () => new Code(code));
};
const n = (random: Random): number => random.int(9);
const BIG = 9_007_199_254_740_990n;

const BOOK: readonly Make[] = [
  random =>
    compared(
      'id',
      Array.from({ length: 26 }, (_, id) => id),
      random,
    ),
  random => text('title', ['Dune 1', 'dune 2', 'emma 1', 'emma 2', `it's $1 ? -- 4`], random),
  random => compared('pages', [50, 100, 150, 200, 400], random),
  random => compared('price', ['1.10', '50', '50.50', 20], random),
  random => compared('genre', ['novel', 'essay', 'poem'], random),
  random => compared('withdrawn', [true, false], random, false),
  random => compared('author', [1, 2, 3, 4, 5, 6, 7, 8], random, false),
  random => compared('editor', [1, 2, 3, 4, 5, 6, 7, 8], random, false),
  random =>
    compared(
      'publisher',
      [1, 2, 3].map(id => `00000000-0000-4000-8000-00000000000${id}`),
      random,
      false,
    ),
  random =>
    random.pick<Draw>([
      r => ({ author: entityOf('Author', 1 + n(r)) }),
      r => ({ author: { name: `author ${r.int(5)}` } }),
      r => ({ author: { mentor: { name: `author ${r.int(5)}` } } }),
      r => ({ author: { address: { city: `city ${r.int(2)}` } } }),
      r => ({ author: { books: { pages: { $gt: 50 * n(r) } } } }),
      r => ({ author: { tags: { name: `tag ${r.int(4)}` } } }),
      r => ({ publisher: { name: `house ${r.int(4)}` } }),
      r => ({ tags: { name: `tag ${r.int(4)}` } }),
      r => ({ tags: { $none: { weight: r.int(3) } } }),
      r => ({ tags: { $some: { weight: r.int(3) } } }),
      r => ({ tags: { $every: { weight: { $gt: r.int(3) } } } }),
      r => ({ tags: [1 + r.int(7), 1 + r.int(7)] }),
      r => ({ copies: { shelf: `shelf ${r.int(2)}` } }),
      r => ({ copies: { number: r.int(4) } }),
      r => ({ readers: { name: `person ${r.int(3)}` } }),
      r => ({ keywords: { $contains: [`k${r.int(3)}`] } }),
      r => ({ keywords: { $overlap: [`k${r.int(3)}`, 'k4'] } }),
      r => ({ meta: { shelf: r.int(3) } }),
      r => ({ meta: { mint: r.chance(0.5) } }),
      r => ({ published: { $gt: new Date(`2020-0${1 + r.int(9)}-10`) } }),
    ]),
];

const OTHERS: Readonly<Record<string, readonly Make[]>> = {
  Author: [
    random => compared('id', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], random),
    random => compared('name', ['author 1', 'author 2', 'author 3', 'none'], random),
    random => compared('mentor', [1, 2, 3], random, false),
    () => r => ({ address: { city: `city ${r.int(2)}` } }),
    () => r => ({ born: { $lt: `19${10 + n(r)}-12-31` } }),
    () => r => ({ books: { pages: { $gt: 50 * n(r) } } }),
    () => r => ({ friends: { name: `author ${r.int(5)}` } }),
    () => r => ({ profile: { motto: `motto ${n(r)}` } }),
    () => r => ({ tags: { $some: { weight: r.int(3) } } }),
  ],
  Copy: [
    random => compared('number', [1, 2, 3], random),
    random => compared('book', [1, 2, 3, 4, 5, 6, 7, 8], random, false),
    () => r => ({ book: 1 + r.int(20), number: 1 + r.int(3) }),
    () => r => ({ book: { $in: [1 + r.int(20), 2, 3] }, number: { $gte: r.int(3) } }),
    () => r => ({ book: { title: { $ilike: r.pick(['d%', 'e%', `it's%`]) } } }),
    () => r => ({ loans: { borrower: 1 + r.int(8) } }),
    () => r => entityOf('Copy', [1 + r.int(20), 1 + r.int(3)]),
    () => r => [1 + r.int(20), 1 + r.int(3)],
  ],
  Loan: [
    random =>
      compared(
        'id',
        Array.from({ length: 12 }, (_, i) => BIG + BigInt(i)),
        random,
      ),
    random => compared('borrower', [1, 2, 3, 4, 5, 6, 7, 8], random, false),
    () => r => ({ borrower: { name: `person ${r.int(3)}` } }),
    () => r => ({ day: new Date(`2024-03-0${1 + r.int(4)}T12:00:00.000Z`) }),
    () => r => ({ day: { weather: `weather ${r.int(2)}` } }),
    () => r => ({ slip: codeOf(r) }),
    () => r => ({ slip: { colour: `colour ${r.int(2)}` } }),
    () => r => ({ copy: { book: 1 + r.int(20), number: 1 + r.int(3) } }),
    () => r => ({ copy: [1 + r.int(20), 1 + r.int(3)] }),
    () => r => ({ copy: { shelf: `shelf ${r.int(2)}` } }),
    () => r => ({ copy: { book: { author: 1 + r.int(8) } } }),
  ],
  Person: [
    random => compared('id', [1, 2, 3, 4, 5, 6, 7, 8], random),
    random => compared('name', ['person 0', 'person 1', 'person 2'], random),
    () => r => ({ kind: r.pick(['student', 'teacher']) }),
    () => r => ({ loans: { copy: { number: 1 + r.int(3) } } }),
  ],
  Student: [
    random => compared('id', [1, 2, 3, 4, 5, 6, 7, 8], random),
    random => compared('school', ['school 0', 'school 1'], random),
  ],
  Animal: [
    random => compared('id', [1, 2, 3, 4, 5, 6], random),
    random => compared('name', ['animal 1', 'animal 2', 'animal 3'], random),
    () => r => ({ toys: { label: { $gt: `toy ${n(r)}` } } }),
  ],
  Dog: [
    random => compared('breed', ['breed 1', 'breed 3', 'breed 5'], random),
    random => compared('name', ['animal 1', 'animal 2', 'animal 3'], random),
  ],
  Toy: [
    random => compared('label', ['toy 1', 'toy 2', 'toy 3'], random),
    random => compared('animal', [1, 2, 3, 4, 5, 6], random, false),
    () => r => ({ animal: { name: `animal ${r.int(6)}` } }),
    () => r => ({ about: entityOf(r.pick(['Author', 'Book']), 1 + r.int(8)) }),
  ],
  Imprint: [
    () => r => ({ publisher: `P${r.int(4)}` }),
    () => r => ({ publisher: { name: `house ${r.int(4)}` } }),
    random => compared('label', ['imprint 1', 'imprint 2'], random),
  ],
  Shelf: [
    random => compared('aisle', POOLS.aisle, random),
    random => compared('number', POOLS.number, random),
    () => r => ({ aisle: r.pick(POOLS.aisle), number: r.pick(POOLS.number) }),
    () => r => ({
      $or: [
        { aisle: r.pick(POOLS.aisle), number: 1 },
        { aisle: r.pick(POOLS.aisle), number: 2 },
      ],
    }),
    () => r => ({ samples: { indexed: r.int(5) } }),
  ],
  Slip: [
    () => r => ({ code: codeOf(r) }),
    () => r => ({ code: { $in: [codeOf(r), codeOf(r)] } }),
    random => compared('colour', ['colour 0', 'colour 1'], random),
  ],
  Day: [
    random =>
      compared(
        'at',
        [1, 2, 3, 4].map(day => new Date(`2024-03-0${day}T12:00:00.000Z`)),
        random,
      ),
  ],
};

/** A structure of a condition on this entity. */
export function randomCondition(entity: string, random: Random): Draw {
  const leaves = entity === 'Sample' ? SAMPLE : entity === 'Book' ? BOOK : OTHERS[entity]!;
  const leaf = (): Draw => random.pick(leaves)(random);
  const form = random.next();
  if (form < 0.45) {
    return leaf();
  }
  const [one, other] = [leaf(), leaf()];
  if (form < 0.7) {
    return r => ({ $and: [asObject(one(r)), asObject(other(r))] });
  }
  if (form < 0.85) {
    return r => ({ ...asObject(one(r)), ...asObject(other(r)) });
  }
  if (form < 0.95) {
    return r => ({ $or: [asObject(one(r)), asObject(other(r))] });
  }
  return r => ({ $or: [asObject(one(r)), { $and: [asObject(other(r)), asObject(one(r))] }] });
}

/** A key by itself cannot stand within `$and`. */
function asObject(condition: unknown): object {
  return condition instanceof Made || Array.isArray(condition) ? {} : (condition as object);
}
