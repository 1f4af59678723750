import { deepStrictEqual, notStrictEqual, strictEqual } from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { crc32, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import {
  type Damage,
  type Damaged,
  type EnvelopeOptions,
  type Opened,
  open,
  readHeader,
  seal,
  type SealOptions,
} from '../../packages/result-cache/src/codec/envelope.ts';
import { createCodec } from '../../packages/result-cache/src/codec/values.ts';

/* An entry is opened as it was sealed, or is damaged. */

const codec = createCodec();
const header = { createdAt: Date.now() + 0.25, freshFor: 60_000, cost: 12.5, rows: 2, vector: 'epoch|a=1|é=2' };
const values = [
  { id: 1, title: 'One', at: new Date(1), big: 2n ** 70n, blob: Buffer.from('blob') },
  { id: 2, title: 'Two', at: null, big: 1n, blob: Buffer.alloc(0) },
];
const key = 'k:0123456789abcdef';
const secret = 'a secret';
const plain: EnvelopeOptions = { key, codec };
const signed: EnvelopeOptions = { ...plain, secret };
const repetitive = Array.from({ length: 2000 }, (_, id) => ({ id, name: `name ${id % 7}`, note: 'the same for all' }));

async function sealed(what: unknown, options: SealOptions): Promise<Buffer> {
  const entry = await seal(header, what, options);
  if (entry === undefined) {
    throw new Error('refused');
  }
  return entry as Buffer;
}

function openNow(bytes: Uint8Array, options: EnvelopeOptions): Opened | Damaged {
  const result = open(bytes, options);
  if (result instanceof Promise) {
    throw new TypeError('not at once');
  }
  return result;
}

/** What a reader without a secret cannot tell from an entry: its checksum is right. */
function rechecked(entry: Buffer, of = key): Buffer {
  entry.writeUInt32LE(crc32(of, crc32(entry.subarray(0, -4))), entry.length - 4);
  return entry;
}

describe.each([
  ['plain', plain],
  ['signed', signed],
])('%s', (_name, options) => {
  test('opens at once as it was sealed, each time anew', async () => {
    const entry = await sealed(values, options);
    deepStrictEqual(openNow(entry, options), { header, values });
    notStrictEqual((openNow(entry, options) as Opened).values, (openNow(entry, options) as Opened).values);
    deepStrictEqual(readHeader(entry), header);
    // From wherever its bytes are.
    const wide = new Uint8Array(entry.length + 9);
    wide.set(entry, 3);
    const view = wide.subarray(3, 3 + entry.length);
    deepStrictEqual(openNow(view, options), { header, values });
    deepStrictEqual(readHeader(view), header);
  });

  test.for([null, undefined, 0, '', [], {}, Number.NaN, -0])('%j is a value', async value => {
    deepStrictEqual(await open(await sealed(value, options), options), { header, values: value });
  });

  test('every flipped bit and every changed byte is noticed', async () => {
    const entry = await sealed(values, options);
    const reasons = new Set<Damage>();
    for (let at = 0; at < entry.length; at++) {
      for (const change of [1, 2, 4, 8, 16, 32, 64, 128, 255]) {
        entry[at]! ^= change;
        const { damaged } = openNow(entry, options);
        expect(damaged, `byte ${at} by ${change}`).toBeDefined();
        reasons.add(damaged!);
        readHeader(entry);
        entry[at]! ^= change;
      }
    }
    expect([...reasons].toSorted()).toEqual(['checksum', 'length', 'magic', 'version']);
    deepStrictEqual(openNow(entry, options), { header, values });
  });

  test('every cut and every continuation is noticed', async () => {
    const entry = await sealed(values, options);
    for (let length = 0; length < entry.length; length++) {
      expect(openNow(entry.subarray(0, length), options), `${length}`).toEqual({ damaged: 'length' });
      expect(openNow(entry.subarray(entry.length - length), options).damaged, `-${length}`).toBeDefined();
      readHeader(entry.subarray(0, length));
    }
    for (const more of [Buffer.of(0), Buffer.alloc(32), entry]) {
      expect(openNow(Buffer.concat([entry, more]), options)).toEqual({ damaged: 'length' });
    }
  });

  test('another key', async () => {
    const entry = await sealed(values, options);
    for (const other of ['', 'k:0123456789abcdee', `${key} `]) {
      expect(openNow(entry, { ...options, key: other })).toEqual({ damaged: 'checksum' });
    }
  });

  test('bytes that are none', () => {
    for (let length = 0; length < 400; length++) {
      expect(openNow(randomBytes(length), options).damaged).toBeDefined();
      expect(openNow(new Uint8Array(length), options).damaged).toBeDefined();
    }
    expect(readHeader(Buffer.alloc(100))).toBeUndefined();
    expect(readHeader(Buffer.alloc(0))).toBeUndefined();
  });
});

describe('with a secret', () => {
  test('only what was signed with it', async () => {
    expect(openNow(await sealed(values, plain), signed)).toEqual({ damaged: 'unsigned' });
    for (const other of ['another', Buffer.from('a secre'), '']) {
      expect(openNow(await sealed(values, { ...plain, secret: other }), signed)).toEqual({ damaged: 'signature' });
      expect(openNow(await sealed(values, signed), { ...plain, secret: other })).toEqual({ damaged: 'signature' });
    }
    deepStrictEqual(openNow(await sealed(values, signed), { ...plain, secret: Buffer.from(secret) }), {
      header,
      values,
    });
  });

  test('a forger without it cannot change, move, or strip anything', async () => {
    const entry = await sealed(values, signed);
    for (let at = 4; at < entry.length - 4; at++) {
      const forged = Buffer.from(entry);
      forged[at]! ^= 1;
      expect(openNow(rechecked(forged), signed).damaged, `byte ${at}`).toMatch(/^(signature|length|unsigned)$/);
    }
    expect(openNow(rechecked(Buffer.from(entry), 'other'), { ...signed, key: 'other' })).toEqual({
      damaged: 'signature',
    });
    const stripped = Buffer.concat([entry.subarray(0, -36), Buffer.alloc(4)]);
    stripped[4]! &= ~2;
    expect(openNow(rechecked(stripped), signed)).toEqual({ damaged: 'unsigned' });
    deepStrictEqual(openNow(stripped, plain), { header, values });
  });

  test('is not needed to open', async () => {
    deepStrictEqual(openNow(await sealed(values, signed), plain), { header, values });
  });
});

test('a right checksum does not make a body readable', async () => {
  const entry = await sealed(values, plain);
  const reasons = new Set<Damage | undefined>();
  for (let at = 4; at < entry.length - 4; at++) {
    for (let byte = 0; byte < 256; byte += 5) {
      const forged = Buffer.from(entry);
      forged[at] = byte;
      // Whatever it gives, it does not throw.
      reasons.add((await open(rechecked(forged), plain)).damaged);
    }
  }
  expect(reasons).toContain('body');
  expect(reasons).toContain('size');
});

test('what cannot be stored is not sealed', async () => {
  expect(await seal(header, [new URL('https://example.org')], plain)).toBeUndefined();
  const hostile = Object.defineProperty({}, 'x', {
    enumerable: true,
    get: () => {
      throw new Error('no');
    },
  });
  expect(await seal(header, hostile, plain)).toBeUndefined();
  expect(await seal(header, 'x'.repeat(101), { ...plain, maxBytes: 100 })).toBeUndefined();
  expect(await seal(header, 'x'.repeat(90), { ...plain, maxBytes: 100 })).toBeDefined();
});

describe('compression', () => {
  test('where it saves something, and only there', async () => {
    const { bytes } = codec.encode(repetitive)!;
    const entry = await sealed(repetitive, plain);
    expect(entry.length).toBeLessThan(bytes.length / 2);
    deepStrictEqual(await open(entry, plain), { header, values: repetitive });
    expect((await sealed(repetitive, { ...plain, compressAbove: bytes.length })).length).toBeGreaterThan(bytes.length);
    const random = randomBytes(100_000);
    const uncompressed = await sealed(random, plain);
    expect(uncompressed.length).toBeGreaterThan(random.length);
    deepStrictEqual(openNow(uncompressed, plain), { header, values: random });
  });

  test('small values are at hand at once, large ones later', async () => {
    const small = repetitive.slice(0, 800);
    const entry = await sealed(small, plain);
    expect(entry.length).toBeLessThan(codec.encode(small)!.bytes.length / 2);
    deepStrictEqual(openNow(entry, plain), { header, values: small });
    const large = [...repetitive, { text: 'x'.repeat(300_000) }];
    const later = open(await sealed(large, signed), signed);
    expect(later).toBeInstanceOf(Promise);
    deepStrictEqual(await later, { header, values: large });
  });

  test('every flipped byte and many cuts are noticed', async () => {
    const entry = await sealed(repetitive.slice(0, 800), plain);
    for (let at = 0; at < entry.length; at++) {
      entry[at]! ^= 1 << (at % 8);
      expect((await open(entry, plain)).damaged, `byte ${at}`).toBeDefined();
      entry[at]! ^= 1 << (at % 8);
      expect((await open(entry.subarray(0, at), plain)).damaged).toBe('length');
    }
  });

  test('a bomb does not go off', async () => {
    const template = await sealed('x'.repeat(20_000), plain);
    const bodyStart = 46 + Buffer.byteLength(header.vector);
    function bomb(raw: number, claimed: number): Buffer {
      const body = zstdCompressSync(Buffer.alloc(raw));
      const entry = Buffer.concat([template.subarray(0, bodyStart), body, Buffer.alloc(4)]);
      entry.writeUInt32LE(claimed, 34);
      entry.writeUInt32LE(body.length, 42);
      return rechecked(entry);
    }
    const large = 200 * 1_048_576;
    expect(await open(bomb(large, large), plain)).toEqual({ damaged: 'size' });
    for (const claimed of [0, 1, 100_000, 262_144, 262_145, 1_000_000]) {
      const before = process.memoryUsage.rss();
      expect(await open(bomb(large, claimed), plain)).toEqual({ damaged: 'body' });
      expect(process.memoryUsage.rss() - before).toBeLessThan(64 * 1_048_576);
    }
    // Less than it claims, of content that is right; a length that is right, of content that is not.
    const claiming = await sealed('x'.repeat(20_000), plain);
    claiming.writeUInt32LE(claiming.readUInt32LE(34) + 1, 34);
    expect(await open(rechecked(claiming), plain)).toEqual({ damaged: 'body' });
    expect(await open(bomb(1000, 1000), plain)).toEqual({ damaged: 'body' });
    expect(await open(bomb(1000, 1000), { ...plain, maxBytes: 999 })).toEqual({ damaged: 'size' });
  });

  test('a body that is no zstd', async () => {
    const entry = await sealed(values, plain);
    entry[4]! |= 1;
    expect(await open(rechecked(entry), plain)).toEqual({ damaged: 'body' });
    const large = await sealed(randomBytes(400_000), plain);
    large[4]! |= 1;
    expect(await open(rechecked(large), plain)).toEqual({ damaged: 'body' });
  });
});

test('what is sealed has memory of its own, and no more than it needs', async () => {
  for (const what of [values, repetitive]) {
    const entry = await sealed(what, plain);
    strictEqual(entry.buffer.byteLength, entry.length);
  }
});
