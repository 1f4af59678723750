import { type EntityManager, raw, serialize } from '@mikro-orm/postgresql';
import type { Random } from '../../batch-loader/random.ts';
import * as model from './entities.ts';
import { ANIMALS, PAGES, PEOPLE, POSTS, type Table, TAGS, TEAMS, VEHICLES } from './entities.ts';

const { Animal, Car, Cat, Comment, Dog, Membership, Person, Post, Tag, Truck, Vehicle, Visit } = model;

/** MikroORM's `cache` option, on or off. */
export type Cache = number | false;

/** One call that reads. It may be made as often as one likes, and is the same each time. */
export interface Read {
  readonly says: string;
  /** All it depends on: while they do not change, neither does its result. */
  readonly tables: readonly Table[];
  /** Resolves with plain JSON. */
  run(em: EntityManager, cache: Cache): Promise<unknown>;
  /** For `cache.explain(em, …)`. */
  readonly explain?: readonly [entity: unknown, where: unknown, options: object];
}

// What is drawn at random has no type that a compiler could check.
// oxlint-disable-next-line typescript/no-explicit-any
type Loose = any;

const one = (random: Random, most: number): number => 1 + random.int(most);
const two = (random: Random, most: number): number[] => [one(random, most), one(random, most)];
const byId = { orderBy: { id: 'asc' } };

const POPULATES: readonly (readonly [populate: readonly string[], tables: readonly Table[]])[] = [
  [[], []],
  [['author'], ['person']],
  [['tags'], ['post_tags', 'tag']],
  [['comments'], ['comment']],
  [
    ['author', 'tags', 'comments.author'],
    ['person', 'post_tags', 'tag', 'comment'],
  ],
];

function populated(random: Random): [options: Record<string, unknown>, tables: readonly Table[]] {
  const [populate, tables] = random.pick(POPULATES);
  return [{ populate, strategy: random.pick(['joined', 'select-in', 'balanced']) }, tables];
}

type Draw = (random: Random) => Read;

const DRAWS: readonly Draw[] = [
  random => foundOne(Person, ['person'], one(random, PEOPLE)),
  random => foundOne(Person, ['person'], { email: `${one(random, PEOPLE)}@example.org` }),
  random => foundOne(Person, ['person', 'post'], one(random, PEOPLE), { populate: ['posts'] }),
  random => found(Person, ['person'], { id: { $in: two(random, PEOPLE) } }),
  random => found(Person, ['person'], { age: { $gte: 10 * random.int(4) } }, byId),
  random => found(Person, ['person'], { $or: [{ age: null }, { id: one(random, PEOPLE) }] }),
  random => found(Person, ['person', 'post'], { posts: { id: one(random, POSTS) } }),
  random => found(Person, ['person', 'membership'], { memberships: { team: one(random, TEAMS) } }),
  random => found(Person, ['person', 'post', 'comment'], { id: one(random, PEOPLE) }, { populate: ['posts.comments'] }),
  random => {
    const name = `name ${random.int(10)}`;
    return called(`find Person, lower(name) like ${name}%`, ['person'], async (em, cache) =>
      sorted(plain(await em.find(Person, { [raw('lower(name)')]: { $like: `${name}%` } }, { cache }))),
    );
  },
  random => foundOne(Post, ['post'], one(random, POSTS)),
  random => {
    const [options, tables] = populated(random);
    return foundOne(Post, ['post', ...tables], one(random, POSTS), options);
  },
  random => {
    const [options, tables] = populated(random);
    return found(Post, ['post', ...tables], { author: one(random, PEOPLE) }, options);
  },
  random => {
    const [options, tables] = populated(random);
    return found(
      Post,
      ['post', ...tables],
      { score: { $gte: 100 * random.int(10) } },
      { ...options, ...byId, limit: 3 },
    );
  },
  random => found(Post, ['post', 'post_tags'], { tags: one(random, TAGS) }),
  random =>
    found(Post, ['post', 'person'], { author: { age: { $lt: 30 } } }, { ...byId, offset: random.int(3), limit: 4 }),
  () => found(Post, ['post'], { author: null }),
  random => found(Tag, ['tag', 'post_tags', 'post'], { id: one(random, TAGS) }, { populate: ['posts'] }),
  random => found(Comment, ['comment'], { post: one(random, POSTS) }, byId),
  random => found(Comment, ['comment', 'person'], { post: one(random, POSTS) }, { populate: ['author'] }),
  random => found(Comment, ['comment', 'post'], { post: { author: one(random, PEOPLE) } }),
  random => foundOne(Membership, ['membership'], { person: one(random, PEOPLE), team: one(random, TEAMS) }),
  random => found(Membership, ['membership', 'person'], { team: one(random, TEAMS) }, { populate: ['person'] }),
  random => found(Animal, ['animal'], { id: { $lte: one(random, ANIMALS) } }, byId),
  random => found(Cat, ['animal'], { owner: one(random, PEOPLE) }),
  random => foundOne(Dog, ['animal'], one(random, ANIMALS)),
  random => found(Vehicle, ['vehicle', 'car', 'truck'], { id: { $in: two(random, VEHICLES) } }, byId),
  random => foundOne(Car, ['vehicle', 'car'], one(random, VEHICLES)),
  random => found(Truck, ['vehicle', 'truck'], { load: { $gte: 100 * random.int(10) } }, byId),

  random => {
    const post = one(random, POSTS);
    return called(`count Comment of post ${post}`, ['comment'], (em, cache) => em.count(Comment, { post }, { cache }));
  },
  random => {
    const tags = one(random, TAGS);
    return called(`count Post with tag ${tags}`, ['post', 'post_tags'], (em, cache) =>
      em.count(Post, { tags } as Loose, { cache }),
    );
  },
  () => called('count Vehicle', ['vehicle', 'car', 'truck'], (em, cache) => em.count(Vehicle, {}, { cache })),
  () =>
    called('countBy Comment post', ['comment'], (em, cache) =>
      em.countBy(Comment, 'post' as Loose, { cache } as Loose),
    ),
  () =>
    called('countBy Animal kind', ['animal'], (em, cache) => em.countBy(Animal, 'kind' as Loose, { cache } as Loose)),
  random => {
    const score = { $lt: 100 * one(random, 9) };
    return called(`findAndCount Post ${JSON.stringify(score)}`, ['post'], async (em, cache) => {
      const [rows, count] = await em.findAndCount(Post, { score }, { limit: 3, orderBy: { id: 'asc' }, cache });
      return [plain(rows), count];
    });
  },
  random => {
    const first = one(random, 5);
    return called(`findByCursor Post ${first}`, ['post'], async (em, cache) => {
      const page = await em.findByCursor(Post, { first, orderBy: { id: 'asc' }, where: { score: { $gte: 0 } }, cache });
      return [plain(page.items), page.totalCount, page.hasNextPage, page.endCursor];
    });
  },

  random => {
    const author = one(random, PEOPLE);
    return called(`QueryBuilder: posts of ${author}, joined`, ['post', 'person'], async (em, cache) => {
      const builder = em
        .createQueryBuilder(Post, 'p')
        .leftJoinAndSelect('p.author', 'a')
        .where({ 'a.id': author } as Loose);
      return sorted(plain(await cachedBy(builder, cache).getResultList(), { populate: ['author'] }));
    });
  },
  random => {
    const least = random.int(3);
    return called(`QueryBuilder: comments by post, ${least}`, ['post', 'comment'], async (em, cache) => {
      const builder = em
        .createQueryBuilder(Post, 'p')
        .select(['p.id', raw('count(c.id) as comments')])
        .leftJoin('p.comments', 'c')
        .groupBy('p.id')
        .having('count(c.id) >= ?', [least]);
      return sorted(json(await cachedBy(builder, cache).execute('all')) as unknown[]);
    });
  },
  random => {
    const page = one(random, PAGES);
    return called(`QueryBuilder: seconds on page ${page}`, ['visit'], async (em, cache) => {
      const builder = em.createQueryBuilder(Visit, 'v').select(raw('sum(v.seconds) as total')).where({ page });
      return json(await cachedBy(builder, cache).execute('get', { mapResults: false } as Loose));
    });
  },
  random => {
    const team = one(random, TEAMS);
    return called(`QueryBuilder: count of team ${team}`, ['membership'], async (em, cache) =>
      cachedBy(em.createQueryBuilder(Membership, 'm').where({ team }), cache).getCount(),
    );
  },
];

