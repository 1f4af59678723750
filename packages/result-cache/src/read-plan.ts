import { canonical } from './column-values.ts';
import type { Statement, TableUse } from './sql/statement.ts';
import type { MappedTable, Scope, Tables } from './tables.ts';
import { ANY, tableTag, unknownTag, valueTag } from './tags.ts';

/** What has to be known of a statement, but for its values, to keep its result. */
export type ReadPlan = { readonly uncacheable: string } | CacheablePlan;

export interface CacheablePlan {
  readonly uncacheable?: undefined;
  /** Ids of the tables it reads; with {@link ANY} if it reads what is not mapped. */
  readonly tables: readonly string[];
  /** It reads one mapped table, once. */
  readonly isSimple: boolean;
  /** What else the rows of its tables depend on. */
  readonly scopes: readonly Scope[];
  /** Changes with the mapping of the tables. */
  readonly shape: string;
  /** The tags of its result. */
  tags(parameters: readonly unknown[]): string[];
}

/** More values of one column than this make an entry depend on the whole table. */
const MOST_VALUES = 24;

/** @param statements of one SQL text */
export function planRead(statements: readonly Statement[], tables: Tables): ReadPlan {
  const [statement, second] = statements;
  if (statement === undefined || second !== undefined || statement.verb !== 'select') {
    return { uncacheable: 'it is not one select' };
  }
  if (statement.uncacheable !== undefined) {
    return { uncacheable: statement.uncacheable };
  }
  if (statement.opaque || statement.writes.length > 0) {
    return { uncacheable: 'it may write' };
  }
  const ids = new Set<string>();
  const shapes = new Set<string>();
  const scopes = new Set<Scope>();
  const parts: ((parameters: readonly unknown[]) => string[])[] = [];
  const add = (use: TableUse): void => {
    const table = tables.find(use.schema, use.name);
    const own = tables.idsOf(use.schema, use.name);
    if (table === undefined || table.view) {
      ids.add(ANY);
      parts.push(() => [ANY]);
    } else {
      own.forEach(id => ids.add(id));
      shapes.add(table.shape);
      table.scopes.forEach(scope => scopes.add(scope));
      parts.push(narrowed(tables, table, own, use));
      for (const name of table.dependsOn) {
        const other = tables.named(name);
        const known = tables.idsOf(other.schema, other.name);
        // All of it, even if the statement itself reads only a part.
        known.forEach(id => ids.add(id));
        parts.push(() => known.map(tableTag));
      }
    }
  };
  statement.reads.forEach(add);
  return {
    tables: [...ids],
    isSimple: statement.reads.length === 1 && !ids.has(ANY),
    scopes: [...scopes],
    shape: [...shapes].toSorted().join(),
    tags: parameters => [...new Set(parts.flatMap(part => part(parameters)))],
  };
}

/** The tags of one table in a statement: of the narrowest condition that all its rows meet. */
function narrowed(
  tables: Tables,
  table: MappedTable,
  ids: readonly string[],
  use: TableUse,
): (parameters: readonly unknown[]) => string[] {
  const whole = ids.map(tableTag);
  const conditions = use.equals
    .filter(
      ({ column, values }) =>
        table.tracked.has(column) &&
        values.length <= MOST_VALUES &&
        ids.every(id => tables.mayNarrow(id, table, column)),
    )
    // One value first; of two, the one that is part of the key tells rows apart better.
    .toSorted(
      (a, b) =>
        a.values.length - b.values.length ||
        Number(table.primaryKey.includes(b.column)) - Number(table.primaryKey.includes(a.column)),
    );
  if (conditions.length === 0) {
    return () => whole;
  }
  return parameters => {
    for (const { column, values } of conditions) {
      const kind = table.tracked.get(column)!;
      const texts = values.map(value => canonical(kind, value, parameters));
      if (texts.every(text => text !== undefined)) {
        return ids.flatMap(id => [...texts.map(text => valueTag(id, column, text)), unknownTag(id, column)]);
      }
    }
    return whole;
  };
}
