/** What an entry says of itself. */
export interface EntryHeader {
  /** When its rows were read, in ms since 1970, by the store's clock. */
  readonly createdAt: number;
  /** For how long they count as fresh, in ms. */
  readonly freshFor: number;
  /** How long the fill took, in ms. */
  readonly cost: number;
  readonly rows: number;
  /** The epoch and the versions it depends on, as one string. */
  readonly vector: string;
}

/** The header, and what is needed to read on. */
export interface Layout {
  readonly header: EntryHeader;
  readonly format: number;
  readonly compressed: boolean;
  readonly signed: boolean;
  /** Length of the body before its compression. */
  readonly rawLength: number;
  /** Where the body begins and ends. */
  readonly bodyStart: number;
  readonly bodyEnd: number;
}

/** `length`: cut off or continued; `magic`: no entry; `version`: of another release. */
export type LayoutDamage = 'length' | 'magic' | 'version';

const MAGIC = 0x6d_6b_72;
/** Raised with every change of what follows. */
const VERSION = 1;
const COMPRESSED = 1;
const SIGNED = 2;

/*
 * All numbers little-endian:
 *  0 magic u24 · 3 version u8 · 4 flags u8 · 5 format u8 · 6 createdAt f64 · 14 freshFor f64 · 22 cost f64 · 30 rows u32
 *  34 rawLength u32 · 38 length of the vector u32 · 42 length of the body u32 · 46 vector (UTF-8) · body
 *  · HMAC-SHA256, 32 bytes, if signed · CRC-32, 4 bytes
 */
const FIXED = 46;
export const SIGNATURE_LENGTH = 32;
export const CHECKSUM_LENGTH = 4;

/** A new entry, all but its signature and checksum. Its memory is its own, and no more than it needs. */
export function writeEntry(
  { createdAt, freshFor, cost, rows, vector }: EntryHeader,
  body: Uint8Array,
  layout: Pick<Layout, 'format' | 'compressed' | 'signed' | 'rawLength'>,
): Buffer {
  const vectorLength = Buffer.byteLength(vector);
  const bodyStart = FIXED + vectorLength;
  const entry = Buffer.allocUnsafeSlow(
    bodyStart + body.length + (layout.signed ? SIGNATURE_LENGTH : 0) + CHECKSUM_LENGTH,
  );
  entry.writeUIntLE(MAGIC, 0, 3);
  entry[3] = VERSION;
  entry[4] = (layout.compressed ? COMPRESSED : 0) | (layout.signed ? SIGNED : 0);
  entry[5] = layout.format;
  entry.writeDoubleLE(createdAt, 6);
  entry.writeDoubleLE(freshFor, 14);
  entry.writeDoubleLE(cost, 22);
  entry.writeUInt32LE(rows, 30);
  entry.writeUInt32LE(layout.rawLength, 34);
  entry.writeUInt32LE(vectorLength, 38);
  entry.writeUInt32LE(body.length, 42);
  entry.write(vector, FIXED, 'utf8');
  entry.set(body, bodyStart);
  return entry;
}

/** Reads all but the body. Checks lengths only: nothing in it is to be believed before its checksum was. */
export function readLayout(entry: Buffer): Layout | LayoutDamage {
  if (entry.length < 4) {
    return 'length';
  }
  if (entry.readUIntLE(0, 3) !== MAGIC) {
    return 'magic';
  }
  if (entry[3] !== VERSION) {
    return 'version';
  }
  if (entry.length < FIXED + CHECKSUM_LENGTH) {
    return 'length';
  }
  const flags = entry[4]!;
  const signed = (flags & SIGNED) !== 0;
  const bodyStart = FIXED + entry.readUInt32LE(38);
  const bodyEnd = bodyStart + entry.readUInt32LE(42);
  if (entry.length !== bodyEnd + (signed ? SIGNATURE_LENGTH : 0) + CHECKSUM_LENGTH) {
    return 'length';
  }
  return {
    header: {
      createdAt: entry.readDoubleLE(6),
      freshFor: entry.readDoubleLE(14),
      cost: entry.readDoubleLE(22),
      rows: entry.readUInt32LE(30),
      vector: entry.toString('utf8', FIXED, bodyStart),
    },
    format: entry[5]!,
    compressed: (flags & COMPRESSED) !== 0,
    signed,
    rawLength: entry.readUInt32LE(34),
    bodyStart,
    bodyEnd,
  };
}
