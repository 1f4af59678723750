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
    const described: string[] = [];
    const most = Math.min(values.length, MOST);
    if (this.#mode === 'types') {
      for (let index = 0; index < most; index++) {
        described.push(typeOf(values[index]));
      }
    } else {
      const secret = isSecret();
      for (let index = 0; index < most; index++) {
        const value = values[index];
        described.push(secret(index) ? '(secret)' : this.#mode === 'full' ? textOf(value) : this.#hashOf(value));
      }
    }
    if (values.length > most) {
      described.push(`(${values.length - most} more)`);
    }
    return described;
  }

  #hashOf(value: unknown): string {
    return hash('sha256', `${this.#salt}${typeOf(value)}:${textOf(value)}`, 'hex').slice(0, 12);
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

function textOf(value: unknown): string {
  let text: string;
  try {
    text =
      typeof value === 'string'
        ? value
        : value instanceof Date
          ? value.toISOString()
          : ArrayBuffer.isView(value)
            ? `(${value.byteLength} bytes)`
            : typeof value === 'object' && value !== null
              ? JSON.stringify(value)
              : String(value);
  } catch {
    text = `(${typeOf(value)})`;
  }
  return shortened(text, LONGEST);
}
