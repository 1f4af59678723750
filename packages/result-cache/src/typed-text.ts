import { types } from 'node:util';

/**
 * A text that is the same only for values that are the same, types included: `1` and `'1'`, a Date and its ISO text, `NaN`
 * and `null` differ, as do the bytes of buffers. `JSON.stringify` tells none of these apart.
 *
 * @returns `undefined` for what cannot be written like that: functions, symbols, instances of classes
 */
export function typedText(value: unknown): string | undefined {
  const out: string[] = [];
  return write(value, out, 0) ? out.join('') : undefined;
}

const MOST_DEPTH = 40;

function write(value: unknown, out: string[], depth: number): boolean {
  switch (typeof value) {
    case 'string':
      // The length says where it ends, whatever is in it.
      out.push('s', String(value.length), ':', value);
      return true;
    case 'number':
      out.push('n', Object.is(value, -0) ? '-0' : String(value), ';');
      return true;
    case 'bigint':
      out.push('i', String(value), ';');
      return true;
    case 'boolean':
      out.push(value ? 'T' : 'F');
      return true;
    case 'undefined':
      out.push('U');
      return true;
    case 'object':
      return value === null ? (out.push('N'), true) : writeObject(value, out, depth + 1);
    default:
      return false;
  }
}

function writeObject(value: object, out: string[], depth: number): boolean {
  if (depth > MOST_DEPTH) {
    return false;
  }
  if (Array.isArray(value)) {
    out.push('[');
    for (let index = 0; index < value.length; index += 1) {
      if (!write(value[index], out, depth)) {
        return false;
      }
    }
    out.push(']');
    return true;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) {
    return writePlain(value as Record<string, unknown>, out, depth);
  }
  if (types.isDate(value)) {
    out.push('d', String(value.getTime()), ';');
    return true;
  }
  if (types.isUint8Array(value)) {
    out.push('b', Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64'), ';');
    return true;
  }
  if (types.isRegExp(value)) {
    return write(String(value), (out.push('r'), out), depth);
  }
  return false;
}

function writePlain(value: Record<string, unknown>, out: string[], depth: number): boolean {
  out.push('{');
  // In the order they have: it decides the order of conditions, and so the statement.
  for (const key of Object.keys(value)) {
    out.push(String(key.length), ':', key);
    if (!write(value[key], out, depth)) {
      return false;
    }
  }
  // MikroORM marks conditions of strict filters so, which changes how they are joined.
  if ((value as { __strict?: unknown }).__strict === true) {
    out.push('!');
  }
  out.push('}');
  // Conditions on raw SQL have symbols as keys.
  return Object.getOwnPropertySymbols(value).length === 0;
}
