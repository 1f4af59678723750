import { type Collection, type EntityManager, Reference, type Ref, raw, wrap } from '@mikro-orm/core';
import * as library from './library.ts';
import { Code } from './library.ts';
import type { Random } from './random.ts';
import { pkOf, viewCollection, viewEntity, type View } from './view.ts';

/*
 * Random lazy loads over the library. A call is described so that it can be made twice: once among others on a fork with
 * the extension, once alone on a fresh fork without it. `key` describes it in full; equal keys are equal calls.
 */

type AnyEntity = Record<string, unknown> & object;
type EntityName = { name: string } & object;
// The library's entities, by name: the calls are made by name, as the generator is.
export const E = Object.fromEntries(
  library.ENTITIES.map(entity => [entity.meta.className, entity]),
) as unknown as Record<string, never>;

export interface RandomCall {
  readonly key: string;
  /** Two calls with the same target that are not made at the same instant see each other's effects, as in MikroORM. */
  readonly target: string;
  /** Whether the call gives the same after others on its target, however long ago. */
  readonly repeatable?: boolean;
  /** Makes the call on the base entity of its fork. `late` when others may have loaded its target before. */
  make(base: AnyEntity, em: EntityManager, late: boolean): Promise<View>;
  /** The same by other means, where MikroORM has no such lone call (a limit per parent). */
  lone?(base: AnyEntity, em: EntityManager): Promise<View>;
}

interface Variant {
  readonly key: string;
  readonly value: () => unknown;
}

const v = (key: string, value: () => unknown): Variant => ({ key, value });
const plain = (value: object): Variant => ({ key: JSON.stringify(value), value: () => structuredClone(value) });

const BIG = 9_007_199_254_740_990n;

