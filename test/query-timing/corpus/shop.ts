import {
  defineEntity,
  type EntityManager,
  type EntityName,
  type Kysely,
  type MikroORM,
  p,
} from '@mikro-orm/postgresql';
import { openOrm, type OrmOptions } from '../../harness/orm.ts';

/* A bookshop: every kind of relation and key that a loop may go over. */

export const Author = defineEntity({
  name: 'Author',
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    country: p.string().default('DE'),
    books: () => p.oneToMany(Book).mappedBy('author'),
    profile: () => p.oneToOne(Profile).mappedBy('author').ref().nullable(),
  },
});
export const Profile = defineEntity({
  name: 'Profile',
  properties: {
    id: p.integer().primary(),
    bio: p.string(),
    author: () => p.oneToOne(Author).owner().ref(),
  },
});
/** With uuids. */
export const Publisher = defineEntity({
  name: 'Publisher',
  properties: {
    id: p.uuid().primary(),
    name: p.string(),
    books: () => p.oneToMany(Book).mappedBy('publisher'),
  },
});
/** With bigints, which the driver gives as texts. */
export const Tag = defineEntity({
  name: 'Tag',
  properties: {
    id: p.bigint().primary(),
    name: p.string(),
    books: () => p.manyToMany(Book).mappedBy('tags'),
  },
});
export const Book = defineEntity({
  name: 'Book',
  properties: {
    id: p.integer().primary(),
    title: p.string(),
    isbn: p.string(),
    price: p.integer().default(10),
    author: () => p.manyToOne(Author).ref(),
    publisher: () => p.manyToOne(Publisher).ref(),
    tags: () => p.manyToMany(Tag),
  },
});
/** The book does not know its reviews. */
export const Review = defineEntity({
  name: 'Review',
  properties: {
    id: p.integer().primary(),
    stars: p.integer(),
    text: p.text().default('').lazy().ref(),
    book: () => p.manyToOne(Book).ref(),
  },
});
/** Found by the book's isbn, which no relation tells. */
export const Stock = defineEntity({
  name: 'Stock',
  properties: { id: p.integer().primary(), isbn: p.string(), pieces: p.integer() },
});
/** A tree. */
export const Category = defineEntity({
  name: 'Category',
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    parent: () => p.manyToOne(Category).ref().nullable(),
    children: () => p.oneToMany(Category).mappedBy('parent'),
  },
});
/** With a key of two columns. */
export const Line = defineEntity({
  name: 'Line',
  properties: {
    order: p.integer().primary(),
    number: p.integer().primary(),
    pieces: p.integer(),
    parcels: () => p.oneToMany(Parcel).mappedBy('line'),
  },
});
export const Parcel = defineEntity({
  name: 'Parcel',
  properties: { id: p.integer().primary(), line: () => p.manyToOne(Line).ref() },
});
export const Setting = defineEntity({
  name: 'Setting',
  properties: { key: p.string().primary(), value: p.string() },
});
export const Tenant = defineEntity({
  name: 'Tenant',
  properties: { id: p.integer().primary(), name: p.string() },
});
export const Job = defineEntity({
  name: 'Job',
  properties: {
    id: p.integer().primary(),
    state: p.string().default('open'),
    tenant: () => p.manyToOne(Tenant).ref(),
  },
});
export const Event = defineEntity({
  name: 'Event',
  properties: { id: p.integer().primary().autoincrement(), text: p.string() },
});

/** Many-to-many with an entity of its own between. */
export const Club = defineEntity({
  name: 'Club',
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    members: () => p.manyToMany(Author).pivotEntity(membership),
    memberships: () => p.oneToMany(Membership).mappedBy('club'),
  },
});
export const Membership = defineEntity({
  name: 'Membership',
  properties: {
    club: () => p.manyToOne(Club).ref().primary(),
    author: () => p.manyToOne(Author).ref().primary(),
    since: p.integer().default(2020),
  },
});

// With its type: those of the two entities go round in a circle.
function membership(): EntityName {
  return Membership;
}

/** Referred to by its code. */
export const Coupon = defineEntity({
  name: 'Coupon',
  properties: { id: p.integer().primary(), code: p.string().unique(), percent: p.integer() },
});
export const Sale = defineEntity({
  name: 'Sale',
  tableName: 'sales',
  schema: 'till',
  properties: {
    id: p.integer().primary(),
    coupon: () => p.manyToOne(Coupon).ref().targetKey('code').fieldName('couponCode'),
    soldBy: () => p.manyToOne(Clerk).ref().fieldName('soldBy__clerk'),
  },
});
/** Of one table with others of its kind; in a schema of its own. */
export const Person = defineEntity({
  name: 'Person',
  schema: 'till',
  discriminatorColumn: 'kind',
  abstract: true,
  properties: { id: p.integer().primary(), name: p.string(), kind: p.enum(['clerk', 'customer']) },
});
export const Clerk = defineEntity({
  name: 'Clerk',
  extends: Person,
  schema: 'till',
  discriminatorValue: 'clerk',
  properties: { desk: () => p.manyToOne(Desk).ref().nullable() },
});
export const Desk = defineEntity({
  name: 'Desk',
  schema: 'till',
  properties: { id: p.integer().primary(), floor: p.integer() },
});
/** Its key is its author's. */
export const Passport = defineEntity({
  name: 'Passport',
  properties: {
    author: () => p.oneToOne(Author).owner().ref().primary(),
    number: p.string(),
    stamps: () => p.oneToMany(Stamp).mappedBy('passport'),
  },
});
export const Stamp = defineEntity({
  name: 'Stamp',
  properties: { id: p.integer().primary(), passport: () => p.manyToOne(Passport).ref() },
});

