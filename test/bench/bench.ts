import type { Cluster } from '../harness/postgres.ts';

/**
 * What a `test/bench/<anything>.bench.ts` exports as `bench`: the cases of one package, run in order, one at a time.
 *
 * ```ts
 * export const bench: Bench = {
 *   package: 'batch-loader',
 *   cases: [
 *     {
 *       name: '2 000 × ref.load() over 500 targets',
 *       bar: atMost(1.3, '× one em.find of the 500'),
 *       async run({ cluster }) {
 *         await using orm = await createOrm({ cluster, entities, extensions: [batchLoader()] });
 *         const { ratio } = await interleave(
 *           { batched: () => loadAll(orm.em.fork()), find: () => orm.em.fork().find(Target, {}) },
 *           { repetitions: 15 },
 *         );
 *         return { value: ratio('batched', 'find'), unit: '×' };
 *       },
 *     },
 *   ],
 * };
 * ```
 */
export interface Bench {
  /** The folder of the package under `packages/`. */
  readonly package: string;
  readonly cases: readonly BenchCase[];
}

/** One question, the figure that answers it, and the bar the figure has to meet. */
export interface BenchCase {
  readonly name: string;
  readonly bar: Bar;
  run(context: BenchContext): Figure | Promise<Figure>;
}

/** What a figure has to be: in words for the table, as a predicate for the verdict. */
export interface Bar {
  readonly text: string;
  isMet(value: number): boolean;
}

/** A measured number. A ratio has the unit `×`. */
export interface Figure {
  readonly value: number;
  readonly unit: string;
}

/** What a case may use. */
export interface BenchContext {
  /** PostgreSQL over loopback, one server for all cases; `createOrm({ cluster, … })` makes a database of its own in it. */
  readonly cluster: Cluster;
  /** Prints a line of progress, for a case that takes longer than a few seconds. */
  progress(text: string): void;
}

/** The bar `≤ limit`; `of` says what the figure is a multiple or a number of. */
export function atMost(limit: number, of: string): Bar {
  return { text: `≤ ${limit} ${of}`, isMet: value => value <= limit };
}

/** The bar `≥ limit`; `of` says what the figure is a multiple or a number of. */
export function atLeast(limit: number, of: string): Bar {
  return { text: `≥ ${limit} ${of}`, isMet: value => value >= limit };
}
