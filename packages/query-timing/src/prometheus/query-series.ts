import { isReturned } from '../opentelemetry/is-returned.ts';
import { operationOf, type OperationNames } from '../opentelemetry/operation-of.ts';
import type { QueryRecord } from '../query-record.ts';
import { BoundedNames, OTHER } from './bounded-names.ts';
import { BucketCounts } from './bucket-counts.ts';
import { histogramSamples } from './histogram-samples.ts';
import { type Labels, type Metric, ROWS, SECONDS } from './metric.ts';

const MOST_SUMMARIES = 200;
const MOST_ERRORS = 50;
/** Summaries times errors could be many more. */
const MOST_SERIES = 1_000;

/** What series of queries are told apart by. */
interface Names extends OperationNames {
  readonly summary: string;
  readonly error: string | undefined;
}

interface Series extends Names {
  readonly labels: Labels;
  readonly durations: BucketCounts;
  /** `undefined` until there are some: writes have none. */
  rows: BucketCounts | undefined;
}

/** How long queries took and how many rows they returned, by what they are: a bounded number of series. */
export class QuerySeries {
  readonly #namespace: () => string | undefined;
  readonly #summaries = new BoundedNames(MOST_SUMMARIES);
  readonly #errors = new BoundedNames(MOST_ERRORS);
  /** By summary: there are few of each, and to look through them is cheaper than to make a key. */
  readonly #series = new Map<string, Series[]>();
  #size = 0;
  #overflow = 0;

  /** @param namespace `db_namespace` */
  constructor(namespace: () => string | undefined) {
    this.#namespace = namespace;
  }

  /** A query is over. */
  add(record: QueryRecord): void {
    const series = this.#of(record);
    series.durations.observe(record.took / 1e6);
    if (isReturned(record)) {
      series.rows ??= new BucketCounts(ROWS);
      series.rows.observe(record.rows ?? 0);
    }
  }

  /** What there is to say of them. */
  metrics(): Metric[] {
    const duration = 'db_client_operation_duration_seconds';
    const returned = 'db_client_response_returned_rows';
    const overflow = 'db_client_query_summary_overflow_total';
    const all = (): Series[] => [...this.#series.values()].flat();
    return [
      {
        name: duration,
        help: 'Duration of database client operations.',
        type: 'histogram',
        samples: () => all().flatMap(({ labels, durations }) => histogramSamples(duration, labels, durations)),
      },
      {
        name: returned,
        help: 'Rows returned by reads.',
        type: 'histogram',
        samples: () => all().flatMap(({ labels, rows }) => (rows ? histogramSamples(returned, labels, rows) : [])),
      },
      {
        name: overflow,
        help: `Queries that are counted as ${OTHER}, as there are too many different ones.`,
        type: 'counter',
        samples: () => [{ metricName: overflow, labels: {}, value: this.#overflow }],
      },
    ];
  }

  clear(): void {
    this.#summaries.clear();
    this.#errors.clear();
    this.#series.clear();
    this.#size = 0;
    this.#overflow = 0;
  }

  #of(record: QueryRecord): Series {
    const summary = this.#summaries.of(record.shape.summary);
    const error = record.error === undefined ? undefined : this.#errors.of(record.error);
    if (summary !== OTHER) {
      const names = { summary, error, ...operationOf(record) };
      const series = this.#find(names) ?? (this.#size < MOST_SERIES ? this.#create(names) : undefined);
      if (series !== undefined) {
        return series;
      }
    }
    this.#overflow += 1;
    const others = { summary: OTHER, error: error && OTHER, operation: undefined, collection: undefined };
    return this.#find(others) ?? this.#create(others);
  }

  #find({ summary, operation, collection, error }: Names): Series | undefined {
    return this.#series
      .get(summary)
      ?.find(each => each.error === error && each.operation === operation && each.collection === collection);
  }

  #create(names: Names): Series {
    const { summary, operation, collection, error } = names;
    const namespace = this.#namespace();
    const labels = {
      ...(namespace !== undefined && { db_namespace: namespace }),
      db_query_summary: summary,
      ...(operation !== undefined && { db_operation_name: operation }),
      ...(collection !== undefined && { db_collection_name: collection }),
      ...(error !== undefined && { error_type: error }),
    };
    const series = { ...names, labels, durations: new BucketCounts(SECONDS), rows: undefined };
    const siblings = this.#series.get(summary);
    if (siblings === undefined) {
      this.#series.set(summary, [series]);
    } else {
      siblings.push(series);
    }
    this.#size += 1;
    return series;
  }
}
