/** What a number of queries took, in µs. */
export interface Times {
  readonly wait: number;
  readonly send: number;
  readonly database: number;
  readonly after: number;
}

/** All of it, in µs. */
export function sum({ wait, send, database, after }: Times): number {
  return wait + send + database + after;
}

/** µs as ms for people: three digits or so, `0.04`, `6`, `34.1`, `812`. */
export function ms(us: number): string {
  const value = us / 1000;
  return String(Number(value.toFixed(value >= 100 ? 0 : value >= 1 ? 1 : 2)));
}

/** `1 query`, `12 queries`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
