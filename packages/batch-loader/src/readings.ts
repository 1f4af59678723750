import { type Call, OWN_OPTIONS, type PageAnswer, type PageConditions } from './calls.ts';
import type { LoadContext } from './load-context.ts';
import { aggregateStatement, aggregateValue, countedFields } from './seam/aggregate.ts';
import type { Entity, LoadOptions } from './seam/entity.ts';
import type { Query, QueryTarget, Row } from './seam/intercept.ts';
import { PLACE, type Statement, TOTAL } from './shape/merged-statement.ts';
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
    case 'page':
      return 'rows';
    case 'exists':
      return 'exists';
    default:
      return 'aggregate';
  }
}

/** Runs the call of MikroORM whose statement is read. */
function build(context: LoadContext, call: Call, where: unknown, options: LoadOptions): Promise<unknown> {
  const lone = context.seam.lone(call.em);
  const { entity, meta } = call;
  switch (call.method) {
    case 'find':
      return lone.find(entity, where, options);
    case 'findOne':
      return lone.findOne(entity, where, options);
    case 'count':
      return lone.count(entity, where, options);
    case 'page':
      return lone.find(entity, (where as PageConditions).rows, options);
    case 'exists':
      return lone.find(entity, where, { ...options, fields: countedFields(meta), populate: [] });
    default:
      return lone.find(entity, where, { ...options, fields: [...countedFields(meta), call.property!], populate: [] });
  }
}

/** What becomes of the statement that MikroORM built. */
type Transform = (query: Query) => Statement;

async function transformOf(context: LoadContext, call: Call, where: unknown): Promise<Transform> {
  const { method, meta } = call;
  switch (method) {
    case 'sum':
    case 'min':
    case 'max':
    case 'avg':
      return query => aggregateStatement(query, method, meta, meta.properties[call.property!]!);
    case 'page': {
      const total = await countOfPage(context, call, (where as PageConditions).total);
      return query => pageStatement(withOffset(query), total);
    }
    default:
      return withOffset;
  }
}

/** Not by a limit, which MikroORM takes within a condition on a collection, before filters of other relations. */
function existsStatement({ sql, params }: Query): Statement {
  return { sql: `select 1 where exists (${sql})`, params };
}

/** A limit without an offset has one of zero: so it is of one shape with those that have. */
function withOffset({ sql, params }: Query): Query {
  return sql.endsWith(' limit ?') ? { sql: `${sql} offset ?`, params: [...params, 0] } : { sql, params };
}

async function countOfPage(context: LoadContext, call: Call, where: unknown): Promise<Query> {
  const options = call.totalOptions!;
  const looked = await context.seam.interceptor.look(() =>
    context.seam.lone(call.em).count(call.entity, where, options),
  );
  if (!('query' in looked)) {
    throw new Error(`MikroORM has counted ${call.meta.className} without a statement of its own`);
  }
  return looked.query;
}

/** The statements of a page's rows and of their total as one: the total stands in each row, or in one without a row. */
function pageStatement(rows: Query, total: Query): Statement {
  return {
    sql: `select "_mk_count"."count" as "${TOTAL}", "_mk_page".* from (${total.sql}) as "_mk_count" left join (select row_number() over () as "${PLACE}", "_mk_rows".* from (${rows.sql}) as "_mk_rows") as "_mk_page" on true order by "_mk_page"."${PLACE}"`,
    params: [...total.params, ...rows.params],
  };
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
  const transform = await transformOf(context, call, where);
  const looked = await context.seam.interceptor.look(() => build(context, call, where, options));
  return 'query' in looked ? { statement: transform(looked.query), target: looked.target } : undefined;
}

/** Sends a call by itself, as MikroORM does. */
export async function readAlone(context: LoadContext, call: Call): Promise<unknown> {
  const { method } = call;
  const { options } = call;
  if (method === 'find' || method === 'findOne' || method === 'count') {
    return build(context, call, call.where, options);
  }
  const transform = await transformOf(context, call, call.where);
  let own: readonly Row[] = [];
  const entities = await context.seam.interceptor.answered(
    async (query, target) => {
      own = await target.send(method === 'exists' ? existsStatement(query) : transform(query));
      return method === 'page' ? own.filter(hasEntity) : [];
    },
    () => build(context, call, call.where, options),
  );
  return method === 'page'
    ? ({ rows: entities as Entity[], total: totalOf(own) } satisfies PageAnswer)
    : answerFrom(context, call, own);
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
export function answerOf(call: Call, entities: readonly Entity[], total: number): unknown {
  switch (call.method) {
    case 'findOne':
      return entities[0] ?? null;
    case 'page':
      return { rows: [...entities], total } satisfies PageAnswer;
    default:
      return [...entities];
  }
}

/** Whether a row of a page holds more than the total. */
export function hasEntity(row: Row): boolean {
  return row[PLACE] !== null;
}

export function totalOf(rows: readonly Row[]): number {
  return Number(rows[0]?.[TOTAL] ?? 0);
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
