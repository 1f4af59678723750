import type { EntityManager } from '@mikro-orm/core';
import type { BatchLog } from './batch-log.ts';
import type { Call, PageAnswer } from './calls.ts';
import type { Segment } from './fork-queue.ts';
import { asError, type LoadContext, runStatement } from './load-context.ts';
import { readAlone } from './readings.ts';

/** Answers the calls of `batch(em)` that are not merged, in MikroORM's way. */
export class LoneCalls {
  readonly #context: LoadContext;
  readonly #log: BatchLog;

  constructor(context: LoadContext, log: BatchLog) {
    this.#context = context;
    this.#log = log;
  }

  /** Sends equal calls as one of them, in MikroORM's way. */
  async send(calls: readonly Call[], why: string, em: EntityManager, segment: Segment<EntityManager>): Promise<void> {
    const [first] = calls as [Call];
    const { method, meta } = first;
    const statement = { method, entity: meta.className, calls: calls.length, strategy: 'alone', why } as const;
    this.#log.add(em, statement, first.explain);
    let read: { readonly rows: number; answer(): void } | undefined;
    const failed = await runStatement(this.#context, em, segment, [calls], {
      event: { kind: method, entity: meta.className, strategy: 'alone', reason: why },
      keys: () => calls.length,
      run: async () => {
        read = await this.readEqual(calls);
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
  async readEqual(calls: readonly Call[]): Promise<{ readonly rows: number; answer(): void }> {
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
