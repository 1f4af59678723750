/**
 * A column's values as text: what PostgreSQL's input function of its type reads, in one form per value. Cursors hold it and
 * statements compare with it, so nothing is lost that a JavaScript number or `Date` cannot hold. Text that no value of the
 * type has is found here, not by PostgreSQL: in a transaction its error would be the end of it.
 */
export interface ColumnText {
  /**
   * @param value the database's form of a value: string, number, bigint, boolean or Date
   * @returns `undefined` if it is none of the type's
   */
  write(value: unknown): string | undefined;
}

/** How the column is declared. */
export interface ColumnDeclaration {
  readonly type: string;
  /** Of a native enum. */
  readonly items?: readonly unknown[] | undefined;
  /** Microseconds of a Date beyond its milliseconds, 0 to 999. */
  readonly microsecondsOf: (date: Date) => number;
}

const INT_RANGES: ReadonlyMap<string, bigint> = new Map([
  ...['smallint', 'int2', 'smallserial'].map(name => [name, 1n << 15n] as const),
  ...['int', 'integer', 'int4', 'serial'].map(name => [name, 1n << 31n] as const),
  ...['bigint', 'int8', 'bigserial'].map(name => [name, 1n << 63n] as const),
]);

/** The text of a column's values, or `undefined` for a type whose values cannot be told from others by their text. */
export function columnText({ type, items, microsecondsOf }: ColumnDeclaration): ColumnText | undefined {
  if (items) {
    return { write: value => (items.includes(value) && typeof value === 'string' ? value : undefined) };
  }
  // `timestamp(3) with time zone` is `timestamp with time zone`.
  const name = type
    .toLowerCase()
    .replace(/\s*\([^)]*\)/, '')
    .trim();
  const range = INT_RANGES.get(name);
  if (range !== undefined) {
    return { write: value => integerText(value, range) };
  }
  switch (name) {
    case 'numeric':
    case 'decimal':
      return { write: numericText };
    case 'real':
    case 'float4':
      return { write: value => floatText(value, Math.fround) };
    case 'double precision':
    case 'float8':
    case 'double':
      return { write: value => floatText(value, number => number) };
    case 'boolean':
    case 'bool':
      return { write: value => (/^(?:true|false)$/.test(String(value)) ? String(value) : undefined) };
    case 'uuid':
      return { write: value => (typeof value === 'string' && UUID.test(value) ? value.toLowerCase() : undefined) };
    case 'date':
      return { write: dateText };
    case 'time':
    case 'time without time zone':
      return { write: value => (typeof value === 'string' && TIME.test(value) ? value : undefined) };
    case 'timestamp':
    case 'timestamptz':
    case 'timestamp with time zone':
    case 'timestamp without time zone':
      return { write: value => timestampText(value, microsecondsOf) };
    case 'text':
    case 'varchar':
    case 'character varying':
    case 'char':
    case 'character':
    case 'bpchar':
    case 'citext':
      // PostgreSQL's text holds neither.
      return {
        write: value =>
          typeof value === 'string' && !value.includes('\0') && value.isWellFormed() ? value : undefined,
      };
    default:
      return undefined;
  }
}

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;
const TIME = /^(?:(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?|24:00:00)$/;
const DATE = /^(?!0000)\d{4}-\d\d-\d\d$/;
const ISO_MICROSECONDS = /^(?!0000)(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3})\d{3}Z$/;
/** As PostgreSQL writes it. */
const STORED_TIMESTAMP =
  /^(?!0000)(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.\d{1,6})?(?:[+-](?:0\d|1[0-4])(?::[0-5]\d)?)?$/;

function integerText(value: unknown, range: bigint): string | undefined {
  if (
    typeof value === 'number' ? !Number.isSafeInteger(value) : typeof value !== 'bigint' && typeof value !== 'string'
  ) {
    return undefined;
  }
  const text = Object.is(value, -0) ? '0' : String(value);
  if (!/^(?:0|-?[1-9]\d{0,18})$/.test(text)) {
    return undefined;
  }
  const integer = BigInt(text);
  return integer >= -range && integer < range ? text : undefined;
}

function numericText(value: unknown): string | undefined {
  const text = typeof value === 'number' || typeof value === 'bigint' ? String(value) : value;
  // The exponents are those JavaScript writes. More digits than this PostgreSQL does not compare.
  return typeof text === 'string' && /^(?:-?\d{1,1000}(?:\.\d{1,1000})?(?:e[+-]\d{1,3})?|NaN|-?Infinity)$/.test(text)
    ? text
    : undefined;
}

function floatText(value: unknown, round: (value: number) => number): string | undefined {
  if (typeof value === 'number') {
    return fits(value, round) ? String(value) : undefined;
  }
  return typeof value === 'string' && String(Number(value)) === value && fits(Number(value), round) ? value : undefined;
}

/** PostgreSQL refuses what would become infinite or zero by rounding. */
function fits(value: number, round: (value: number) => number): boolean {
  return !Number.isFinite(value) || value === 0 || (Number.isFinite(round(value)) && round(value) !== 0);
}

function dateText(value: unknown): string | undefined {
  if (value === 'infinity' || value === '-infinity') {
    return value;
  }
  return typeof value === 'string' && DATE.test(value) && isDay(value) ? value : undefined;
}

function isDay(text: string): boolean {
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}

function timestampText(value: unknown, microsecondsOf: (date: Date) => number): string | undefined {
  if (value instanceof Date) {
    const text = Number.isNaN(value.getTime())
      ? ''
      : value.toISOString().replace('Z', `${String(microsecondsOf(value)).padStart(3, '0')}Z`);
    return ISO_MICROSECONDS.test(text) ? text : undefined;
  }
  if (value === 'infinity' || value === '-infinity') {
    return value;
  }
  if (typeof value !== 'string') {
    return undefined;
  }
  const iso = ISO_MICROSECONDS.exec(value);
  if (iso) {
    const date = new Date(`${iso[1]}Z`);
    return !Number.isNaN(date.getTime()) && date.toISOString() === `${iso[1]}Z` ? value : undefined;
  }
  const stored = STORED_TIMESTAMP.exec(value);
  return stored && isDay(stored[1]!) && TIME.test(stored[2]!) ? value : undefined;
}

/**
 * A timestamp's text as a literal to compare its column with. A column without a time zone holds wall time: that of the time
 * zone in which MikroORM read it.
 *
 * @param timezone of the ORM: `Z`, an offset such as `+02:00`, otherwise the process's own
 */
export function timestampLiteral(text: string, type: string, timezone: string | undefined): string {
  const iso = ISO_MICROSECONDS.exec(text);
  if (!iso || /^timestamptz|with time zone/i.test(type)) {
    return text;
  }
  const date = new Date(`${iso[1]}Z`);
  const offset = /^([+-])(\d\d):?(\d\d)$/.exec(timezone === 'Z' ? '+00:00' : (timezone ?? ''));
  const wall = offset
    ? date.getTime() + Number(`${offset[1]}1`) * (Number(offset[2]) * 60 + Number(offset[3])) * 60_000
    : localTime(date);
  return new Date(wall).toISOString().replace('Z', text.slice(-4, -1));
}

/** The process's wall time, as if it were UTC. By its parts: an offset of before 1900 is no whole number of minutes. */
function localTime(date: Date): number {
  const wall = new Date(0);
  wall.setUTCFullYear(date.getFullYear(), date.getMonth(), date.getDate());
  return wall.setUTCHours(date.getHours(), date.getMinutes(), date.getSeconds(), date.getMilliseconds());
}