export const entities = [
  Author,
  Profile,
  Publisher,
  Tag,
  Book,
  Review,
  Stock,
  Category,
  Line,
  Parcel,
  Setting,
  Tenant,
  Job,
  Event,
  Club,
  Membership,
  Coupon,
  Sale,
  Person,
  Clerk,
  Desk,
  Passport,
  Stamp,
];

/** Rows of most tables. */
export const COUNT = 12;

export const uuid = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

/** An ORM on its tables, empty or (with `url`) as they are. */
export async function openShop(options: Partial<OrmOptions> = {}): Promise<MikroORM> {
  return await openOrm({ entities, ...options } as OrmOptions);
}

/** The same rows, whatever was done before. */
export async function stockShop(em: EntityManager): Promise<void> {
  await em.execute(`
    truncate author, profile, publisher, tag, book, book_tags, review, stock, category, line, parcel, setting, tenant, job,
      event, club, membership, coupon, till.sales, till.person, till.desk, passport, stamp restart identity cascade;
    insert into author (id, name) select n, 'author ' || n from generate_series(1, ${COUNT}) n;
    insert into profile (id, bio, author_id) select n + 100, 'bio', n from generate_series(1, ${COUNT}) n;
    insert into publisher (id, name)
      select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'publisher ' || n from generate_series(1, ${COUNT}) n;
    insert into tag (id, name) select n + 9000000000, 'tag ' || n from generate_series(1, ${COUNT}) n;
    insert into book (id, title, isbn, author_id, publisher_id)
      select n + 200, 'book ' || n, 'isbn-978-' || lpad(n::text, 6, '0'), n,
        ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid from generate_series(1, ${COUNT}) n;
    insert into book_tags (book_id, tag_id) select n + 200, t + 9000000000 from generate_series(1, ${COUNT}) n, generate_series(1, 3) t;
    insert into review (id, stars, book_id) select n * 10 + r, r, n + 200 from generate_series(1, ${COUNT}) n, generate_series(1, 3) r;
    insert into stock (id, isbn, pieces) select n, 'isbn-978-' || lpad(n::text, 6, '0'), n from generate_series(1, ${COUNT}) n;
    insert into category (id, name, parent_id)
      select n, 'category ' || n, case when n > 1 then n / 2 end from generate_series(1, ${COUNT}) n;
    insert into line ("order", number, pieces) select 7, n, n from generate_series(1, ${COUNT}) n;
    insert into parcel (id, line_order, line_number) select n, 7, n from generate_series(1, ${COUNT}) n;
    insert into setting (key, value) select 'setting-' || n, 'on' from generate_series(1, ${COUNT}) n;
    insert into tenant (id, name) select n, 'tenant ' || n from generate_series(1, ${COUNT}) n;
    insert into club (id, name) select n, 'club ' || n from generate_series(1, ${COUNT}) n;
    insert into membership (club_id, author_id) select n, 1 + (n + m) % ${COUNT} from generate_series(1, ${COUNT}) n, generate_series(1, 2) m;
    insert into coupon (id, code, percent) select n, 'coupon-' || n, n from generate_series(1, ${COUNT}) n;
    insert into till.desk (id, floor) select n + 40, 1 from generate_series(1, ${COUNT}) n;
    insert into till.person (id, name, kind, desk_id) select n + 70, 'clerk ' || n, 'clerk', n + 40 from generate_series(1, ${COUNT}) n;
    insert into till.sales (id, "couponCode", "soldBy__clerk") select n, 'coupon-' || n, n + 70 from generate_series(1, ${COUNT}) n;
    insert into passport (author_id, number) select n, 'p' || n from generate_series(1, ${COUNT}) n;
    insert into stamp (id, passport_author_id) select n, n from generate_series(1, ${COUNT}) n;
    insert into job (id, tenant_id) select n, n from generate_series(1, ${COUNT}) n;
  `);
}

interface Tables {
  author: { id: number };
  book: { id: number; publisher_id: string };
  publisher: { id: string };
}

/** Kysely as people use it: with tables of their own. */
export function kyselyOf(em: EntityManager): Kysely<Tables> {
  return em.getKysely() as unknown as Kysely<Tables>;
}
