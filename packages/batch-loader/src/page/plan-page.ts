import { type EntityMetadata, type Platform, Utils, raw } from '@mikro-orm/core';
import { timestampLiteral } from './column-text.ts';
import { orderSignature, readCursor, writeCursor } from './cursor-text.ts';
import type { ExactDates } from './exact-dates.ts';
import { type Condition, type KeysetValues, type Operands, keysetCondition } from './keyset.ts';
import { type OrderTerm, orderTerms } from './order-terms.ts';
import { Page } from './page.ts';
import { type PageArguments, type PagePlace, readWindow } from './page-arguments.ts';
import { cursorError } from './page-error.ts';
import { foreignValues, valuesOf } from './row-values.ts';

/** What belongs to an ORM. */
export interface PageContext {
  readonly platform: Platform;
  readonly dates: ExactDates;
}

/** Arguments of a page and options of `em.find()`, of which `orderBy`, `populate`, `fields` and `exclude` are read. */
export interface PlannedOptions extends PageArguments {
  readonly orderBy?: unknown;
  readonly [option: string]: unknown;
}

/** What to ask MikroORM for, and how to make a page of the answer. */
export interface PagePlan {
  /** For `em.find()`: the caller's condition and the page's place. */
  readonly where: unknown;
  /** For `em.find()`: the caller's options, with an order, a limit, and whatever the cursors need loaded. */
  readonly options: Record<string, unknown>;
  /** For `em.count()`, if `total`: the caller's condition alone. */
  readonly countWhere: unknown;
  readonly countOptions: Record<string, unknown>;
  readonly total: boolean;
  /** @param rows the answer of `em.find()`, which is not used afterwards */
  toPage<Item extends object>(rows: Item[], totalCount?: number): Page<Item>;
}

/**
 * Plans a page: which rows of `where`, in which order, from which place on, and one more to see whether there are any.
 *
 * Plans with cursors of the same order and of the same nulls make the same SQL but for its values, whatever the cursors.
 *
 * @throws {BatchLoaderError} `ARGUMENT` for an order or a size that cannot be, `CURSOR` for a cursor that is not of this page
 */
export function planPage(
  meta: EntityMetadata,
  context: PageContext,
  where: unknown,
  options: PlannedOptions,
): PagePlan {
  const { size, backward } = readWindow(options);
  const { first: _f, last: _l, after, before, total, orderBy, ...others } = options;
  const terms = orderTerms(meta, isNothing(orderBy) ? meta.orderBy : orderBy, date =>
    context.dates.microsecondsOf(date),
  );
  const order = new Order(meta, terms, context);

  const conditions: unknown[] = [];
  for (const [side, place] of [
    ['after', after],
    ['before', before],
  ] as const) {
    const values = order.read(place, side);
    if (values) {
      conditions.push(keysetCondition(terms, values, side, order) ?? { [meta.primaryKeys[0]!]: { $in: [] } });
    }
  }
  const hasPlace = { after: isPlace(after, 'after'), before: isPlace(before, 'before') };
  return {
    where:
      conditions.length === 0
        ? where
        : { $and: isNothing(where) ? conditions : [asCondition(meta, where), ...conditions] },
    options: {
      ...others,
      ...loading(terms, others),
      orderBy: terms.map(term => directionAlong(term, backward)),
      ...(size === undefined ? {} : { limit: size + 1 }),
    },
    countWhere: where,
    countOptions: others,
    total: total === true,
    toPage(rows, totalCount) {
      const more = size !== undefined && rows.length > size;
      const items = more ? rows.slice(0, size) : rows;
      if (backward) {
        items.reverse();
      }
      return new Page({
        items,
        // As the specification has it: counted in the direction of the page, and in the other one what the cursor tells.
        hasNextPage: size !== undefined && !backward ? more : hasPlace.before,
        hasPreviousPage: backward ? more : hasPlace.after,
        totalCount,
        cursorOf: item => order.cursorOf(item),
      });
    },
  };
}

/** An order's places, to and from cursors. */
class Order implements Operands {
  readonly #meta: EntityMetadata;
  readonly #terms: readonly OrderTerm[];
  readonly #context: PageContext;
  #signature: string | undefined;

  constructor(meta: EntityMetadata, terms: readonly OrderTerm[], context: PageContext) {
    this.#meta = meta;
    this.#terms = terms;
    this.#context = context;
  }

