/** Of these errors the server tells no part of a statement: connections, shutdowns, places, passwords, databases, conflicts. */
const HARMLESS = /^(?:57P|08|53|28|3D|40001)/;

/**
 * What may be told of an error in a snapshot or an event, short and on one line. Errors of the server to users' statements
 * hold their values ("invalid input syntax for type integer: …"): of those only severity and SQLSTATE. Never throws.
 */
export function reportedError(error: unknown): string {
  const { severity, code } = (error ?? {}) as { severity?: unknown; code?: unknown };
  const fromServer = typeof code === 'string' && typeof severity === 'string' && /^[0-9A-Z]{5}$/.test(code);
  return fromServer && !HARMLESS.test(code) ? `${severity} ${code}` : messageOf(error);
}

/** The whole message of an error, up to 300 characters, or its code: for errors of the resolver's own statements. */
export function messageOf(error: unknown): string {
  const { message, code } = (error ?? {}) as { message?: unknown; code?: unknown };
  const text = typeof message === 'string' && message !== '' ? message : String(code ?? error);
  return text.slice(0, 300);
}