/** Conditions on each entity, with every operator and kind of value. */
function condition(entity: string, random: Random): Variant {
  const n = random.int(9);
  const leaf = (): Variant => {
    switch (entity) {
      case 'Book':
        return random.pick<() => Variant>([
          () => plain({ title: `emma ${n % 3}` }),
          () => plain({ title: { $like: 'D%' } }),
          () => plain({ title: { $ilike: 'd%' } }),
          () => plain({ title: `it's $1 ? -- ${n}` }),
          () => v(`re${n}`, () => ({ title: n % 2 ? /une/ : /^dune \d$/i })),
          () => plain({ pages: { $gt: 50 * n } }),
          () => plain({ pages: { $gte: 100, $lt: 50 * n } }),
          () => plain({ pages: { $nin: [50, 100, 50 * n] } }),
          () => plain({ $not: { pages: { $lte: 50 * n } } }),
          () => plain({ price: { $lte: `${n}0.00` } }),
          () => plain({ published: null }),
          () => plain({ published: { $ne: null } }),
          () => v(`published${n}`, () => ({ published: { $gt: new Date(`2020-0${1 + n}-10`) } })),
          () => plain({ genre: { $in: ['novel', n % 2 ? 'essay' : 'poem'] } }),
          () => plain({ keywords: { $contains: [`k${n % 3}`] } }),
          () => plain({ keywords: { $overlap: [`k${n % 3}`, 'k4'] } }),
          () => plain({ meta: { shelf: n % 3 } }),
          () => plain({ meta: { mint: true } }),
          () => v(`rawkey${n}`, () => ({ [raw(alias => `length(${alias}.title)`)]: { $gt: n } })),
          () => v(`rawvalue${n}`, () => ({ pages: raw('50 * ?', [n]) })),
          () => v(`publisher${n % 5}`, () => ({ publisher: `00000000-0000-4000-8000-00000000000${n % 5}` })),
          () => plain({ publisher: { name: `house ${n % 4}` } }),
          () => plain({ author: { address: { city: `city ${n % 2}` } } }),
          () => plain({ tags: { name: `tag ${n % 4}` } }),
          () => plain({ tags: { $none: { weight: n % 3 } } }),
          () => plain({ tags: { $some: { weight: n % 3 } } }),
          () => plain({ copies: { shelf: 'shelf 1' } }),
          () => plain({ id: { $in: [] } }),
          () => plain({ id: { $nin: [n, n + 1] } }),
          () => plain({ withdrawn: n % 2 === 0 }),
        ])();
      case 'Loan':
        return random.pick<() => Variant>([
          () => v(`big${n}`, () => ({ id: { $gt: BIG + BigInt(n) } })),
          () => v(`bigin${n}`, () => ({ id: { $in: [BIG + BigInt(n), BIG + BigInt(n + 1)] } })),
          () => plain({ borrower: null }),
          () => plain({ borrower: n }),
          () => plain({ borrower: { name: `person ${n % 3}` } }),
          () => v(`day${n % 4}`, () => ({ day: new Date(`2024-03-0${1 + (n % 4)}T12:00:00.000Z`) })),
          () => v(`slip${n % 4}`, () => ({ slip: new Code(`slip-${1 + (n % 4)}`) })),
          () => plain({ copy: { shelf: `shelf ${n % 2}` } }),
        ])();
      case 'Tag':
        return random.pick<() => Variant>([
          () => plain({ weight: n % 3 }),
          () => plain({ weight: { $gt: n % 3 } }),
          () => v(`tagre${n % 4}`, () => ({ name: new RegExp(`${n % 4}$`) })),
          () => plain({ name: { $in: ['tag 0', 'tag 1'] } }),
          () => v(`tagraw${n}`, () => ({ [raw(alias => `upper(${alias}.name)`)]: `TAG ${n % 4}` })),
        ])();
      case 'Author':
        return random.pick<() => Variant>([
          () => plain({ name: `author ${n % 5}` }),
          () => plain({ born: null }),
          () => plain({ born: { $lt: `19${10 + n}-12-31` } }),
          () => plain({ address: { city: `city ${n % 2}` } }),
          () => plain({ mentor: { name: `author ${n % 5}` } }),
        ])();
      case 'Copy':
        return random.pick<() => Variant>([
          () => plain({ shelf: `shelf ${n % 2}` }),
          () => plain({ number: { $gt: n % 3 } }),
        ])();
      case 'Person':
        return random.pick<() => Variant>([
          () => plain({ name: `person ${n % 3}` }),
          () => plain({ kind: { $ne: 'student' } }),
        ])();
      case 'Imprint':
        return plain({ label: { $ne: `imprint ${n}` } });
      default:
        return plain({ label: { $gte: `toy ${n}` } });
    }
  };
  if (random.chance(0.2)) {
    const [a, b, operator] = [leaf(), leaf(), random.pick(['$or', '$and'])];
    return v(`${operator}(${a.key},${b.key})`, () => ({ [operator]: [a.value(), b.value()] }));
  }
  return leaf();
}

interface Relation {
  readonly owner: string;
  readonly name: string;
  readonly target: string;
  /** To-one relations of the target, to populate. */
  readonly populate?: readonly string[];
  readonly orders?: readonly object[];
  readonly fields?: readonly string[];
  /** Whether its items have an order without being asked for one. */
  readonly keepsOrder?: boolean;
}

const BOOK = {
  target: 'Book',
  populate: ['editor'],
  orders: [
    { title: 'asc', id: 'asc' },
    { pages: 'desc', id: 'asc' },
    { price: 'asc', id: 'desc' },
    { author: { name: 'asc' }, id: 'asc' },
  ],
  fields: ['title', 'pages'],
} as const;
// Never the relation back to the owner: with it MikroORM empties the collection that it is loading, `Person.loans` for one.
const LOAN = { target: 'Loan', populate: ['copy'], orders: [{ id: 'desc' }, { borrower: 'asc', id: 'asc' }] } as const;
const TAG = {
  target: 'Tag',
  orders: [
    { name: 'asc', id: 'asc' },
    { weight: 'desc', id: 'asc' },
  ],
  fields: ['name'],
} as const;
const AUTHOR = { target: 'Author', orders: [{ name: 'desc', id: 'asc' }], fields: ['name'] } as const;

