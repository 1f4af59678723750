/** What is told of an error: its SQLSTATE, or the name of its class. Never its message, which may have values in it. */
export function errorClass(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown };
  if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)) {
    return code;
  }
  // Node's own: ECONNRESET, ETIMEDOUT …
  if (typeof code === 'string' && /^E[A-Z_]{2,30}$/.test(code)) {
    return code;
  }
  return error instanceof Error ? error.constructor.name.slice(0, 60) : typeof error;
}
