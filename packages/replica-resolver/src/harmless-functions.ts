/**
 * Functions that write nothing, by their unqualified names: those of `pg_catalog` that people and MikroORM use in reads,
 * and some of widespread extensions. Trap: a function of the same name in another schema of the `search_path` is not told
 * apart. `set_config` sets what a connection forgets. PostgreSQL 18, chapter 9.
 */
export const HARMLESS_FUNCTIONS: ReadonlySet<string> = new Set(
  `
  abs acos age any_value array_agg array_append array_cat array_dims array_fill array_length array_lower array_ndims
  array_position array_positions array_prepend array_remove array_replace array_to_json array_to_string array_upper ascii
  asin atan atan2 avg bit bit_and bit_length bit_or bool_and bool_or btrim cardinality cbrt ceil ceiling char char_length
  character_length chr clock_timestamp coalesce col_description concat concat_ws convert_from convert_to corr cos count
  cume_dist current_database current_schema current_schemas current_setting current_timestamp date date_bin date_part
  date_trunc decimal decode degrees dense_rank div encode every exp extract factorial first_value floor format format_type
  gen_random_uuid generate_series generate_subscripts get_byte greatest grouping has_schema_privilege has_table_privilege
  height inet_server_addr inet_server_port initcap interval isempty isfinite json_agg json_array json_array_elements
  json_array_elements_text json_array_length json_arrayagg json_build_array json_build_object json_each json_each_text
  json_exists json_extract_path json_extract_path_text json_object json_object_agg json_object_keys json_objectagg
  json_populate_record json_populate_recordset json_query json_strip_nulls json_table json_to_record json_to_recordset
  json_typeof json_value jsonb_agg jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array
  jsonb_build_object jsonb_each jsonb_each_text jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object
  jsonb_object_agg jsonb_object_keys jsonb_path_exists jsonb_path_match jsonb_path_query jsonb_path_query_array
  jsonb_path_query_first jsonb_populate_record jsonb_populate_recordset jsonb_pretty jsonb_set jsonb_strip_nulls
  jsonb_to_record jsonb_to_recordset jsonb_typeof justify_days justify_hours justify_interval lag last_value lead least
  left length like ln localtime localtimestamp log lower lower_inc lower_inf lpad ltrim make_date make_interval make_time
  make_timestamp make_timestamptz max md5 min mod mode now nth_value ntile nullif num_nonnulls num_nulls numeric
  obj_description octet_length overlay percent_rank percentile_cont percentile_disc pg_backend_pid
  pg_current_wal_insert_lsn pg_current_wal_lsn pg_database_size pg_get_constraintdef pg_get_expr pg_get_functiondef
  pg_get_indexdef pg_get_serial_sequence pg_get_triggerdef pg_get_viewdef pg_indexes_size pg_is_in_recovery
  pg_last_wal_receive_lsn pg_last_wal_replay_lsn pg_last_xact_replay_timestamp pg_postmaster_start_time pg_relation_size
  pg_size_bytes pg_size_pretty pg_sleep pg_sleep_for pg_table_is_visible pg_table_size pg_total_relation_size pg_typeof
  pg_wal_lsn_diff phraseto_tsquery pi plainto_tsquery position power radians random range_agg rank regexp_count
  regexp_instr regexp_like regexp_match regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table
  regexp_substr repeat replace reverse right round row_number row_to_json rpad rtrim scale set_config setweight sha256
  sha512 sign similarity sin split_part sqrt starts_with statement_timestamp stddev stddev_pop stddev_samp string_agg
  string_to_array string_to_table strip strpos substr substring sum tan time timestamp timestamptz timezone to_char
  to_date to_hex to_json to_jsonb to_number to_regclass to_timestamp to_tsquery to_tsvector transaction_timestamp
  translate trim trunc ts_headline ts_rank ts_rank_cd txid_current_if_assigned unaccent unnest upper upper_inc
  upper_inf uuidv4 uuidv7 var_pop var_samp varchar variance version websearch_to_tsquery width_bucket word_similarity
  `
    .trim()
    .split(/\s+/),
);
