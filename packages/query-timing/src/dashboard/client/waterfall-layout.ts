/** What a query needs to have to be laid out. */
export interface Timed {
  /** In ms since the epoch. */
  readonly start: number;
  /** In µs. */
  readonly took: number;
  readonly transaction: number | undefined;
  readonly operation: string | undefined;
}

/** Where everything is; times in µs from the begin of the axis. */
export interface Waterfall {
  /** Begin of the axis, in ms since the epoch; and its length. */
  readonly start: number;
  readonly length: number;
  /** Of each query, in the order they were given: lane from 0, begin and end. */
  readonly bars: readonly Bar[];
  readonly lanes: number;
  readonly transactions: readonly Bracket[];
  /** How many rows the brackets need: transactions may run beside each other. */
  readonly levels: number;
  /** Where to draw lines, and what they are. */
  readonly ticks: readonly number[];
}

export interface Bar {
  readonly lane: number;
  readonly from: number;
  readonly to: number;
}

/** A transaction, from its first query to the end of its last. */
export interface Bracket {
  readonly id: number;
  readonly level: number;
  readonly from: number;
  readonly to: number;
  readonly queries: number;
  /** How it ended; `undefined` if that is not among the queries. */
  readonly end: 'commit' | 'rollback' | undefined;
  /** When none of its queries ran, in sum. */
  readonly idle: number;
}

/**
 * Lays queries out on one axis. Those that overlap get lanes of their own: the first that is free, so that as few are
 * needed as ever ran at one time. Pure.
 *
 * @param whole the time of the request: the axis shows at least that. Without it, only what has queries
 */
export function waterfallLayout(
  records: readonly Timed[],
  whole: { readonly start: number; readonly took: number } | undefined,
): Waterfall {
  const first = records.reduce((least, each) => Math.min(least, each.start), whole?.start ?? Infinity);
  const start = Number.isFinite(first) ? first : 0;
  const spans = records.map(({ start: at, took }) => {
    const from = (at - start) * 1000;
    return { from, to: from + Math.max(0, took) };
  });
  const end = spans.reduce((most, { to }) => Math.max(most, to), whole ? (whole.start - start) * 1000 + whole.took : 0);
  const length = Math.max(1, end);
  const lanes = inLanes(spans);
  const brackets = transactions(records, spans);
  const levels = inLanes(brackets);
  return {
    start,
    length,
    bars: spans.map((span, index) => ({ ...span, lane: lanes.of[index] ?? 0 })),
    lanes: lanes.count,
    transactions: brackets.map((bracket, index) => ({ ...bracket, level: levels.of[index] ?? 0 })),
    levels: levels.count,
    ticks: niceTicks(length, 6),
  };
}

interface Span {
  readonly from: number;
  readonly to: number;
}

function inLanes(spans: readonly Span[]): { readonly of: readonly number[]; readonly count: number } {
  const order = spans.map((_, index) => index).sort((a, b) => spans[a]!.from - spans[b]!.from);
  const ends: number[] = [];
  const of = spans.map(() => 0);
  for (const index of order) {
    const { from, to } = spans[index]!;
    // Times are rounded: an overlap of less than 1 µs is none.
    const free = ends.findIndex(end => end < from + 1);
    const lane = free === -1 ? ends.length : free;
    ends[lane] = to;
    of[index] = lane;
  }
  return { of, count: ends.length };
}

function transactions(records: readonly Timed[], spans: readonly Span[]): readonly Omit<Bracket, 'level'>[] {
  const groups = new Map<number, number[]>();
  records.forEach(({ transaction }, index) => {
    // JSON may have made it null.
    if (transaction != null) {
      const group = groups.get(transaction) ?? [];
      groups.set(transaction, group);
      group.push(index);
    }
  });
  return [...groups].map(([id, indexes]) => {
    const own = indexes.map(index => spans[index]!).sort((a, b) => a.from - b.from);
    const from = own[0]!.from;
    let busyUntil = from;
    let idle = 0;
    for (const span of own) {
      idle += Math.max(0, span.from - busyUntil);
      busyUntil = Math.max(busyUntil, span.to);
    }
    const ends = indexes.map(index => records[index]!.operation);
    const end = ends.includes('commit') ? 'commit' : ends.includes('rollback') ? 'rollback' : undefined;
    return { id, from, to: busyUntil, queries: indexes.length, end, idle };
  });
}

/** Round numbers from 0 to `length`, about `count` of them. Pure. */
export function niceTicks(length: number, count: number): readonly number[] {
  const rough = length / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(times => times * power).find(each => each >= rough) ?? rough;
  const ticks: number[] = [];
  for (let at = 0; at <= length * 1.0001; at += step) {
    ticks.push(at);
  }
  return ticks;
}
