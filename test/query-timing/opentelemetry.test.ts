import { type Attributes, context, SpanKind, SpanStatusCode, trace, TraceFlags } from '@opentelemetry/api';
import { OptionsError, type QueryRecord } from '@mikrokit/query-timing';
import { openTelemetry, type OpenTelemetryOptions, traceTags } from '@mikrokit/query-timing/opentelemetry';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  InMemorySpanExporter,
  type ReadableSpan,
  type Sampler,
  SamplingDecision,
  SimpleSpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import pg from 'pg';
import { afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { poolOfTen, recordOfAuthors, ToldTiming } from './fixtures/told-timing.ts';

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  return () => context.disable();
});

afterEach(() => void vi.useRealTimers());

/** A tracer and a meter of the SDK, whose spans and metrics can be read. */
function sdk(sampler?: Sampler) {
  const spans = new InMemorySpanExporter();
  const tracers = new TracerProvider({
    spanProcessors: [new SimpleSpanProcessor({ exporter: spans })],
    ...(sampler && { sampler }),
  });
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const meters = new MeterProvider({ readers: [reader] });
  onTestFinished(() => Promise.all([tracers.shutdown(), meters.shutdown()]).then(() => {}));
  return {
    tracer: tracers.getTracer('test'),
    meter: meters.getMeter('test'),
    spans: (): ReadableSpan[] => spans.getFinishedSpans(),
    async metrics() {
      exporter.reset();
      await reader.forceFlush();
      const all = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics));
      return new Map(all.map(metric => [metric.descriptor.name, metric]));
    },
  };
}

function traced(options: OpenTelemetryOptions = {}, sampler?: Sampler) {
  const timing = new ToldTiming();
  const { tracer, meter, spans, metrics } = sdk(sampler);
  const stop = openTelemetry(timing, { tracer, meter, ...options });
  const span = (record?: Parameters<ToldTiming['query']>[0]): ReadableSpan => {
    timing.query(record);
    return spans().at(-1)!;
  };
  return { timing, tracer, spans, metrics, stop, span };
}

