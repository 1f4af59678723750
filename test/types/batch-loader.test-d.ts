import type { Collection, InferEntity, Loaded, MikroORM, Ref } from '@mikro-orm/core';
import { defineEntity, p } from '@mikro-orm/postgresql';
import {
  type BatchEvent,
  type BatchLoader,
  type BatchLoaderError,
  type BatchLoaderErrorCode,
  type BatchLoaderOptions,
  type BatchWindow,
  type OptionsError,
  batchLoader,
} from '@mikrokit/batch-loader';
import { expectTypeOf } from 'vitest';

/*
 * Checked by `tsc -p test`; never run. A type that is wrong fails to compile, and so does a `@ts-expect-error` above a line
 * that is right.
 */

const Author = defineEntity({
  name: 'Author',
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    bio: p.text().lazy().ref().nullable(),
    books: () => p.oneToMany(Book).mappedBy('author'),
  },
});

const Book = defineEntity({
  name: 'Book',
  properties: {
    id: p.integer().primary(),
    title: p.string(),
    author: () => p.manyToOne(Author).ref(),
    tags: () => p.manyToMany(Tag).owner(),
  },
});

const Tag = defineEntity({ name: 'Tag', properties: { id: p.integer().primary(), label: p.string() } });

type AuthorEntity = InferEntity<typeof Author>;
type BookEntity = InferEntity<typeof Book>;
type TagEntity = InferEntity<typeof Tag>;

declare const author: AuthorEntity;
declare const book: BookEntity;
declare const orm: MikroORM;

/** The factory and its options. */
export function options(): void {
  expectTypeOf(batchLoader()).toEqualTypeOf<BatchLoader>();
  expectTypeOf(batchLoader).parameter(0).toEqualTypeOf<BatchLoaderOptions | undefined>();
  expectTypeOf(batchLoader().register(orm)).toEqualTypeOf<void>();
  expectTypeOf<BatchWindow>().toEqualTypeOf<'immediate' | 'tick' | ((dispatch: () => void) => void)>();

  batchLoader({});
  batchLoader({ batchWindow: 'tick', maxBatchSize: 1 });
  batchLoader({ maxBatchSize: Infinity });
  // Options that come from somewhere else may be undefined, also under exactOptionalPropertyTypes.
  batchLoader({ batchWindow: undefined, maxBatchSize: undefined });
  batchLoader({ batchWindow: dispatch => void setTimeout(dispatch, 5) });

  // @ts-expect-error no such option
  batchLoader({ cache: true });
  // @ts-expect-error no such window
  batchLoader({ batchWindow: 'microtask' });
  // @ts-expect-error milliseconds are no window; a function is
  batchLoader({ batchWindow: 5 });
  // @ts-expect-error dispatch takes no arguments
  batchLoader({ batchWindow: dispatch => dispatch(1) });
  // @ts-expect-error a size is a number
  batchLoader({ maxBatchSize: '100' });
  // @ts-expect-error null is not "not given"
  batchLoader({ maxBatchSize: null });
  // @ts-expect-error options are an object
  batchLoader('immediate');
}

/** An extension for MikroORM's own option. */
export function extension(): void {
  type Extensions = NonNullable<ConstructorParameters<typeof MikroORM>[0]>['extensions'];
  expectTypeOf([batchLoader()]).toExtend<Extensions>();
}

/** What the package adds to MikroORM's types. */
export async function paging(): Promise<void> {
  await author.books.load({ limit: 3, offset: 6, orderBy: { title: 'desc' }, where: { title: 'Emma' } });
  await author.books.loadItems({ limit: 3 });
  await author.books.init({ offset: 6 });
  await book.tags.load({ limit: 3, offset: 6 });

  // @ts-expect-error a limit is a number
  await author.books.load({ limit: '3' });
  // @ts-expect-error an offset is a number
  await author.books.loadItems({ offset: '6' });
  // @ts-expect-error null is not "not given"
  await book.tags.init({ limit: null });
  // @ts-expect-error counts have no limit
  await author.books.loadCount({ limit: 3 });
  // @ts-expect-error references have no limit
  await book.author.load({ limit: 3 });
  // @ts-expect-error a misspelt option
  await author.books.load({ limits: 3 });
  // @ts-expect-error a property that the items do not have
  await author.books.load({ limit: 3, orderBy: { nope: 'asc' } });
  // @ts-expect-error a relation that the items do not have
  await author.books.load({ limit: 3, populate: ['nope'] });
}

/** What it leaves as it was. */
export async function results(): Promise<void> {
  expectTypeOf(await author.books.loadItems()).toExtend<readonly BookEntity[]>();
  expectTypeOf(await author.books.loadItems({ limit: 3 })).toEqualTypeOf(await author.books.loadItems({ orderBy: {} }));
  expectTypeOf(await author.books.load()).toExtend<Collection<BookEntity>>();
  expectTypeOf((await author.books.load({ limit: 3 })).getItems()[0]!.title).toEqualTypeOf<string>();
  expectTypeOf(await author.books.loadCount()).toEqualTypeOf<number>();
  expectTypeOf(await author.bio!.load()).toEqualTypeOf<string | null | undefined>();

  const loaded = await book.author.load();
  expectTypeOf(loaded).toExtend<AuthorEntity | null>();
  expectTypeOf<null>().toExtend<typeof loaded>();
  expectTypeOf(await book.author.loadOrFail()).toExtend<AuthorEntity>();
  expectTypeOf<null>().not.toExtend<Awaited<ReturnType<Ref<AuthorEntity>['loadOrFail']>>>();

  const [first] = await author.books.loadItems({ populate: ['tags'], limit: 3 });
  expectTypeOf(first!).toExtend<Loaded<BookEntity, 'tags'>>();
  // Only a populated collection has `$`.
  expectTypeOf(first!.tags.$.getItems()[0]!.label).toEqualTypeOf<string>();
  const [plain] = await author.books.loadItems({ limit: 3 });
  // @ts-expect-error `tags` was not populated
  void plain!.tags.$;
  expectTypeOf(await book.tags.loadItems()).toExtend<readonly TagEntity[]>();
}

/** Errors and events, for those who act on them. */
export function errorsAndEvents(): void {
  expectTypeOf<BatchLoaderErrorCode>().toEqualTypeOf<
    | 'CLOSED'
    | 'DETACHED'
    | 'FOREIGN_ENTITY'
    | 'ARGUMENT'
    | 'CURSOR'
    | 'NOT_REGISTERED'
    | 'TRANSACTION_ABORTED'
    | 'TRANSACTION_ENDED'
    | 'UNBATCHED'
  >();
  expectTypeOf<BatchLoaderError['code']>().toEqualTypeOf<BatchLoaderErrorCode>();
  expectTypeOf<BatchLoaderError['name']>().toEqualTypeOf<'BatchLoaderError'>();
  expectTypeOf<OptionsError['code']>().toEqualTypeOf<'OPTIONS'>();
  expectTypeOf<OptionsError['option']>().toEqualTypeOf<string>();
  expectTypeOf<BatchEvent['kind']>().toEqualTypeOf<
    | 'reference'
    | 'collection'
    | 'property'
    | 'find'
    | 'findOne'
    | 'count'
    | 'exists'
    | 'sum'
    | 'avg'
    | 'min'
    | 'max'
    | 'page'
  >();
  expectTypeOf<Pick<BatchEvent, 'keys' | 'distinct' | 'rows' | 'waited' | 'took'>>().toEqualTypeOf<{
    readonly keys: number;
    readonly distinct: number;
    readonly rows: number;
    readonly waited: number;
    readonly took: number;
  }>();
}
