import type { EntityMetadata } from '@mikro-orm/core';
import type { DatabaseFacts } from './database-facts.ts';
import { entryKey, keyBase } from './entry-key.ts';
import type { ReadContext } from './read-context.ts';
import type { DriverRead } from './seam/driver-reads.ts';
import { movesWithTime } from './sql/functions.ts';
import type { Scope } from './tables.ts';
import { typedText } from './typed-text.ts';

/** A statement, without what surrounds the call that sends it. */
export interface Form {
  readonly uncacheable: string | undefined;
  readonly sql: string;
  readonly params: string;
  readonly keyBase: string;
  readonly tables: readonly string[];
  /** It reads one mapped table, once. */
  readonly isSimple: boolean;
  /** What else the rows of its tables depend on. */
  readonly scopes: readonly Scope[];
  readonly tags: readonly string[];
  /** The key of it where nothing surrounds it. */
  readonly plainKey: string;
}

/** Options of a call that do not change its statement. */
const NOT_IN_STATEMENT: ReadonlySet<string> = new Set([
  'ctx',
  'em',
  'logging',
  'loggerContext',
  'signal',
  'inflightQueryAbortStrategy',
  'cache',
  'flushMode',
  'connectionType',
  'refresh',
  'disableIdentityMap',
  'visited',
  'lookup',
]);

/** Options that decide how rows become data, beside the statement. */
const MAPPING = ['populate', 'fields', 'exclude', 'first', 'last'] as const;

/** A text for all that decides the statement of a call; `undefined` if not all of it can be written down. */
export function formKeyOf({ method, meta, where, options }: DriverRead): string | undefined {
  const parts: unknown[] = [method, nameOf(meta), where];
  for (const name of Object.keys(options)) {
    if (!NOT_IN_STATEMENT.has(name) && options[name] !== undefined) {
      parts.push(name, options[name]);
    }
  }
  return typedText(parts);
}

/** What decides how rows of a call become data; `undefined` if not all of it can be written down. */
export function modeOf({ method, meta, options }: DriverRead): string | undefined {
  return typedText([method, nameOf(meta), ...MAPPING.map(name => options[name])]);
}

/** The form of a statement. @param mode how its rows become data; `undefined` if that cannot be written down */
export function formOf(
  context: ReadContext,
  facts: DatabaseFacts,
  entity: string,
  mode: string | undefined,
  sql: string,
  params: readonly unknown[],
): Form {
  const values = typedText(params);
  if (values === undefined) {
    // A value may be raw SQL, with tables of its own: only the text that is sent tells all of it.
    return formOf(context, facts, entity, mode, context.formatted(sql, params), []);
  }
  const plan = context.planOf(sql);
  const moving = params.some(movesOn) ? 'a value that is read as a time relative to now' : undefined;
  if (plan.uncacheable !== undefined || moving !== undefined || mode === undefined) {
    const uncacheable = plan.uncacheable ?? moving ?? 'an option that cannot be told apart from others';
    return {
      uncacheable,
      sql,
      params: values,
      keyBase: '',
      tables: [],
      isSimple: false,
      scopes: [],
      tags: [],
      plainKey: '',
    };
  }
  const base = keyBase({
    database: facts.database,
    user: context.user,
    searchPath: facts.searchPath,
    mode,
    shape: plan.shape,
    sql,
    params: values,
  });
  return {
    uncacheable: undefined,
    sql,
    params: values,
    keyBase: base,
    tables: plan.tables,
    isSimple: plan.isSimple,
    scopes: plan.scopes,
    tags: plan.tags(params),
    plainKey: entryKey(entity, base, ''),
  };
}

/** Two entities may have classes of one name, but no table is mapped by both of them. */
function nameOf(meta: EntityMetadata): string {
  return `${meta.className} ${meta.schema ?? ''}.${meta.tableName ?? ''}`;
}

/** `'now'` and `'today'` are times wherever PostgreSQL expects one. */
function movesOn(value: unknown): boolean {
  return typeof value === 'string' ? movesWithTime(value) : Array.isArray(value) && value.some(movesOn);
}