describe('a span', () => {
  test('is a client span, called as its summary, with the times and attributes of the record', () => {
    const { span } = traced();
    const { name, kind, attributes, startTime, endTime, status, events } = span();
    expect(name).toBe('select author');
    expect(kind).toBe(SpanKind.CLIENT);
    expect(attributes).toEqual({
      'db.system.name': 'postgresql',
      'db.query.summary': 'select author',
      'db.query.text': recordOfAuthors.shape.text,
      'db.operation.name': 'select',
      'db.collection.name': 'author',
      'db.response.returned_rows': 3,
    });
    expect(startTime).toEqual([Date.UTC(2026, 0, 2, 3, 4, 5) / 1000, 678_250_000]);
    expect(endTime).toEqual([Date.UTC(2026, 0, 2, 3, 4, 5) / 1000, 685_250_000]);
    expect(status).toEqual({ code: SpanStatusCode.UNSET });
    expect(events).toEqual([]);
  });

  test('is a child of the span that is active where the record is told, and a root without one', () => {
    const { tracer, span } = traced();
    const parent = tracer.startSpan('request');
    const child = context.with(trace.setSpan(context.active(), parent), () => span());
    expect(child.parentSpanContext?.spanId).toBe(parent.spanContext().spanId);
    expect(child.spanContext().traceId).toBe(parent.spanContext().traceId);
    expect(span().parentSpanContext).toBeUndefined();
  });

  test.each(['execute', 'kysely', 'transactional', undefined])(
    'of SQL that the user has written (%s) has no name of an operation or table: they are not read out of it',
    operation => {
      const { attributes } = traced().span({ entity: undefined, operation });
      expect(attributes).toMatchObject({ 'db.query.summary': 'select author' });
      expect(attributes).not.toHaveProperty(['db.operation.name']);
      expect(attributes).not.toHaveProperty(['db.collection.name']);
    },
  );

  test.each(['flush', 'qb'])('of what MikroORM wrote for a %s has both', operation => {
    const names = { 'db.operation.name': 'select', 'db.collection.name': 'author' };
    expect(traced().span({ entity: undefined, operation }).attributes).toMatchObject(names);
  });

  test('of transaction control is called as it', () => {
    const shape = { kind: 'transaction', tables: [], summary: 'begin', text: 'begin' } as const;
    const { name, attributes } = traced().span({ entity: undefined, operation: 'begin', rows: 0, shape });
    expect(name).toBe('begin');
    expect(attributes).toEqual({
      'db.system.name': 'postgresql',
      'db.query.summary': 'begin',
      'db.query.text': 'begin',
      'db.operation.name': 'begin',
    });
  });

  test('without a summary is called after its table, or the database', () => {
    const { span } = traced();
    expect(span({ shape: { summary: '', tables: [] } }).name).toBe('postgresql');
    expect(span({ shape: { summary: '', tables: [] } }).attributes).not.toHaveProperty(['db.query.summary']);
  });

  test('of a write has no returned rows', () => {
    const shape = { kind: 'update', summary: 'update author' } as const;
    expect(traced().span({ shape }).attributes).not.toHaveProperty(['db.response.returned_rows']);
  });

  test.each<[error: string, status: string | undefined, attributes: Attributes]>([
    ['23505', '23505: integrity constraint violation', { 'error.type': '23505', 'db.response.status_code': '23505' }],
    ['57014', '57014: operator intervention', { 'error.type': '57014', 'db.response.status_code': '57014' }],
    ['ZZ123', 'ZZ123', { 'error.type': 'ZZ123', 'db.response.status_code': 'ZZ123' }],
    ['02000', '02000: no data', { 'error.type': '02000', 'db.response.status_code': '02000' }],
    ['01000', undefined, { 'error.type': '01000', 'db.response.status_code': '01000' }],
    ['ConnectionException', 'ConnectionException', { 'error.type': 'ConnectionException' }],
  ])('of a query that failed with %s has the status %s', (error, message, expected) => {
    const { status, attributes, events } = traced().span({ error, rows: undefined });
    expect(status).toEqual(
      message === undefined ? { code: SpanStatusCode.UNSET } : { code: SpanStatusCode.ERROR, message },
    );
    expect(attributes).toMatchObject(expected);
    expect('db.response.status_code' in attributes).toBe('db.response.status_code' in expected);
    expect(events).toEqual([]);
  });

  test('has the place it was called from, when it is known', () => {
    const site = { file: '/app/books.ts', line: 38, column: 5, function: 'list', parallel: false, caller: undefined };
    const { span } = traced();
    expect(span({ site }).attributes).toMatchObject({
      'code.file.path': '/app/books.ts',
      'code.line.number': 38,
      'code.function.name': 'list',
    });
    expect(span({ site: { ...site, function: undefined } }).attributes).not.toHaveProperty(['code.function.name']);
  });

  test('has what options say of the server; the usual port is left out', () => {
    const server = { address: 'db.example', port: 5433 };
    expect(traced({ namespace: 'shop|public', server }).span().attributes).toMatchObject({
      'db.namespace': 'shop|public',
      'server.address': 'db.example',
      'server.port': 5433,
    });
    expect(traced({ server: { address: 'db.example', port: 5432 } }).span().attributes).not.toHaveProperty([
      'server.port',
    ]);
    expect(traced({ server: { address: 'db.example' } }).span().attributes).not.toHaveProperty(['server.port']);
  });

  test('has the database of the pool, where that was told', () => {
    const { timing, span } = traced();
    for (const [driver, namespace] of [
      [new pg.Pool({ database: 'shop' }), 'shop'],
      [new pg.Pool({ connectionString: 'postgres://127.0.0.1/shop' }), undefined],
      [{ options: { database: 7 } }, undefined],
    ] as const) {
      timing.pgPool = driver;
      expect(span().attributes['db.namespace']).toBe(namespace);
    }
    const own = traced({ namespace: 'mine' });
    own.timing.pgPool = new pg.Pool({ database: 'shop' });
    expect(own.span().attributes['db.namespace']).toBe('mine');
  });

  test.each<[node: string | undefined, server: OpenTelemetryOptions['server'], address: unknown, port: unknown]>([
    ['10.0.0.7:5433', undefined, '10.0.0.7', 5433],
    ['[::1]:5432', undefined, '[::1]', undefined],
    ['10.0.0.7:5433', { address: 'other' }, 'other', undefined],
    ['one', { address: 'other' }, 'other', undefined],
    ['one', node => ({ address: `${node}.example`, port: 1 }), 'one.example', 1],
    ['10.0.0.7:5433', () => undefined, '10.0.0.7', 5433],
    ['not an address:12', undefined, undefined, undefined],
    [undefined, undefined, undefined, undefined],
  ])('node %s, option %s: the server is %s, %s', (node, server, address, port) => {
    const { attributes } = traced({ server }).span({ node });
    expect([attributes['server.address'], attributes['server.port']]).toEqual([address, port]);
  });

  test('is seen by a sampler with its attributes', () => {
    const seen: Attributes[] = [];
    const sampler: Sampler = {
      shouldSample(_context, _trace, name, kind, attributes) {
        seen.push({ name, kind, ...attributes });
        return { decision: attributes['db.query.summary'] === 'select author' ? SamplingDecision.NOT_RECORD : 2 };
      },
    };
    const { timing, spans } = traced({ namespace: 'shop', server: { address: 'db' } }, sampler);
    timing.query();
    expect(spans()).toEqual([]);
    expect(seen).toMatchObject([
      {
        name: 'select author',
        kind: SpanKind.CLIENT,
        'db.system.name': 'postgresql',
        'db.namespace': 'shop',
        'db.query.summary': 'select author',
        'db.query.text': recordOfAuthors.shape.text,
        'server.address': 'db',
      },
    ]);
  });

  test('without `queryText` and `rows` has neither', () => {
    const { attributes } = traced({ queryText: false, rows: false }).span();
    expect(attributes).not.toHaveProperty(['db.query.text']);
    expect(attributes).not.toHaveProperty(['db.response.returned_rows']);
  });

  test('lines up with spans of others when the clock of the machine was put right while the program ran', () => {
    const { tracer, span } = traced();
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 60_000 });
    const request = tracer.startSpan('request') as unknown as ReadableSpan;
    const { startTime } = span({ start: performance.timeOrigin + performance.now() });
    expect(Math.abs(startTime[0] - request.startTime[0])).toBeLessThanOrEqual(1);
  });
});

