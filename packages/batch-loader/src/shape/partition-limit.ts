import { leadingColumns, type TableFacts } from './catalog.ts';
import type { Statement } from './merged-statement.ts';
import { comparedType } from './parameter-types.ts';
import type { Template } from './slots.ts';
import { readStatement } from './statement-text.ts';
import { arrayLiteral, literalOf } from './values.ts';

// A limit per parent as MikroORM 7.2 writes it: rows numbered by parent, and cut at a number.
const NUMBERED =
  /^select \* from \((select [^]+), row_number\(\) over \(partition by "((?:[^"]|"")*)"\."((?:[^"]|"")*)" order by ([^]+)\) as "__rn" (from [^]+)\) as ("(?:[^"]|"")*") where "__rn" > \? and "__rn" <= \? order by "__rn"$/;

/**
 * Turns a limit per parent that reads all children of all parents into one that stops at the limit of each: a lateral join
 * over the parents, each walking the index. The rows and their numbers are the same.
 *
 * @param factsOf the tables in it
 * @returns `undefined` if the statement is another, or no index leads with the parent
 */
export async function limitByIndex(
  { sql, params }: Statement,
  factsOf: (table: string) => Promise<TableFacts>,
  formatDate: (date: Date) => string,
): Promise<Statement | undefined> {
  const [, columns, alias, column, order, from, outer] = NUMBERED.exec(sql) ?? [];
  if (columns === undefined || order!.includes('?') || order!.includes('"__rn"')) {
    return undefined;
  }
  const inner = readStatement(`${columns} ${from!}`, params.length - 2);
  if ('reason' in inner || inner.clauses === undefined) {
    return undefined;
  }
  const { clauses, slots, tables } = inner;
  const parents = clauses.equalities.find(
    equality => equality.list && equality.alias === alias && equality.column === column,
  );
  const table = tables.get(alias!);
  if (parents === undefined || table === undefined || clauses.orderBy.length > 0 || clauses.limit !== undefined) {
    return undefined;
  }
  const facts = await factsOf(table);
  const fixed = clauses.equalities.filter(
    equality => equality.alias === alias && (!equality.list || equality === parents),
  );
  const type = comparedType(facts, column!);
  if (type === undefined || !leadingColumns(facts, new Set(fixed.map(one => one.column)), new Set([column!]))) {
    return undefined;
  }
  const list = slots[parents.slot]!;
  const literals = params.slice(list.first, list.first + list.size).map(value => literalOf(value, formatDate));
  if (literals.some(literal => literal === undefined)) {
    return undefined;
  }
  const keys = new Set(literals.map(literal => literal!.text));
  const own: unknown[] = [];
  const fill = (template: Template): string =>
    template
      .map((part, index) => {
        if (typeof part === 'string') {
          // `= any(` and `)` around the parents become a comparison with one of them; other lists what they were.
          const after = template[index - 1] === parents.slot ? part.slice(1) : part;
          const next = template[index + 1];
          if (next === parents.slot) {
            return after.replace(/any\($/, '');
          }
          return typeof next === 'number' && slots[next]!.kind === 'list'
            ? after.replace(/= any\($/, 'in (').replace(/<> all\($/, 'not in (')
            : after;
        }
        if (part === parents.slot) {
          return '"_mk"."_mk_parent"';
        }
        const { kind, first, size } = slots[part]!;
        if (kind === 'value') {
          own.push(params[first]);
          return '?';
        }
        own.push(...params.slice(first, first + size));
        return Array.from({ length: size }, () => '?').join(', ');
      })
      .join('');
  own.push(arrayLiteral([...keys]));
  const lateral = `select ${fill(clauses.columns).trim()}, row_number() over (order by ${order!}) as "__rn" from${fill(clauses.from)}where${fill(clauses.where)}`;
  const [above, upTo] = params.slice(-2) as [number, number];
  own.push(upTo - above, above);
  return {
    sql: `select ${outer!}.* from unnest(?::${type}[]) as "_mk"("_mk_parent") cross join lateral (${lateral} order by ${order!} limit ? offset ?) as ${outer!} order by "__rn"`,
    params: own,
  };
}
