import type { Refusal } from './access.ts';

/** What is sent back. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Stream;
}

/** A body that goes on. Calls `send` with each part and `end` when it is over. @returns ends it from the other side */
export type Stream = (send: (part: string) => void, end: () => void) => () => void;

/** Sent with everything: nobody keeps it, guesses its type, frames it or loads it from another site. */
const always = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'x-frame-options': 'DENY',
} as const;

/** Nothing may be loaded or run by what is no page. */
const inert = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'";

export function textAnswer(status: number, type: string, body: string, more: Record<string, string> = {}): Answer {
  return {
    status,
    headers: { ...always, 'content-security-policy': inert, 'content-type': `${type}; charset=utf-8`, ...more },
    body,
  };
}

/** @param nonce of the one script and the one style that may run */
export function htmlAnswer(status: number, html: string, nonce: string): Answer {
  return textAnswer(status, 'text/html', html, {
    'content-security-policy': [
      "default-src 'none'",
      `script-src 'nonce-${nonce}'`,
      `style-src 'nonce-${nonce}'`,
      "connect-src 'self'",
      'img-src data:',
      "base-uri 'none'",
      "frame-ancestors 'none'",
      "form-action 'none'",
      // Texts become nodes, never markup: a browser that knows this refuses every other way.
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ].join('; '),
  });
}

export function streamAnswer(body: Stream): Answer {
  return {
    status: 200,
    headers: {
      ...always,
      // What compresses answers would hold each event back until there is enough to compress.
      'cache-control': 'no-store, no-transform',
      'content-security-policy': inert,
      'content-type': 'text/event-stream; charset=utf-8',
      // A proxy that gathers answers would hold each event back.
      'x-accel-buffering': 'no',
    },
    body,
  };
}

/** In the form that the client asked for: what it was, and what to do. Never a stack, a path of this machine or a query. */
export function refusalAnswer(
  status: number,
  { reason, remedy }: Refusal,
  json: boolean,
  more: Record<string, string> = {},
): Answer {
  return json
    ? textAnswer(status, 'application/json', `${JSON.stringify({ error: reason, remedy })}\n`, more)
    : textAnswer(status, 'text/plain', `${reason}\n\n${remedy}\n`, more);
}