describe('beside another instrumentation', () => {
  /** As `shimmer`, and everything that is made of it, marks what it has wrapped. */
  function wrap(): void {
    const { prototype } = pg.Client;
    const { query } = prototype;
    prototype.query = Object.assign(
      function wrapped(this: pg.Client, ...args: unknown[]) {
        return Reflect.apply(query, this, args);
      } as never,
      { __wrapped: true },
    );
    onTestFinished(() => void (prototype.query = query));
  }

  test('that has wrapped pg spans are internal; without, again client spans', () => {
    const { timing, span } = traced();
    const pool = new pg.Pool();
    onTestFinished(() => pool.end());
    timing.pgPool = pool;
    expect(span().kind).toBe(SpanKind.CLIENT);
    wrap();
    expect(span().kind).toBe(SpanKind.INTERNAL);
    timing.pgPool = undefined;
    expect(span().kind).toBe(SpanKind.CLIENT);
  });

  test.each([
    ['client', SpanKind.CLIENT],
    ['internal', SpanKind.INTERNAL],
  ] as const)('`spans: %j` is kept to', (spans, kind) => {
    const { timing, span } = traced({ spans });
    timing.pgPool = pg;
    expect(span().kind).toBe(kind);
    wrap();
    expect(span().kind).toBe(kind);
  });

  test('`spans: "off"`: none, metrics only', async () => {
    const { timing, spans, metrics } = traced({ spans: 'off' });
    timing.query();
    expect(spans()).toEqual([]);
    expect([...(await metrics()).keys()]).toContain('db.client.operation.duration');
  });
});

