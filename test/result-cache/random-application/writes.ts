import { type EntityManager, raw } from '@mikro-orm/postgresql';
import type { Random } from '../../batch-loader/random.ts';
import * as model from './entities.ts';
import { ANIMALS, PAGES, PEOPLE, POSTS, TAGS, TEAMS, VEHICLES } from './entities.ts';

const { Car, Cat, Comment, Dog, Membership, Person, Post, Tag, Truck, Vehicle, Visit } = model;

/** One way to write. It may fail: ids collide, parents are missing. */
export interface Write {
  readonly name: string;
  run(em: EntityManager, random: Random): Promise<unknown>;
}

// What is drawn at random has no type that a compiler could check.
// oxlint-disable-next-line typescript/no-explicit-any
type Loose = any;

const one = (random: Random, most: number): number => 1 + random.int(most);
/** Hardly ever the value that was there. */
const score = (random: Random): number => random.int(1_000);
const text = (random: Random): string => `name ${random.int(100_000)}`;
const person = (random: Random, id = one(random, PEOPLE)): Loose => ({
  id,
  email: `${id}@example.org`,
  name: text(random),
  age: random.chance(0.2) ? null : random.int(50),
});
const author = (random: Random): number | null => (random.chance(0.2) ? null : one(random, PEOPLE));
const post = (random: Random): Loose => ({
  id: one(random, POSTS),
  title: text(random),
  score: score(random),
  author: author(random),
});
const comment = (random: Random): Loose => ({ text: text(random), post: one(random, POSTS), author: author(random) });
const visit = (random: Random): Loose => ({ page: one(random, PAGES), seconds: score(random) });

/** Thrown to have a transaction rolled back. */
export class TakenBack extends Error {}

/** Runs what ends by throwing {@link TakenBack}. */
async function takenBack(run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof TakenBack)) {
      throw error;
    }
  }
}

function write(name: string, run: Write['run']): Write {
  return { name, run };
}

const unitOfWork: readonly Write[] = [
  write('flush: several entities', async (em, random) => {
    const people = await em.find(Person, { id: { $in: [one(random, PEOPLE), one(random, PEOPLE)] } });
    people.forEach(each => (each.name = text(random)));
    const posts = await em.find(Post, { id: { $lte: one(random, 4) } });
    posts.forEach(each => (each.score = score(random)));
    em.create(Comment, comment(random));
    const old = await em.findOne(Comment, { post: one(random, POSTS) });
    if (old !== null) {
      em.remove(old);
    }
    await em.flush();
  }),
  write('flush: a comment moves to another post', async (em, random) => {
    const found = await em.findOne(Comment, { post: one(random, POSTS) });
    if (found !== null) {
      em.assign(found, { post: one(random, POSTS) } as Loose);
      await em.flush();
    }
  }),
  write('flush: fails as a whole', async (em, random) => {
    const found = await em.findOne(Post, { id: one(random, POSTS) });
    if (found !== null) {
      found.title = text(random);
    }
    em.create(Comment, comment(random));
    em.create(Person, person(random));
    em.create(Tag, { id: one(random, TAGS), name: `tag ${one(random, TAGS)}` });
    await em.flush();
  }),
  write('flush: a removed person leaves posts behind', async (em, random) => {
    const found = await em.findOne(Person, { id: one(random, PEOPLE) });
    if (found !== null) {
      await em.remove(found).flush();
    }
  }),
  write('flush: many-to-many', async (em, random) => {
    const found = await em.findOne(Post, { id: one(random, POSTS) }, { populate: ['tags'] });
    if (found === null) {
      return;
    }
    const tags = await em.find(Tag, { id: { $in: [one(random, TAGS), one(random, TAGS)] } });
    const how = random.int(4);
    if (how === 0) {
      found.tags.add(tags);
    } else if (how === 1) {
      found.tags.remove(tags);
    } else if (how === 2) {
      found.tags.set(tags);
    } else {
      found.tags.removeAll();
    }
    await em.flush();
  }),
  write('flush: from the inverse side', async (em, random) => {
    const found = await em.findOne(Tag, { id: one(random, TAGS) }, { populate: ['posts'] });
    const added = await em.findOne(Post, { id: one(random, POSTS) });
    if (found !== null && added !== null) {
      found.posts.add(added);
      await em.flush();
    }
  }),
  write('flush: single-table inheritance', async (em, random) => {
    const id = one(random, ANIMALS);
    const found = await em.findOne(model.Animal, { id });
    if (found === null) {
      em.create(random.chance(0.5) ? Cat : (Dog as Loose), { id, name: text(random), owner: author(random) } as Loose);
    } else if (random.chance(0.3)) {
      em.remove(found);
    } else {
      found.name = text(random);
    }
    await em.flush();
  }),
  write('flush: table-per-type inheritance', async (em, random) => {
    const id = one(random, VEHICLES);
    const found = await em.findOne(Vehicle, { id });
    if (found === null) {
      if (random.chance(0.5)) {
        em.create(Car, { id, plate: text(random), doors: score(random) });
      } else {
        em.create(Truck, { id, plate: text(random), load: score(random) });
      }
    } else if (random.chance(0.3)) {
      em.remove(found);
    } else {
      found.plate = text(random);
      em.assign(found, ('doors' in found ? { doors: score(random) } : {}) as Loose);
    }
    await em.flush();
  }),
  write('flush: a composite key', async (em, random) => {
    const key = { person: one(random, PEOPLE), team: one(random, TEAMS) };
    const found = await em.findOne(Membership, key);
    if (found === null) {
      em.create(Membership, { ...key, role: text(random) });
    } else if (random.chance(0.3)) {
      em.remove(found);
    } else {
      found.role = text(random);
    }
    await em.flush();
  }),
];

