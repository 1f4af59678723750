/** The codes of hexadecimal digits. */
const DIGITS: Uint8Array = new TextEncoder().encode('0123456789abcdef');

/**
 * 64 bits that tell statements apart, in two lanes of 32 bits that are mixed with each other: numbers of this size cost no
 * memory, unlike BigInt. Not against somebody who looks for two statements with the same ones.
 */
export class StatementId {
  #a = 0x243f6a88;
  #b = 0x85a308d3 | 0;

  /** Takes in one more piece of a statement, as two numbers of 32 bits that tell it. */
  add(a: number, b: number): void {
    const mixed = Math.imul(this.#a ^ a, 0x9e3779b1);
    this.#a = mixed ^ (mixed >>> 15);
    this.#b = (Math.imul(((this.#b << 7) | (this.#b >>> 25)) ^ b, 0x85ebca77) + mixed) | 0;
  }

  copy(): StatementId {
    const copy = new StatementId();
    copy.#a = this.#a;
    copy.#b = this.#b;
    return copy;
  }

  /** 16 hexadecimal digits. */
  toString(): string {
    const a = finish(this.#a + this.#b);
    const b = finish(this.#b);
    // At once: numbers to base 16, or pieces put together, take several times as long.
    return String.fromCharCode(
      digit(a, 28),
      digit(a, 24),
      digit(a, 20),
      digit(a, 16),
      digit(a, 12),
      digit(a, 8),
      digit(a, 4),
      digit(a, 0),
      digit(b, 28),
      digit(b, 24),
      digit(b, 20),
      digit(b, 16),
      digit(b, 12),
      digit(b, 8),
      digit(b, 4),
      digit(b, 0),
    );
  }
}

/** Spreads what is in any bit over all: the finalizer of MurmurHash3. */
function finish(lane: number): number {
  let bits = lane | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}

function digit(lane: number, shift: number): number {
  return DIGITS[(lane >>> shift) & 15]!;
}