describe('metrics', () => {
  const bounds = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];

  test('the duration of operations, in seconds', async () => {
    const { timing, metrics } = traced({ namespace: 'shop', server: { address: 'db', port: 1 } });
    timing.query();
    timing.query({ took: 20_000 });
    timing.query({ error: '23505', rows: undefined });
    const { descriptor, dataPoints } = (await metrics()).get('db.client.operation.duration')!;
    expect(descriptor).toMatchObject({ unit: 's', type: 'HISTOGRAM' });
    const attributes = {
      'db.system.name': 'postgresql',
      'db.namespace': 'shop',
      'db.query.summary': 'select author',
      'db.operation.name': 'select',
      'db.collection.name': 'author',
      'server.address': 'db',
      'server.port': 1,
    };
    expect(dataPoints).toMatchObject([
      { attributes, value: { count: 2, sum: 0.027, min: 0.007, max: 0.02, buckets: { boundaries: bounds } } },
      { attributes: { ...attributes, 'error.type': '23505', 'db.response.status_code': '23505' }, value: { count: 1 } },
    ]);
    expect(Object.keys(dataPoints[0]!.attributes).toSorted()).toEqual(Object.keys(attributes).toSorted());
  });

  test('the rows that reads returned', async () => {
    const { timing, metrics } = traced();
    timing.query();
    timing.query({ rows: 0 });
    timing.query({ rows: undefined, error: '57014' });
    timing.query({ rows: 5, shape: { kind: 'update' } });
    const { descriptor, dataPoints } = (await metrics()).get('db.client.response.returned_rows')!;
    expect(descriptor).toMatchObject({ unit: '{row}', type: 'HISTOGRAM' });
    const boundaries = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];
    expect(dataPoints).toMatchObject([{ value: { count: 2, sum: 3, buckets: { boundaries } } }]);
  });

  test('connections, as the pools tell when they are asked', async () => {
    const { timing, metrics } = traced();
    timing.pool = [
      poolOfTen,
      { ...poolOfTen, name: 'replica', max: undefined, min: undefined, used: 1, idle: 0, waiting: 0, timeouts: 0 },
    ];
    await metrics();
    timing.pool = [{ ...poolOfTen, used: 4, timeouts: 2 }, ...timing.pool.slice(1)];
    const all = await metrics();
    const points = (name: string): unknown[] => [
      all.get(name)!.descriptor.unit,
      ...all.get(name)!.dataPoints.map(({ attributes, value }) => [...Object.values(attributes), value]),
    ];
    expect(points('db.client.connection.count')).toEqual([
      '{connection}',
      ['primary', 'used', 4],
      ['primary', 'idle', 2],
      ['replica', 'used', 1],
      ['replica', 'idle', 0],
    ]);
    expect(points('db.client.connection.max')).toEqual(['{connection}', ['primary', 10]]);
    expect(points('db.client.connection.idle.max')).toEqual(['{connection}', ['primary', 10]]);
    expect(points('db.client.connection.idle.min')).toEqual(['{connection}', ['primary', 2]]);
    expect(points('db.client.connection.pending_requests')).toEqual(['{request}', ['primary', 4], ['replica', 0]]);
    expect(points('db.client.connection.timeouts')).toEqual(['{timeout}', ['primary', 2], ['replica', 0]]);
    expect(all.get('db.client.connection.count')!.dataPoints[0]!.attributes).toEqual({
      'db.client.connection.pool.name': 'primary',
      'db.client.connection.state': 'used',
    });
    expect(all.get('db.client.connection.timeouts')).toMatchObject({ isMonotonic: true });
    expect(all.get('db.client.connection.count')).toMatchObject({ isMonotonic: false });
  });

  test('two pools of one name do not become one', async () => {
    const { timing, metrics } = traced();
    timing.pool = [poolOfTen, { ...poolOfTen, waiting: 1 }];
    const { dataPoints } = (await metrics()).get('db.client.connection.pending_requests')!;
    expect(dataPoints.map(({ attributes, value }) => [...Object.values(attributes), value])).toEqual([
      ['primary', 4],
      ['primary#2', 1],
    ]);
  });

  test('how long connections took to be there, were waited for, and held', async () => {
    const { timing, metrics } = traced();
    timing.connect({ pool: 'primary', took: 9_000 });
    timing.connection({ pool: 'primary', wait: 2_000, use: 60_000 });
    const all = await metrics();
    for (const [name, sum] of [
      ['create_time', 0.009],
      ['wait_time', 0.002],
      ['use_time', 0.06],
    ] as const) {
      const { descriptor, dataPoints } = all.get(`db.client.connection.${name}`)!;
      expect(descriptor.unit).toBe('s');
      expect(dataPoints).toMatchObject([
        {
          attributes: { 'db.client.connection.pool.name': 'primary' },
          value: { sum, buckets: { boundaries: bounds } },
        },
      ]);
    }
  });

  test('`metrics: false`: none; `rows: false`: not those of rows', async () => {
    const without = traced({ metrics: false });
    without.timing.query();
    expect(await without.metrics()).toEqual(new Map());
    const rowless = traced({ rows: false });
    rowless.timing.query();
    expect([...(await rowless.metrics()).keys()]).not.toContain('db.client.response.returned_rows');
  });
});

