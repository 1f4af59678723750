import { type Draw, randomCondition } from './random-conditions.ts';
import { describeValue, rawKey } from './described.ts';
import type { Random } from './random.ts';

/*
 * Random reads of `batch(em)`. A template is a structure, from which reads with different values are drawn: those are what
 * merges.
 */

export type Method = 'find' | 'findOne' | 'findOneOrFail' | 'count' | 'exists' | 'sum' | 'avg' | 'min' | 'max';

export interface Read {
  readonly method: Method;
  readonly entity: string;
  readonly where: unknown;
  readonly options: Record<string, unknown>;
  readonly property?: string;
  readonly shown: ShownRead;
}

/** What of the answer is compared: what was asked for, in order where there is one. */
export interface ShownRead {
  readonly ordered: boolean;
  readonly fields: readonly string[] | undefined;
  readonly exclude: readonly string[] | undefined;
  readonly populate: readonly string[];
}

export interface Template {
  readonly entity: string;
  readonly method: Method;
  /**
   * Whether its entities show that it was this read that found them (a collection with a condition): on one fork, no other
   * read of entities can then be told apart from it.
   */
  readonly exclusive: boolean;
  /** Whether it reads entities in part, which MikroORM then takes for populated. */
  readonly partial: boolean;
  readonly populating: boolean;
  /** Whether PostgreSQL may refuse one of its reads, by a cast that fails for some rows, in an order of its choice. */
  readonly casts: boolean;
  draw(random: Random): Read;
}

interface Kind {
  readonly share: number;
  readonly keys: readonly string[];
  readonly orders: readonly object[];
  /** To-one relations and collections to populate. */
  readonly toOne?: readonly string[];
  readonly toMany?: readonly string[];
  readonly fields?: readonly string[];
  readonly numbers?: readonly string[];
  readonly comparable?: readonly string[];
  readonly filters?: readonly Record<string, unknown>[];
  /** Conditions for `populateWhere` and `populateFilter`. */
  readonly narrowed?: readonly object[];
}

const KINDS: Readonly<Record<string, Kind>> = {
  Sample: {
    share: 10,
    keys: ['id'],
    orders: [
      { indexed: 'asc' },
      { name: 'desc' },
      { whole: 'asc nulls first', name: 'desc nulls last' },
      { exact: 'desc' },
      { shelf: { label: 'desc' } },
      { parent: { name: 'asc' } },
      { [rawKey('length(@.name)')]: 'asc' },
      { [rawKey('@.small + @.indexed')]: 'desc' },
      { nick: 'asc', code: 'desc' },
      { json: { a: 'asc' } },
    ],
    toOne: ['shelf', 'parent'],
    toMany: ['children', 'labels'],
    fields: [
      'name',
      'whole',
      'big',
      'json',
      'words',
      'bytes',
      'length',
      'place',
      'origin',
      'moment',
      'shelf',
      'nameLength',
    ],
    numbers: ['small', 'whole', 'indexed', 'big', 'bigText', 'exact', 'price', 'real', 'double'],
    comparable: [
      'small',
      'whole',
      'big',
      'bigText',
      'exact',
      'price',
      'real',
      'name',
      'moment',
      'day',
      'time',
      'momentText',
      'length',
      'code',
    ],
    filters: [
      { filters: false },
      { filters: { tenant: false } },
      { filters: { least: { whole: 1 } } },
      { filters: { tenant: { tenant: 2 } } },
      { filters: ['tenant'] },
    ],
    narrowed: [{ labels: { weight: 1 } }, { children: { indexed: { $gt: 1 } } }],
  },
  Book: {
    share: 6,
    keys: ['id'],
    orders: [
      { title: 'asc' },
      { pages: 'desc' },
      { author: { name: 'asc' } },
      { publisher: { name: 'desc' }, pages: 'asc' },
    ],
    toOne: ['author', 'editor', 'publisher'],
    toMany: ['tags', 'copies', 'readers'],
    fields: ['title', 'pages', 'author', 'price', 'keywords', 'meta'],
    numbers: ['pages', 'price'],
    comparable: ['title', 'pages', 'price', 'published', 'genre'],
    filters: [{ filters: false }, { filters: { available: false } }, { filters: { atLeast: { pages: 150 } } }],
    narrowed: [{ tags: { weight: 1 } }, { copies: { shelf: 'shelf 1' } }],
  },
  Author: {
    share: 3,
    keys: ['id'],
    orders: [{ name: 'desc' }, { address: { city: 'asc' } }, { mentor: { name: 'asc' } }],
    toOne: ['mentor'],
    toMany: ['books', 'tags', 'friends', 'ranking', 'pupils'],
    fields: ['name', 'born', 'address', 'mentor'],
    numbers: ['id'],
    comparable: ['name', 'born'],
    narrowed: [{ books: { pages: { $gt: 150 } } }, { friends: { name: 'author 1' } }],
  },
  Copy: {
    share: 3,
    keys: ['book', 'number'],
    orders: [{ shelf: 'asc' }, { number: 'desc' }],
    toOne: ['book'],
    toMany: ['loans', 'marks'],
    fields: ['shelf'],
    numbers: ['number'],
    comparable: ['shelf'],
    filters: [{ filters: false }],
  },
  Loan: {
    share: 3,
    keys: ['id'],
    orders: [{ borrower: { name: 'asc' } }, { day: { weather: 'desc' } }],
    // Not `day`: by a key that is a Date, MikroORM makes an entity anew, whose reference another read has not loaded.
    toOne: ['copy', 'borrower', 'slip'],
    fields: ['copy', 'borrower'],
    numbers: ['id'],
    comparable: ['id'],
    filters: [{ filters: false }],
  },
  Person: {
    share: 2,
    keys: ['id'],
    orders: [{ name: 'asc' }],
    toMany: ['loans'],
    numbers: ['id'],
    comparable: ['name'],
  },
  Student: { share: 1, keys: ['id'], orders: [{ school: 'desc' }], comparable: ['school'] },
  Animal: { share: 1.5, keys: ['id'], orders: [{ name: 'desc' }], toMany: ['toys'], comparable: ['name'] },
  Dog: { share: 1, keys: ['id'], orders: [{ breed: 'asc' }, { name: 'asc' }], comparable: ['breed'] },
  Toy: {
    share: 1.5,
    keys: ['id'],
    orders: [{ label: 'desc' }, { animal: { name: 'asc' } }],
    toOne: ['animal', 'about'],
  },
  Imprint: { share: 1, keys: ['id'], orders: [{ label: 'asc' }], toOne: ['publisher'] },
  Shelf: { share: 2, keys: ['aisle', 'number'], orders: [{ label: 'desc' }], toMany: ['samples'], numbers: ['number'] },
  Slip: { share: 1, keys: ['code'], orders: [{ colour: 'asc' }], toMany: ['loans'] },
  Day: { share: 1, keys: ['at'], orders: [{ weather: 'asc' }], toMany: ['loans'] },
};

