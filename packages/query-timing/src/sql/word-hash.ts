/* A word is told by two hashes of 32 bits (FNV-1a with two primes): computed in passing, without making a string of it. */

export const SEED_A: number = 0x811c9dc5 | 0;
export const SEED_B: number = 0x9e3779b9 | 0;
export const PRIME_A: number = 0x01000193;
export const PRIME_B: number = 0x85ebca6b | 0;

/** Both hashes of a word in lower case. */
export function wordHashes(word: string): readonly [a: number, b: number] {
  let a = SEED_A;
  let b = SEED_B;
  for (let at = 0; at < word.length; at++) {
    a = Math.imul(a ^ word.charCodeAt(at), PRIME_A);
    b = Math.imul(b ^ word.charCodeAt(at), PRIME_B);
  }
  return [a, b];
}