const direct: readonly Write[] = [
  write('insert', (em, random) => em.insert(Person, person(random))),
  write('insert of a post', (em, random) => em.insert(Post, post(random))),
  write('insertMany', (em, random) => em.insertMany(Comment, [comment(random), comment(random), comment(random)])),
  write('upsert', (em, random) => em.upsert(Person, person(random))),
  write('upsert of a post', (em, random) => em.upsert(Post, post(random))),
  write('upsertMany, merge', (em, random) =>
    em.upsertMany(Person, [person(random, one(random, 4)), person(random, 4 + one(random, 4))], {
      onConflictFields: ['id'],
      onConflictAction: 'merge',
    }),
  ),
  write('upsertMany, ignore', (em, random) =>
    em.upsertMany(
      Tag,
      Array.from({ length: TAGS }, (_, index) => ({ id: index + 1, name: `tag ${index + 1}` })),
      { onConflictFields: ['id'], onConflictAction: random.chance(0.5) ? 'ignore' : 'merge' },
    ),
  ),
  write('upsert of a composite key', (em, random) =>
    em.upsert(Membership, { person: one(random, PEOPLE), team: one(random, TEAMS), role: text(random) } as Loose),
  ),
  write('nativeUpdate', (em, random) => em.nativeUpdate(Person, { id: one(random, PEOPLE) }, { name: text(random) })),
  write('nativeUpdate by a condition', em =>
    em.nativeUpdate(Post, { score: { $gte: 900 } }, { score: raw('score - 400') as Loose }),
  ),
  write('nativeUpdate of a partition', (em, random) =>
    em.nativeUpdate(Comment, { post: one(random, POSTS) }, { post: one(random, POSTS) }),
  ),
  write('nativeUpdate of a subclass', (em, random) =>
    em.nativeUpdate(Cat, { id: one(random, ANIMALS) }, { lives: random.int(9), name: text(random) }),
  ),
  write('nativeDelete', (em, random) => em.nativeDelete(Comment, { post: one(random, POSTS) })),
  write('nativeDelete of a parent', (em, random) => em.nativeDelete(Person, { id: one(random, PEOPLE) })),
  write('nativeDelete of a post', (em, random) => em.nativeDelete(Post, { id: one(random, POSTS) })),
  write('nativeDelete of a vehicle', (em, random) => em.nativeDelete(Vehicle, { id: one(random, VEHICLES) })),
  write('clone', async (em, random) => {
    const found = await em.findOne(Comment, { post: one(random, POSTS) });
    if (found !== null) {
      await em.clone(Comment, { id: found.id }, { text: text(random) } as Loose);
    }
  }),
];

const builders: readonly Write[] = [
  write('QueryBuilder insert', (em, random) => em.createQueryBuilder(Comment).insert(comment(random)).execute()),
  write('QueryBuilder update', (em, random) =>
    em
      .createQueryBuilder(Post)
      .update({ title: text(random) })
      .where({ author: one(random, PEOPLE) })
      .execute(),
  ),
  write('QueryBuilder delete', (em, random) =>
    em
      .createQueryBuilder(Membership)
      .delete({ person: one(random, PEOPLE) })
      .execute(),
  ),
];

const sql: readonly Write[] = [
  write('raw insert', (em, random) =>
    em.execute('insert into visit (page, seconds) values (?, ?), (?, ?)', [
      one(random, PAGES),
      score(random),
      one(random, PAGES),
      score(random),
    ]),
  ),
  write('raw update', (em, random) =>
    em.execute('update post set score = ? where id = ?', [score(random), one(random, POSTS)]),
  ),
  write('raw update from another table', (em, random) =>
    em.execute('update post as p set title = a.name from person a where p.author_id = a.id and a.id = ?', [
      one(random, PEOPLE),
    ]),
  ),
  write('raw delete', (em, random) =>
    em.execute('delete from "comment" c using post p where p.id = c.post_id and p.author_id = ?', [
      one(random, PEOPLE),
    ]),
  ),
  write('raw insert … select', (em, random) =>
    em.execute('insert into visit (page, seconds) select page, seconds + 1 from visit where page = ? limit 2', [
      one(random, PAGES),
    ]),
  ),
  write('raw CTE that writes twice', (em, random) =>
    em.execute(
      'with gone as (delete from visit where page = ? returning page), noted as (update person set age = age + 1 where id = ? returning id) select (select count(*) from gone) as gone',
      [one(random, PAGES), one(random, PEOPLE)],
    ),
  ),
  write('raw merge', (em, random) =>
    em.execute(
      "merge into person t using (select ?::int as id) s on t.id = s.id when matched then update set name = ? when not matched then insert (id, email, name) values (s.id, s.id || '@example.org', 'merged')",
      [one(random, PEOPLE), text(random)],
    ),
  ),
  write('raw truncate', em => em.execute('truncate table visit')),
  write('raw upsert of a pivot row', (em, random) =>
    em.execute('insert into post_tags (post_id, tag_id) values (?, ?) on conflict do nothing', [
      one(random, POSTS),
      one(random, TAGS),
    ]),
  ),
];