const NAMES = Object.entries(KINDS).flatMap(([name, { share }]) => Array.from({ length: share * 2 }, () => name));

/** How many reads are drawn from one template: few enough that the same are met again, in other windows. */
const DRAWN = 10;

export function randomTemplate(random: Random): Template {
  const { draw, ...template } = freshTemplate(random);
  const drawn = Array.from({ length: DRAWN }, () => draw(random));
  const casts = drawn.some(({ where }) => CAST.test(describeValue(where)));
  return { ...template, casts, draw: own => own.pick(drawn) };
}

const CAST = /\bjson: /;

function freshTemplate(random: Random): Omit<Template, 'casts'> {
  const entity = random.pick(NAMES);
  const kind = KINDS[entity]!;
  const where = randomCondition(entity, random);
  const method = random.pick<Method>([
    ...Array.from({ length: 10 }, () => 'find' as const),
    'findOne',
    'findOne',
    'findOneOrFail',
    'count',
    'count',
    'count',
    'exists',
    'exists',
    ...(kind.numbers ? (['sum', 'avg'] as const) : []),
    ...(kind.comparable ? (['min', 'max'] as const) : []),
  ]);
  switch (method) {
    case 'find':
    case 'findOne':
    case 'findOneOrFail':
      return rowsTemplate(entity, kind, method, where, random);
    case 'sum':
    case 'avg':
      return otherTemplate(entity, kind, method, where, random, random.pick(kind.numbers!));
    case 'min':
    case 'max':
      return otherTemplate(entity, kind, method, where, random, random.pick(kind.comparable!));
    default:
      return otherTemplate(entity, kind, method, where, random);
  }
}

function otherTemplate(
  entity: string,
  kind: Kind,
  method: Method,
  where: Draw,
  random: Random,
  property?: string,
): Omit<Template, 'casts'> {
  const options: Record<string, unknown> = {
    ...(kind.filters && random.chance(0.3) ? random.pick(kind.filters) : {}),
    ...(random.chance(0.05) ? { connectionType: 'write' } : {}),
  };
  return {
    entity,
    method,
    exclusive: false,
    partial: false,
    populating: false,
    draw: r => ({
      method,
      entity,
      where: where(r),
      options,
      ...(property === undefined ? {} : { property }),
      shown: { ordered: true, fields: undefined, exclude: undefined, populate: [] },
    }),
  };
}

