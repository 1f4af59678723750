function words(list: string): ReadonlySet<string> {
  return new Set(list.trim().split(/\s+/));
}

/** Words that begin the next clause of a select, wherever they stand outside of parentheses: all are reserved. */
export const CLAUSES: ReadonlySet<string> = words(`
  from into where group having window union intersect except order limit offset fetch for returning on
`);

/** The same, in a condition of a join. */
export const JOIN_CLAUSES: ReadonlySet<string> = words(`
  where group having window union intersect except order limit offset fetch for returning on when
  join inner left right full cross natural using
`);

/** What combines selects. */
export const SET_OPERATIONS: ReadonlySet<string> = words('union intersect except');

/** Words that begin what orders, limits or locks the rows of combined selects. */
export const TAIL: ReadonlySet<string> = words('order limit offset fetch for');

/** Words that begin a write. */
export const WRITES: ReadonlySet<string> = words('insert update delete merge');

/** What the expressions of merge and of update's SET stop at. */
export const SET_CLAUSES: ReadonlySet<string> = words('from where returning when on');

/** Words that, standing where no clause is expected, say that the statement was misread. */
export const MISPLACED: ReadonlySet<string> = words('select from join into table');

/** Words with a parenthesis behind them that call nothing: no function can have such a name. */
export const NO_CALL: ReadonlySet<string> = words(`
  all and any array as asymmetric between both case check collate default distinct else end except exists
  for foreign from group grouping having in intersect into lateral leading limit not offset on only or order
  placing references returning row select some symmetric then to trailing union unique using values when where
  window with varchar char character numeric decimal dec bit float time timestamp interval nchar precision real boolean
`);

/** Words that are operators or the like behind an operand, and may be the name of a function elsewhere. */
export const INFIX: ReadonlySet<string> = words('like ilike overlaps join over filter columns operator');

/** Words that call nothing behind one certain word: `order by (…)`. */
export const SECOND_WORDS: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['by', words('group order partition')],
  ['first', words('fetch')],
  ['next', words('fetch')],
  ['zone', words('time')],
  ['varying', words('character char nchar bit')],
  ['sets', words('grouping')],
  ['insert', words('then')],
  ['join', words('natural inner left right full outer cross')],
]);

/** What cannot be an alias without AS, in the places where one is looked for. */
export const NO_ALIAS: ReadonlySet<string> = words(`
  from into where group having window union intersect except order limit offset fetch for returning on using
  join inner left right full cross natural tablesample set when then default values overriding select with as lateral
  and or not in is like ilike between case else end only table
`);

/** Words of statements that write or run something else. */
export const EFFECTS: ReadonlySet<string> = words(`
  insert update delete merge into call do execute truncate create alter drop copy with
`);

/** Columns that change by themselves, or by a mere lock. */
export const SYSTEM_COLUMNS: ReadonlySet<string> = words('ctid xmin xmax cmin cmax');
