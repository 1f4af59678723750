import type { AnswerHeader } from './token-session.ts';

/** Where headers of an answer are collected, in whatever form. */
export interface HeaderHolder {
  /** The values that there are of it. */
  values(name: string): readonly unknown[];
  add(name: string, value: string): void;
}

/**
 * Adds a header to those that are there. Of a cookie with the same name, or another header, the one that is there stays: it
 * is the application's, or that of a session within this one, which knows more.
 */
export function addHeader(holder: HeaderHolder, [name, value]: AnswerHeader): void {
  const there = holder.values(name);
  const isThere =
    name === 'set-cookie'
      ? there.some(other => typeof other === 'string' && other.startsWith(beginning(value)))
      : there.length > 0;
  if (!isThere) {
    holder.add(name, value);
  }
}

/** Name and `=`. */
function beginning(cookie: string): string {
  return cookie.slice(0, cookie.indexOf('=') + 1);
}
