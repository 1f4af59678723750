import { createRequire } from 'node:module';
import { defineEntity, type MikroORM, p } from '@mikro-orm/postgresql';
import { queryTiming, type QueryTiming, type QueryTimingOptions } from '@mikrokit/query-timing';
import { openTelemetry, type OpenTelemetryOptions, traceTags } from '@mikrokit/query-timing/opentelemetry';
import { prometheus } from '@mikrokit/query-timing/prometheus';
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  type MetricData,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { openOrm } from '../harness/orm.ts';

/* Queries of MikroORM on PostgreSQL, as the SDK of OpenTelemetry and a scrape of Prometheus see them. */

const Author = defineEntity({
  name: 'Author',
  properties: { id: p.integer().primary(), email: p.string().unique() },
});
const Book = defineEntity({
  name: 'Book',
  properties: { id: p.integer().primary(), title: p.string(), author: () => p.manyToOne(Author) },
});

const SECRET = 'alice.secret@example.com';
const spans = new InMemorySpanExporter();
const tracers = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spans })] });
const tracer = tracers.getTracer('test');

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(tracers);
  return async () => {
    trace.disable();
    context.disable();
    await tracers.shutdown();
  };
});

interface Open {
  readonly orm: MikroORM;
  readonly timing: QueryTiming;
  metrics(): Promise<MetricData[]>;
}

async function open(options: QueryTimingOptions = {}, telemetry: OpenTelemetryOptions = {}): Promise<Open> {
  const timing = queryTiming({ terminal: false, ...options });
  const orm = await openOrm({ entities: [Author, Book], extensions: [timing] });
  const em = orm.em.fork();
  em.create(Book, { id: 1, title: 'one', author: em.create(Author, { id: 1, email: SECRET }) });
  em.create(Book, { id: 2, title: 'two', author: em.create(Author, { id: 2, email: 'bob@example.com' }) });
  await em.flush();
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const meters = new MeterProvider({ readers: [reader] });
  onTestFinished(() => meters.shutdown());
  const stop = openTelemetry(timing, { meter: meters.getMeter('test'), ...telemetry });
  onTestFinished(stop);
  spans.reset();
  return {
    orm,
    timing,
    async metrics() {
      await reader.forceFlush();
      return exporter.getMetrics().flatMap(each => each.scopeMetrics.flatMap(scope => scope.metrics));
    },
  };
}

/** Runs `fn` in an active span, and gives that, and those that were made meanwhile. */
async function inSpan(fn: () => Promise<unknown>): Promise<{ request: ReadableSpan; queries: ReadableSpan[] }> {
  await tracer.startActiveSpan('request', async span => {
    await fn();
    span.end();
  });
  const all = spans.getFinishedSpans();
  return {
    request: all.find(({ name }) => name === 'request')!,
    queries: all.filter(({ name }) => name !== 'request'),
  };
}

const micros = ([seconds, nanos]: readonly [number, number]): number => seconds * 1e6 + nanos / 1e3;

