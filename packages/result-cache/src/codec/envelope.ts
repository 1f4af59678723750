import { createHmac, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { compressed, decompressed } from './compression.ts';
import {
  CHECKSUM_LENGTH,
  type EntryHeader,
  type Layout,
  type LayoutDamage,
  readLayout,
  SIGNATURE_LENGTH,
  writeEntry,
} from './header.ts';
import type { Codec, Encoded } from './values.ts';

/** For {@link seal} and {@link open}. */
export interface EnvelopeOptions {
  /** The key the entry is stored by. Under another one it is damaged. */
  readonly key: string;
  readonly codec: Codec;
  /** Entries are signed with it, and none without its signature is opened. */
  readonly secret?: string | Uint8Array | undefined;
  /** The most bytes that values may take, uncompressed. @default 64 MiB */
  readonly maxBytes?: number | undefined;
}

/** For {@link seal}. */
export interface SealOptions extends EnvelopeOptions {
  /** Values that take more bytes are compressed, if that makes them smaller by a tenth. @default 16 KiB */
  readonly compressAbove?: number | undefined;
}

/** An entry that is what was sealed. */
export interface Opened {
  readonly header: EntryHeader;
  readonly values: unknown;
  readonly damaged?: undefined;
}

/** An entry that is not; the same as none. */
export interface Damaged {
  readonly damaged: Damage;
}

/**
 * What is wrong with an entry:
 * - `length`, `magic`, `version`: cut off or continued; none; of another release;
 * - `checksum`: its bytes, or its key, are others;
 * - `unsigned`, `signature`: not signed, or not with this secret;
 * - `size`: its values would be larger than `maxBytes`;
 * - `body`: its values cannot be read, such as those of a newer Node.js by an older one.
 */
export type Damage = LayoutDamage | 'checksum' | 'unsigned' | 'signature' | 'size' | 'body';

const MAX_BYTES = 67_108_864;
const COMPRESS_ABOVE = 16_384;

/** The bytes of an entry. @returns `undefined` if the values cannot be stored as they are, or are larger than `maxBytes` */
export async function seal(
  header: EntryHeader,
  values: unknown,
  { key, codec, secret, maxBytes = MAX_BYTES, compressAbove = COMPRESS_ABOVE }: SealOptions,
): Promise<Uint8Array | undefined> {
  const encoded = encodedOrNot(codec, values);
  if (encoded === undefined || encoded.bytes.length > maxBytes) {
    return undefined;
  }
  const { bytes, format } = encoded;
  const smaller = bytes.length > compressAbove ? await compressed(bytes) : undefined;
  const signed = secret !== undefined;
  const layout = { format, compressed: smaller !== undefined, signed, rawLength: bytes.length };
  const entry = writeEntry(header, smaller ?? bytes, layout);
  if (signed) {
    const signedLength = entry.length - CHECKSUM_LENGTH - SIGNATURE_LENGTH;
    entry.set(signatureOf(entry.subarray(0, signedLength), key, secret), signedLength);
  }
  entry.writeUInt32LE(checksumOf(entry, key), entry.length - CHECKSUM_LENGTH);
  return entry;
}

/** Values may throw when they are looked at, and be larger than any buffer. */
function encodedOrNot(codec: Codec, values: unknown): Encoded | undefined {
  try {
    return codec.encode(values);
  } catch {
    return undefined;
  }
}

/**
 * Values and header of an entry, as new objects. It never throws or rejects, whatever the bytes are. Only for large
 * compressed values it takes a promise; a hit is usually at hand at once.
 */
export function open(bytes: Uint8Array, options: EnvelopeOptions): Opened | Damaged | Promise<Opened | Damaged> {
  const entry = asBuffer(bytes);
  const layout = readLayout(entry);
  if (typeof layout === 'string') {
    return { damaged: layout };
  }
  const damaged = damageOf(entry, layout, options);
  if (damaged !== undefined) {
    return { damaged };
  }
  const body = entry.subarray(layout.bodyStart, layout.bodyEnd);
  if (!layout.compressed) {
    return decoded(body, layout, options);
  }
  try {
    const raw = decompressed(body, layout.rawLength);
    return raw instanceof Promise
      ? raw.then(
          all => decoded(all, layout, options),
          () => ({ damaged: 'body' }),
        )
      : decoded(raw, layout, options);
  } catch {
    return { damaged: 'body' };
  }
}

/** The header of an entry, of which nothing has been checked yet. @returns `undefined` if it is none of this release */
export function readHeader(bytes: Uint8Array): EntryHeader | undefined {
  const layout = readLayout(asBuffer(bytes));
  return typeof layout === 'string' ? undefined : layout.header;
}

/** Whether it may be decoded. The checksum first, as it is quick, and no signature of damaged bytes is right. */
function damageOf(
  entry: Buffer,
  { signed, compressed: isCompressed, rawLength, bodyStart, bodyEnd }: Layout,
  { key, secret, maxBytes = MAX_BYTES }: EnvelopeOptions,
): Damage | undefined {
  if (checksumOf(entry, key) !== entry.readUInt32LE(entry.length - CHECKSUM_LENGTH)) {
    return 'checksum';
  }
  if (secret !== undefined) {
    if (!signed) {
      return 'unsigned';
    }
    const signature = entry.subarray(bodyEnd, bodyEnd + SIGNATURE_LENGTH);
    if (!timingSafeEqual(signature, signatureOf(entry.subarray(0, bodyEnd), key, secret))) {
      return 'signature';
    }
  }
  if (rawLength > maxBytes || (!isCompressed && rawLength !== bodyEnd - bodyStart)) {
    return 'size';
  }
  return undefined;
}

function decoded(body: Uint8Array, { header, format }: Layout, { codec }: EnvelopeOptions): Opened | Damaged {
  try {
    return { header, values: codec.decode(format, body) };
  } catch {
    return { damaged: 'body' };
  }
}

/** Of all before it, the signature as well, and of the key. An entry tells where it ends, so the two cannot be confused. */
function checksumOf(entry: Buffer, key: string): number {
  return crc32(key, crc32(entry.subarray(0, entry.length - CHECKSUM_LENGTH)));
}

function signatureOf(entry: Buffer, key: string, secret: string | Uint8Array): Buffer {
  return createHmac('sha256', secret).update(entry).update(key).digest();
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
