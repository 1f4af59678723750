import type { EntityManager } from '@mikro-orm/core';
import { optionsKey } from './batch-key.ts';
import type { BatchLog } from './batch-log.ts';
import { CallPlans, type PlannedCall, type UnplannedCall } from './call-plans.ts';
import { type Call, type CallRequest, loneReason, OWN_OPTIONS, type PageConditions } from './calls.ts';
import { chunks } from './chunks.ts';
import type { Segment } from './fork-queue.ts';
import { asError, type LoadContext, runStatement } from './load-context.ts';
import { LoneCalls } from './lone-calls.ts';
import { type DistinctCall, type MergeGroup, mergeGroups, type ReadyCall, type UnmergedGroup } from './merge-groups.ts';
import { MergedReads, MergeRefused, type MergeEvent } from './merged-reads.ts';
import { lookAt, mergedOptions } from './readings.ts';
import { scopeOf } from './seam/guard-layer.ts';
import { slotValues } from './shape/call-values.ts';
import type { ShapeKnowledge } from './shape/shape-knowledge.ts';
import type { StatementText } from './shape/statement-text.ts';
import { chooseStrategy } from './shape/strategy.ts';

/** Calls that may share a statement: of one method, entity and options. */
interface Bucket {
  readonly kind: string;
  readonly calls: Call[];
}

/** Answers the calls of `batch(em)` that were made in one window. */
export class BatchedCalls {
  readonly #context: LoadContext;
  readonly #plans: CallPlans;
  readonly #shapes: ShapeKnowledge;
  readonly #reads: MergedReads;
  readonly #lone: LoneCalls;

  constructor(context: LoadContext, log: BatchLog) {
    this.#context = context;
    this.#plans = new CallPlans(context);
    this.#shapes = context.shapes;
    this.#reads = new MergedReads(context, log);
    this.#lone = new LoneCalls(context, log);
  }

  /** A call as it is now. */
  taken(request: CallRequest): Pick<Call, 'shape' | 'where' | 'options'> {
    return this.#plans.taken(request);
  }