export const COLLECTIONS: readonly Relation[] = [
  { owner: 'Author', name: 'books', ...BOOK },
  { owner: 'Author', name: 'pupils', ...AUTHOR },
  { owner: 'Author', name: 'tags', ...TAG },
  { owner: 'Author', name: 'friends', ...AUTHOR },
  { owner: 'Author', name: 'ranking', ...TAG, keepsOrder: true },
  { owner: 'Book', name: 'tags', ...TAG },
  { owner: 'Book', name: 'readers', target: 'Person', orders: [{ name: 'asc', id: 'asc' }] },
  { owner: 'Book', name: 'copies', target: 'Copy', orders: [{ number: 'desc' }] },
  { owner: 'Publisher', name: 'books', ...BOOK },
  { owner: 'Publisher', name: 'imprints', target: 'Imprint' },
  { owner: 'Tag', name: 'books', ...BOOK },
  { owner: 'Copy', name: 'loans', ...LOAN, populate: ['borrower'] },
  { owner: 'Copy', name: 'marks', ...TAG },
  { owner: 'Day', name: 'loans', ...LOAN },
  { owner: 'Slip', name: 'loans', ...LOAN },
  { owner: 'Person', name: 'loans', ...LOAN },
  { owner: 'Animal', name: 'toys', target: 'Toy', orders: [{ label: 'desc' }] },
];

export const REFERENCES: readonly Relation[] = [
  { owner: 'Book', name: 'author', target: 'Author', populate: ['mentor', 'profile'], fields: ['name'] },
  { owner: 'Book', name: 'editor', target: 'Author', populate: ['mentor'], fields: ['name', 'born'] },
  { owner: 'Book', name: 'publisher', target: 'Publisher', fields: ['name'] },
  { owner: 'Copy', name: 'book', target: 'Book', populate: ['author', 'publisher'], fields: ['title'] },
  { owner: 'Loan', name: 'copy', target: 'Copy', populate: ['book'], fields: ['shelf'] },
  { owner: 'Loan', name: 'borrower', target: 'Person', fields: ['name'] },
  { owner: 'Loan', name: 'day', target: 'Day' },
  { owner: 'Loan', name: 'slip', target: 'Slip' },
  { owner: 'Author', name: 'mentor', target: 'Author', populate: ['mentor'] },
  { owner: 'Author', name: 'profile', target: 'Profile' },
  { owner: 'Profile', name: 'author', target: 'Author' },
  { owner: 'Toy', name: 'animal', target: 'Animal' },
  { owner: 'Toy', name: 'about', target: 'Author' },
  { owner: 'Imprint', name: 'publisher', target: 'Publisher' },
];

/** Entities that a lazy load may start from. */
export const BASES = [...new Set([...COLLECTIONS, ...REFERENCES].map(relation => relation.owner))];

function filters(target: string, random: Random): Variant | undefined {
  if (target !== 'Book' || random.chance(0.6)) {
    return undefined;
  }
  return random.pick([
    plain({ filters: false }),
    plain({ filters: { available: false } }),
    plain({ filters: { atLeast: { pages: 50 * random.int(8) } } }),
    plain({ filters: { atLeast: { pages: 200 }, available: false } }),
  ]);
}

const at = (entity: AnyEntity, name: string): unknown => entity[name];

/** A random call on a base entity of this kind and key. */
export function randomCall(owner: string, pk: string, random: Random): RandomCall {
  const references = REFERENCES.filter(relation => relation.owner === owner);
  const collections = COLLECTIONS.filter(relation => relation.owner === owner);
  const kinds = [
    ...references.flatMap(relation => [
      () => referenceCall(relation, pk, random),
      () => referenceCall(relation, pk, random),
    ]),
    ...collections.flatMap(relation => [
      () => collectionCall(relation, pk, random),
      () => collectionCall(relation, pk, random),
      () => collectionCall(relation, pk, random),
      () => countCall(relation, pk, random),
    ]),
    ...(owner === 'Author'
      ? [
          () => scalarCall(owner, 'bio', pk),
          () => populateCall(owner, 'notes', pk),
          () => populateCall(owner, 'profile', pk),
        ]
      : []),
    ...(owner === 'Book' ? [() => scalarCall(owner, 'summary', pk)] : []),
    ...(['Author', 'Book', 'Copy'].includes(owner) ? [() => initCall(owner, pk)] : []),
    ...(owner === 'Book' ? [() => missingCall(random)] : []),
  ];
  return random.pick(kinds)();
}

