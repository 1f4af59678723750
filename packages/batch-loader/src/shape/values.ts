/**
 * What a parameter is once MikroORM has written it into the statement: it sends no parameters, but literals. A number
 * becomes one that PostgreSQL types by its size (docs, 4.1.2.6), everything else a quoted one whose type follows from
 * where it stands.
 */
export type LiteralClass = 'int4' | 'int8' | 'numeric' | 'bool' | 'null' | 'quoted';

/** A parameter as text that PostgreSQL's input function of its type reads, and its class. */
export interface LiteralValue {
  readonly class: LiteralClass;
  /** `null` for NULL. */
  readonly text: string | null;
}

const INT4 = 2_147_483_647;
const INT8 = 9_223_372_036_854_775_807n;

/**
 * @param formatDate MikroORM's own: a Date is written in the time zone of its configuration
 * @returns `undefined` for what cannot be sent as an element of an array: raw fragments, objects, NUL
 */
export function literalOf(value: unknown, formatDate: (date: Date) => string): LiteralValue | undefined {
  switch (typeof value) {
    case 'string':
      return value.includes('\0') ? undefined : { class: 'quoted', text: value };
    case 'number':
      return numberLiteral(value);
    case 'bigint':
      return { class: 'quoted', text: String(value) };
    case 'boolean':
      return { class: 'bool', text: String(value) };
    case 'object':
      if (value === null) {
        return { class: 'null', text: null };
      }
      if (value instanceof Date) {
        return Number.isNaN(value.getTime()) ? undefined : { class: 'quoted', text: formatDate(value) };
      }
      return Buffer.isBuffer(value) ? { class: 'quoted', text: `\\x${value.toString('hex')}` } : undefined;
    default:
      return undefined;
  }
}

function numberLiteral(value: number): LiteralValue | undefined {
  if (!Number.isFinite(value)) {
    return undefined;
  }
  const text = String(value);
  if (!/^-?\d+$/.test(text)) {
    return { class: 'numeric', text };
  }
  if (value <= INT4 && value >= -INT4 - 1) {
    return { class: 'int4', text };
  }
  return { class: Math.abs(value) < 2 ** 63 && BigInt(text) <= INT8 ? 'int8' : 'numeric', text };
}

/**
 * Type of the column that carries a parameter's values, so that each means what it would as a literal in the statement.
 *
 * @param inferred the type PostgreSQL gives the parameter where it stands
 */
export function columnType(literal: LiteralClass, inferred: string): string {
  switch (literal) {
    case 'int4':
    case 'int8':
    case 'numeric':
      // Here a literal of any size is converted, so that 1 and 1.5 may share a column. Elsewhere its own type decides the
      // operator: `real = 1.1` compares as double precision, `integer > 1.5` as numeric.
      return inferred === 'numeric' || inferred === 'double precision' ? inferred : literal;
    case 'bool':
      return 'bool';
    default:
      return inferred;
  }
}

/**
 * PostgreSQL's text form of an array (docs, 8.15.2), every element quoted.
 *
 * @param elements `null` for NULL
 */
export function arrayLiteral(elements: readonly (string | null)[]): string {
  let text = '{';
  for (let index = 0; index < elements.length; index++) {
    const element = elements[index] ?? null;
    text += index === 0 ? '' : ',';
    text += element === null ? 'NULL' : PLAIN.test(element) ? element : `"${element.replaceAll(/["\\]/g, '\\$&')}"`;
  }
  return `${text}}`;
}

// Nothing that an array's input function gives a meaning to. NULL in any case is quoted below by not being a number.
const PLAIN = /^-?\d+(?:\.\d+)?$/;
