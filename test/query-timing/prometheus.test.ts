import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { OptionsError } from '@mikrokit/query-timing';
import { prometheus, type PrometheusOptions } from '@mikrokit/query-timing/prometheus';
import express from 'express';
import * as fc from 'fast-check';
import parsePrometheusTextFormat from 'parse-prometheus-text-format';
import pg from 'pg';
import { Counter, Registry } from 'prom-client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { poolOfTen, ToldTiming } from './fixtures/told-timing.ts';

/* What a scrape says, read by a parser of the format and by prom-client's own registry. */

/** A series of a histogram. */
interface Series {
  readonly labels: Record<string, string>;
  readonly buckets: Record<string, number>;
  count: number;
  sum: number;
}

interface Scrape {
  readonly types: Readonly<Record<string, string>>;
  /** Label values and the number, of what is no histogram. */
  values(name: string): (string | number)[][];
  histogram(name: string): Series[];
  /** Every number of a scrape. */
  readonly samples: ReturnType<typeof parsePrometheusTextFormat>;
}

function parse(text: string): Scrape {
  const typed = parsePrometheusTextFormat(text);
  // The parser makes one of all series of a histogram. Without its type they are numbers like all others, by the line.
  const samples = parsePrometheusTextFormat(text.replaceAll(/^# TYPE .* histogram$/gm, '#'));
  const metricsOf = (name: string) => samples.filter(each => each.name === name).flatMap(({ metrics }) => metrics);
  return {
    types: Object.fromEntries(typed.map(({ name, type }) => [name, type])),
    values: name => metricsOf(name).map(({ labels = {}, value }) => [...Object.values(labels), Number(value)]),
    samples,
    histogram(name) {
      const series = new Map<string, Series>();
      const of = ({ le: _, ...labels }: Record<string, string>): Series => {
        const key = JSON.stringify(labels);
        return series.get(key) ?? series.set(key, { labels, buckets: {}, count: 0, sum: 0 }).get(key)!;
      };
      for (const { labels = {}, value } of metricsOf(`${name}_bucket`)) {
        of(labels).buckets[labels['le']!] = Number(value);
      }
      for (const field of ['count', 'sum'] as const) {
        for (const { labels = {}, value } of metricsOf(`${name}_${field}`)) {
          of(labels)[field] = Number(value);
        }
      }
      return [...series.values()];
    },
  };
}

function scraped(options?: PrometheusOptions) {
  const timing = new ToldTiming();
  const exporter = prometheus(timing, options);
  return { timing, exporter, scrape: () => parse(exporter.metrics()) };
}

const duration = 'db_client_operation_duration_seconds';
const returned = 'db_client_response_returned_rows';
const overflow = 'db_client_query_summary_overflow_total';
const author = { db_query_summary: 'select author', db_operation_name: 'select', db_collection_name: 'author' };

describe('a scrape', () => {
  test('says how long queries took, in seconds, by what they are', () => {
    const { timing, scrape } = scraped({ namespace: 'shop' });
    timing.query();
    timing.query({ took: 20_000 });
    timing.query({ took: 30_000_000 });
    timing.query({ took: 500 });
    timing.query({ error: '23505', rows: undefined });
    const all = scrape();
    expect(all.types[duration]).toBe('HISTOGRAM');
    expect(all.histogram(duration)).toEqual([
      {
        labels: { db_namespace: 'shop', ...author },
        buckets: {
          '0.0005': 1,
          '0.001': 1,
          '0.0025': 1,
          '0.005': 1,
          '0.01': 2,
          '0.025': 3,
          '0.05': 3,
          '0.1': 3,
          '0.25': 3,
          '0.5': 3,
          '1': 3,
          '2.5': 3,
          '5': 3,
          '10': 3,
          '+Inf': 4,
        },
        count: 4,
        sum: 30.0275,
      },
      expect.objectContaining({ labels: { db_namespace: 'shop', ...author, error_type: '23505' }, count: 1 }),
    ]);
  });

  test('has the database of the pool', () => {
    const { timing, scrape } = scraped();
    timing.pgPool = new pg.Pool({ database: 'shop' });
    timing.query();
    expect(scrape().histogram(duration)).toMatchObject([{ labels: { db_namespace: 'shop', ...author } }]);
  });

  test('says how many rows reads returned', () => {
    const { timing, scrape } = scraped();
    timing.query();
    timing.query({ rows: 0 });
    timing.query({ rows: 20_000 });
    timing.query({ rows: undefined, error: '57014' });
    timing.query({ rows: 7, shape: { kind: 'update', summary: 'update author' } });
    expect(scrape().histogram(returned)).toMatchObject([
      { labels: author, count: 3, sum: 20_003, buckets: { '1': 1, '2': 1, '5': 2, '10000': 2, '+Inf': 3 } },
    ]);
  });

  test('names no operation or table of SQL that the user has written', () => {
    const { timing, scrape } = scraped();
    timing.query({ entity: undefined, operation: 'execute' });
    expect(scrape().histogram(duration)).toMatchObject([{ labels: { db_query_summary: 'select author' }, count: 1 }]);
    expect(Object.keys(scrape().histogram(duration)[0]!.labels)).toEqual(['db_query_summary']);
    timing.query({ shape: { tables: [] } });
    timing.query();
    expect(
      scrape()
        .histogram(duration)
        .map(({ labels }) => Object.values(labels)),
    ).toEqual([['select author'], ['select author', 'select'], ['select author', 'select', 'author']]);
  });

  test('says what pools are at, when it is asked', () => {
    const { timing, scrape } = scraped();
    timing.pool = [poolOfTen];
    scrape();
    timing.pool = [
      { ...poolOfTen, used: 4 },
      { ...poolOfTen, max: undefined, timeouts: 0 },
    ];
    const all = scrape();
    expect(all.types).toMatchObject({
      db_client_connection_count: 'GAUGE',
      db_client_connection_max: 'GAUGE',
      db_client_connection_pending_requests: 'GAUGE',
      db_client_connection_timeouts_total: 'COUNTER',
    });
    expect(all.values('db_client_connection_count')).toEqual([
      ['primary', 'used', 4],
      ['primary', 'idle', 2],
      ['primary#2', 'used', 3],
      ['primary#2', 'idle', 2],
    ]);
    expect(all.samples.find(({ name }) => name === 'db_client_connection_count')!.metrics[0]!.labels).toEqual({
      db_client_connection_pool_name: 'primary',
      db_client_connection_state: 'used',
    });
    expect(all.values('db_client_connection_max')).toEqual([['primary', 10]]);
    expect(all.values('db_client_connection_pending_requests')).toEqual([
      ['primary', 4],
      ['primary#2', 4],
    ]);
    expect(all.values('db_client_connection_timeouts_total')).toEqual([
      ['primary', 1],
      ['primary#2', 0],
    ]);
  });

  test('says how long connections took to be there, were waited for, and held', () => {
    const { timing, scrape } = scraped();
    timing.connection({ pool: 'primary', wait: 0, use: 0 });
    // Of a pool that nobody knows.
    expect(scrape().histogram('db_client_connection_create_time_seconds')).toEqual([]);
    timing.connect({ pool: 'primary', took: 9_000 });
    timing.connection({ pool: 'primary', wait: 2_000, use: 60_000 });
    timing.connection({ pool: 'primary', wait: 1_000, use: 0 });
    const all = scrape();
    const labels = { db_client_connection_pool_name: 'primary' };
    expect(all.histogram('db_client_connection_create_time_seconds')).toMatchObject([
      { labels, count: 1, sum: 0.009, buckets: { '0.005': 0, '0.01': 1 } },
    ]);
    expect(all.histogram('db_client_connection_wait_time_seconds')).toMatchObject([
      { labels, count: 3, sum: 0.003, buckets: { '0.001': 2, '0.0025': 3 } },
    ]);
    expect(all.histogram('db_client_connection_use_time_seconds')).toMatchObject([
      { labels, count: 3, sum: 0.06, buckets: { '0.05': 2, '0.1': 3 } },
    ]);
  });

  test('before the first query is empty, not wrong', () => {
    const { scrape } = scraped();
    expect(scrape().values(overflow)).toEqual([[0]]);
    expect(scrape().histogram(duration)).toEqual([]);
  });

  test('after stop() says what was counted, and counts no more', () => {
    const { timing, exporter, scrape } = scraped();
    timing.query();
    exporter.stop();
    timing.query();
    expect(timing.listeners).toBe(0);
    expect(scrape().histogram(duration)).toMatchObject([{ count: 1 }]);
  });
});

describe('labels', () => {
  test('that are anything at all come through as they are, each in its line', () => {
    const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }).map(each => `x${each.toWellFormed()}x`);
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.oneof(text, fc.constantFrom('"} 1\nevil 2', '\\', '\\n', '\n', '"', 'a"b\\"c')), {
          minLength: 1,
          maxLength: 8,
        }),
        names => {
          const { timing, exporter } = scraped();
          for (const summary of names) {
            timing.query({ entity: undefined, operation: 'execute', shape: { summary } });
          }
          const lines = exporter
            .metrics()
            .split('\n')
            .filter(line => line.startsWith(`${duration}_count`));
          const read = lines.map(line => /^\w+\{db_query_summary="((?:[^"\\]|\\["\\n])*)"\} 1$/.exec(line)?.[1]);
          expect(read.map(each => each?.replace(/\\(.)/g, (_, mark: string) => (mark === 'n' ? '\n' : mark)))).toEqual(
            names,
          );
        },
      ),
    );
  });

  test('a hostile table is one label for the parser, too', () => {
    const { timing, scrape } = scraped();
    const summary = 'select "x\\"} 1\nevil_metric{a="b"} 2';
    timing.query({ entity: undefined, operation: 'execute', shape: { summary } });
    const all = scrape();
    expect(all.samples.filter(({ name }) => name.includes('evil'))).toEqual([]);
    expect(all.histogram(duration)).toMatchObject([{ labels: { db_query_summary: summary }, count: 1 }]);
  });

  test('200 summaries, then the rest together, counted', () => {
    const { timing, scrape } = scraped();
    for (let index = 0; index < 300; index++) {
      timing.query({ shape: { summary: `select t${index}`, tables: [`t${index}`] } });
    }
    timing.query({ shape: { summary: 'select t0', tables: ['t0'] } });
    timing.query({ error: '23505', rows: undefined, shape: { summary: 'select t250', tables: ['t250'] } });
    const all = scrape();
    const series = all.histogram(duration);
    expect(series).toHaveLength(202);
    expect(series[0]).toMatchObject({ labels: { db_query_summary: 'select t0' }, count: 2 });
    expect(series.slice(200)).toMatchObject([
      { labels: { db_query_summary: '__other__' }, count: 100 },
      { labels: { db_query_summary: '__other__', error_type: '__other__' }, count: 1 },
    ]);
    expect(Object.keys(series[200]!.labels)).toEqual(['db_query_summary']);
    expect(all.values(overflow)).toEqual([[101]]);
  });

  test('50 kinds of errors, and 1000 series of both; nothing is lost', () => {
    const { timing, scrape } = scraped();
    for (let error = 0; error < 60; error++) {
      timing.query({ error: `Error${error}`, rows: undefined });
    }
    const kinds = scrape().histogram(duration);
    expect(kinds).toHaveLength(51);
    expect(kinds.at(-1)).toMatchObject({ labels: { ...author, error_type: '__other__' }, count: 10 });
    for (let index = 0; index < 3_000; index++) {
      timing.query({ error: `Error${index % 50}`, shape: { summary: `select t${Math.trunc(index / 50)}` } });
    }
    const series = scrape().histogram(duration);
    expect(series).toHaveLength(1_001);
    expect(series.reduce((sum, { count }) => sum + count, 0)).toBe(3_060);
  });

  test('50 pools', () => {
    const { timing, scrape } = scraped();
    for (let index = 0; index < 60; index++) {
      timing.connection({ pool: `pool${index}`, wait: 0, use: 0 });
    }
    const series = scrape().histogram('db_client_connection_use_time_seconds');
    expect(series).toHaveLength(51);
    expect(series.at(-1)).toMatchObject({ labels: { db_client_connection_pool_name: '__other__' }, count: 10 });
  });
});

