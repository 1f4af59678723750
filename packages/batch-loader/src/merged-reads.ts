import type { EntityManager } from '@mikro-orm/core';
import type { BatchLog } from './batch-log.ts';
import type { Call, CallMethod } from './calls.ts';
import type { LoadContext } from './load-context.ts';
import type { DistinctCall, MergeGroup } from './merge-groups.ts';
import { answerFrom, answerKind, answerOf, hasEntity, readAs, totalOf } from './readings.ts';
import type { Entity } from './seam/entity.ts';
import type { QueryTarget, Row } from './seam/intercept.ts';
import { bindSlots } from './shape/call-values.ts';
import {
  ADDED_COLUMNS,
  type Merge,
  mergeAny,
  mergeExists,
  mergeGroup,
  mergeJoin,
  mergeLateral,
  mergeWindow,
  type Statement,
  type Strategy,
  TAG,
  TOTAL,
} from './shape/merged-statement.ts';
import type { ShapeKnowledge } from './shape/shape-knowledge.ts';
import { type Choice, chooseStrategy } from './shape/strategy.ts';
import { isShareable, type Shared, shareRows } from './shared-rows.ts';

/** Who is told how a group is read. */
export interface Reading {
  chosen(strategy: Strategy): void;
  /** Gets what answers the calls, to be called when the batch is over. */
  settle(answer: () => void): void;
}

/** Of a merged statement; its strategy is known when it has been sent. */
export interface MergeEvent {
  readonly kind: CallMethod;
  readonly entity: string;
  strategy?: Strategy;
}

/** PostgreSQL would not take the merged statement, and has not been sent it. */
export class MergeRefused extends Error {
  override readonly name = 'MergeRefused';
}

/** Sends the calls of a group as one statement and answers them. */
export class MergedReads {
  readonly #context: LoadContext;
  readonly #shapes: ShapeKnowledge;
  readonly #log: BatchLog;

  constructor(context: LoadContext, log: BatchLog) {
    this.#context = context;
    this.#shapes = context.shapes;
    this.#log = log;
  }

