import type { EntityManager, EntityMetadata } from '@mikro-orm/core';
import type { Trace } from './call-site.ts';
import type { LoadOptions } from './seam/entity.ts';
import type { CallShape } from './shape/call-shape.ts';

/** The reads that `batch(em)` batches by shape. */
export type CallMethod = 'find' | 'findOne' | 'count' | 'exists' | 'sum' | 'min' | 'max' | 'avg' | 'page';

/** What a call of `batch(em)` asks for. */
export interface CallRequest {
  readonly method: CallMethod;
  /** The entity as the user named it. */
  readonly entity: unknown;
  readonly meta: EntityMetadata;
  /** The condition; of a page, a {@link PageConditions}. */
  readonly where: unknown;
  readonly options: LoadOptions;
  /** Of a page, the options for counting. */
  readonly totalOptions?: LoadOptions;
  /** What is summed up, for aggregates. */
  readonly property?: string;
  /** Whether its statement is to be written to the log. */
  readonly explain: boolean;
}

/** What a page with its total asks for: its rows, and what is counted. */
export interface PageConditions {
  readonly rows: unknown;
  readonly total: unknown;
}

/** The answer to a page with its total. */
export interface PageAnswer {
  readonly rows: object[];
  readonly total: number;
}

/** One call of `batch(em)`, to be answered. */
export interface Call extends CallRequest {
  /** Of the condition, as it was when the call was made. */
  readonly shape: CallShape;
  readonly em: EntityManager;
  /** Where it was made, if the guard wants to know. */
  readonly trace: Trace | undefined;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Options that a merged statement does not carry: they are the single call's. */
export const OWN_OPTIONS: ReadonlySet<string> = new Set([
  'limit',
  'offset',
  'signal',
  'inflightQueryAbortStrategy',
  'failHandler',
  'strict',
  'dataloader',
]);

/** Why a call is sent alone, going by its options; `undefined` if it may be merged. */
export function loneReason({ meta, options }: Call): string | undefined {
  const given = (name: string): boolean => options[name] !== undefined && options[name] !== null;
  if (options['dataloader'] === false) {
    return 'dataloader: false';
  }
  if ((meta.virtual as boolean | undefined) === true) {
    return 'a virtual entity has no table';
  }
  for (const [name, reason] of REASONS) {
    if (given(name) && options[name] !== false) {
      return reason;
    }
  }
  return undefined;
}

const REASONS: readonly (readonly [string, string])[] = [
  ['lockMode', 'lockMode: rows are locked by the call that asks for it'],
  ['lockVersion', 'lockVersion: the version is checked by the call that asks for it'],
  ['cache', 'cache: the result cache keeps the result of one call'],
  ['strict', 'strict: a second row is an error'],
  ['unionWhere', 'unionWhere: its branches are statements of their own'],
  ['first', 'a cursor: use page()'],
  ['last', 'a cursor: use page()'],
  ['before', 'a cursor: use page()'],
  ['after', 'a cursor: use page()'],
];

/** The conditions in a call. */
export function conditionsOf({ method, where }: CallRequest): readonly unknown[] {
  return method === 'page' ? [(where as PageConditions).rows, (where as PageConditions).total] : [where];
}
