import { EMPTY } from '../appended.ts';
import type { CallSite } from '../call-site.ts';
import type { FindingKind } from '../finding.ts';
import type { Scan } from '../sql/scan.ts';
import type { Placeholder } from '../sql/placeholders.ts';
import type { KeySample } from './key-sample.ts';
import type { KeyColumn } from './shape-facts.ts';

/** One query of a shape, without what it held. */
export interface Hit {
  /** Its place in the scope: counts up with each query. */
  readonly at: number;
  /** Of all its values. */
  readonly whole: number;
  /** Of each value; of the first ones only. */
  readonly values: readonly number[];
  /** Whether each value is one that is hardly met by chance: bit by bit. */
  readonly rare: number;
  readonly fork: number | undefined;
  /** Queries after it with the same values, without any reason to ask again. */
  same: number;
  /** What those cost, in µs. */
  sameTook: number;
  sameSite: CallSite | undefined;
  /** Forks of those, beside its own. */
  sameForks: number;
}

/** Queries of a shape that one place has called. */
export interface Group {
  /** `undefined` as long as nobody knows where it is called. */
  key: string | undefined;
  site: CallSite | undefined;
  hits: readonly Hit[];
  count: number;
  /** With different values; those after the first eight are taken to be new unless they equal one of these. */
  distinct: number;
  /** In µs. */
  took: number;
  rows: number;
  mostRows: number;
  /** What the caller has called: `findOne`, `flush` … */
  readonly method: string | undefined;
  readonly entity: string | undefined;
  /** What was told of it. */
  toldAs: FindingKind | undefined;
}

/** All queries of one shape in one scope, as far as anything can follow from them. */
export class Repeats {
  readonly shape: Scan;
  /** Place of the first one in the scope. */
  readonly firstAt: number;
  /** What the caller has called. */
  readonly method: string | undefined;
  readonly entity: string | undefined;
  /** Counted ones: neither failed, nor for many at once, nor MikroORM's own. */
  count = 0;
  /** All. */
  rows = 0;
  /** The first known. */
  site: CallSite | undefined = undefined;
  /** At most eight, with different values. */
  hits: readonly Hit[] = EMPTY;
  groups: readonly Group[] = EMPTY;
  /** Of the last one: its place, its end in ms, the errors until then. */
  lastAt = 0;
  lastEnd = 0;
  lastErrors = 0;
  /** A call of the EntityManager that it was counted for. */
  lastCall: number | undefined = undefined;
  placeholders: readonly Placeholder[] | undefined = undefined;
  /** Values of key columns, of its rows. */
  columns: readonly KeyColumn[] | undefined = undefined;
  samples: readonly KeySample[] | undefined = undefined;
  /** Those that MikroORM has sent for another one: how many, what they cost in µs, for which, on the way to which entity. */
  own = 0;
  ownTook = 0;
  host: Repeats | undefined = undefined;
  way: readonly string[] | undefined = undefined;

  constructor(shape: Scan, firstAt: number, method: string | undefined, entity: string | undefined) {
    this.shape = shape;
    this.firstAt = firstAt;
    this.method = method;
    this.entity = entity;
  }
}
