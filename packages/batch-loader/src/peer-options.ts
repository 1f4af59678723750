import { NEUTRAL_OPTIONS } from './load-context.ts';
import type { AnyCollection, LoadOptions } from './seam/entity.ts';
import { isOneToMany, relationOf } from './seam/relation.ts';

/*
 * Under which options a load brings peers along, and under which what was read for a peer is what is asked for.
 */

/** Options under which a collection's list can be kept aside until it is asked for. */
const KEEPABLE: ReadonlySet<string> = new Set([
  'where',
  'limit',
  'offset',
  'orderBy',
  'connectionType',
  'refresh',
  'dataloader',
]);
/**
 * Options that give the same on what is loaded and on what is not. Not `populate`: its joins and filters take away items of
 * a collection that is being loaded, and make relations `null` in one that is.
 */
export const LOADABLE_LATER: ReadonlySet<string> = new Set([...NEUTRAL_OPTIONS, 'strategy', 'refresh']);
/** Options of a collection load for which {@link CollectionContents} knows whether the collection holds the answer. */
export const COMPARED: ReadonlySet<string> = new Set([
  ...LOADABLE_LATER,
  'where',
  'limit',
  'offset',
  'filters',
  'orderBy',
  'fields',
  'exclude',
]);
/** Options of a count that decide more than what is counted. */
export const NOT_COUNTABLE: readonly string[] = ['flushMode', 'cache', 'lockMode', 'ctx', 'signal'];

/** Whether a reference is loaded as it is by default, by which of the two ways; `undefined` if it is not. */
export function referenceKind(options: LoadOptions): 'load' | 'init' | undefined {
  // `ref.load()` gives its relation's filters along, `wrap(e).init()` the schema: `ref.load({ refresh: true })` is no init().
  const isInit = options['refresh'] === true && !Object.hasOwn(options, 'filters');
  for (const name in options) {
    if (
      options[name] !== undefined &&
      !NEUTRAL_OPTIONS.has(name) &&
      !(isInit && (name === 'refresh' || name === 'schema'))
    ) {
      return undefined;
    }
  }
  return isInit ? 'init' : 'load';
}

export function isKeepable(collection: AnyCollection, options: LoadOptions): boolean {
  for (const name in options) {
    if (options[name] !== undefined && !KEEPABLE.has(name)) {
      return false;
    }
  }
  // `init()` reads the items of an M:N anew, and with them their changes away.
  return options['refresh'] === false || (options['refresh'] === undefined && isOneToMany(relationOf(collection)));
}

export function asksForMore(options: LoadOptions, known: ReadonlySet<string>): boolean {
  return Object.keys(options).some(name => options[name] !== undefined && !known.has(name));
}

export function isBare(options: LoadOptions): boolean {
  return Object.values(options).every(value => value === undefined);
}
