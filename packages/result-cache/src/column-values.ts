import type { SqlValue } from './sql/statement.ts';

/** Types whose equality is that of a text we can write: only their columns can be told apart by value. */
export type ColumnKind = 'integer' | 'uuid' | 'text' | 'boolean';

const KINDS: readonly (readonly [RegExp, ColumnKind])[] = [
  [/^(small|big)?(int|serial)$|^int(eger|2|4|8)$|^serial[248]$/, 'integer'],
  [/^uuid$/, 'uuid'],
  [/^(text|varchar(\(\d+\))?|character varying(\(\d+\))?|enum)$/, 'text'],
  [/^bool(ean)?$/, 'boolean'],
];

/** The kind of a column type as PostgreSQL names it; `undefined` for all others (citext, char(n), numeric, timestamps, …). */
export function columnKind(type: string): ColumnKind | undefined {
  return KINDS.find(([pattern]) => pattern.test(type.toLowerCase()))?.[1];
}

/**
 * One text per value, so that all ways to write a value of the column give the same: `7`, `'7'`, `7n`.
 *
 * @returns `undefined` if it cannot be told which value it is
 */
export function canonical(kind: ColumnKind, value: SqlValue, parameters: readonly unknown[]): string | undefined {
  return 'parameter' in value
    ? canonicalValue(kind, parameters[value.parameter])
    : value.type === 'null' || (value.type === 'number' && kind !== 'integer')
      ? undefined
      : canonicalValue(kind, value.literal);
}

/**
 * {@link canonical}, of a value that is written: a column has what PostgreSQL makes of it, and `varchar(n)` cuts off spaces
 * at the end that it has no room for (https://www.postgresql.org/docs/18/datatype-character.html). What the type of a column
 * is mapped to says nothing of its length in the database.
 */
export function canonicalWritten(
  kind: ColumnKind,
  value: SqlValue,
  parameters: readonly unknown[],
): string | undefined {
  const text = canonical(kind, value, parameters);
  return kind === 'text' && text?.endsWith(' ') ? undefined : text;
}

/** {@link canonical}, for a value of JavaScript. */
export function canonicalValue(kind: ColumnKind, value: unknown): string | undefined {
  switch (kind) {
    case 'integer': {
      if (typeof value === 'bigint' || (typeof value === 'number' && Number.isSafeInteger(value))) {
        return String(value === 0 ? 0 : value);
      }
      return typeof value === 'string' && /^\s*[+-]?\d{1,19}\s*$/.test(value) ? BigInt(value).toString() : undefined;
    }
    case 'uuid': {
      const digits = typeof value === 'string' ? value.toLowerCase().replaceAll(/[-{}]/g, '') : '';
      return /^[0-9a-f]{32}$/.test(digits) ? digits : undefined;
    }
    case 'text':
      return typeof value === 'string' ? value : undefined;
    case 'boolean': {
      const text = typeof value === 'string' || typeof value === 'boolean' ? String(value).trim().toLowerCase() : '';
      return TRUE.has(text) ? 't' : FALSE.has(text) ? 'f' : undefined;
    }
  }
}

// All that PostgreSQL reads as a boolean, but for abbreviations: https://www.postgresql.org/docs/18/datatype-boolean.html
const TRUE: ReadonlySet<string> = new Set(['true', 't', 'yes', 'y', 'on', '1']);
const FALSE: ReadonlySet<string> = new Set(['false', 'f', 'no', 'n', 'off', '0']);