describe('spans', () => {
  test('of a request: each query is a child of the active span, and lies within it', async () => {
    const { orm } = await open();
    const { request, queries } = await inSpan(async () => {
      const em = orm.em.fork();
      await em.find(Book, {}, { populate: ['author'], strategy: 'select-in' });
      await Promise.all([em.fork().count(Book), em.fork().findOne(Author, { email: SECRET })]);
      await em.fork().execute('select 1 as one');
      await em.getKysely<{ book: { id: number } }>().selectFrom('book').select('id').execute();
    });
    expect(queries.map(({ name }) => name).toSorted()).toEqual(
      ['select book', 'select author', 'select book', 'select author', 'select', 'select book'].toSorted(),
    );
    for (const { parentSpanContext, startTime, endTime, kind, status } of queries) {
      expect(parentSpanContext?.spanId).toBe(request.spanContext().spanId);
      expect(kind).toBe(SpanKind.CLIENT);
      expect(status.code).toBe(SpanStatusCode.UNSET);
      // Clocks of the process and of the span differ by what Date.now() leaves out.
      expect(micros(startTime)).toBeGreaterThan(micros(request.startTime) - 5_000);
      expect(micros(endTime)).toBeLessThan(micros(request.endTime) + 5_000);
      expect(micros(endTime)).toBeGreaterThan(micros(startTime));
    }
  });

  test('of a transaction: begin, the statements and commit, in the span in which they were called', async () => {
    const { orm } = await open();
    const { request, queries } = await inSpan(async () => {
      const em = orm.em.fork();
      const book = await em.findOneOrFail(Book, 1);
      book.title = 'another';
      await tracer.startActiveSpan('flush', async span => {
        await em.flush();
        span.end();
      });
    });
    const flush = queries.find(({ name }) => name === 'flush')!;
    const parents = queries.filter(each => each !== flush).map(each => [each.name, each.parentSpanContext?.spanId]);
    const update = { 'db.operation.name': 'update', 'db.collection.name': 'book' };
    expect(queries.find(({ name }) => name === 'update book')!.attributes).toMatchObject(update);
    expect(parents).toEqual([
      ['select book', request.spanContext().spanId],
      ['begin', flush.spanContext().spanId],
      ['update book', flush.spanContext().spanId],
      ['commit', flush.spanContext().spanId],
    ]);
  });

  test('have names of operation and table where MikroORM wrote the statement', async () => {
    const { orm } = await open();
    const { queries } = await inSpan(async () => {
      await orm.em.fork().find(Book, { title: 'one' });
      await orm.em.fork().execute(`select * from book where title = 'one'`);
    });
    expect(queries[0]!.attributes).toMatchObject({
      'db.system.name': 'postgresql',
      'db.namespace': orm.config.get('dbName'),
      'db.query.summary': 'select book',
      'db.operation.name': 'select',
      'db.collection.name': 'book',
      'db.response.returned_rows': 1,
      'server.address': orm.em.getConnection().getConnectionOptions().host,
      'server.port': orm.em.getConnection().getConnectionOptions().port,
    });
    expect(queries[0]!.attributes['db.query.text']).toMatch(/^select .* from "book" as "b0" where "b0"."title" = \?$/);
    expect(queries[1]!.attributes).toMatchObject({
      'db.query.summary': 'select book',
      'db.query.text': 'select * from book where title = ?',
    });
    expect(queries[1]!.attributes).not.toHaveProperty(['db.operation.name']);
  });

  test('of queries that failed: SQLSTATE, never what the server said', async () => {
    const { orm } = await open();
    const { queries } = await inSpan(async () => {
      const em = orm.em.fork();
      await expect(em.insert(Author, { id: 3, email: SECRET })).rejects.toThrow(SECRET);
      await expect(em.execute(`select '${SECRET}'::int`)).rejects.toThrow(SECRET);
    });
    expect(queries.map(({ status }) => status)).toEqual([
      { code: SpanStatusCode.ERROR, message: '23505: integrity constraint violation' },
      { code: SpanStatusCode.ERROR, message: '22P02: data exception' },
    ]);
    expect(queries[1]!.attributes).toMatchObject({ 'db.response.status_code': '22P02', 'error.type': '22P02' });
  });
});

describe('beside @opentelemetry/instrumentation-pg', () => {
  test('a query has one client span, and it is that of the instrumentation; without it, it is ours again', async () => {
    const { orm } = await open();
    const instrumentation = new PgInstrumentation();
    instrumentation.setTracerProvider(tracers);
    onTestFinished(() => instrumentation.disable());
    // It patches what is required after it was made; pg is the same for whoever imports it.
    createRequire(import.meta.url)('pg');
    const kindsOf = async (): Promise<string[]> => {
      spans.reset();
      const { queries } = await inSpan(() => orm.em.fork().find(Book, {}));
      return queries
        .filter(({ name }) => !name.endsWith('connect'))
        .map(({ instrumentationScope, kind }) => `${instrumentationScope.name} ${SpanKind[kind]}`);
    };
    expect((await kindsOf()).toSorted()).toEqual([
      '@mikrokit/query-timing INTERNAL',
      '@opentelemetry/instrumentation-pg CLIENT',
    ]);
    instrumentation.disable();
    expect(await kindsOf()).toEqual(['@mikrokit/query-timing CLIENT']);
  });
});

describe('metrics', () => {
  test('count what the report counts, and pools as they are', async () => {
    const { orm, timing, metrics } = await open();
    const exporter = prometheus(timing);
    onTestFinished(() => exporter.stop());
    timing.reset();
    await Promise.all(Array.from({ length: 5 }, () => orm.em.fork().find(Book, {})));
    await orm.em.fork().transactional(em => em.execute('select pg_sleep(0.05)'));
    const { totals } = timing.report();
    expect(totals.queries).toBe(8);
    const all = await metrics();
    const countOf = (name: string): number =>
      all
        .find(({ descriptor }) => descriptor.name === name)!
        .dataPoints.reduce((sum, { value }) => sum + (value as { count: number }).count, 0);
    expect(countOf('db.client.operation.duration')).toBe(8);
    expect(countOf('db.client.response.returned_rows')).toBe(6);
    expect(countOf('db.client.connection.wait_time')).toBe(6);
    expect(countOf('db.client.connection.use_time')).toBe(6);
    const used = all.find(({ descriptor }) => descriptor.name === 'db.client.connection.count')!.dataPoints;
    expect(used.map(({ attributes, value }) => [attributes['db.client.connection.state'], value])).toEqual([
      ['used', 0],
      ['idle', timing.pools()[0]!.idle],
    ]);

    const sum = (suffix: string): number =>
      [...exporter.metrics().matchAll(new RegExp(`^\\w+${suffix}(?:\\{.*\\})? (\\S+)$`, 'gm'))]
        .map(([, value]) => Number(value))
        .reduce((total, value) => total + value, 0);
    expect(sum('_operation_duration_seconds_count')).toBe(8);
    expect(sum('_operation_duration_seconds_sum')).toBeCloseTo(totals.took / 1e6, 6);
    expect(sum('_connection_use_time_seconds_count')).toBe(6);
    // The transaction held its connection while the server slept.
    expect(sum('_connection_use_time_seconds_sum')).toBeGreaterThan(0.05);
    expect(sum('_connection_max')).toBe(10);
  });
});