function rowsTemplate(
  entity: string,
  kind: Kind,
  method: Method,
  where: Draw,
  random: Random,
): Omit<Template, 'casts'> {
  const options: Record<string, unknown> = {};
  const limits = method === 'find' && random.chance(0.4) ? random.pick(LIMITS) : () => ({});
  const offsets = method !== 'find' && random.chance(0.2);
  const ordered =
    method !== 'find' || (limits !== NO_LIMITS && Object.keys(limits(random)).length > 0) || random.chance(0.4);
  if (ordered) {
    const keys = Object.fromEntries(kind.keys.map(key => [key, random.pick(['asc', 'desc'])]));
    const own = random.chance(0.7) ? random.pick(kind.orders) : {};
    const { [kind.keys[0]!]: _, ...rest } = own as Record<string, unknown>;
    options['orderBy'] = random.chance(0.3) ? [rest, keys] : { ...rest, ...keys };
  }
  let exclusive = false;
  const populate: string[] = [];
  if (kind.toOne && random.chance(0.2)) {
    const relation = random.pick(kind.toOne);
    populate.push(relation);
    if (FILTERED.has(relation)) {
      // MikroORM shows what a filter hides if another read has loaded it.
      options['disableIdentityMap'] = true;
    }
  }
  if (kind.toMany && random.chance(0.15)) {
    populate.push(random.pick(kind.toMany));
    exclusive = true;
  }
  if (kind.filters && random.chance(0.25)) {
    // MikroORM makes a reference null that they hide.
    Object.assign(options, random.pick(kind.filters));
    exclusive = true;
  }
  if (populate.length > 0) {
    options['populate'] = populate;
    if (random.chance(0.5)) {
      options['strategy'] = random.pick(['select-in', 'joined', 'balanced']);
    }
    if (random.chance(0.1)) {
      options['populateOrderBy'] = {};
    }
  }
  if (kind.narrowed && random.chance(0.06)) {
    const narrowed = random.pick(kind.narrowed);
    const [relation] = Object.keys(narrowed) as [string];
    if (!populate.includes(relation)) {
      populate.push(relation);
    }
    options['populate'] = populate;
    options[random.pick(['populateWhere', 'populateFilter'])] = narrowed;
    exclusive = true;
  }
  let fields: readonly string[] | undefined;
  let exclude: readonly string[] | undefined;
  if (kind.fields && populate.length === 0 && random.chance(0.15)) {
    fields = kind.fields.filter(() => random.chance(0.4));
    fields = fields.length === 0 ? [kind.fields[0]!] : fields;
    options['fields'] = fields;
  } else if (kind.fields && populate.length === 0 && random.chance(0.08)) {
    exclude = kind.fields.filter(name => name !== 'nameLength' && random.chance(0.3));
    options['exclude'] = exclude;
  }
  if (random.chance(0.06)) {
    options['refresh'] = true;
  }
  if (random.chance(0.08)) {
    options['disableIdentityMap'] = true;
    if (random.chance(0.3)) {
      options['populateWhere'] = 'infer';
    }
  }
  if (random.chance(0.04)) {
    options['connectionType'] = random.pick(['write', 'read']);
  }
  if (random.chance(0.03)) {
    options['flushMode'] = random.pick(['commit', 'auto', 'always']);
  }
  if (random.chance(0.03)) {
    options['comments'] = random.pick(['a comment', `it's ?`]);
  }
  if (random.chance(0.02)) {
    options['cache'] = false;
  }
  // Each read of a fork that does not share its entities is by itself.
  exclusive &&= options['disableIdentityMap'] !== true;
  return {
    entity,
    method,
    exclusive,
    partial: (fields ?? exclude) !== undefined && options['disableIdentityMap'] !== true,
    populating: populate.length > 0 && options['disableIdentityMap'] !== true,
    draw: r => ({
      method,
      entity,
      where: where(r),
      options: { ...options, ...limits(r), ...(offsets ? { offset: r.int(3) } : {}) },
      shown: { ordered, fields, exclude, populate },
    }),
  };
}

/** To-one relations to entities that have filters. */
const FILTERED: ReadonlySet<string> = new Set(['parent', 'book', 'about']);

const NO_LIMITS = (): object => ({});
const LIMITS: readonly ((random: Random) => object)[] = [
  r => ({ limit: 1 + r.int(5) }),
  r => ({ limit: r.int(4) }),
  () => ({ limit: 3 }),
  r => ({ limit: 1 + r.int(5), offset: r.int(4) }),
  r => ({ limit: 1 + r.int(3), offset: 2 }),
  r => ({ offset: r.int(5) }),
];