function referenceCall(relation: Relation, pk: string, random: Random): RandomCall {
  const options: Variant[] = [];
  const populate = relation.populate && random.chance(0.3) ? [random.pick(relation.populate)] : undefined;
  const fields = !populate && relation.fields && random.chance(0.2) ? relation.fields : undefined;
  const filter = populate ? undefined : filters(relation.target, random);
  if (populate) {
    options.push(plain({ populate }));
  }
  if (fields) {
    options.push(plain({ fields }));
  }
  if (filter) {
    options.push(filter);
  }
  if (random.chance(0.1)) {
    options.push(plain({ connectionType: 'write' }));
  }
  if (random.chance(0.1)) {
    options.push(plain({ strategy: random.pick(['select-in', 'joined']) }));
  }
  const orFail = random.chance(0.2);
  return {
    key: `${relation.owner}[${pk}].${relation.name}.${orFail ? 'loadOrFail' : 'load'}(${options.map(o => o.key).join('&')})`,
    target: `${relation.owner}[${pk}].${relation.name}`,
    async make(base, _em, late) {
      const reference = at(base, relation.name) as Ref<AnyEntity> | null | undefined;
      if (reference == null) {
        return { missingReference: reference === null };
      }
      const given = {
        ...Object.assign({}, ...options.map(o => o.value())),
        ...(late ? { refresh: true } : {}),
      } as object;
      const loaded = await (orFail ? reference.loadOrFail(given as never) : reference.load(given as never));
      return viewEntity(loaded as AnyEntity | null, { fields, populate });
    },
  };
}

function collectionCall(relation: Relation, pk: string, random: Random): RandomCall {
  const where = random.chance(0.5) ? condition(relation.target, random) : undefined;
  const order = relation.orders && random.chance(0.4) ? random.pick(relation.orders) : undefined;
  const paging =
    random.chance(0.25) && relation.orders
      ? { limit: random.int(4), ...(random.chance(0.4) ? { offset: random.int(3) } : {}) }
      : undefined;
  // With a to-many join, MikroORM's own limit counts rows, not items; neither form is right then. And `matching()`, the
  // lone form of a limit, takes no condition on the relation back to the owner.
  const limited =
    paging !== undefined && !(where && /tags|copies|copy|author|mentor|publisher|borrower|day|slip/.test(where.key))
      ? paging
      : undefined;
  const populate = relation.populate && !limited && random.chance(0.2) ? [random.pick(relation.populate)] : undefined;
  const fields =
    !populate && !limited && !order && relation.fields && random.chance(0.15) ? relation.fields : undefined;
  const filter = populate ? undefined : filters(relation.target, random);
  const ordering = order ?? (limited && !relation.keepsOrder ? relation.orders![0]! : undefined);
  const options: Variant[] = [
    ...(where ? [v(`where:${where.key}`, () => ({ where: where.value() }))] : []),
    ...(ordering ? [plain({ orderBy: ordering })] : []),
    ...(populate ? [plain({ populate })] : []),
    ...(fields ? [plain({ fields: fields.map(field => `${relation.name}.${field}`) })] : []),
    ...(filter ? [filter] : []),
  ];
  const given = (): Record<string, unknown> =>
    Object.assign({}, ...options.map(o => o.value())) as Record<string, unknown>;
  // MikroORM's init(), which refreshes, fails with a condition where the target has a polymorphic relation.
  const method = random.pick(limited ? (['loadItems', 'load'] as const) : (['loadItems', 'load', 'init'] as const));
  const shown = {
    ordered: ordering !== undefined || relation.keepsOrder === true,
    flags: limited === undefined,
    fields,
    populate,
  };
  return {
    key: `${relation.owner}[${pk}].${relation.name}.${method}(${options.map(o => o.key).join('&')}${limited ? JSON.stringify(limited) : ''})`,
    target: `${relation.owner}[${pk}].${relation.name}`,
    repeatable: true,
    async make(base) {
      const collection = at(base, relation.name) as Collection<AnyEntity>;
      const result = await collection[method]({ ...given(), ...limited } as never);
      return viewCollection(
        collection,
        method === 'loadItems' ? (result as AnyEntity[]) : collection.getItems(false),
        shown,
      );
    },
    ...(limited && {
      async lone(base: AnyEntity) {
        const collection = at(base, relation.name) as Collection<AnyEntity>;
        const items = limited.limit === 0 ? [] : await collection.matching({ ...given(), ...limited } as never);
        return viewCollection(collection, items, shown);
      },
    }),
    ...(!limited &&
      where?.key.startsWith('{"$not"') && {
        // Alone, MikroORM takes the $not for an operator on the primary key and throws.
        async lone(base: AnyEntity) {
          const collection = at(base, relation.name) as Collection<AnyEntity>;
          const result = await collection[method]({ ...given(), where: { $and: [where.value()] } } as never);
          return viewCollection(
            collection,
            method === 'loadItems' ? (result as AnyEntity[]) : collection.getItems(false),
            shown,
          );
        },
      }),
  };
}

