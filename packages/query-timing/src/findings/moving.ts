import type { Placeholder } from '../sql/placeholders.ts';
import type { Hit } from './repeats.ts';

/** What is different from one query of a group to the next. */
export interface Moving {
  /** Columns that were compared with something else each time: `id = ?`, `author_id in (?)`. */
  readonly keys: readonly Placeholder[];
  /** Nothing moves but where a page begins. */
  readonly isPaging: boolean;
  /** Whether something is written that moves. */
  readonly isSet: boolean;
  /** Nothing else moves: the same rows are written again. */
  readonly isSetAlone: boolean;
}

const RANGES: ReadonlySet<string> = new Set(['<', '>', '<=', '>=', 'between']);
const EQUALITIES: ReadonlySet<string> = new Set(['=', 'in', '= any', 'is not distinct from']);

/** @returns `undefined` if the statement's places do not tell */
export function movingOf(hits: readonly Hit[], placeholders: readonly Placeholder[] | undefined): Moving | undefined {
  const [first] = hits;
  if (placeholders === undefined || first === undefined) {
    return undefined;
  }
  const moving = placeholders.filter(({ index }) => hits.some(({ values }) => values[index] !== first.values[index]));
  const ranges = moving.filter(({ operator }) => operator !== undefined && RANGES.has(operator));
  const isEquality = ({ place, operator }: Placeholder): boolean =>
    place === 'where' && operator !== undefined && EQUALITIES.has(operator);
  return {
    keys: moving.filter(each => isEquality(each) && each.column !== undefined),
    // `at = ? and id > ?` is the second half of `at > ? or …`: a page begins there as well.
    isPaging:
      moving.length > 0 &&
      moving.every(
        each =>
          each.place === 'limit' ||
          each.place === 'offset' ||
          ranges.includes(each) ||
          (isEquality(each) && ranges.some(({ column }) => column !== undefined && column === each.column)),
      ),
    isSet: moving.some(({ place }) => place === 'set'),
    isSetAlone: moving.every(({ place }) => place === 'set'),
  };
}