test('what it returns ends everything', async () => {
  const { timing, spans, metrics, stop } = traced();
  timing.pool = [poolOfTen];
  stop();
  timing.query();
  expect(spans()).toEqual([]);
  expect(timing.listeners).toBe(0);
  expect([...(await metrics()).keys()]).toEqual([]);
});

describe('traceTags()', () => {
  test('names the active span, for SQL comments', () => {
    const span = sdk().tracer.startSpan('request');
    const { traceId, spanId } = span.spanContext();
    const tags = context.with(trace.setSpan(context.active(), span), traceTags);
    expect(tags).toEqual({ traceparent: `00-${traceId}-${spanId}-01` });
  });

  test('an unsampled one, and its tracestate', () => {
    const traceState = { serialize: () => 'vendor=1' } as never;
    const span = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: TraceFlags.NONE, traceState };
    const tags = context.with(trace.setSpanContext(context.active(), span), traceTags);
    expect(tags).toEqual({ traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`, tracestate: 'vendor=1' });
  });

  test('without one, or with one that is not valid, there are none', () => {
    expect(traceTags()).toEqual({});
    const span = { traceId: '0'.repeat(32), spanId: 'b'.repeat(16), traceFlags: TraceFlags.NONE };
    expect(context.with(trace.setSpanContext(context.active(), span), traceTags)).toEqual({});
  });
});

describe('options', () => {
  test.each<[unknown, string]>([
    [1, 'options is an object with tracer, meter, spans, metrics, queryText, rows, namespace, server, but got: 1.'],
    [{ span: 'off' }, 'span is not known, only tracer, meter, spans,'],
    [{ tracer: {} }, 'tracer is a tracer of @opentelemetry/api, but got: an object with nothing in it.'],
    [{ meter: 'x' }, 'meter is a meter of @opentelemetry/api, but got: "x".'],
    [{ spans: 'server' }, `spans is one of 'auto', 'client', 'internal', 'off', but got: "server".`],
    [{ metrics: 'yes' }, 'metrics is true or false, but got: "yes".'],
    [{ queryText: 1 }, 'queryText is true or false, but got: 1.'],
    [{ rows: 1 }, 'rows is true or false, but got: 1.'],
    [{ namespace: '' }, 'namespace is a text that is not empty, but got: "".'],
    [{ server: 'db:5432' }, 'server is an object with address and port, or a function, but got: "db:5432".'],
    [{ server: { host: 'db' } }, 'server.address is the name of a host, but got: undefined.'],
    [{ server: { address: 'db', port: 70_000 } }, 'server.port is a number from 1 to 65535, but got: 70000.'],
  ])('%j is refused', (options, message) => {
    expect(() => openTelemetry(new ToldTiming(), options as never)).toThrow(OptionsError);
    expect(() => openTelemetry(new ToldTiming(), options as never)).toThrow(message);
  });

  test('what may be left out may be undefined', () => {
    const none = {
      tracer: undefined,
      meter: undefined,
      spans: undefined,
      server: undefined,
    } satisfies OpenTelemetryOptions;
    openTelemetry(new ToldTiming(), none)();
  });
});

test('a planted secret is in no span or metric, wherever else of the record it is', async () => {
  const secret = 'alice.secret@example.com';
  const { timing, spans, metrics } = traced();
  timing.query({ parameters: [secret], label: secret, route: secret, cache: secret } satisfies Partial<QueryRecord>);
  const seen = JSON.stringify([
    spans().map(({ name, attributes, status, events }) => ({ name, attributes, status, events })),
    [...(await metrics()).values()],
  ]);
  expect(seen).toContain('select author');
  expect(seen).not.toContain('secret');
});