function countCall(relation: Relation, pk: string, random: Random): RandomCall {
  const where = random.chance(0.6) ? condition(relation.target, random) : undefined;
  const filter = filters(relation.target, random);
  return {
    key: `${relation.owner}[${pk}].${relation.name}.loadCount(${where?.key ?? ''}${filter?.key ?? ''})`,
    target: `${relation.owner}[${pk}].${relation.name}#count`,
    async make(base) {
      const collection = at(base, relation.name) as Collection<AnyEntity>;
      // refresh: a collection that another call has loaded knows its count already
      return collection.loadCount({
        refresh: true,
        ...(where && { where: where.value() }),
        ...(filter?.value() as object),
      } as never);
    },
    async lone(base, em) {
      const collection = at(base, relation.name) as Collection<AnyEntity>;
      if (collection.property.kind === 'm:n' && !collection.property.inversedBy && !collection.property.mappedBy) {
        // MikroORM cannot count a one-sided M:N alone: it looks for a property named undefined.
        const items = await collection.matching({
          ...(where && { where: where.value() }),
          ...(filter?.value() as object),
        } as never);
        return new Set(items.map(item => pkOf(item))).size;
      }
      void em;
      return collection.loadCount({ ...(where && { where: where.value() }), ...(filter?.value() as object) } as never);
    },
  };
}

function scalarCall(owner: string, name: string, pk: string): RandomCall {
  return {
    key: `${owner}[${pk}].${name}.load()`,
    target: `${owner}[${pk}].${name}`,
    make: async base => {
      const scalar = at(base, name) as { load(): Promise<unknown>; isInitialized(): boolean } | null;
      return { value: (await scalar?.load()) ?? null };
    },
  };
}

function populateCall(owner: string, name: string, pk: string): RandomCall {
  return {
    key: `wrap(${owner}[${pk}]).populate(${name})`,
    target: `${owner}[${pk}].${name}`,
    make: async base => {
      await wrap(base).populate([name] as never);
      const value = at(base, name);
      return { value: Reference.isReference(value) ? viewEntity(value.unwrap() as AnyEntity, {}) : (value ?? null) };
    },
  };
}

function initCall(owner: string, pk: string): RandomCall {
  return {
    key: `wrap(${owner}[${pk}]).init()`,
    target: `${owner}[${pk}]`,
    make: async base => viewEntity((await wrap(base).init()) as AnyEntity | null, {}),
  };
}

/** A reference to a row that is not there, or that a filter hides. */
function missingCall(random: Random): RandomCall {
  const [name, id] = random.pick([
    ['Author', 900 + random.int(3)],
    ['Tag', 900],
    ['Book', 1 + random.int(30)],
  ] as const);
  const orFail = random.chance(0.5);
  return {
    key: `reference(${name}, ${id}).${orFail ? 'loadOrFail' : 'load'}()`,
    target: `reference ${name} ${id}`,
    make: async (_base, em, late) => {
      const reference = em.getReference(
        E[name] as never,
        id as never,
        { wrapped: true } as never,
      ) as unknown as Ref<AnyEntity>;
      const options = late || name === 'Book' ? { refresh: true } : {};
      return viewEntity(
        (await (orFail
          ? reference.loadOrFail(options as never)
          : reference.load(options as never))) as AnyEntity | null,
        {},
      );
    },
  };
}

export type { AnyEntity, EntityName };
