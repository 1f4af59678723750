import type { Call } from './calls.ts';
import { OWN_OPTIONS } from './calls.ts';
import type { LoadContext } from './load-context.ts';
import { aggregateStatement, aggregateValue } from './seam/aggregate.ts';
import type { Entity, LoadOptions } from './seam/entity.ts';
import type { Query, QueryTarget, Row } from './seam/intercept.ts';
import type { Statement } from './shape/merged-statement.ts';
import type { AnswerKind } from './shape/strategy.ts';

/*
 * What each method of batch(em) reads: which call of MikroORM builds its statement, what becomes of that statement, and
 * what of its rows.
 */

/** A statement that would be sent, and where. */
export interface Looked {
  readonly statement: Statement;
  readonly target: QueryTarget;
}

export function answerKind({ method }: Call): AnswerKind {
  switch (method) {
    case 'find':
    case 'findOne':
      return 'rows';
    case 'exists':
      return 'exists';
    default:
      return 'aggregate';
  }
}

/** The options for MikroORM's call, whose statement is read: `where` and `options` may be those of a sentinel. */
function buildOptions(call: Call, options: LoadOptions): LoadOptions {
  switch (call.method) {
    case 'find':
    case 'findOne':
    case 'count':
      return options;
    case 'exists':
      return { ...options, fields: call.meta.primaryKeys, populate: [] };
    default:
      return { ...options, fields: [...call.meta.primaryKeys, call.property!], populate: [] };
  }
}

function build(context: LoadContext, call: Call, where: unknown, options: LoadOptions): Promise<unknown> {
  const lone = context.seam.lone(call.em);
  const own = buildOptions(call, options);
  switch (call.method) {
    case 'findOne':
      return lone.findOne(call.entity, where, own);
    case 'count':
      return lone.count(call.entity, where, own);
    default:
      return lone.find(call.entity, where, own);
  }
}

function transformed(call: Call, query: Query): Statement {
  switch (call.method) {
    case 'sum':
    case 'min':
    case 'max':
    case 'avg':
      return aggregateStatement(query, call.method, call.meta, call.meta.properties[call.property!]!);
    default:
      return query;
  }
}

/** Options of a call without those that are for the caller alone; its limit and offset are part of its statement. */
export function mergedOptions({ options }: Call): LoadOptions {
  return Object.fromEntries(
    Object.entries(options).filter(([name]) => !OWN_OPTIONS.has(name) || name === 'limit' || name === 'offset'),
  );
}

/** The statement of a call, which is not sent; `undefined` if the call needs none. */
export async function lookAt(
  context: LoadContext,
  call: Call,
  where: unknown,
  options: LoadOptions,
): Promise<Looked | undefined> {
  const looked = await context.seam.interceptor.look(() => build(context, call, where, options));
  return 'query' in looked ? { statement: transformed(call, looked.query), target: looked.target } : undefined;
}

/** Sends a call by itself, as MikroORM does. */
export async function readAlone(context: LoadContext, call: Call): Promise<unknown> {
  const { method } = call;
  const { options } = call;
  if (method === 'find' || method === 'findOne' || method === 'count') {
    return build(context, call, call.where, options);
  }
  let own: readonly Row[] = [];
  await context.seam.interceptor.answered(
    async (query, target) => {
      own = await target.send(transformed(call, query));
      return [];
    },
    () => build(context, call, call.where, method === 'exists' ? { ...options, limit: 1 } : options),
  );
  return answerFrom(context, call, own);
}

/** The answer to a call that is no entity, from its rows. */
export function answerFrom(context: LoadContext, call: Call, rows: readonly Row[]): unknown {
  switch (call.method) {
    case 'count':
      return Number(rows[0]?.['count'] ?? 0);
    case 'exists':
      return rows.length > 0;
    case 'sum':
    case 'min':
    case 'max':
    case 'avg':
      return aggregateValue(context.orm, call.method, call.meta.properties[call.property!]!, rows[0]?.['value']);
    default:
      throw new Error(`${call.method} is answered with entities`);
  }
}

/** The answer to a call, from the entities of its rows. */
export function answerOf(call: Call, entities: readonly Entity[]): unknown {
  return call.method === 'findOne' ? (entities[0] ?? null) : [...entities];
}

/**
 * Runs MikroORM's call for the first of several calls, with `answer` in the database's place: it hydrates what it is given,
 * populates it, and fires its events, as if those had been its own rows.
 */
export function readAs(
  context: LoadContext,
  call: Call,
  answer: (query: Query, target: QueryTarget) => Promise<Row[]>,
  own: boolean,
): Promise<unknown> {
  const lone = context.seam.lone(call.em);
  const options = mergedOptions(call);
  // `em.find()` takes any number of rows; `em.findOne()` takes one.
  return context.seam.interceptor.answered(answer, () =>
    call.method === 'findOne' && !own
      ? lone.find(call.entity, call.where, options)
      : build(context, call, call.where, options),
  );
}
