import type { BatchObservableResult, Histogram } from '@opentelemetry/api';
import type { QueryRecord } from '../query-record.ts';
import type { QueryTiming, TimingEvents } from '../timing.ts';
import { queryAttributes } from './attributes.ts';
import { isReturned } from './is-returned.ts';
import type { OpenTelemetrySettings } from './open-telemetry-settings.ts';
import { poolNames } from './pool-names.ts';

/** What is used of `queryTiming()`. */
export type TracedTiming = Pick<QueryTiming, 'driver' | 'on' | 'pools' | 'subscribe'>;

/** Boundaries of the conventions. */
const SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];
const ROWS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];

const POOL = 'db.client.connection.pool.name';
const STATE = 'db.client.connection.state';

/** Measures queries and pools until it is stopped. @returns stops it */
export function measure(timing: TracedTiming, settings: OpenTelemetrySettings): () => void {
  const queries = measureQueries(settings);
  const connections = measureConnections(settings);
  const stops = [
    timing.subscribe(queries),
    timing.on('connect', connections.opened),
    timing.on('connection', connections.givenBack),
    observePools(timing, settings),
  ];
  return () => stops.forEach(stop => stop());
}

function measureQueries(settings: OpenTelemetrySettings): (record: QueryRecord) => void {
  const { meter } = settings;
  const duration = meter.createHistogram('db.client.operation.duration', {
    description: 'Duration of database client operations.',
    unit: 's',
    advice: { explicitBucketBoundaries: SECONDS },
  });
  const returned = settings.rows
    ? meter.createHistogram('db.client.response.returned_rows', {
        description: 'The actual number of records returned by the database operation.',
        unit: '{row}',
        advice: { explicitBucketBoundaries: ROWS },
      })
    : undefined;
  return record => {
    const attributes = queryAttributes(settings, record);
    duration.record(record.took / 1e6, attributes);
    if (returned !== undefined && isReturned(record)) {
      returned.record(record.rows ?? 0, attributes);
    }
  };
}

function measureConnections({ meter }: OpenTelemetrySettings): {
  opened(event: TimingEvents['connect']): void;
  givenBack(event: TimingEvents['connection']): void;
} {
  const seconds = (name: string, description: string): Histogram =>
    meter.createHistogram(`db.client.connection.${name}`, {
      description,
      unit: 's',
      advice: { explicitBucketBoundaries: SECONDS },
    });
  const creations = seconds('create_time', 'The time it took to create a new connection.');
  const waits = seconds('wait_time', 'The time it took to obtain an open connection from the pool.');
  const uses = seconds('use_time', 'The time between borrowing a connection and returning it to the pool.');
  return {
    opened: ({ pool, took }) => creations.record(took / 1e6, { [POOL]: pool }),
    givenBack({ pool, wait, use }) {
      const attributes = { [POOL]: pool };
      waits.record(wait / 1e6, attributes);
      uses.record(use / 1e6, attributes);
    },
  };
}

/** Asked at each collection, of the pools themselves: figures that are added up from events go wrong once and stay wrong. */
function observePools(timing: TracedTiming, { meter }: OpenTelemetrySettings): () => void {
  const connections = { unit: '{connection}' };
  const count = meter.createObservableUpDownCounter('db.client.connection.count', {
    ...connections,
    description: 'The number of connections that are currently in state described by the state attribute.',
  });
  const max = meter.createObservableUpDownCounter('db.client.connection.max', {
    ...connections,
    description: 'The maximum number of open connections allowed.',
  });
  const maxIdle = meter.createObservableUpDownCounter('db.client.connection.idle.max', {
    ...connections,
    description: 'The maximum number of idle open connections allowed.',
  });
  const minIdle = meter.createObservableUpDownCounter('db.client.connection.idle.min', {
    ...connections,
    description: 'The minimum number of idle open connections allowed.',
  });
  const pending = meter.createObservableUpDownCounter('db.client.connection.pending_requests', {
    description: 'The number of current pending requests for an open connection.',
    unit: '{request}',
  });
  const timeouts = meter.createObservableCounter('db.client.connection.timeouts', {
    description: 'The number of connection timeouts that have occurred trying to obtain a connection from the pool.',
    unit: '{timeout}',
  });
  const observe = (result: BatchObservableResult): void => {
    const pools = timing.pools();
    const names = poolNames(pools);
    for (const [index, pool] of pools.entries()) {
      const attributes = { [POOL]: names[index]! };
      result.observe(count, pool.used, { ...attributes, [STATE]: 'used' });
      result.observe(count, pool.idle, { ...attributes, [STATE]: 'idle' });
      result.observe(pending, pool.waiting, attributes);
      result.observe(timeouts, pool.timeouts, attributes);
      if (pool.min !== undefined) {
        // What pg has instead: with so many open, used ones included, it closes no idle one.
        result.observe(minIdle, pool.min, attributes);
      }
      if (pool.max !== undefined) {
        result.observe(max, pool.max, attributes);
        // Pools of pg have no limit of its own for idle ones.
        result.observe(maxIdle, pool.max, attributes);
      }
    }
  };
  const all = [count, max, maxIdle, minIdle, pending, timeouts];
  meter.addBatchObservableCallback(observe, all);
  return () => meter.removeBatchObservableCallback(observe, all);
}
