import { deserialize, serialize } from 'node:v8';
import { Packr } from 'msgpackr';
import { hasMarks, marked, unmarked } from './marks.ts';
import type { Polymorphic } from './polymorphic.ts';
import { surveyOf } from './survey.ts';

/** A value's bytes, and the format that {@link Codec.decode} has to be told. */
export interface Encoded {
  readonly format: number;
  readonly bytes: Uint8Array;
}

/** Values to bytes and back, exactly or not at all. */
export interface Codec {
  /**
   * The bytes of rows, or of any plain data: primitives, arrays, objects, `Date`, `Buffer`, `Uint8Array`, `Map`, `Set`,
   * `RegExp`, and what {@link Polymorphic} knows. The value stays as it is; properties with getters are read.
   *
   * @returns `undefined` if what is decoded would not be the same: instances of other classes, functions, symbols, hidden
   * properties
   */
  encode(value: unknown): Encoded | undefined;

  /**
   * The value, as new objects each time, none of which shares memory with the bytes. Throws at bytes that are none of its
   * making; whatever they are, all that comes out is data.
   */
  decode(format: number, bytes: Uint8Array): unknown;
}

/** Never renumbered: entries outlive a release. */
const MSGPACK = 1;
/** In V8's format; an older Node.js may not read a newer one's, which is a miss. */
const LOSSLESS = 2;
/** Added to one of the others: the content is the value and its marks. */
const MARKED = 4;

/** Beyond that, msgpackr's buffer is given back. It would keep it for as long as the process lives. */
const LARGE = 1_048_576;

/** @param polymorphic what MikroORM has in rows beside plain data; without it, values that have such are refused */
export function createCodec(polymorphic?: Polymorphic): Codec {
  // Records: the keys of a kind of object once per value. `moreTypes` is what `structuredClone` adds but for identity, which
  // costs twice the time; a value that needs it goes the other way. No `toJSON`: it is a column's name like any other.
  const packr = new Packr({ moreTypes: true, structuredClone: false, copyBuffers: true, useToJSON: false });

  function pack(content: unknown): Uint8Array {
    const bytes = packr.pack(content);
    if (bytes.length > LARGE) {
      packr.useBuffer(Buffer.allocUnsafeSlow(8192));
    }
    return bytes;
  }

  return {
    encode(value) {
      const survey = surveyOf(value, polymorphic);
      if (survey === undefined) {
        return undefined;
      }
      const isMarked = hasMarks(survey);
      const content = isMarked ? marked(value, survey) : value;
      return {
        format: (survey.lossless ? LOSSLESS : MSGPACK) + (isMarked ? MARKED : 0),
        bytes: survey.lossless ? serialize(content) : pack(content),
      };
    },
    decode(format, bytes) {
      switch (format) {
        case MSGPACK:
          return packr.unpack(asBuffer(bytes));
        case LOSSLESS:
          return deserialize(ownCopy(bytes));
        case MSGPACK + MARKED:
          return unmarked(packr.unpack(asBuffer(bytes)), polymorphic);
        case LOSSLESS + MARKED:
          return unmarked(deserialize(ownCopy(bytes)), polymorphic);
        default:
          throw new TypeError(`no known format: ${format}`);
      }
    },
  };
}

/** A Buffer is what msgpackr makes a Buffer of. A new one: msgpackr puts a property of its own on it. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** V8's binary values are windows on the bytes they are read from, and those are the store's. */
function ownCopy(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}
