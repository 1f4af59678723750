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
  /**
   * Whether the first lazy load on an entity loads the same for those that came out of the same result, so that a plain
   * `for … await` loop is one query. `max`: the most entities that remember each other.
   *
   * Trap: what a loop does not get to is read all the same.
   *
   * @default false; `true` is `{ max: 1000 }`
   */
  peers?: boolean | PeersOptions | undefined;
  /**
   * What happens when queries of one shape are sent one by one, more than `threshold` times in one request or fork:
   * nothing, a process warning (`MikrokitWarning`, code `UNBATCHED`), or the call that is one too many rejects with
   * `BatchLoaderError`, code `UNBATCHED`. Once per shape.
   *
   * @default 'ignore'
   */
  onUnbatched?: OnUnbatched | undefined;
  /**
   * How often a shape may be sent by itself before `onUnbatched` applies.
   *
   * @default 10
   */
  threshold?: number | undefined;
}

/** Options of `batchLoader({ peers })`. */
export interface PeersOptions {
  /**
   * The most entities that remember each other; a larger result is several groups.
   *
   * @default 1000
   */
  max?: number | undefined;
}

/** What to do about queries of one shape that are sent one by one. */
export type OnUnbatched = 'ignore' | 'warn' | 'throw';

/** The options with every default filled in. */
export interface ResolvedOptions {
  readonly batchWindow: BatchWindow;
  readonly maxBatchSize: number;
  readonly maxRows: number;
  /** `undefined`: entities have no peers. */
  readonly peers: { readonly max: number } | undefined;
  readonly onUnbatched: OnUnbatched;
  readonly threshold: number;
}

const KNOWN = ['batchWindow', 'maxBatchSize', 'maxRows', 'peers', 'onUnbatched', 'threshold'];
const ON_UNBATCHED: readonly unknown[] = ['ignore', 'warn', 'throw'];
const MAX_PEERS = 1_000;

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
    peers: validPeers(options.peers),
    onUnbatched: validOnUnbatched(options.onUnbatched),
    threshold: validThreshold(options.threshold),
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

function validPeers(value: boolean | PeersOptions | undefined): { readonly max: number } | undefined {
  if (value === undefined || value === false) {
    return undefined;
  }
  if (value === true) {
    return Object.freeze({ max: MAX_PEERS });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new OptionsError(
      'peers',
      `batchLoader({ peers }) must be true, false or { max }, but got: ${shown(value)}. Leave it out for no peers.`,
    );
  }
  for (const name of Object.keys(value)) {
    if (name !== 'max') {
      throw new OptionsError(`peers.${name}`, `batchLoader({ peers }) has no option '${name}'. Its options are: max.`);
    }
  }
  const { max = MAX_PEERS } = value;
  if (typeof max !== 'number' || !Number.isInteger(max) || max < 2) {
    throw new OptionsError(
      'peers.max',
      `batchLoader({ peers: { max } }) must be a whole number of at least 2, but got: ${shown(max)}. Leave it out for ${MAX_PEERS}.`,
    );
  }
  return Object.freeze({ max });
}

function validOnUnbatched(value: OnUnbatched | undefined): OnUnbatched {
  if (value === undefined) {
    return 'ignore';
  }
  if (!ON_UNBATCHED.includes(value)) {
    throw new OptionsError(
      'onUnbatched',
      `batchLoader({ onUnbatched }) must be 'ignore', 'warn' or 'throw', but got: ${shown(value)}. Leave it out for 'ignore'.`,
    );
  }
  return value;
}

function validThreshold(value: number | undefined): number {
  if (value === undefined) {
    return 10;
  }
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1) {
    throw new OptionsError(
      'threshold',
      `batchLoader({ threshold }) must be a whole number of at least 1, but got: ${shown(value)}. Leave it out for 10.`,
    );
  }
  return value;
}

function shown(value: unknown): string {
  return inspect(value, { depth: 1, breakLength: Infinity });
}
