import { charCodeAt } from '../sql/characters.ts';

/** Of a long text only its ends and its length are looked at. */
const LONGEST = 256;
/** Of many values only the first ones and the last are. */
const MOST = 64;

/**
 * 32 bits by which values are told apart without being kept. Numbers, bigints and their decimal texts are equal, since
 * PostgreSQL's `bigint` comes as text and goes as any of them. No object is made for integers and texts, which keys are.
 *
 * Two different values have the same hash once in 4 billion pairs. The mixing is the finalizer of MurmurHash3
 * (https://github.com/aappleby/smhasher/wiki/MurmurHash3).
 */
export function hashValue(value: unknown): number {
  switch (typeof value) {
    case 'number':
      return Number.isSafeInteger(value) ? hashInteger(value) : hashCharacters(String(value));
    case 'string':
      return hashText(value);
    case 'bigint':
      return hashText(String(value));
    case 'boolean':
      return value ? mix(0x5bd1e995) : mix(0x1b873593);
    case 'undefined':
      return NOTHING;
    case 'object':
      return value === null ? NOTHING : hashObject(value);
    default:
      return NOTHING;
  }
}

/** What `null` and `undefined` are: no key. */
export const NOTHING = 0;

/** Of all values, in their order. @param known hashes of the first ones */
export function hashValues(values: readonly unknown[], known: readonly number[] = []): number {
  const most = Math.min(values.length, MOST);
  let hash = values.length | 0;
  for (let index = 0; index < most; index++) {
    hash = mix(Math.imul(hash, 31) + (index < known.length ? known[index]! : hashValue(values[index])));
  }
  return values.length > MOST ? mix(hash ^ hashValue(values.at(-1))) : hash;
}

/** Of a text; decimal digits are the number they stand for. */
export function hashText(text: string): number {
  const { length } = text;
  let index = length > 1 && charCodeAt(text, 0) === MINUS ? 1 : 0;
  const isNegative = index === 1;
  const digits = length - index;
  // `007` is not the number 7, and `-0` is none that anybody writes.
  if (digits === 0 || digits > MOST_DIGITS || (charCodeAt(text, index) === ZERO && length > 1)) {
    return hashCharacters(text);
  }
  let number = 0;
  for (; index < length; index++) {
    const digit = charCodeAt(text, index) - ZERO;
    if (digit < 0 || digit > 9) {
      return hashCharacters(text);
    }
    number = number * 10 + digit;
  }
  return Number.isSafeInteger(number) ? hashInteger(isNegative ? -number : number) : hashCharacters(text);
}

/** Of a number that may be safe. */
const MOST_DIGITS = 16;
const MINUS = 45;
const ZERO = 48;

function hashInteger(value: number): number {
  // A small one is its own low half; of others the halves are mixed.
  return (value | 0) === value ? mix(value ^ 0x9e3779b9) : mix(mix(value | 0) ^ Math.floor(value / 4_294_967_296));
}

function hashCharacters(text: string): number {
  const { length } = text;
  let hash = length;
  if (length <= LONGEST) {
    for (let index = 0; index < length; index++) {
      hash = Math.imul(hash ^ charCodeAt(text, index), 0x01000193);
    }
  } else {
    for (let index = 0; index < LONGEST / 2; index++) {
      hash = Math.imul(hash ^ charCodeAt(text, index), 0x01000193);
    }
    for (let index = length - LONGEST / 2; index < length; index++) {
      hash = Math.imul(hash ^ charCodeAt(text, index), 0x01000193);
    }
  }
  return mix(hash);
}

function hashObject(value: object): number {
  if (value instanceof Date) {
    return hashInteger(Math.trunc(value.getTime()));
  }
  if (Array.isArray(value)) {
    return hashValues(value);
  }
  if (ArrayBuffer.isView(value)) {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, Math.min(value.byteLength, LONGEST));
    let hash = value.byteLength;
    for (const byte of bytes) {
      hash = Math.imul(hash ^ byte, 0x01000193);
    }
    return mix(hash);
  }
  try {
    return hashCharacters(JSON.stringify(value) ?? '');
  } catch {
    // Something that cannot be written as JSON: whatever it is, it was no key.
    return NOTHING;
  }
}

function mix(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  hash ^= hash >>> 16;
  return hash === NOTHING ? 1 : hash;
}