  /** @returns the number of rows read */
  async read(group: MergeGroup, em: EntityManager, { chosen, settle }: Reading): Promise<number> {
    const [leader] = group.distinct[0]!.calls as [Call];
    const answers = group.distinct.map((): Row[] => []);
    const totals = group.distinct.map(() => 0);
    let rows = 0;
    // What MikroORM makes of an error in its hands is one of the database.
    let refused: unknown;
    const fetch = async (target: QueryTarget): Promise<void> => {
      let rest = group.distinct.map((_, index) => index);
      while (rest.length > 0) {
        const fetched = await this.#fetch(group, rest, target, em, totals).catch((error: unknown) => {
          refused = error instanceof MergeRefused ? error : undefined;
          throw error;
        });
        chosen(fetched.strategy);
        rows += fetched.rows;
        for (const [index, own] of fetched.byCall) {
          answers[index] = own;
        }
        rest = fetched.rest;
      }
    };
    try {
      if (answerKind(leader) !== 'rows') {
        await readAs(this.#context, leader, async (_, target) => (await fetch(target), []), true);
        group.distinct.forEach(({ calls }, index) => {
          const answer = answerFrom(this.#context, leader, answers[index]!);
          settle(() => calls.forEach(call => call.resolve(answer)));
        });
        return rows;
      }
      await this.#hydrate(group, leader, answers, totals, fetch, settle);
      return rows;
    } catch (error) {
      this.#shapes.forget(group.distinct[0]!.text);
      throw refused ?? error;
    }
  }

  /** Has MikroORM make entities of the rows: of each row once, unless callers must not share them. */
  async #hydrate(
    group: MergeGroup,
    leader: Call,
    answers: readonly Row[][],
    totals: readonly number[],
    fetch: (target: QueryTarget) => Promise<void>,
    settle: (answer: () => void) => void,
  ): Promise<void> {
    const { distinct } = group;
    let shared: Shared | undefined;
    const entities = (await readAs(
      this.#context,
      leader,
      async (_, target) => {
        await fetch(target);
        shared = isShareable(leader, this.#context) ? shareRows(answers, leader.meta) : undefined;
        return shared?.rows ?? [];
      },
      false,
    )) as Entity[];
    if (shared && shared.size === entities.length) {
      distinct.forEach(({ calls }, index) => {
        const own = shared!.places[index]!.map(place => entities[place]!);
        settle(() => calls.forEach(call => call.resolve(answerOf(call, own, totals[index]!))));
      });
      return;
    }
    await Promise.all(
      distinct.flatMap(({ calls }, index) =>
        calls.map(async call => {
          // Rows are changed when they are mapped.
          const answer = readAs(
            this.#context,
            call,
            () => Promise.resolve(answers[index]!.map(row => ({ ...row }))),
            true,
          );
          await answer.then(
            own =>
              settle(() =>
                call.resolve(call.method === 'page' ? answerOf(call, own as Entity[], totals[index]!) : own),
              ),
            error => settle(() => call.reject(error)),
          );
        }),
      ),
    );
  }

  /** Sends one statement for some of the calls; those that did not fit under the cap are left over. */
  async #fetch(
    group: MergeGroup,
    indexes: readonly number[],
    target: QueryTarget,
    em: EntityManager,
    totals: number[],
  ): Promise<Fetched> {
    const { maxRows } = this.#context;
    const part = indexes.map(index => group.distinct[index]!);
    const [leader] = part[0]!.calls as [Call];
    const { text } = part[0]!;
    const { bindings, columns } = bindSlots(group.types, part);
    const differing = bindings.map((binding, slot) => (binding.kind === 'column' ? group.types[slot] : undefined));
    const isCanonical = (slot: number): boolean => part.every(({ values }) => CANONICAL.test(values[slot]!.text ?? ''));
    const choice = await chooseStrategy(text, answerKind(leader), differing, group.inferred, isCanonical, table =>
      this.#shapes.factsOf(table, target),
    );
    const capped = answerKind(leader) === 'rows' && part.length > 1 && maxRows !== Infinity;
    const merge: Merge = { text, bindings, columns, calls: part.length, rowCap: capped ? maxRows + 1 : Infinity };
    const statement = merged(merge, choice);
    if (!(await this.#shapes.isTaken(statement.sql, () => this.#context.seam.literal(statement), target))) {
      throw new MergeRefused(text.shape);
    }
    const rows = await target.send(statement);
    this.#shapes.takes(statement.sql);
    this.#explain(em, leader, part, choice, statement);
    const tagOf = choice.key ? keyTags(part, choice.key.slot) : undefined;
    const indexOf = (tag: unknown): number => {
      const index = indexes[(tagOf ? tagOf.get(tag as string) : (tag as number | undefined)) ?? -1];
      if (index === undefined) {
        throw new Error(`A row came back for none of the calls: ${String(tag)}`);
      }
      return index;
    };
    const byCall = new Map<number, Row[]>();
    const full = capped && rows.length > maxRows;
    const last = full ? rows.at(-1)![TAG] : undefined;
    const done = new Set<number>();
    for (const row of rows) {
      const tag = row[TAG];
      if (full && tag === last) {
        break;
      }
      const index = indexOf(tag);
      const own = byCall.get(index);
      if (TOTAL in row) {
        totals[index] = totalOf([row]);
        if (!hasEntity(row)) {
          done.add(index);
          continue;
        }
      }
      const plain = withoutAdded(row);
      if (own) {
        own.push(plain);
      } else {
        byCall.set(index, [plain]);
        done.add(index);
      }
    }
    if (!full) {
      return { byCall, rest: [], rows: rows.length, strategy: choice.strategy };
    }
    const rest = indexes.filter(index => !done.has(index));
    // A call whose rows alone are more than fit goes first, and alone, as it would without us.
    const lastIndex = indexOf(last);
    if (done.size === 0) {
      const alone = await this.#fetch(group, [lastIndex], target, em, totals);
      return {
        byCall: alone.byCall,
        rest: rest.filter(index => index !== lastIndex),
        rows: rows.length + alone.rows,
        strategy: choice.strategy,
      };
    }
    return { byCall, rest, rows: rows.length, strategy: choice.strategy };
  }

  #explain(em: EntityManager, leader: Call, part: readonly DistinctCall[], choice: Choice, { sql }: Statement): void {
    const { method, meta } = leader;
    const calls = part.reduce((sum, own) => sum + own.calls.length, 0);
    const { strategy, why } = choice;
    const statement = { method, entity: meta.className, calls, strategy, why, sql };
    this.#log.add(
      em,
      statement,
      part.some(own => own.calls.some(call => call.explain)),
    );
  }
}

function merged(merge: Merge, { strategy, key }: Choice): Statement {
  const { clauses } = merge.text;
  if (strategy === 'exists') {
    return mergeExists(merge);
  }
  if (strategy === 'lateral' || clauses === undefined) {
    return mergeLateral(merge);
  }
  switch (strategy) {
    case 'any':
      return mergeAny(merge, clauses, key!);
    case 'window':
      return mergeWindow(merge, clauses);
    case 'group':
      return mergeGroup(merge, clauses);
    case 'join':
      return mergeJoin(merge, clauses);
  }
}

// Integers and uuids as PostgreSQL writes them.
const CANONICAL = /^(?:0|-?[1-9]\d*|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/;

/** Which call asked for which key; PostgreSQL writes numbers and uuids in one way. */
function keyTags(part: readonly DistinctCall[], slot: number): Map<string, number> {
  return new Map(part.map(({ values }, tag) => [values[slot]!.text!, tag]));
}

/** What one statement has brought. */
interface Fetched {
  readonly byCall: Map<number, Row[]>;
  /** Calls whose rows did not fit under the cap. */
  readonly rest: number[];
  readonly rows: number;
  readonly strategy: Strategy;
}

function withoutAdded(row: Row): Row {
  const own: Row = {};
  for (const name in row) {
    if (!ADDED_COLUMNS.has(name)) {
      own[name] = row[name];
    }
  }
  return own;
}