interface Schema {
  person: { id: number; name: string; age: number | null };
  post: { id: number; score: number; title: string };
  comment: { id: number; text: string; post_id: number };
}

const kysely: readonly Write[] = [
  write('Kysely update', (em, random) =>
    em
      .getKysely<Schema>()
      .updateTable('person')
      .set({ name: text(random) })
      .where('id', '=', one(random, PEOPLE))
      .execute(),
  ),
  write('Kysely insert', (em, random) =>
    em
      .getKysely<Schema>()
      .insertInto('comment')
      .values({ text: text(random), post_id: one(random, POSTS) } as Loose)
      .execute(),
  ),
  write('Kysely delete', (em, random) =>
    em.getKysely<Schema>().deleteFrom('comment').where('post_id', '=', one(random, POSTS)).execute(),
  ),
  write('Kysely transaction', (em, random) =>
    takenBack(() =>
      em
        .getKysely<Schema>()
        .transaction()
        .execute(async trx => {
          await trx
            .updateTable('post')
            .set({ score: score(random) })
            .where('id', '=', one(random, POSTS))
            .execute();
          await trx.deleteFrom('comment').where('post_id', '=', one(random, POSTS)).execute();
          if (random.chance(0.3)) {
            throw new TakenBack();
          }
        }),
    ),
  ),
];

/** Those that leave transactions to others. */
export const ALONE: readonly Write[] = [...unitOfWork, ...direct, ...builders, ...sql];

const transactions: readonly Write[] = [
  write('transaction: several writes', (em, random) =>
    em.transactional(async tx => {
      for (let left = one(random, 3); left > 0; left -= 1) {
        await random.pick(ALONE).run(tx, random);
      }
    }),
  ),
  write('transaction: taken back', (em, random) =>
    takenBack(() =>
      em.transactional(async tx => {
        await random.pick(ALONE).run(tx, random);
        throw new TakenBack();
      }),
    ),
  ),
  write('transaction: taken back to a savepoint', (em, random) =>
    em.transactional(async tx => {
      await random.pick(direct).run(tx, random);
      await takenBack(() =>
        tx.transactional(async inner => {
          await random.pick(ALONE).run(inner, random);
          throw new TakenBack();
        }),
      );
      await tx.transactional(inner => random.pick(direct).run(inner, random));
    }),
  ),
  write('transaction: an error within a savepoint', (em, random) =>
    em.transactional(async tx => {
      await random.pick(ALONE).run(tx, random);
      await tx
        .transactional(async inner => {
          await inner.nativeUpdate(Post, { id: one(random, POSTS) }, { title: text(random) });
          await inner.execute('select 1 / 0');
        })
        .catch(() => undefined);
    }),
  ),
  write('transaction: begin and commit by hand', async (em, random) => {
    await em.begin();
    try {
      await random.pick(direct).run(em, random);
      await (random.chance(0.7) ? em.commit() : em.rollback());
    } catch (error) {
      await em.rollback();
      throw error;
    }
  }),
  write('transaction: serializable', (em, random) =>
    em.transactional(tx => random.pick(direct).run(tx, random), { isolationLevel: 'serializable' as Loose }),
  ),
];

/** So that there is something to update: people and posts are deleted with all that hangs on them. */
export async function fill(em: EntityManager, random: Random): Promise<void> {
  await em.upsertMany(
    Person,
    Array.from({ length: PEOPLE }, (_, index) => person(random, index + 1)),
    { onConflictFields: ['id'], onConflictAction: 'ignore' },
  );
  await em.upsertMany(
    Post,
    Array.from({ length: POSTS }, (_, index) => ({ ...post(random), id: index + 1 })),
    { onConflictFields: ['id'], onConflictAction: 'ignore' },
  );
  await em.upsertMany(
    Tag,
    Array.from({ length: TAGS }, (_, index) => ({ id: index + 1, name: `tag ${index + 1}` })),
    { onConflictFields: ['id'], onConflictAction: 'ignore' },
  );
}

export const WRITES: readonly Write[] = [
  ...ALONE,
  ...kysely,
  ...transactions,
  // Comments and visits would otherwise die out.
  write('fill', fill),
  write('insertMany of visits', (em, random) => em.insertMany(Visit, [visit(random), visit(random)])),
];
