import type { MikroORM } from '@mikro-orm/core';
import { defineEntity, type EntityManager, p } from '@mikro-orm/postgresql';
import {
  type CountedFinding,
  queryTiming,
  type QueryRecord,
  type QueryTiming,
  type QueryTimingError,
  type QueryTimingErrorCode,
  type QueryTimingOptions,
  type ScopeReport,
  type TimingEvents,
  type TimingReport,
} from '@mikrokit/query-timing';
import { type Dashboard, dashboard } from '@mikrokit/query-timing/dashboard';
import {
  expressTiming,
  fastifyTiming,
  fetchTiming,
  honoTiming,
  nodeTiming,
  yogaTiming,
} from '@mikrokit/query-timing/http';
import { openTelemetry, traceTags } from '@mikrokit/query-timing/opentelemetry';
import { prometheus } from '@mikrokit/query-timing/prometheus';
import { assertQueries, queryMatchers, recordQueries } from '@mikrokit/query-timing/vitest';
import { metrics, trace } from '@opentelemetry/api';
import express, { type Request as ExpressRequest } from 'express';
import fastify, { type FastifyRequest } from 'fastify';
import { createYoga } from 'graphql-yoga';
import { type Context, Hono } from 'hono';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Registry } from 'prom-client';
import { expect, expectTypeOf } from 'vitest';

/*
 * Checked by `tsc -p test`; never run. A type that is wrong fails to compile, and so does a `@ts-expect-error` above a line
 * that is right.
 */

const Book = defineEntity({ name: 'Book', properties: { id: p.integer().primary(), title: p.string() } });

/** The factory and its options. */
export function options(orm: MikroORM): void {
  expectTypeOf(queryTiming()).toEqualTypeOf<QueryTiming>();
  expectTypeOf(queryTiming).parameter(0).toEqualTypeOf<QueryTimingOptions | undefined>();
  expectTypeOf(queryTiming().register(orm)).toEqualTypeOf<void>();
  // Options that come from somewhere else may be undefined, also under exactOptionalPropertyTypes.
  queryTiming({
    environment: undefined,
    slow: undefined,
    nPlusOne: undefined,
    parameters: undefined,
    callSites: undefined,
    plans: undefined,
    advice: undefined,
    comments: undefined,
    terminal: undefined,
    baseline: undefined,
  });
  queryTiming({ slow: 50, nPlusOne: false, callSites: false, plans: false, advice: false, terminal: false });
  queryTiming({ slow: { overall: 50, entities: [[Book, 20]], shapes: { '0123456789abcdef': 1_000 } } });
  queryTiming({ comments: { mode: 'full', tags: traceTags } });
  // @ts-expect-error: it has no such option
  queryTiming({ slowQueries: 50 });
  // @ts-expect-error: durations are numbers of ms
  queryTiming({ slow: '50 ms' });
  // @ts-expect-error: it is one of four
  queryTiming({ parameters: 'masked' });
  // @ts-expect-error: a plan is explained or analyzed
  queryTiming({ plans: { mode: 'run' } });
  // @ts-expect-error: one may not switch it on, only off
  queryTiming({ nPlusOne: true });
}

/** The handles. */
export async function handles(timing: QueryTiming): Promise<void> {
  expectTypeOf(timing.run('a job', () => 1)).toBeNumber();
  expectTypeOf(timing.run({ name: 'a job', tags: { job: 'a' } }, async () => 'a')).toEqualTypeOf<Promise<string>>();
  expectTypeOf(timing.withTags({ action: 'list' }, () => 1)).toBeNumber();
  expectTypeOf(timing.withoutNPlusOne(() => 1)).toBeNumber();
  expectTypeOf(timing.scope()).toEqualTypeOf<ScopeReport | undefined>();
  expectTypeOf(timing.report()).toEqualTypeOf<TimingReport>();
  expectTypeOf(timing.settled()).toEqualTypeOf<Promise<void>>();
  timing.rename('GET /books/:id');
  // @ts-expect-error: a scope has a name
  timing.run({ kind: 'job' }, () => 1);
  // @ts-expect-error: forks are made by MikroORM
  timing.run({ name: 'a', kind: 'fork' }, () => 1);
}