describe('as a handler', () => {
  test('of node:http and of Express', async () => {
    const { timing, exporter } = scraped();
    timing.query();
    const servers = [createServer(exporter), createServer(express().get('/metrics', exporter))];
    for (const server of servers) {
      await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve));
      onTestFinished(() => void server.close());
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`;
      const response = await fetch(url);
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
      expect(response.headers.get('cache-control')).toBe('no-store');
      expect(await response.text()).toBe(exporter.metrics());
      const head = await fetch(url, { method: 'HEAD' });
      expect([head.status, await head.text()]).toEqual([200, '']);
    }
    const { port } = servers[0]!.address() as AddressInfo;
    const refused = await fetch(`http://127.0.0.1:${port}/metrics`, { method: 'POST', body: 'x' });
    expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  test('of fetch', async () => {
    const { timing, exporter } = scraped();
    timing.query();
    const response = exporter.fetch(new Request('http://localhost/metrics'));
    expect(response.headers.get('content-type')).toBe(exporter.contentType);
    expect(await response.text()).toBe(exporter.metrics());
    expect(await exporter.fetch(new Request('http://localhost/', { method: 'HEAD' })).text()).toBe('');
    expect(exporter.fetch(new Request('http://localhost/', { method: 'DELETE' })).status).toBe(405);
  });
});

describe(`in prom-client's registry`, () => {
  test('says the same as by itself', async () => {
    const { timing, exporter } = scraped();
    timing.pool = [poolOfTen];
    const registry = new Registry();
    exporter.registerInto(registry);
    timing.query();
    timing.connection({ pool: 'primary', wait: 1, use: 2 });
    const text = await registry.metrics();
    const [there, here] = [parse(text), parse(exporter.metrics())];
    expect(there.samples).toEqual(here.samples);
    expect(there.types).toEqual(here.types);
    expect((await registry.getMetricsAsJSON()).map(({ name }) => name)).toEqual(Object.keys(here.types));
  });

  test('beside its own metrics, with its default labels, as OpenMetrics', async () => {
    const { timing, exporter } = scraped();
    timing.pool = [poolOfTen];
    const registry = new Registry<typeof Registry.OPENMETRICS_CONTENT_TYPE>();
    registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    registry.setDefaultLabels({ instance: 'one' });
    new Counter({ name: 'requests_total', help: 'Requests.', registers: [registry] }).inc();
    exporter.registerInto(registry);
    timing.query();
    const text = await registry.metrics();
    expect(text).toContain(`# TYPE db_client_query_summary_overflow counter\n${overflow}{instance="one"} 0\n`);
    expect(text).toContain(
      'db_client_connection_timeouts_total{db_client_connection_pool_name="primary",instance="one"} 1',
    );
    expect(text).toMatch(/db_client_operation_duration_seconds_count\{.*instance="one"\} 1\n/);
    expect(text).toContain('requests_total{instance="one"} 1');
  });

  test('is reset with it, and taken out again', async () => {
    const { timing, exporter } = scraped();
    const registry = new Registry();
    const remove = exporter.registerInto(registry);
    timing.query();
    timing.connection({ pool: 'primary', wait: 1, use: 2 });
    registry.resetMetrics();
    expect(await registry.metrics()).not.toContain('_count{');
    remove();
    expect(await registry.metrics()).toBe('\n');
  });

  test('that has a metric of the same name already: all or none', async () => {
    const { exporter } = scraped();
    const registry = new Registry();
    new Counter({ name: overflow, help: 'Mine.', registers: [registry] });
    expect(() => exporter.registerInto(registry)).toThrow(
      'A metric with the name db_client_query_summary_overflow_total has already been registered.',
    );
    expect(registry.getMetricsAsArray().map(({ name }) => name)).toEqual([overflow]);
  });
});

test.each<[unknown, string]>([
  [null, 'options is an object with namespace, but got: null.'],
  [{ buckets: [] }, 'buckets is not known, only namespace is, but got: an object with buckets.'],
  [{ namespace: '' }, 'namespace is a text that is not empty, but got: "".'],
])('options %j are refused', (options, message) => {
  expect(() => prometheus(new ToldTiming(), options as never)).toThrow(OptionsError);
  expect(() => prometheus(new ToldTiming(), options as never)).toThrow(message);
});

test('a planted secret is in no scrape, wherever else of the record it is', () => {
  const { timing, exporter } = scraped();
  const secret = 'alice.secret@example.com';
  timing.query({ parameters: [secret], label: secret, route: secret, cache: secret, shape: { text: secret } });
  expect(exporter.metrics()).toContain('select author');
  expect(exporter.metrics()).not.toContain('secret');
});
