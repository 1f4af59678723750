import { inspect } from 'node:util';
import { type EntityManager, raw } from '@mikro-orm/core';

/*
 * Values for a call that is made twice, on forks of different ORMs: data, with what must be made anew for each fork in
 * `Made`. Its description is its key; equal keys are equal calls.
 */

/** What is made for the fork of a call: an entity, a raw fragment. */
export class Made {
  readonly key: string;
  readonly make: (em: EntityManager) => unknown;
  constructor(key: string, make: (em: EntityManager) => unknown) {
    this.key = key;
    this.make = make;
  }
}

const RAW_KEY = 'raw:';

/** The name of a property whose key is a raw fragment; `@` stands for the alias. */
export function rawKey(sql: string): string {
  return `${RAW_KEY}${sql}`;
}

export function rawValue(sql: string, ...params: unknown[]): Made {
  return new Made(`raw(${describeValue([sql, params])})`, () => raw(sql, params as never));
}

/** The value itself, for this fork; a copy, as MikroORM writes into conditions. */
export function make(value: unknown, em: EntityManager): unknown {
  if (value instanceof Made) {
    return value.make(em);
  }
  if (Array.isArray(value)) {
    return value.map(item => make(item, em));
  }
  if (isPlain(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([name, own]) => [
        name.startsWith(RAW_KEY)
          ? (raw(alias => name.slice(RAW_KEY.length).replaceAll('@', alias)) as unknown as string)
          : name,
        make(own, em),
      ]),
    );
  }
  return value instanceof Date ? new Date(value) : value;
}

/** Differs for all values that a call can tell apart, and reads like the code of it. */
export function describeValue(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return value.length > 1_000 ? `'x'.repeat(${value.length})` : JSON.stringify(value);
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value);
    case 'bigint':
      return `${value}n`;
    case 'object':
      break;
    default:
      return String(value);
  }
  if (value === null) {
    return 'null';
  }
  if (value instanceof Made) {
    return value.key;
  }
  if (Array.isArray(value)) {
    return `[${value.map(describeValue).join(', ')}]`;
  }
  if (value instanceof Date) {
    return `new Date(${Number.isNaN(value.getTime()) ? NaN : `'${value.toISOString()}'`})`;
  }
  if (Buffer.isBuffer(value)) {
    return `Buffer.from('${value.toString('hex')}', 'hex')`;
  }
  if (isPlain(value)) {
    return `{ ${Object.entries(value)
      .map(([name, own]) => `${/^\w+$/.test(name) ? name : JSON.stringify(name)}: ${describeValue(own)}`)
      .join(', ')} }`;
  }
  throw new TypeError(`No description for ${inspect(value)}: wrap it in Made`);
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