  readonly signature = (): string => (this.#signature ??= orderSignature(this.#meta.className, this.#terms));

  cursorOf(entity: object): string {
    return writeCursor(this.signature(), valuesOf(this.#terms, entity, this.#context.platform));
  }

  read(place: PagePlace | null | undefined, side: 'after' | 'before'): KeysetValues | undefined {
    const at = placeOf(place, side);
    if (at === undefined) {
      return undefined;
    }
    if (typeof at === 'string') {
      const read = readCursor(at, this.signature, this.#terms);
      return 'foreign' in read ? foreignValues(this.#terms, read.foreign, this.#context.platform) : read;
    }
    return valuesOf(this.#terms, at, this.#context.platform);
  }

  readonly literal = ({ property }: OrderTerm, text: string): string => {
    const type = property.columnTypes[0]!;
    return /^timestamp/i.test(type) ? timestampLiteral(text, type, this.#context.platform.getTimezone()) : text;
  };

  readonly operand = (term: OrderTerm, text: string): unknown => {
    const literal = this.literal(term, text);
    const { customType } = term.property;
    // The text is the database's form already. A type that would convert it once more is passed by.
    return !customType || isUnchanged(literal, () => customType.convertToDatabaseValue(literal, this.#context.platform))
      ? literal
      : raw('?', [literal]);
  };
}

function isUnchanged(text: string, convert: () => unknown): boolean {
  try {
    return convert() === text;
  } catch {
    return false;
  }
}

function placeOf(place: PagePlace | null | undefined, side: 'after' | 'before'): string | object | undefined {
  const cursor = side === 'after' ? 'endCursor' : 'startCursor';
  const at: unknown = typeof place === 'object' && place !== null && cursor in place ? place[cursor as never] : place;
  // A page without items has no cursors: it is the place of none of its rows.
  if (at === null || at === undefined) {
    return undefined;
  }
  if (typeof at !== 'string' && (typeof at !== 'object' || Array.isArray(at))) {
    throw cursorError(`that is a ${Array.isArray(at) ? 'list' : typeof at}`);
  }
  return at as string | object;
}

function isPlace(place: PagePlace | null | undefined, side: 'after' | 'before'): boolean {
  return placeOf(place, side) !== undefined;
}

function isNothing(value: unknown): boolean {
  return value == null || (typeof value === 'object' && Reflect.ownKeys(value).length === 0);
}

/** A condition that is a key, or a list of keys, cannot stand in `$and` as it is. */
function asCondition(meta: EntityMetadata, where: unknown): unknown {
  const key = Utils.getPrimaryKeyHash(meta.primaryKeys);
  const isKey = (value: unknown): boolean => Utils.isPrimaryKey(value, meta.compositePK) || Utils.isEntity(value, true);
  if (isKey(where)) {
    return { [key]: where };
  }
  if (Array.isArray(where)) {
    return where.every(isKey) ? { [key]: { $in: where as unknown[] } } : { $or: where as unknown[] };
  }
  return where;
}

/** The term as `orderBy` has it; backwards every row's place is the other way round, that of nulls included. */
function directionAlong({ path, descending, nullable, nullsFirst }: OrderTerm, backward: boolean): Condition {
  const direction = descending === backward ? 'asc' : 'desc';
  const first = nullsFirst !== backward;
  // Said only where it matters: an index that was made without it does not serve an order with it, null or not.
  const nulls = !nullable || first === (direction === 'desc') ? '' : first ? ' nulls first' : ' nulls last';
  return path.reduceRight((inner: unknown, name) => ({ [name]: inner }), `${direction}${nulls}`) as Condition;
}

/** Options that have the order's properties loaded, for the cursors. */
function loading(terms: readonly OrderTerm[], { fields, populate, exclude }: PlannedOptions): Record<string, unknown> {
  const added: Record<string, unknown> = {};
  const paths = terms.map(term => term.path.join('.'));
  if (Array.isArray(fields) && !fields.includes('*')) {
    added['fields'] = [...new Set([...(fields as string[]), ...paths])];
  }
  if (Array.isArray(exclude)) {
    added['exclude'] = (exclude as string[]).filter(
      name => !paths.some(path => path === name || path.startsWith(`${name}.`)),
    );
  }
  const needed = terms.flatMap(term => term.populate ?? []);
  const all = populate === true || (Array.isArray(populate) && populate.includes('*'));
  if (needed.length > 0 && !all) {
    added['populate'] = [...new Set([...(Array.isArray(populate) ? (populate as string[]) : []), ...needed])];
  }
  return added;
}
