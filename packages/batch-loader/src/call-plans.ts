import { type Call, conditionsOf } from './calls.ts';
import type { LoadContext } from './load-context.ts';
import { type Looked, lookAt, mergedOptions } from './readings.ts';
import type { LoadOptions } from './seam/entity.ts';
import { simpleKeyOf } from './seam/entity.ts';
import type { QueryTarget } from './seam/intercept.ts';
import { passesThrough } from './seam/pass-through.ts';
import { type CallShape, type ConditionReader, shapeOf, withLeaves } from './shape/call-shape.ts';
import { fits, learnShape, type LearnedShape, statementWith } from './shape/learned-shape.ts';
import type { Statement } from './shape/merged-statement.ts';
import { Recent } from './recent.ts';

/** A call with the statement it would send, if any. */
export interface PlannedCall {
  readonly call: Call;
  readonly statement: Statement;
  readonly target: QueryTarget;
}

/** A call that has no statement to be merged. */
export interface UnplannedCall {
  readonly call: Call;
  readonly failure?: { readonly error: unknown };
  readonly reason?: string;
}

interface Family {
  readonly shape: CallShape;
  readonly calls: { readonly call: Call; readonly leaves: readonly unknown[] }[];
}

/**
 * Finds the statements of calls. MikroORM builds the first of each structure; where the shape has been learned, those of
 * the others are that one with their own values.
 */
export class CallPlans {
  readonly #context: LoadContext;
  readonly #reader: ConditionReader;
  /** `null` for shapes that cannot be learned. */
  readonly #learned = new Recent<string, LearnedShape | null>(1_000);

  constructor(context: LoadContext) {
    this.#context = context;
    this.#reader = { keyOf: context.keyOf, simpleKey: simpleKeyOf };
  }

  /**
   * @param calls of one method, entity and options
   * @param kind what they have in common, as text
   */
  async plan(calls: readonly Call[], kind: string): Promise<(PlannedCall | UnplannedCall)[]> {
    const families = new Map<string, Family>();
    const lone: Call[] = [];
    for (const call of calls) {
      const shape = shapeOf(call.where, this.#reader);
      if (shape.opaque) {
        lone.push(call);
        continue;
      }
      const [leaves, limits] = withLimits(shape.leaves, call.options);
      const key = `${shape.key}|${limits}`;
      const family = families.get(key);
      if (family) {
        family.calls.push({ call, leaves });
      } else {
        families.set(key, { shape, calls: [{ call, leaves }] });
      }
    }
    const planned = await Promise.all([
      ...[...families].map(([key, family]) => this.#planFamily(family, `${kind}|${key}`)),
      ...lone.map(async call => [await this.#look(call, call.where, mergedOptions(call))]),
    ]);
    return planned.flat();
  }

  async #planFamily({ calls }: Family, key: string): Promise<(PlannedCall | UnplannedCall)[]> {
    const [first, ...others] = calls as [Family['calls'][number], ...Family['calls']];
    const own = await this.#look(first.call, first.call.where, mergedOptions(first.call));
    if (others.length === 0) {
      return [own];
    }
    const learned = 'statement' in own ? await this.#shapeFor(key, first.call, first.leaves, own) : undefined;
    if (learned && 'statement' in own) {
      const { target } = own;
      return [
        own,
        ...others.map(({ call, leaves }) => ({
          call,
          target,
          statement: statementWith(learned, leaves, own.statement),
        })),
      ];
    }
    return [own, ...(await Promise.all(others.map(({ call }) => this.#look(call, call.where, mergedOptions(call)))))];
  }

  async #shapeFor(
    key: string,
    call: Call,
    leaves: readonly unknown[],
    { statement }: PlannedCall,
  ): Promise<LearnedShape | undefined> {
    const known = this.#learned.get(key);
    if (known === null) {
      return undefined;
    }
    if (known && fits(known, leaves, statement)) {
      return known;
    }
    if (!conditionsOf(call).every(where => passesThrough(where, call.meta))) {
      this.#learned.set(key, null);
      return undefined;
    }
    const learned = await learnShape(leaves, statement, async sentinels => {
      try {
        const looked = await lookAt(
          this.#context,
          call,
          withLeaves(call.where, sentinels, this.#reader),
          withLimitsOf(mergedOptions(call), sentinels),
        );
        return looked?.statement;
      } catch {
        // MikroORM looks at the values: not a shape to be learned.
        return undefined;
      }
    });
    this.#learned.set(key, learned ?? null);
    return learned;
  }

  async #look(call: Call, where: unknown, options: LoadOptions): Promise<PlannedCall | UnplannedCall> {
    let looked: Looked | undefined;
    try {
      looked = await lookAt(this.#context, call, where, options);
    } catch (error) {
      return { call, failure: { error } };
    }
    return looked ? { call, ...looked } : { call, reason: 'MikroORM answers it without a statement of its own' };
  }
}

/** Limit and offset are values as any other, but for zero, for which MikroORM may write other SQL. */
function withLimits(leaves: readonly unknown[], options: LoadOptions): [leaves: readonly unknown[], key: string] {
  const own = [...leaves];
  let key = '';
  for (const name of LIMITS) {
    const value = options[name];
    if (typeof value === 'number' && value > 0) {
      own.push(value);
      key += Number.isInteger(value) ? 'i' : 'f';
    } else {
      key += String(value);
    }
  }
  return [own, key];
}

function withLimitsOf(options: LoadOptions, leaves: readonly unknown[]): LoadOptions {
  const own = { ...options };
  let next = leaves.length;
  for (const name of LIMITS.toReversed()) {
    const value = options[name];
    if (typeof value === 'number' && value > 0) {
      own[name] = leaves[--next];
    }
  }
  return own;
}

const LIMITS = ['limit', 'offset'] as const;
