/** A way of doing the thing: a function that is timed, or one made by {@link prepared}. */
export type Variant = (() => unknown) | Prepared;

/** A variant whose preparation is not timed. */
export interface Prepared {
  prepare(): Promise<() => unknown>;
}

/** How often to measure. */
export interface InterleaveOptions {
  /** How many times each variant is measured; the median of them counts. */
  readonly repetitions: number;
  /** How many rounds to run before, unmeasured. @default 3 */
  readonly warmup?: number | undefined;
  /** Milliseconds on a monotonic clock, for tests. @default performance.now */
  readonly now?: (() => number) | undefined;
}

/** What was measured, in milliseconds. */
export interface Interleaved<Name extends string> {
  readonly medians: Readonly<Record<Name, number>>;
  /** Every measurement, in the order it was made. */
  readonly samples: Readonly<Record<Name, readonly number[]>>;
  /** How many times as long `a` takes as `b`: the ratio of their medians. */
  readonly ratio: (a: Name, b: Name) => number;
}

/** A variant that gets what `setup` made anew for each repetition; only `run` is timed. */
export function prepared<T>(setup: () => T | Promise<T>, run: (made: T) => unknown): Prepared {
  return {
    async prepare() {
      const made = await setup();
      return () => run(made);
    },
  };
}

/**
 * Measures variants in turns, so that a slow moment of the machine falls on all of them alike. Each round begins with
 * another variant: what one leaves behind (garbage, a warm cache) is not always found by the same next one.
 */
export async function interleave<Name extends string>(
  variants: Readonly<Record<Name, Variant>>,
  { repetitions, warmup = 3, now = () => performance.now() }: InterleaveOptions,
): Promise<Interleaved<Name>> {
  if (!Number.isInteger(repetitions) || repetitions < 1) {
    throw new Error(`repetitions is a whole number of at least 1, but got: ${repetitions}`);
  }
  const names = Object.keys(variants) as Name[];
  const samples = Object.fromEntries(names.map(name => [name, [] as number[]])) as Record<Name, number[]>;

  for (let round = -warmup; round < repetitions; round += 1) {
    for (const name of rotated(names, round + warmup)) {
      const took = await measure(variants[name], now);
      if (round >= 0) {
        samples[name].push(took);
      }
    }
  }
  const medians = Object.fromEntries(names.map(name => [name, median(samples[name])])) as Record<Name, number>;
  return { medians, samples, ratio: (a, b) => medians[a] / medians[b] };
}

/** The middle of the values; of an even number of them, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  if (values.length === 0) {
    throw new Error('A median needs at least one value, but got none.');
  }
  const sorted = values.toSorted((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

async function measure(variant: Variant, now: () => number): Promise<number> {
  const run = typeof variant === 'function' ? variant : await variant.prepare();
  const started = now();
  await run();
  return now() - started;
}

function rotated<T>(values: readonly T[], by: number): T[] {
  const start = by % values.length;
  return [...values.slice(start), ...values.slice(0, start)];
}
