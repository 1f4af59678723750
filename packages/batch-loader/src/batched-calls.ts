import type { EntityManager } from '@mikro-orm/core';
import { optionsKey } from './batch-key.ts';
import type { BatchLog } from './batch-log.ts';
import { CallPlans, type PlannedCall, type UnplannedCall } from './call-plans.ts';
import { type Call, type CallRequest, loneReason, OWN_OPTIONS, type PageAnswer, type PageConditions } from './calls.ts';
import { aboutAnother, ownerIn } from './call-owner.ts';
import { chunks } from './chunks.ts';
import type { Segment } from './fork-queue.ts';
import { asError, type LoadContext, runStatement } from './load-context.ts';
import { type DistinctCall, MergedReads, MergeRefused, type MergeGroup, type MergeEvent } from './merged-reads.ts';
import { lookAt, mergedOptions, readAlone } from './readings.ts';
import { slotTypes, type SlotValue, slotValues } from './shape/call-values.ts';
import type { PeerLoads } from './peer-loads.ts';
import { managerOf } from './seam/entity.ts';
import { scopeOf } from './seam/guard-layer.ts';
import type { ShapeKnowledge } from './shape/shape-knowledge.ts';
import type { StatementText } from './shape/statement-text.ts';
import { chooseStrategy } from './shape/strategy.ts';

/** Calls that may share a statement: of one method, entity and options. */
interface Bucket {
  readonly kind: string;
  readonly calls: Call[];
}

/** A call that is ready to be merged. */
interface ReadyCall extends PlannedCall {
  readonly text: StatementText;
  readonly values: readonly SlotValue[];
}

/** Calls that are sent one by one. */
interface UnmergedGroup {
  readonly calls: readonly Call[];
  readonly reason: string;
}

/** Answers the calls of `batch(em)` that were made in one window. */
export class BatchedCalls {
  readonly #context: LoadContext;
  readonly #log: BatchLog;
  readonly #plans: CallPlans;
  readonly #shapes: ShapeKnowledge;
  readonly #reads: MergedReads;

