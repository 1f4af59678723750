import { type EntityManager, defineEntity, p } from '@mikro-orm/postgresql';
import { type Batch, type ExplainedStatement, type Page, batch } from '@mikrokit/batch-loader';
import { expectTypeOf } from 'vitest';

/*
 * Checked by `tsc -p test`; never run. The types of batch(em) are those of em.
 */

const Author = defineEntity({
  name: 'Author',
  properties: { id: p.integer().primary(), name: p.string(), books: () => p.oneToMany(Book).mappedBy('author') },
});
const Book = defineEntity({
  name: 'Book',
  properties: {
    id: p.integer().primary(),
    title: p.string(),
    pages: p.integer().nullable(),
    copies: p.bigint(),
    price: p.decimal('string'),
    printed: p.datetime(),
    author: () => p.manyToOne(Author).ref(),
  },
});

export async function read(em: EntityManager): Promise<void> {
  const b = batch(em);
  expectTypeOf(b).toEqualTypeOf<Batch>();

  const authors = await b.find(Author, { name: { $like: 'A%' } }, { populate: ['books'], limit: 3 });
  expectTypeOf(authors).toEqualTypeOf(await em.find(Author, {}, { populate: ['books'] }));
  expectTypeOf(authors[0]!.books.getItems()[0]!.title).toBeString();
  // @ts-expect-error: Author has no such property
  await b.find(Author, { nothing: 1 });
  // @ts-expect-error: nor such a relation
  await b.find(Author, {}, { populate: ['nothing'] });

  const one = await b.findOne(Book, 1, { fields: ['title'] });
  expectTypeOf(one).toEqualTypeOf(await em.findOne(Book, 1, { fields: ['title'] }));
  // @ts-expect-error: not among the fields
  expectTypeOf(one!.price).toBeString();
  expectTypeOf(await b.findOneOrFail(Book, 1)).toEqualTypeOf(await em.findOneOrFail(Book, 1));

  expectTypeOf(await b.count(Book, { author: 1 })).toBeNumber();
  expectTypeOf(await b.exists(Book, { author: { name: 'A' } })).toBeBoolean();

  expectTypeOf(await b.sum(Book, 'pages')).toEqualTypeOf<number | null>();
  expectTypeOf(await b.sum(Book, 'copies', { author: 1 })).toEqualTypeOf<bigint | null>();
  expectTypeOf(await b.sum(Book, 'price')).toEqualTypeOf<string | null>();
  expectTypeOf(await b.avg(Book, 'pages')).toEqualTypeOf<number | null>();
  expectTypeOf(await b.avg(Book, 'copies')).toEqualTypeOf<string | null>();
  expectTypeOf(await b.max(Book, 'printed')).toEqualTypeOf<Date | null>();
  expectTypeOf(await b.min(Book, 'title')).toEqualTypeOf<string | null>();
  // @ts-expect-error: Book has no such property
  await b.sum(Book, 'nothing');

  const page = await b.page(Author, {}, { first: 3, orderBy: { name: 'asc' }, populate: ['books'], total: true });
  expectTypeOf(page).toEqualTypeOf<Page<(typeof page.items)[number]>>();
  expectTypeOf(page.items[0]!.books.getItems()[0]!.title).toBeString();
  expectTypeOf(page.edges[0]!.cursor).toBeString();
  expectTypeOf(page.totalCount).toEqualTypeOf<number | undefined>();
  // @ts-expect-error: pages have sizes and cursors, not offsets
  await b.page(Author, {}, { offset: 3 });

  expectTypeOf(b.explain()).toEqualTypeOf<readonly ExplainedStatement[]>();
}
