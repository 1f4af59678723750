import { poolNames } from '../opentelemetry/pool-names.ts';
import type { PoolReport } from '../timing-report.ts';
import type { TimingEvents } from '../timing.ts';
import { BoundedNames } from './bounded-names.ts';
import { BucketCounts } from './bucket-counts.ts';
import { histogramSamples } from './histogram-samples.ts';
import { type Labels, type Metric, type Sample, SECONDS } from './metric.ts';

const MOST_POOLS = 50;

interface Times {
  /** Not of a pool that nobody knows: none is not the same as not known. */
  creations: BucketCounts | undefined;
  readonly waits: BucketCounts;
  readonly uses: BucketCounts;
}

/** What there is to say of pools: connections as they are now, and how long they were waited for and held. */
export class PoolSeries {
  readonly #pools: () => readonly PoolReport[];
  readonly #names = new BoundedNames(MOST_POOLS);
  readonly #byPool = new Map<string, Times>();

  /** @param pools asked at each scrape */
  constructor(pools: () => readonly PoolReport[]) {
    this.#pools = pools;
  }

  opened({ pool, took }: TimingEvents['connect']): void {
    (this.#timesOf(pool).creations ??= new BucketCounts(SECONDS)).observe(took / 1e6);
  }

  givenBack({ pool, wait, use }: TimingEvents['connection']): void {
    const { waits, uses } = this.#timesOf(pool);
    waits.observe(wait / 1e6);
    uses.observe(use / 1e6);
  }

  /** What there is to say of them. */
  metrics(): Metric[] {
    return [
      this.#now('db_client_connection_count', 'gauge', 'Connections in use and idle.', ({ used, idle }) => [
        [{ db_client_connection_state: 'used' }, used],
        [{ db_client_connection_state: 'idle' }, idle],
      ]),
      this.#now('db_client_connection_max', 'gauge', 'Most connections that the pool opens.', ({ max }) =>
        max === undefined ? [] : [[{}, max]],
      ),
      this.#now('db_client_connection_pending_requests', 'gauge', 'Who waits for a connection.', ({ waiting }) => [
        [{}, waiting],
      ]),
      this.#now('db_client_connection_timeouts_total', 'counter', 'Who waited in vain.', ({ timeouts }) => [
        [{}, timeouts],
      ]),
      this.#times('db_client_connection_create_time_seconds', 'Opening a connection.', ({ creations }) => creations),
      this.#times('db_client_connection_wait_time_seconds', 'Waiting for a connection.', ({ waits }) => waits),
      this.#times('db_client_connection_use_time_seconds', 'Holding a connection.', ({ uses }) => uses),
    ];
  }

  clear(): void {
    this.#names.clear();
    this.#byPool.clear();
  }

  #timesOf(pool: string): Times {
    const name = this.#names.of(pool);
    let times = this.#byPool.get(name);
    if (times === undefined) {
      times = { creations: undefined, waits: new BucketCounts(SECONDS), uses: new BucketCounts(SECONDS) };
      this.#byPool.set(name, times);
    }
    return times;
  }

  #now(
    name: string,
    type: 'counter' | 'gauge',
    help: string,
    values: (pool: PoolReport) => readonly (readonly [labels: Labels, value: number])[],
  ): Metric {
    const samples = (): Sample[] => {
      const pools = this.#pools();
      const names = poolNames(pools);
      return pools.flatMap((pool, index) =>
        values(pool).map(([labels, value]) => ({
          metricName: name,
          labels: { ...labelsOf(names[index]!), ...labels },
          value,
        })),
      );
    };
    return { name, help, type, samples };
  }

  #times(name: string, help: string, counts: (times: Times) => BucketCounts | undefined): Metric {
    const samples = (): Sample[] =>
      [...this.#byPool].flatMap(([pool, times]) => {
        const counted = counts(times);
        return counted === undefined ? [] : histogramSamples(name, labelsOf(pool), counted);
      });
    return { name, help, type: 'histogram', samples };
  }
}

function labelsOf(pool: string): Labels {
  return { db_client_connection_pool_name: pool };
}