export function drawRead(random: Random): Read {
  return random.pick(DRAWS)(random);
}

export const KINDS_OF_READS: number = DRAWS.length;

/** `em.find()` of anything; what has no order is sorted. */
function found(entity: unknown, tables: readonly Table[], where: object, options: Record<string, unknown> = {}): Read {
  return {
    says: `find ${nameOf(entity)} ${JSON.stringify(where)} ${JSON.stringify(options)}`,
    tables,
    explain: [entity, where, options],
    async run(em, cache) {
      const rows = plain(
        (await em.find(entity as Loose, where as Loose, { ...options, cache } as Loose)) as Loose,
        options,
      );
      return options['orderBy'] === undefined ? sorted(rows) : rows;
    },
  };
}

function foundOne(
  entity: unknown,
  tables: readonly Table[],
  where: unknown,
  options: Record<string, unknown> = {},
): Read {
  return called(
    `findOne ${nameOf(entity)} ${JSON.stringify(where)} ${JSON.stringify(options)}`,
    tables,
    async (em, cache) => {
      const row = await em.findOne(entity as Loose, where as Loose, { ...options, cache } as Loose);
      return row === null ? null : plain([row as object], options);
    },
  );
}

function called(says: string, tables: readonly Table[], run: Read['run']): Read {
  return { says, tables, run };
}

function cachedBy<Builder>(builder: Builder, cache: Cache): Builder {
  return (builder as Loose).cache(cache) as Builder;
}

function nameOf(entity: unknown): string {
  return String((entity as { meta: { className: string } }).meta.className);
}

function plain(rows: readonly object[], { populate = [] }: Record<string, unknown> = {}): unknown[] {
  return rows.map(row => normal(json(serialize(row as Loose, { populate } as Loose))));
}

function json(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

/** Collections come in no order of their own. */
function normal(value: unknown): unknown {
  if (Array.isArray(value)) {
    return sorted(value.map(normal));
  }
  return value === null || typeof value !== 'object'
    ? value
    : Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, normal(inner)]));
}

function sorted(rows: readonly unknown[]): unknown[] {
  const texts = new Map(rows.map(row => [row, JSON.stringify(row)]));
  return rows.toSorted((a, b) => (texts.get(a)! < texts.get(b)! ? -1 : 1));
}
