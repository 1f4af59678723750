/**
 * What a statement is to the resolver.
 * - `read`: cannot have written; `write`: may have; `commit`;
 * - `control`: begins or ends a transaction or a part of it, or sets something of the session.
 */
export type StatementKind = 'read' | 'write' | 'commit' | 'control';

const COMMIT = /^\s*(?:commit|end)\b(?!\s+prepared\b)/i;
const CONTROL =
  /^\s*(?:begin|start\s+transaction|rollback(?!\s+prepared)|abort|savepoint|release|set|reset|discard|listen|unlisten|deallocate|prepare(?!\s+transaction))\b/i;
const READ = /^[\s(]*(?:select|with|values|table|show|explain(?!\s*(?:\(|analy[sz]e)))\b/i;
/** What changes data inside a query, and functions that do. */
const WRITES = /\b(?:insert|update|delete|merge|into|call|copy)\b/i;
const CALL = /([a-z_][\w$]*)"?\s*\(/gi;
/** Words that stand before a parenthesis, and functions of PostgreSQL that MikroORM and people use in reads. */
const HARMLESS = new Set(
  (
    'select from where and or not in any all some exists as on using with values over partition filter within group by having ' +
    'order limit offset distinct between like ilike is case when then else end union intersect except lateral array row cast ' +
    'count sum avg min max coalesce nullif greatest least lower upper length trim ltrim rtrim btrim substring substr replace concat ' +
    'concat_ws left right position strpos split_part repeat reverse lpad rpad initcap md5 abs ceil ceiling floor round trunc mod ' +
    'power sqrt sign random now date_trunc date_part extract age to_char to_date to_timestamp to_number make_date make_interval ' +
    'current_timestamp current_setting json_build_object jsonb_build_object json_build_array jsonb_build_array json_agg jsonb_agg ' +
    'json_object_agg jsonb_object_agg row_to_json to_json to_jsonb jsonb_array_elements json_array_elements jsonb_each json_each ' +
    'array_agg string_agg bool_and bool_or every unnest array_length cardinality array_to_string string_to_array any_value ' +
    'row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value percentile_cont percentile_disc ' +
    'generate_series to_tsvector to_tsquery plainto_tsquery websearch_to_tsquery ts_rank ts_headline similarity regexp_replace ' +
    'regexp_match regexp_matches encode decode varchar char numeric decimal timestamp timestamptz time interval bit pg_typeof ' +
    'pg_is_in_recovery pg_last_wal_replay_lsn pg_current_wal_lsn pg_current_wal_insert_lsn pg_backend_pid inet_server_port ' +
    'inet_server_addr version obj_description col_description format_type pg_get_expr pg_get_indexdef pg_get_constraintdef'
  ).split(' '),
);

/**
 * Looks at a statement, not closely: what cannot be told is taken for a write. A read that is taken for one costs a
 * question for the position; a write that is taken for a read would be missed. Several statements in one text: a write.
 */
export function statementKind(text: string): StatementKind {
  if (COMMIT.test(text)) {
    return text.replace(/;\s*$/, '').includes(';') ? 'write' : 'commit';
  }
  if (!READ.test(text)) {
    return CONTROL.test(text) && !text.replace(/;\s*$/, '').includes(';') ? 'control' : 'write';
  }
  const bare = withoutLiterals(text);
  if (bare === undefined || bare.replace(/;\s*$/, '').includes(';') || WRITES.test(bare)) {
    return 'write';
  }
  for (const [, name] of bare.matchAll(CALL)) {
    if (!HARMLESS.has(name!.toLowerCase())) {
      return 'write';
    }
  }
  return 'read';
}

/** The text without strings and comments; quoted names stay. `undefined`: a form of string that is not looked into. */
function withoutLiterals(text: string): string | undefined {
  if (text.includes('$') && /\$(?:[a-z_]\w*)?\$/i.test(text)) {
    return undefined;
  }
  if (/\be'|u&/i.test(text) && text.includes('\\')) {
    return undefined;
  }
  return text
    .replaceAll(/'(?:[^']|'')*'/g, "''")
    .replaceAll(/--[^\n]*/g, ' ')
    .replaceAll(/\/\*[^*]*\*+(?:[^/*][^*]*\*+)*\//g, ' ');
}
