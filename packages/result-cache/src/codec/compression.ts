import { promisify } from 'node:util';
import * as zlib from 'node:zlib';

/**
 * Up to so many bytes a body is decompressed at once, on the caller's thread: 0.3 ms for all of them, 0.06 ms for 16 KiB.
 * In the thread pool it takes nearly twice as long, and waits behind whatever else (files, DNS, hashes) is in there. By what
 * comes out, not by what goes in: the first is what takes the time.
 */
const AT_ONCE = 262_144;

/** Compressed is only worth its decompression if it saves a tenth. */
const WORTH_IT = 0.9;

const LEVEL = { [zlib.constants.ZSTD_c_compressionLevel]: 1 };
/** A frame may ask for a window of 128 MiB. Level 1 uses half a MiB, no level more than 8 MiB of what fits an entry. */
const WINDOW = { [zlib.constants.ZSTD_d_windowLogMax]: 23 };

// What calls itself Node.js may be without it: such a process stores entries as they are, and passes over compressed ones.
const available = typeof zlib.zstdCompress === 'function' && typeof zlib.zstdDecompress === 'function';
const zstdCompress = available ? promisify(zlib.zstdCompress) : undefined;
const zstdDecompress = available ? promisify(zlib.zstdDecompress) : undefined;

/** @returns `undefined` if it is not worth it, or not possible */
export async function compressed(body: Uint8Array): Promise<Uint8Array | undefined> {
  try {
    const smaller = await zstdCompress?.(body, { params: LEVEL });
    return smaller !== undefined && smaller.length <= body.length * WORTH_IT ? smaller : undefined;
  } catch {
    return undefined;
  }
}

/** What was compressed, of exactly `length` bytes; no more than these are ever allocated. Throws, or rejects, otherwise. */
export function decompressed(body: Uint8Array, length: number): Uint8Array | Promise<Uint8Array> {
  if (zstdDecompress === undefined) {
    throw new Error('zstd is not available');
  }
  const options = { params: WINDOW, maxOutputLength: Math.max(length, 1) };
  if (length <= AT_ONCE) {
    return ofLength(zlib.zstdDecompressSync(body, options), length);
  }
  return zstdDecompress(body, options).then(bytes => ofLength(bytes, length));
}

function ofLength(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length !== length) {
    throw new RangeError('decompressed to another length');
  }
  return bytes;
}