  constructor(context: LoadContext, log: BatchLog) {
    this.#context = context;
    this.#log = log;
    this.#plans = new CallPlans(context);
    this.#shapes = context.shapes;
    this.#reads = new MergedReads(context, log);
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
        running.push(this.#alone([call], reason, em, segment));
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
      await this.#alone(calls, 'no other call of its kind in the batch window', em, segment);
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
          running.push(this.#alone([plan.call], plan.reason!, em, segment));
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
        running.push(...plans.map(({ call }) => this.#alone([call], read.reason, em, segment)));
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
        running.push(this.#alone([plan.call], values.reason, em, segment));
      } else {
        ready.push({ ...plan, text, values });
      }
    }
    let groups: readonly (MergeGroup | UnmergedGroup)[];
    try {
      groups = await this.#groups(ready);
    } catch (error) {
      // The calls themselves may fail with it too, and say so in their own words.
      groups = [
        { calls: ready.map(({ call }) => call), reason: `the catalog did not answer: ${asError(error).message}` },
      ];
    }
    for (const group of groups) {
      if ('reason' in group) {
        running.push(...group.calls.map(call => this.#alone([call], group.reason, em, segment)));
      } else if (group.distinct.length === 1) {
        const [{ calls }] = group.distinct as [DistinctCall];
        running.push(
          this.#alone(
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

  /** Calls by the types of their values; equal ones become one. */
  async #groups(ready: readonly ReadyCall[]): Promise<(MergeGroup | UnmergedGroup)[]> {
    const [first] = ready;
    if (first === undefined) {
      return [];
    }
    const { text } = first;
    // A shape of equal calls needs no types.
    const inferred =
      new Set(ready.map(({ values }) => values.map(valueKey).join(','))).size > 1
        ? await this.#shapes.types(text, first.target)
        : { types: text.slots.map(() => 'text') };
    if ('reason' in inferred) {
      return [{ calls: ready.map(({ call }) => call), reason: inferred.reason }];
    }
    const groups = new Map<string, MergeGroup & { distinct: DistinctCall[]; byValues: Map<string, DistinctCall> }>();
    for (const { call, statement, target, text: own, values } of ready) {
      const types = slotTypes(text, inferred.types, values);
      const typesKey = types.join(',');
      let group = groups.get(typesKey);
      if (group === undefined) {
        group = { types, inferred: inferred.types, target, distinct: [], byValues: new Map() };
        groups.set(typesKey, group);
      }
      const key = values.map(valueKey).join(',');
      const equal = group.byValues.get(key);
      if (equal) {
        equal.calls.push(call);
      } else {
        const distinct = { calls: [call], text: own, params: statement.params, values };
        group.byValues.set(key, distinct);
        group.distinct.push(distinct);
      }
    }
    return [...groups.values()].map(group =>
      text.fixed.every(slot => group.distinct.every(({ values }) => values[slot]!.text === first.values[slot]!.text))
        ? group
        : {
            calls: group.distinct.flatMap(({ calls }) => calls),
            reason: 'a value in a subquery beside an "or" differs: PostgreSQL may confuse the calls',
          },
    );
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
              const { rows, answer } = await this.#readEqual(items[0]!.calls);
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
              const { rows, answer } = await this.#readEqual(calls);
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

  /** Sends equal calls as one of them, in MikroORM's way. */
  async #alone(calls: readonly Call[], why: string, em: EntityManager, segment: Segment<EntityManager>): Promise<void> {
    const [first] = calls as [Call];
    const { method, meta } = first;
    const statement = { method, entity: meta.className, calls: calls.length, strategy: 'alone', why } as const;
    this.#log.add(em, statement, first.explain);
    let read: { readonly rows: number; answer(): void } | undefined;
    const failed = await runStatement(this.#context, em, segment, [calls], {
      event: { kind: method, entity: meta.className, strategy: 'alone', reason: why },
      keys: () => calls.length,
      run: async () => {
        read = await this.#readEqual(calls);
        return read.rows;
      },
    });
    if (failed.size === 0) {
      read?.answer();
    }
    for (const error of failed.values()) {
      calls.forEach(call => call.reject(asError(error)));
    }
  }

  /** Reads equal calls as one of them, in MikroORM's way; each by itself, if their entities are to be their own. */
  async #readEqual(calls: readonly Call[]): Promise<{ readonly rows: number; answer(): void }> {
    const { options } = calls[0]!;
    const isolated = options['disableIdentityMap'] ?? this.#context.orm.config.get('disableIdentityMap');
    const read = isolated === true || calls.length === 1 ? calls : [withoutSignal(calls[0]!)];
    const answers = await Promise.all(read.map(call => readAlone(this.#context, call)));
    return {
      rows: sizeOf(answers[0]),
      answer: () => calls.forEach((call, index) => call.resolve(copied(call, answers[index] ?? answers[0]))),
    };
  }
}

/** A call that others wait for as well: who aborts is answered, the statement goes on. */
function withoutSignal(call: Call): Call {
  const { signal: _signal, inflightQueryAbortStrategy: _strategy, ...options } = call.options;
  return { ...call, options };
}

function sizeOf(answer: unknown): number {
  return Array.isArray(answer) ? answer.length : 1;
}

/** Each caller may do with its list what it likes. */
function copied({ method }: Call, answer: unknown): unknown {
  if (method === 'page') {
    const { rows, total } = answer as PageAnswer;
    return { rows: [...rows], total } satisfies PageAnswer;
  }
  return Array.isArray(answer) ? [...(answer as unknown[])] : answer;
}

function valueKey({ class: literal, text }: SlotValue): string {
  return text === null ? '0' : `${literal}:${text.length}:${text}`;
}

const CALLS = { dedupe: false };

/** Options under which an answer is not to be had for somebody else. */
const OWN_ANSWER = ['signal', 'lockMode', 'lockVersion', 'cache', 'ctx', 'disableIdentityMap', 'refresh', 'flushMode'];

/** Takes a call into the batch window; with `peers`, and for those it came with. */
export function readBatched(
  context: LoadContext,
  calls: BatchedCalls,
  peers: PeerLoads | undefined,
  em: EntityManager,
  segment: Segment<EntityManager>,
  request: CallRequest,
): Promise<unknown> {
  const real = (own: CallRequest = request): Promise<unknown> => readInWindow(context, calls, em, segment, own);
  const owner =
    peers && OWN_ANSWER.every(name => request.options[name] === undefined) ? ownerIn(request.where) : undefined;
  if (peers === undefined || owner === undefined || managerOf(owner) !== em) {
    return real();
  }
  const { method, meta, property, options, where } = request;
  const about = context.keyOf(aboutAnother(where, owner, OWNER));
  const key = `${method}|${meta.uniqueName}|${property ?? ''}|${about}|${optionsKey(options, context.keyOf, NO_NAMES)}`;
  const asked = { entity: owner, meta, method, key };
  return peers.call({ em, segment }, asked, real, peer =>
    real({ ...request, where: aboutAnother(where, owner, peer) }),
  );
}

/** Stands for the owner in the key of a call. */
const OWNER = Symbol.for('@mikrokit/batch-loader owner');
const NO_NAMES: ReadonlySet<string> = new Set();

function readInWindow(
  context: LoadContext,
  calls: BatchedCalls,
  em: EntityManager,
  segment: Segment<EntityManager>,
  request: CallRequest,
): Promise<unknown> {
  let settled: (() => void) | undefined;
  const answer = new Promise((resolve, reject) => {
    const signal = request.options['signal'] as AbortSignal | undefined;
    if (signal?.aborted === true) {
      reject(asError(signal.reason));
      return;
    }
    const trace = context.guard?.trace(scopeOf(em));
    const call: Call = { ...request, ...calls.taken(request), em, trace, resolve, reject };
    if (signal) {
      // The others of its statement go on.
      const aborted = (): void => reject(asError(signal.reason));
      signal.addEventListener('abort', aborted, { once: true });
      settled = () => signal.removeEventListener('abort', aborted);
    }
    const run = async (window: readonly Call[], own: Segment<EntityManager>): Promise<undefined[]> => {
      await calls.run(window, em, own);
      return window.map(() => undefined);
    };
    context
      .queueOf(em)
      .load(CALLS, '', () => ({ ...CALLS, run }), call, segment)
      .catch(reject);
  });
  return settled ? answer.finally(settled) : answer;
}
