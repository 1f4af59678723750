import { type Equality, findEqualities } from './equalities.ts';
import type { Slot, Span, Template } from './slots.ts';
import type { Scan, Word } from './statement-scan.ts';

/** A select cut at its outermost clauses. */
export interface Clauses {
  /** What stands before `select`: comments. */
  readonly lead: string;
  readonly columns: Template;
  readonly from: Template;
  /** Empty if there is none. */
  readonly where: Template;
  /** Empty if there is none. */
  readonly orderBy: Template;
  /** Its slot; `undefined` if there is none. */
  readonly limit: number | undefined;
  readonly offset: number | undefined;
  readonly equalities: readonly Equality[];
}

const AFTER_WHERE = new Set(['group', 'having', 'window', 'union', 'intersect', 'except', 'fetch', 'distinct', 'all']);

export function readClauses(
  sql: string,
  { words, placeholders }: Scan,
  slots: readonly Slot[],
  spans: readonly Span[],
  cut: (from: number, to: number) => Template,
): Clauses | undefined {
  const select = words[0]!;
  if (words[1]?.text === 'distinct' || words[1]?.text === 'all') {
    return undefined;
  }
  const find = (text: string, after: number, next?: string): Word | undefined =>
    words.find(
      (word, index) =>
        word.at > after &&
        word.text === text &&
        (next === undefined || words[index + 1]?.text === next) &&
        // `a is distinct from b`
        !(text === 'from' && words[index - 1]?.text === 'distinct'),
    );
  const from = find('from', select.at);
  if (from === undefined) {
    return undefined;
  }
  const where = find('where', from.at);
  const orderBy = find('order', from.at, 'by');
  const limit = find('limit', from.at);
  const offset = find('offset', from.at);
  const marks = [where, orderBy, limit, offset].filter(mark => mark !== undefined);
  if (marks.some((mark, index) => index > 0 && mark.at < marks[index - 1]!.at)) {
    return undefined;
  }
  // `distinct` and `all` may stand in an expression; the others begin a clause that the rewrites do not keep.
  if (
    words.some(
      word => word.at > from.at && word.text !== 'distinct' && word.text !== 'all' && AFTER_WHERE.has(word.text),
    )
  ) {
    return undefined;
  }
  const endOf = (mark: Word): number => marks.find(({ at }) => at > mark.at)?.at ?? sql.length;
  const after = (mark: Word, word: string): number => mark.at + word.length;
  const only = (mark: Word | undefined): number | undefined | null => {
    if (mark === undefined) {
      return undefined;
    }
    const rest = cut(after(mark, mark.text), endOf(mark));
    const [space, slot, end] = rest;
    return rest.length === 3 && typeof slot === 'number' && `${space}${end}`.trim() === '' ? slot : null;
  };
  const limitSlot = only(limit);
  const offsetSlot = only(offset);
  if (limitSlot === null || offsetSlot === null) {
    return undefined;
  }
  // A derived table cannot see the calls' values unless it is lateral; and a subquery that does would run once per row
  // and call, where as it is it runs once per call.
  const nested = placeholders.some(({ around }) => around.length > 0);
  const ordering = orderBy === undefined ? [] : cut(sql.indexOf('by', orderBy.at + 5) + 2, endOf(orderBy));
  const byPosition = ordering.some(
    part => typeof part === 'string' && /(?:^|,)\s*\d+\s*(?:$|,|asc\b|desc\b)/i.test(part),
  );
  if (nested || byPosition) {
    return undefined;
  }
  const whereParts = where === undefined ? [] : cut(after(where, 'where'), endOf(where));
  return {
    lead: sql.slice(0, select.at),
    columns: cut(after(select, 'select'), from.at),
    from: cut(after(from, 'from'), endOf(from)),
    where: whereParts,
    orderBy: ordering,
    limit: limitSlot,
    offset: offsetSlot,
    equalities: findEqualities(whereParts, slots),
  };
}
