import fc from 'fast-check';

/*
 * Statements put together at random: every production nests every other, so that what is read in one place is read in
 * all. White space, case and comments vary, as they do not matter to PostgreSQL.
 */

const table = fc.constantFrom('a', 'b', 'c', '"D"', 's.a', 's."b"', 'x', 'y');
const cte = fc.constantFrom('x', 'y', 'a');
const column = fc.constantFrom('id', 'v', 't.id', 'u.id', 'a.v', '"D"."v"', 's.a.id', 't."from"');
const literal = fc.constantFrom(
  '1',
  '-2',
  "'a'",
  "'it''s'",
  'true',
  'null',
  '$1',
  '$2::uuid',
  "'5'::int",
  '1.5',
  "E'\\n'",
);
const call = fc.constantFrom('lower', 'count', 'coalesce', 'pg_catalog.upper', 'my_function', 's.f', 'now', 'max');

type Production =
  | 'value'
  | 'condition'
  | 'item'
  | 'where'
  | 'select'
  | 'query'
  | 'sets'
  | 'returning'
  | 'write'
  | 'statement';

const { statement } = fc.letrec<Record<Production, string>>(tie => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    literal,
    column,
    fc.tuple(call, tie('value')).map(([name, value]) => `${name}(${value})`),
    fc.tuple(tie('value'), fc.constantFrom('+', '||', '->', '#>>', '-'), tie('value')).map(parts => parts.join(' ')),
    fc.tuple(tie('value'), tie('value')).map(([a, b]) => `case when ${a} = 1 and true then ${b} else 3 end`),
    tie('query').map(text => `(${text})`),
    tie('query').map(text => `array(${text})`),
    tie('value').map(text => `extract(year from ${text})`),
    tie('value').map(text => `(${text})::numeric(10, 2)`),
    tie('value').map(text => `cast(${text} as s.type(3))`),
    fc.tuple(tie('value'), tie('value')).map(([a, b]) => `sum(${a}) filter (where ${b} is null) over (order by ${a})`),
  ),
  condition: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.tuple(column, literal).map(([name, value]) => `${name} = ${value}`),
    fc
      .tuple(column, fc.array(literal, { minLength: 1, maxLength: 3 }))
      .map(([name, list]) => `${name} in (${list.join(', ')})`),
    fc.tuple(column, column, literal, literal).map(([a, b, x, y]) => `(${a}, ${b}) in ((${x}, ${y}), (${y}, ${x}))`),
    fc.tuple(column, column, literal, literal).map(([a, b, x, y]) => `(${a}, ${b}) = (${x}, ${y})`),
    fc
      .tuple(tie('value'), fc.constantFrom('=', '<>', '>', 'like', 'is distinct from'), tie('value'))
      .map(parts => parts.join(' ')),
    fc
      .tuple(tie('condition'), fc.constantFrom('and', 'or', 'and', 'AND'), tie('condition'))
      .map(parts => parts.join(' ')),
    fc.tuple(tie('condition'), tie('condition')).map(([a, b]) => `(${a} and ${b})`),
    tie('condition').map(text => `not (${text})`),
    tie('condition').map(text => `(${text})`),
    fc.tuple(tie('value'), literal, literal).map(([value, a, b]) => `${value} between ${a} and ${b}`),
    tie('query').map(text => `exists (${text})`),
    fc.tuple(column, tie('query')).map(([name, text]) => `${name} in (${text})`),
  ),
  item: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    table,
    fc.tuple(table, fc.constantFrom(' t', ' as u', ' as "D"', ' t (id, v)')).map(parts => parts.join('')),
    fc.tuple(tie('query'), fc.constantFrom('t', 'as u', '')).map(([text, alias]) => `(${text}) ${alias}`),
    fc
      .tuple(tie('item'), fc.constantFrom('join', 'left join', 'full outer join'), tie('item'), tie('condition'))
      .map(([a, join, b, on]) => `${a} ${join} ${b} on ${on}`),
    fc.tuple(tie('item'), tie('item')).map(([a, b]) => `(${a} cross join ${b})`),
    fc.tuple(tie('item'), tie('query')).map(([a, text]) => `${a} left join lateral (${text}) as l on true`),
    fc.constantFrom('generate_series(1, 3) as t', 'unnest(array[1]) with ordinality u', 'my_function(1) as t'),
  ),
  where: fc.oneof(
    { arbitrary: fc.constant(''), weight: 1 },
    { arbitrary: tie('condition').map(text => ` where ${text}`), weight: 3 },
  ),
  select: fc
    .tuple(
      tie('value'),
      fc.array(tie('item'), { maxLength: 2 }),
      tie('where'),
      fc.constantFrom('', '', ' group by 1', ' group by id having count(*) = 1'),
    )
    .map(
      ([value, items, where, group]) =>
        `select ${value}${items.length > 0 ? ` from ${items.join(', ')}` : ''}${where}${group}`,
    ),
  query: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    tie('select'),
    fc
      .tuple(tie('query'), fc.constantFrom('union', 'except all', 'intersect'), tie('query'))
      .map(([a, by, b]) => `(${a}) ${by} (${b})`),
    fc.tuple(tie('select'), tie('select')).map(([a, b]) => `${a} union all ${b}`),
    fc
      .tuple(fc.constantFrom('with', 'with recursive'), cte, tie('query'), cte, tie('query'), tie('select'))
      .map(([word, one, a, two, b, main]) =>
        one === two
          ? `${word} ${one} as (${a}) ${main}`
          : `${word} ${one} as (${a}), ${two} (id) as materialized (${b}) ${main}`,
      ),
    fc
      .tuple(
        tie('select'),
        fc.constantFrom(' order by 1', ' limit 3 offset 1', ' order by id desc fetch first row only'),
      )
      .map(parts => parts.join('')),
    table.map(name => `table ${name}`),
    tie('value').map(value => `values (${value}, 1)`),
  ),
  sets: fc.oneof(
    fc.tuple(fc.constantFrom('v', '"D"'), tie('value')).map(([name, value]) => `${name} = ${value}`),
    fc.tuple(tie('value'), tie('value')).map(([a, b]) => `(id, v) = (${a}, ${b}), w = default`),
    tie('select').map(text => `(id, v) = (${text})`),
  ),
  returning: fc.oneof(
    fc.constant(''),
    fc.constant(' returning *'),
    tie('value').map(text => ` returning ${text}`),
  ),
  write: fc.oneof(
    fc
      .tuple(table, tie('query'), tie('returning'))
      .map(([name, text, end]) => `insert into ${name} (id, v) ${text}${end}`),
    fc
      .tuple(table, tie('value'), tie('value'), tie('sets'), tie('where'), tie('returning'))
      .map(
        ([name, a, b, sets, where, end]) =>
          `insert into ${name} as t (id, v) values (${a}, ${b}), (1, 2) on conflict (id) do update set ${sets}${where}${end}`,
      ),
    fc
      .tuple(
        table,
        fc.constantFrom('', ' as t', ' u'),
        tie('sets'),
        fc.option(tie('item')),
        tie('where'),
        tie('returning'),
      )
      .map(
        ([name, alias, sets, from, where, end]) =>
          `update ${name}${alias} set ${sets}${from === null ? '' : ` from ${from}`}${where}${end}`,
      ),
    fc
      .tuple(table, fc.constantFrom('', ' as t', ' u'), fc.option(tie('item')), tie('where'), tie('returning'))
      .map(
        ([name, alias, using, where, end]) =>
          `delete from ${name}${alias}${using === null ? '' : ` using ${using}`}${where}${end}`,
      ),
    fc
      .tuple(table, tie('item'), tie('condition'), tie('sets'))
      .map(
        ([name, item, on, sets]) =>
          `merge into ${name} using ${item} on ${on} when matched then update set ${sets} when not matched then insert (id) values (1)`,
      ),
  ),
  statement: fc.oneof(
    { arbitrary: tie('query'), weight: 4 },
    { arbitrary: tie('write'), weight: 3 },
    {
      arbitrary: fc
        .tuple(cte, tie('write'), fc.oneof(tie('select'), tie('write')))
        .map(([name, body, main]) => `with ${name} as (${body}) ${main}`),
      weight: 2,
    },
  ),
}));

/** Spaces, as others would write them. */
function spaced(sql: string, gaps: readonly string[]): string {
  let next = 0;
  return sql.replaceAll(/'[^']*'|"[^"]*"| /g, piece => (piece === ' ' ? gaps[next++ % gaps.length]! : piece));
}

const gaps = fc.array(fc.constantFrom(' ', ' ', ' ', '\n  ', ' /* from z */ ', ' -- join z\n', '\t'), {
  minLength: 1,
  maxLength: 20,
});

/** Any query or write; nearly all of them parse. */
export const anyStatement: fc.Arbitrary<string> = fc.tuple(statement, gaps).map(([sql, spaces]) => spaced(sql, spaces));
