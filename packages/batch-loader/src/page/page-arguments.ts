import { argumentError } from './page-error.ts';

/** Which rows of the order a page has. `null`, as GraphQL sends it for an argument left out, means "not given". */
export interface PageArguments {
  /** The first so many rows, after `after` if given. Not together with `last`. */
  readonly first?: number | null | undefined;
  /** Begin after this place: a cursor, a page (its end), or an entity or object with the properties of `orderBy`. */
  readonly after?: PagePlace | null | undefined;
  /** The last so many rows, before `before` if given. Not together with `first`. */
  readonly last?: number | null | undefined;
  /** End before this place: a cursor, a page (its start), or an entity or object with the properties of `orderBy`. */
  readonly before?: PagePlace | null | undefined;
  /** Whether to count the rows of all pages. */
  readonly total?: boolean | undefined;
}

/** A place in an order: a cursor, a `Page` or MikroORM `Cursor`, an entity, or an object with the order's properties. */
export type PagePlace = string | object;

/** The size of a page and its direction. */
export interface PageWindow {
  /** `undefined` for all rows. */
  readonly size: number | undefined;
  /** Whether the page is counted from the end, so that its rows are read in reverse. */
  readonly backward: boolean;
}

/** One row more is asked for, and PostgreSQL's `integer` has to hold that as well. */
const MAX_SIZE = 2 ** 31 - 2;

/**
 * Checks the arguments of a page and reads its window. All four of `first`, `after`, `last` and `before` go together but
 * for `first` and `last`: `after` and `before` are the ends of a range, of which `first` or `last` takes a part.
 *
 * @throws {BatchLoaderError} `ARGUMENT`
 */
export function readWindow(options: PageArguments): PageWindow {
  const first = sizeOf('first', options.first);
  const last = sizeOf('last', options.last);
  if (first !== undefined && last !== undefined) {
    throw argumentError('page() takes first or last', { first, last }, 'Leave one of them out');
  }
  for (const name of ['limit', 'offset'] as const) {
    const value: unknown = (options as Record<string, unknown>)[name];
    if (value != null) {
      throw argumentError(
        `page() takes no ${name}`,
        value,
        name === 'limit' ? 'Pass first or last instead' : 'Pass a cursor as after or before instead',
      );
    }
  }
  if (options.total != null && typeof options.total !== 'boolean') {
    throw argumentError('page() takes total as a boolean', options.total, 'Pass true to have the rows counted');
  }
  return { size: first ?? last, backward: last !== undefined };
}

function sizeOf(name: string, value: unknown): number | undefined {
  if (value == null) {
    return undefined;
  }
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > MAX_SIZE) {
    throw argumentError(
      `page() takes ${name} as a whole number from 0 to ${MAX_SIZE}`,
      value,
      'Leave it out to get all rows',
    );
  }
  return value;
}
