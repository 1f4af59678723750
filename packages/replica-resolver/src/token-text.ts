import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import type { TokenRejection } from './events.ts';
import type { Token } from './token.ts';

/** Longer texts are not looked at. The longest token has 78 characters. */
const maxLength = 160;

/** The signature is base64url of 16 bytes. */
const form = /^v1\.([\da-f]{12})\.(\d{1,10})\.([\da-f]{1,16})\.([\da-z]{1,11})(?:\.([\w-]{22}))?$/;

/** What a token's text is checked against. */
export interface ExpectedToken {
  /** `clusterDigest()` of the cluster; `undefined` while it is not known: not checked. */
  readonly cluster: string | undefined;
  /** The one it must have been signed with; `undefined`: it must not be signed. */
  readonly secret: string | Uint8Array | undefined;
  /** Whole ms since the epoch. */
  readonly now: number;
  /** How old it may be, in ms. */
  readonly ttl: number;
}

/** What a token says of its cluster: the first 12 hexadecimal digits of the SHA-256 of the system identifier. */
export function clusterDigest(systemIdentifier: string): string {
  return hash('sha256', systemIdentifier, 'hex').slice(0, 12);
}

/**
 * A token as text, fit for a cookie, a header or a URL: `v1.<cluster>.<timeline>.<lsn, base 16>.<at, base 36>`, and
 * with a secret `.<first 16 bytes of its HMAC-SHA256, base64url>`.
 * @throws {TypeError} for a token that `decodeToken()` would not take back: it would be ignored, and writes not be seen
 */
export function encodeToken(token: Token, secret?: string | Uint8Array): string {
  const content = contentOf(token);
  if (parse(content)?.content !== content) {
    throw new TypeError(
      'A token has a cluster of 12 hexadecimal digits, a timeline from 1 to 2^32 - 1, an lsn from 0 to 2^64 - 1 and ' +
        `an at in whole ms, but this one is ${content}. Use clusterDigest() and Date.now().`,
    );
  }
  return secret === undefined ? content : `${content}.${sign(content, secret)}`;
}

/**
 * Reads a token's text, which may come from anyone: never throws, and takes exactly what `encodeToken()` writes.
 * Without a secret anyone can make a token; the worst it can do is to be ahead of the primary, which the caller must
 * check.
 *
 * Clocks differ between servers: an `at` up to `ttl` ahead of `now` becomes `now`.
 */
export function decodeToken(text: string, expected: ExpectedToken): { token: Token } | { rejected: TokenRejection } {
  const parsed = parse(text);
  if (parsed === undefined) {
    return { rejected: 'malformed' };
  }
  const { content, signature, token } = parsed;
  if (expected.secret === undefined) {
    if (signature !== undefined) {
      return { rejected: 'malformed' };
    }
  } else if (signature === undefined || !same(signature, sign(content, expected.secret))) {
    return { rejected: 'signature' };
  }
  if (expected.cluster !== undefined && token.cluster !== expected.cluster) {
    return { rejected: 'cluster' };
  }
  const age = expected.now - token.at;
  if (age > expected.ttl) {
    return { rejected: 'expired' };
  }
  if (-age > expected.ttl) {
    return { rejected: 'future' };
  }
  return { token: age < 0 ? { ...token, at: expected.now } : token };
}

/** `undefined` when it is not the text of a token. The signature is not checked. */
function parse(text: string): { content: string; signature: string | undefined; token: Token } | undefined {
  // Whoever reads headers without types may hand over an array, or nothing.
  if (typeof text !== 'string' || text.length > maxLength) {
    return undefined;
  }
  const parts = form.exec(text);
  if (parts === null) {
    return undefined;
  }
  const [, cluster, timeline, lsn, at, signature] = parts;
  const token = {
    cluster: cluster!,
    timeline: Number(timeline),
    lsn: BigInt(`0x${lsn}`),
    at: Number.parseInt(at!, 36),
  };
  const content = signature === undefined ? text : text.slice(0, -signature.length - 1);
  const inRange = token.timeline >= 1 && token.timeline < 2 ** 32 && Number.isSafeInteger(token.at);
  // Of each token there is one text only: no leading zeros.
  return inRange && content === contentOf(token) ? { content, signature, token } : undefined;
}

/** What is signed. */
function contentOf({ cluster, timeline, lsn, at }: Token): string {
  return `v1.${cluster}.${timeline}.${lsn.toString(16)}.${at.toString(36)}`;
}

function sign(content: string, secret: string | Uint8Array): string {
  return createHmac('sha256', secret).update(content).digest().subarray(0, 16).toString('base64url');
}

/** Compares the texts, not the bytes they stand for: base64url of 16 bytes has four bits that would not count. */
function same(signature: string, expected: string): boolean {
  return timingSafeEqual(Buffer.from(signature, 'latin1'), Buffer.from(expected, 'latin1'));
}