describe('comments', () => {
  const own = 'select query from pg_stat_activity where pid = pg_backend_pid()';

  test('lead from the server to the trace', async () => {
    const { orm } = await open({ comments: { mode: 'full', application: 'shop', tags: traceTags } });
    let rows: { readonly query: string }[] = [];
    const { request } = await inSpan(async () => {
      rows = await orm.em.fork().execute(own);
    });
    const { traceId, spanId } = request.spanContext();
    expect(rows).toEqual([
      { query: `${own} /*application='shop',db_driver='mikro-orm',traceparent='00-${traceId}-${spanId}-01'*/` },
    ]);
  });

  test('are on statements of Kysely, in front if that is wanted; those of the user stay alone; shapes do not know them', async () => {
    const { orm, timing } = await open({ comments: { mode: 'static', prepend: true } });
    timing.reset();
    const made = `/*db_driver='mikro-orm',route='%2Fbooks'*/`;
    await timing.withTags({ route: '/books', tenant: '*/; drop table book; --' }, async () => {
      const em = orm.em.fork();
      const kysely = em.getKysely<{ pg_stat_activity: { query: string; pid: number } }>();
      const { query } = await kysely
        .selectFrom('pg_stat_activity')
        .select('query')
        .where(({ eb, fn }) => eb('pid', '=', fn<number>('pg_backend_pid', [])))
        .executeTakeFirstOrThrow();
      expect(query.startsWith(`${made} select "query"`)).toBe(true);
      expect(await em.execute(`${own} -- mine`)).toEqual([{ query: `${own} -- mine` }]);
      expect(await em.find(Book, {})).toHaveLength(2);
    });
    expect(timing.report().shapes).toHaveLength(3);
    for (const { text } of timing.report().shapes) {
      expect(text).not.toContain('/*');
    }
  });
});

test('a planted secret is in no span, metric, scrape or comment, errors included', async () => {
  const { orm, timing, metrics } = await open({ parameters: 'full', comments: 'full' });
  const exporter = prometheus(timing);
  onTestFinished(() => exporter.stop());
  let shown: { readonly query: string } | undefined;
  await inSpan(() =>
    timing.run({ name: 'GET /authors', kind: 'request', tags: { route: '/authors' } }, async () => {
      const em = orm.em.fork();
      await em.find(Author, { email: SECRET });
      await em.find(Author, { email: { $in: [SECRET, `${SECRET}2`] } }, { logging: { label: 'authors' } });
      await em
        .qb(Author)
        .where({ email: { $like: `%${SECRET}%` } })
        .getResultList();
      await em.execute(`select '${SECRET}', $$${SECRET}$$, E'${SECRET}' as "ok" -- ${SECRET}`);
      [shown] = await em.execute(`select '${SECRET}', query from pg_stat_activity where pid = pg_backend_pid()`);
      await em.execute('select ?::text', [SECRET]);
      await expect(em.insert(Author, { id: 9, email: SECRET })).rejects.toThrow(SECRET);
      await expect(em.execute(`select '${SECRET}'::int`)).rejects.toThrow(SECRET);
      await expect(em.execute(`select "${SECRET}`)).rejects.toThrow();
      const author = await em.findOneOrFail(Author, 1);
      author.email = `${SECRET}3`;
      await em.flush();
    }),
  );
  const seen = spans
    .getFinishedSpans()
    .map(({ name, attributes, status, events }) => ({ name, attributes, status, events }));
  expect(seen).toHaveLength(12 + 1);
  const sinks = { spans: JSON.stringify(seen), metrics: JSON.stringify(await metrics()), scrape: exporter.metrics() };
  for (const [sink, text] of Object.entries(sinks)) {
    expect(text, sink).toContain('select author');
    expect(text.toLowerCase(), sink).not.toContain('secret');
  }
  expect(shown!.query).toMatch(/pg_backend_pid\(\) \/\*db_driver='mikro-orm',route='%2Fauthors'\*\/$/);
});