export function events(timing: QueryTiming): void {
  expectTypeOf(timing.subscribe(record => expectTypeOf(record).toEqualTypeOf<QueryRecord>())).toEqualTypeOf<
    () => void
  >();
  timing.on('scope', scope => expectTypeOf(scope).toEqualTypeOf<ScopeReport>());
  timing.on('finding', finding => expectTypeOf(finding).toEqualTypeOf<CountedFinding>());
  timing.on('connection', event => expectTypeOf(event).toEqualTypeOf<TimingEvents['connection']>());
  timing.whenQueryingForLongerThan(500, scope => expectTypeOf(scope.queries).toBeNumber());
  // @ts-expect-error: there is no such event
  timing.on('query', () => {});
  // @ts-expect-error: a record is not to be changed
  timing.subscribe(record => (record.took = 0));
}

/** Each framework takes what is made for it, and the functions in the options know its request. */
export async function middleware(timing: QueryTiming): Promise<void> {
  const ignore = (request: ExpressRequest): boolean => request.path === '/health';
  express().use(expressTiming(timing));
  express().use(expressTiming(timing, { ignore, name: request => request.route?.path }));
  express().use(nodeTiming(timing));
  await fastify().register(fastifyTiming(timing, { tags: (request: FastifyRequest) => ({ ip: request.ip }) }));
  new Hono().use(honoTiming(timing, { ignore: (c: Context) => c.req.path === '/health' }));
  createYoga({ plugins: [yogaTiming(timing, { name: request => request.headers.get('x-name') ?? undefined })] });
  createServer(
    nodeTiming(timing, (request: IncomingMessage, response: ServerResponse) => void response.end(request.url)),
  );
  const handler = fetchTiming(timing, (request, env: { name: string }) => new Response(request.url + env.name));
  expectTypeOf(handler).toEqualTypeOf<(request: Request, env: { name: string }) => Promise<Response>>();
  // @ts-expect-error: it has no such option
  expressTiming(timing, { names: () => 'a' });
  // @ts-expect-error: tags are texts
  expressTiming(timing, { tags: () => ({ id: 7 }) });
}

export function dashboards(timing: QueryTiming): void {
  expectTypeOf(dashboard(timing)).toEqualTypeOf<Dashboard>();
  express().use(dashboard(timing, { path: '/queries', authorize: async ({ url }) => url !== '' }));
  createServer(dashboard(timing));
  new Hono().get('/queries/*', c => dashboard(timing).fetch(c.req.raw));
  // @ts-expect-error: it says yes or no
  dashboard(timing, { authorize: () => 'yes' });
}

export function exporters(timing: QueryTiming): void {
  expectTypeOf(openTelemetry(timing)).toEqualTypeOf<() => void>();
  openTelemetry(timing, { tracer: trace.getTracer('a'), meter: metrics.getMeter('a'), spans: 'auto' });
  // @ts-expect-error: it is one of four
  openTelemetry(timing, { spans: 'server' });
  const exporter = prometheus(timing, { namespace: 'library' });
  expectTypeOf(exporter.metrics()).toBeString();
  expectTypeOf(exporter.registerInto(new Registry())).toEqualTypeOf<() => void>();
  createServer(exporter);
}

export async function matchers(timing: QueryTiming, em: EntityManager): Promise<void> {
  const read = (): Promise<unknown> => em.find(Book, {});
  expect.extend(queryMatchers(timing));
  await expect(read).toRunQueries(1);
  await expect(read).toRunAtMost(2);
  await expect(read).toMatchQueries();
  await expect(read).not.toHaveNPlusOne();
  await expect(read).toUseIndex('book_pkey');
  await expect(read).not.toSeqScan('book');
  expectTypeOf(assertQueries(timing, async () => 'a', { atMost: 1 })).toEqualTypeOf<Promise<string>>();
  expectTypeOf((await recordQueries(timing, () => 7)).result).toBeNumber();
  // @ts-expect-error: a number of queries
  await expect(read).toRunQueries('1');
}

export function errors(refused: QueryTimingError): void {
  expectTypeOf(refused.code).toEqualTypeOf<QueryTimingErrorCode>();
}
