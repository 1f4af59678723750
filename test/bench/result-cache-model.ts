import { defineEntity, p, type MikroORM, type Options } from '@mikro-orm/postgresql';
import type { Cluster } from '../harness/postgres.ts';
import { createOrm } from '../harness/orm-plain.ts';

/* A small magazine: what lists and pages of an application read. */

export const Author = defineEntity({
  name: 'Author',
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    email: p.string(),
    bio: p.text(),
    joined: p.datetime(),
    articles: () => p.oneToMany(Article).mappedBy('author'),
  },
});
export const Article = defineEntity({
  name: 'Article',
  properties: {
    id: p.integer().primary(),
    title: p.string(),
    slug: p.string(),
    summary: p.text(),
    section: p.integer(),
    published: p.boolean(),
    score: p.integer(),
    words: p.integer(),
    price: p.decimal(),
    createdAt: p.datetime(),
    updatedAt: p.datetime(),
    author: () => p.manyToOne(Author).ref(),
    comments: () => p.oneToMany(Comment).mappedBy('article'),
    tags: () => p.manyToMany(Tag),
  },
});
export const Comment = defineEntity({
  name: 'Comment',
  properties: {
    id: p.integer().primary(),
    text: p.text(),
    at: p.datetime(),
    article: () => p.manyToOne(Article).ref(),
  },
});
export const Tag = defineEntity({ name: 'Tag', properties: { id: p.integer().primary(), name: p.string() } });

export const entities: NonNullable<Options['entities']> = [Author, Article, Comment, Tag];

export const ARTICLES = 20_000;

/** An ORM on a new database, filled; others share it by `url`. */
export async function openMagazine(cluster: Cluster, options: Partial<Options> = {}): Promise<MikroORM> {
  const orm = await createOrm({ cluster, entities, ...options });
  const connection = orm.driver.getConnection();
  for (const sql of [
    `insert into "author" select n, 'author ' || n, 'a' || n || '@example.org', repeat('bio ', 20), now() from generate_series(1, 500) n`,
    `insert into "tag" select n, 'tag ' || n from generate_series(1, 50) n`,
    `insert into "article" ("id", "title", "slug", "summary", "section", "published", "score", "words", "price", "created_at", "updated_at", "author_id")
      select n, 'title ' || n, 'slug-' || n, 'summary ' || n, n % 20, n % 3 > 0, (n * 7919) % 10007, n % 900, n % 50, now(), now(), 1 + n % 500
      from generate_series(1, ${ARTICLES}) n`,
    `insert into "comment" select n, 'comment ' || n, now(), 1 + n % ${ARTICLES} from generate_series(1, ${ARTICLES * 5}) n`,
    `insert into "article_tags" select distinct 1 + n % ${ARTICLES}, 1 + (n * 31) % 50 from generate_series(1, ${ARTICLES * 3}) n`,
    `create index on "comment" ("article_id")`,
    `create index on "article" ("author_id")`,
    `vacuum analyze`,
  ]) {
    await connection.execute(sql);
  }
  return orm;
}

/** The same database over other options. */
export function alsoOpen(magazine: MikroORM, options: Partial<Options> = {}): Promise<MikroORM> {
  return createOrm({ entities, url: magazine.config.get('clientUrl')!, ...options });
}