  /** Never rejects: each call is answered or refused by itself. */
  async run(calls: readonly Call[], em: EntityManager, segment: Segment<EntityManager>): Promise<void> {
    const buckets = new Map<object, Map<string, Bucket>>();
    const running: Promise<void>[] = [];
    for (const call of calls) {
      // Which runStatement() refuses before anything is asked of a pool that would connect again.
      const reason = this.#context.seam.closed ? 'the ORM was closed' : (loneReason(call) ?? this.#knownReason(call));
      if (reason !== undefined) {
        running.push(this.#lone.send([call], reason, em, segment));
        continue;
      }
      let byKind = buckets.get(call.meta);
      if (byKind === undefined) {
        byKind = new Map();
        buckets.set(call.meta, byKind);
      }
      const kind = `${call.method}|${call.property ?? ''}|${optionsKey(call.options, this.#context.keyOf, OWN_OPTIONS)}`;
      const bucket = byKind.get(kind);
      if (bucket) {
        bucket.calls.push(call);
      } else {
        byKind.set(kind, { kind: `${call.meta.uniqueName}|${kind}`, calls: [call] });
      }
    }
    for (const byKind of buckets.values()) {
      for (const bucket of byKind.values()) {
        running.push(this.#runBucket(bucket, em, segment));
      }
    }
    await Promise.all(running);
  }

  #knownReason(call: Call): string | undefined {
    if (call.method !== 'findOne') {
      return undefined;
    }
    try {
      const known = this.#context.seam.lone(call.em).known(call.entity, call.where, call.options);
      return known ? 'the identity map has it' : undefined;
    } catch {
      return 'MikroORM refuses it';
    }
  }

  async #runBucket({ kind, calls }: Bucket, em: EntityManager, segment: Segment<EntityManager>): Promise<void> {
    if (calls.length === 1) {
      const error = this.#guarded(calls[0]!, segment);
      if (error !== undefined) {
        calls[0]!.reject(error);
        return;
      }
      await this.#lone.send(calls, 'no other call of its kind in the batch window', em, segment);
      return;
    }
    let planned: (PlannedCall | UnplannedCall)[];
    try {
      if (
        calls[0]!.method === 'page' &&
        (await this.#context.seam.runIn(em, segment, () => this.#isScanned(calls[0]!)))
      ) {
        await this.#runApart(calls, em, segment);
        return;
      }
      planned = await this.#context.seam.runIn(em, segment, () => this.#plans.plan(calls, kind));
    } catch (error) {
      calls.forEach(call => call.reject(asError(error)));
      return;
    }
    const running: Promise<void>[] = [];
    const byShape = new Map<string, PlannedCall[]>();
    for (const plan of planned) {
      if (!('statement' in plan)) {
        if (plan.failure) {
          plan.call.reject(asError(plan.failure.error));
        } else {
          running.push(this.#lone.send([plan.call], plan.reason!, em, segment));
        }
        continue;
      }
      const group = byShape.get(plan.statement.sql);
      if (group) {
        group.push(plan);
      } else {
        byShape.set(plan.statement.sql, [plan]);
      }
    }
    const lists = new Map<string, PlannedCall[]>();
    for (const [sql, plans] of byShape) {
      const read = this.#shapes.read(sql, plans[0]!.statement.params.length);
      if ('reason' in read) {
        running.push(...plans.map(({ call }) => this.#lone.send([call], read.reason, em, segment)));
        continue;
      }
      lists.set(read.shape, [...(lists.get(read.shape) ?? []), ...plans]);
    }
    for (const plans of lists.values()) {
      running.push(this.#runShape(plans, em, segment));
    }
    await Promise.all(running);
  }

  #guarded({ em, method, meta, where, options, trace }: Call, segment: object): Error | undefined {
    const asked = { method, entity: meta.className, where, options };
    return this.#context.guard?.sendsCallAlone(scopeOf(em), segment, asked, trace);
  }

  /** Whether the rows of such a page are found in one pass over the table, for all pages together. */
  async #isScanned(page: Call): Promise<boolean> {
    const rows = (page.where as PageConditions).rows;
    const looked = await lookAt(this.#context, { ...page, method: 'find' }, rows, mergedOptions(page));
    const text = looked && this.#shapes.read(looked.statement.sql, looked.statement.params.length);
    if (!looked || !text || 'reason' in text) {
      return false;
    }
    const all = text.slots.map(() => 'text');
    const choice = await chooseStrategy(
      text,
      'rows',
      all,
      all,
      () => false,
      table => this.#shapes.factsOf(table, looked.target),
    );
    return choice.strategy === 'window';
  }

  /** Answers pages with totals by two statements: to count by call, one pass over the table is enough as well. */
  async #runApart(calls: readonly Call[], em: EntityManager, segment: Segment<EntityManager>): Promise<void> {
    const parts: Call[] = [];
    for (const call of calls) {
      const { rows, total } = call.where as PageConditions;
      const part = (method: 'find' | 'count', where: unknown, options: Call['options']): Promise<unknown> =>
        new Promise((resolve, reject) => {
          const request = { ...call, method, where, options };
          parts.push({ ...request, ...this.taken(request), resolve, reject });
        });
      const answers = [part('find', rows, call.options), part('count', total, call.totalOptions!)] as const;
      Promise.all(answers).then(([found, count]) => call.resolve({ rows: found, total: count }), call.reject);
    }
    await this.run(parts, em, segment);
  }

  async #runShape(plans: readonly PlannedCall[], em: EntityManager, segment: Segment<EntityManager>): Promise<void> {
    const formatDate = (date: Date): string => this.#context.seam.formatDate(date);
    const running: Promise<void>[] = [];
    const ready: ReadyCall[] = [];
    const texts = new Map<string, StatementText>();
    for (const plan of plans) {
      const { sql, params } = plan.statement;
      let text = texts.get(sql);
      if (text === undefined) {
        text = this.#shapes.read(sql, params.length) as StatementText;
        texts.set(sql, text);
      }
      const values = slotValues(text, params, formatDate);
      if ('reason' in values) {
        running.push(this.#lone.send([plan.call], values.reason, em, segment));
      } else {
        ready.push({ ...plan, text, values });
      }
    }
    let groups: readonly (MergeGroup | UnmergedGroup)[];
    try {
      groups = await mergeGroups(this.#shapes, ready);
    } catch (error) {
      // The calls themselves may fail with it too, and say so in their own words.
      groups = [
        { calls: ready.map(({ call }) => call), reason: `the catalog did not answer: ${asError(error).message}` },
      ];
    }
    for (const group of groups) {
      if ('reason' in group) {
        running.push(...group.calls.map(call => this.#lone.send([call], group.reason, em, segment)));
      } else if (group.distinct.length === 1) {
        const [{ calls }] = group.distinct as [DistinctCall];
        running.push(
          this.#lone.send(
            calls,
            calls.length > 1 ? 'all calls of its shape are equal' : 'no other call of its shape in the batch window',
            em,
            segment,
          ),
        );
      } else {
        running.push(this.#runGroup(group, em, segment));
      }
    }
    await Promise.all(running);
  }

  async #runGroup(group: MergeGroup, em: EntityManager, segment: Segment<EntityManager>): Promise<void> {
    const [
      {
        calls: [first],
      },
    ] = group.distinct as [DistinctCall];
    const { method, meta } = first!;
    await Promise.all(
      chunks(group.distinct, this.#context.maxBatchSize).map(async part => {
        const answers: (() => void)[] = [];
        const event: MergeEvent = { kind: method, entity: meta.className };
        const failed = await runStatement(this.#context, em, segment, part, {
          event,
          keys: items => items.reduce((sum, { calls }) => sum + calls.length, 0),
          run: async items => {
            if (items.length === 1) {
              // The error, if there is one, is the lone call's.
              const { rows, answer } = await this.#lone.readEqual(items[0]!.calls);
              answers.push(answer);
              return rows;
            }
            try {
              return await this.#reads.read({ ...group, distinct: items }, em, {
                chosen: strategy => void (event.strategy = strategy),
                settle: answer => void answers.push(answer),
              });
            } catch (error) {
              if (!(error instanceof MergeRefused)) {
                throw error;
              }
            }
            let read = 0;
            for (const { calls } of items) {
              const { rows, answer } = await this.#lone.readEqual(calls);
              answers.push(answer);
              read += rows;
            }
            return read;
          },
        });
        answers.forEach(answer => answer());
        for (const [{ calls }, error] of failed) {
          calls.forEach(call => call.reject(asError(error)));
        }
      }),
    );
  }
}
