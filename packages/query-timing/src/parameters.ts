import { hash, randomBytes } from 'node:crypto';
import { shortened } from './shortened.ts';

/** Most values of a query that are described. */
const MOST = 32;
const LONGEST = 100;

/** How parameters are kept. */
export type ParameterMode = 'off' | 'types' | 'hashed' | 'full';

/** Describes parameters as the option says; nothing of them is kept otherwise. */
export class ParameterDescriber {
  readonly #mode: ParameterMode;
  /** Another one in each process: hashes tell equal values, and cannot be looked up. */
  readonly #salt: string = randomBytes(16).toString('hex');

  constructor(mode: ParameterMode) {
    this.#mode = mode;
  }

  get isOn(): boolean {
    return this.#mode !== 'off';
  }

  /**
   * @param isSecret whether the value at this index stands beside a column that is not to be shown; asked for only where
   *   more than types is kept
   */
  describe(values: readonly unknown[], isSecret: () => (index: number) => boolean): readonly string[] {
    const secret = this.#mode === 'types' ? undefined : isSecret();
    const first = values.length > MOST ? values.slice(0, MOST) : values;
    const described = first.map((value, index) => (secret?.(index) === true ? '(secret)' : this.#describe(value)));
    if (values.length > MOST) {
      described.push(`(${values.length - MOST} more)`);
    }
    return described;
  }

  #describe(value: unknown): string {
    try {
      return this.#mode === 'types' ? typeOf(value) : this.#mode === 'full' ? shownText(value) : this.#hashOf(value);
    } catch {
      // Some objects cannot be looked at: they throw, or lead to themselves.
      return '(unknown)';
    }
  }

  #hashOf(value: unknown): string {
    const text = ArrayBuffer.isView(value) ? hash('sha256', bytesOf(value), 'hex') : textOf(value);
    return hash('sha256', `${this.#salt}${typeOf(value)}:${text}`, 'hex').slice(0, 12);
  }
}

function typeOf(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return 'text';
    case 'number':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'bigint':
      return 'bigint';
    default:
      if (value === null || value === undefined) {
        return 'null';
      }
      return value instanceof Date
        ? 'date'
        : Array.isArray(value)
          ? 'list'
          : ArrayBuffer.isView(value)
            ? 'bytes'
            : 'json';
  }
}

/** Anything may be in JSON, under names of its own: of that, nothing is shown. */
function shownText(value: unknown): string {
  return typeOf(value) === 'json' || mayBeJson(value) ? '(json)' : shortened(textOf(value), LONGEST);
}

function mayBeJson(value: unknown): boolean {
  return typeof value === 'string'
    ? /^\s*[{[]/.test(value)
    : Array.isArray(value) && value.some(each => typeOf(each) === 'json' || mayBeJson(each));
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function textOf(value: unknown): string {
  return typeof value === 'string'
    ? value
    : value instanceof Date
      ? value.toISOString()
      : ArrayBuffer.isView(value)
        ? `(${value.byteLength} bytes)`
        : typeof value === 'object' && value !== null
          ? String(JSON.stringify(value))
          : String(value);
}
