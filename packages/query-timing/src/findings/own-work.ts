import type { OperationTrace } from './seen.ts';

/** Calls that send further queries of their own for what they have read: populate, tables of pairs. */
const HOSTS: ReadonlySet<string> = new Set(['find', 'findOne']);
/** Calls that write, and may read for it. */
const WRITERS: ReadonlySet<string> = new Set([
  'flush',
  'insert',
  'insertMany',
  'upsert',
  'upsertMany',
  'nativeInsert',
  'nativeUpdate',
  'nativeDelete',
]);
/** Calls that are made of others. */
const COMPOSED: ReadonlySet<string> = new Set(['findAndCount', 'findByCursor', 'refresh']);

/**
 * The outermost `find` that a call is made in: what is in it, MikroORM has asked for by itself. What it never does is to call
 * `findOne`, or another fork: that in a hook is the user's.
 */
export function hostOf(operation: OperationTrace | undefined): OperationTrace | undefined {
  let host: OperationTrace | undefined;
  for (let call = operation; call !== undefined; call = call.parent) {
    if (HOSTS.has(call.name)) {
      host = call;
    }
    if (call.name === 'findOne' || call.parent?.fork !== call.fork) {
      break;
    }
  }
  return host;
}

/** Whether a read is part of a call that is not about reading it. */
export function isBesides(operation: OperationTrace | undefined): boolean {
  return (
    operation !== undefined &&
    (WRITERS.has(operation.name) ||
      (operation.name === 'count' && operation.parent !== undefined && COMPOSED.has(operation.parent.name)))
  );
}

/** What the user has called: of the halves of `findByCursor`, that. */
export function callOf(operation: OperationTrace | undefined): OperationTrace | undefined {
  let call = operation;
  for (let outer = operation?.parent; outer !== undefined && COMPOSED.has(outer.name); outer = outer.parent) {
    call = outer;
  }
  return call;
}

/** Class names from the host to the call: `Author`, `Book`, `Publisher`. */
export function entitiesTo(operation: OperationTrace | undefined, host: OperationTrace): readonly string[] {
  const names: string[] = [];
  for (let call = operation; call !== undefined; call = call === host ? undefined : call.parent) {
    if (call.entity !== undefined) {
      names.unshift(call.entity);
    }
  }
  return names;
}
