/** Calls of one shape that differ in their `where` at most. */
export interface ConditionedCall {
  /** Compared by identity. */
  readonly owner: object;
  readonly where: unknown;
  /** Equal for equal conditions, `''` for none. */
  readonly whereKey: string;
}

/** A condition and the calls that gave it. */
export interface Part<Call> {
  readonly where: unknown;
  readonly calls: Call[];
}

/** Parts that go into one statement: no owner is in two of them, so each row tells which condition it has to meet. */
export type Statement<Call> = readonly Part<Call>[];

/**
 * The most conditions in one statement. PostgreSQL's time for `or` of n conditions over n owners grows with n²: 100 are
 * cheaper than 100 round trips, 1000 are not cheaper than ten statements of 100.
 */
const MAX_PARTS = 100;

/**
 * Plans the statements for calls of one shape: equal conditions share a part; parts whose conditions can stand side by
 * side in one statement (`mergeable`) share a statement; an owner that was asked with two conditions is in two statements.
 */
export function planStatements<Call extends ConditionedCall>(
  calls: readonly Call[],
  mergeable: (where: unknown) => boolean,
): Statement<Call>[] {
  const parts = new Map<string, Part<Call>>();
  for (const call of calls) {
    const part = parts.get(call.whereKey);
    if (part) {
      part.calls.push(call);
    } else {
      parts.set(call.whereKey, { where: call.where, calls: [call] });
    }
  }
  if (parts.size === 1) {
    return [[...parts.values()]];
  }
  const statements: Part<Call>[][] = [];
  const shared: { parts: Part<Call>[]; owners: Set<object> }[] = [];
  for (const [key, part] of parts) {
    if (key === '' || !mergeable(part.where)) {
      statements.push([part]);
      continue;
    }
    const owners = part.calls.map(call => call.owner);
    let home = shared.find(
      candidate => candidate.parts.length < MAX_PARTS && !owners.some(owner => candidate.owners.has(owner)),
    );
    if (home === undefined) {
      home = { parts: [], owners: new Set() };
      shared.push(home);
      statements.push(home.parts);
    }
    home.parts.push(part);
    for (const owner of owners) {
      home.owners.add(owner);
    }
  }
  return statements;
}
