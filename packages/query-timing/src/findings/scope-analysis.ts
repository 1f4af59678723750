import type { Finding } from '../finding.ts';
import type { Model } from '../model.ts';
import type { QueryRecord } from '../query-record.ts';
import type { Scan } from '../sql/scan.ts';
import { ModelFacts } from './model-facts.ts';

/** A query of a scope, when it is over. */
export interface Seen {
  readonly record: QueryRecord;
  /** With `?` (MikroORM) or `$n` (Kysely); not kept. */
  readonly sql: string;
  /** Not kept. */
  readonly parameters: readonly unknown[];
  /** Not kept. */
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  /** The call of the EntityManager it was made for. */
  readonly operation: OperationTrace | undefined;
}

/** A call of the EntityManager. */
export interface OperationTrace {
  readonly id: number;
  /** `find`, `findOne`, `count`, `flush`, `nativeInsert`, `upsert`, `qb`, `execute`, `kysely` … */
  readonly name: string;
  /** Class name. */
  readonly entity: string | undefined;
  /** The call that made this one: populate, a lazy load inside … */
  readonly parent: OperationTrace | undefined;
}

/** When repeats are a finding. */
export interface AnalysisSettings {
  /** So many with different parameters. */
  readonly threshold: number;
  /** That took so long together, in ms. */
  readonly minTime: number;
  /** Not those of such a file, function, entity or shape. */
  readonly ignore: readonly (string | RegExp)[];
  /** Keeps hashes of what key columns held. */
  readonly proof: boolean;
  /**
   * Asks for the call site of everything that may be a parent, not only of what has been one before: for development, since
   * it costs a stack for each query with several rows. @default false
   */
  readonly eagerSites?: boolean;
}

/** Tells what repeats in one scope, and why. */
export class ScopeAnalysis {
  /**
   * @param facts what is known of shapes by the model; one for each ORM, given to all its scopes, so that a shape is looked
   *   at once and not once in each scope
   */
  constructor(settings: AnalysisSettings, model: Model, facts: ModelFacts = new ModelFacts(model)) {
    void settings;
    void facts;
  }

  /**
   * Asked before `add`: whether it is worth the price of a stack, as a repeat whose call site is not known well enough, or as
   * a query that others may follow from.
   *
   * @param rows how many it returned
   */
  wantsSite(shape: Scan, rows = 0): boolean {
    void shape;
    void rows;
    return false;
  }

  /** @returns what has just become certain, so that it can be told live */
  add(seen: Seen): Finding | undefined {
    void seen;
    return undefined;
  }

  /** All, when the scope is over (or as far as it has come). */
  findings(): readonly Finding[] {
    return [];
  }
}
