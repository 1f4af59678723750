import { type Damage, type Damaged, open, type Opened, readHeader, seal } from './codec/envelope.ts';
import type { EntryHeader } from './codec/header.ts';
import type { Codec } from './codec/values.ts';

/** How values become the bytes of an entry, and come back. */
export class Entries {
  readonly #codec: Codec;
  readonly #secret: string | Uint8Array | undefined;
  readonly #compressAbove: number | undefined;

  /** @param travels whether entries go over a network, for which large ones are made smaller */
  constructor(codec: Codec, secret: string | Uint8Array | undefined, travels: boolean) {
    this.#codec = codec;
    this.#secret = secret;
    this.#compressAbove = travels ? undefined : Infinity;
  }

  header(entry: Uint8Array): EntryHeader | undefined {
    return readHeader(entry);
  }

  /** A promise only for large compressed values. */
  open<T>(entry: Uint8Array, key: string): OpenedEntry<T> | Promise<OpenedEntry<T>> {
    const opened = open(entry, { key, codec: this.#codec, secret: this.#secret });
    return opened instanceof Promise ? opened.then(valued<T>) : valued<T>(opened);
  }

  /** Encodes before it returns, so that the values may be changed afterwards. @returns `undefined` if they cannot be kept */
  seal(key: string, value: unknown, header: Omit<EntryHeader, 'rows'>): Promise<Uint8Array | undefined> {
    const rows = Array.isArray(value) ? value.length : 1;
    return seal({ ...header, rows }, value, {
      key,
      codec: this.#codec,
      secret: this.#secret,
      compressAbove: this.#compressAbove,
    });
  }
}

/** The value of an entry, or what is wrong with it. */
export type OpenedEntry<T> =
  | { readonly value: T; readonly damaged?: undefined }
  | { readonly damaged: Damage; readonly value?: undefined };

function valued<T>(opened: Opened | Damaged): OpenedEntry<T> {
  return opened.damaged === undefined ? { value: opened.values as T } : { damaged: opened.damaged };
}
