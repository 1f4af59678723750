import { type Damage, open, readHeader, seal } from './codec/envelope.ts';
import type { EntryHeader } from './codec/header.ts';
import type { Codec } from './codec/values.ts';

/** How values become the bytes of an entry, and come back. */
export class Entries {
  readonly #codec: Codec;
  readonly #secret: string | Uint8Array | undefined;

  constructor(codec: Codec, secret: string | Uint8Array | undefined) {
    this.#codec = codec;
    this.#secret = secret;
  }

  header(entry: Uint8Array): EntryHeader | undefined {
    return readHeader(entry);
  }

  async open<T>(
    entry: Uint8Array,
    key: string,
  ): Promise<{ readonly value: T; readonly damaged?: undefined } | { readonly damaged: Damage }> {
    const result = open(entry, { key, codec: this.#codec, secret: this.#secret });
    const opened = result instanceof Promise ? await result : result;
    return opened.damaged === undefined ? { value: opened.values as T } : { damaged: opened.damaged };
  }

  /** Encodes before it returns, so that the values may be changed afterwards. @returns `undefined` if they cannot be kept */
  seal(key: string, value: unknown, header: Omit<EntryHeader, 'rows'>): Promise<Uint8Array | undefined> {
    const rows = Array.isArray(value) ? value.length : 1;
    return seal({ ...header, rows }, value, { key, codec: this.#codec, secret: this.#secret });
  }
}
