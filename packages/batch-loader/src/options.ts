import { inspect } from 'node:util';
import { OptionsError } from './errors.ts';
import { type BatchWindow, isBatchWindow } from './batch-window.ts';

/** Options of `batchLoader()`; every one may be left out. */
export interface BatchLoaderOptions {
  /**
   * When the calls collected so far are sent:
   * - `'immediate'`: after the I/O callbacks of this turn of the event loop (`setImmediate`), so that calls resumed by
   *   different sockets share a query;
   * - `'tick'`: after the promise jobs of this callback (`process.nextTick`), as DataLoader itself does;
   * - a function: is given `dispatch` and calls it when the batch is to be sent, from wherever it likes: the batch runs in
   *   the async context of its first call. Trap: as long as it does not call it, the loads wait. If it throws, the batch
   *   is sent as with `'immediate'` and a process warning is emitted.
   *
   * @default 'immediate'
   */
  batchWindow?: BatchWindow | undefined;
  /**
   * The most keys (entities, owners of collections) in one statement; a larger batch is sent in chunks of this size.
   *
   * @default 5000
   */
  maxBatchSize?: number | undefined;
  /**
   * The most rows that one merged statement of `batch(em)` returns; calls whose rows do not fit are read by further
   * statements. A single call is never cut: it returns what it would alone.
   *
   * @default 50000
   */
  maxRows?: number | undefined;
}

/** The options with every default filled in. */
export interface ResolvedOptions {
  readonly batchWindow: BatchWindow;
  readonly maxBatchSize: number;
  readonly maxRows: number;
}

const KNOWN = ['batchWindow', 'maxBatchSize', 'maxRows'];

/** Fills in defaults and validates. Pure. @throws {OptionsError} for an unknown name or a wrong value. */
export function resolveOptions(options: BatchLoaderOptions = {}): ResolvedOptions {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new OptionsError(
      'options',
      `batchLoader(options) takes an object, but got: ${shown(options)}. Remove the argument for the defaults.`,
    );
  }
  for (const name of Object.keys(options)) {
    if (!KNOWN.includes(name)) {
      throw new OptionsError(name, `batchLoader() has no option '${name}'. Its options are: ${KNOWN.join(', ')}.`);
    }
  }
  return Object.freeze({
    batchWindow: validBatchWindow(options.batchWindow),
    maxBatchSize: validCount('maxBatchSize', options.maxBatchSize, 5_000),
    maxRows: validCount('maxRows', options.maxRows, 50_000),
  });
}

function validBatchWindow(value: BatchWindow | undefined): BatchWindow {
  if (value === undefined) {
    return 'immediate';
  }
  if (!isBatchWindow(value)) {
    throw new OptionsError(
      'batchWindow',
      `batchLoader({ batchWindow }) must be 'immediate', 'tick' or a function that is given dispatch(), but got: ${shown(value)}. Leave it out for 'immediate'.`,
    );
  }
  return value;
}

function validCount(name: string, value: number | undefined, byDefault: number): number {
  if (value === undefined) {
    return byDefault;
  }
  if (typeof value !== 'number' || !(Number.isInteger(value) || value === Infinity) || value < 1) {
    throw new OptionsError(
      name,
      `batchLoader({ ${name} }) must be a whole number of at least 1, or Infinity, but got: ${shown(value)}. Leave it out for ${byDefault}.`,
    );
  }
  return value;
}

function shown(value: unknown): string {
  return inspect(value, { depth: 1, breakLength: Infinity });
}
