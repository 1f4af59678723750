import type { Event } from './journal.ts';

/** What is wrong with the reads of a run. */
export interface Verdict {
  readonly reads: number;
  readonly writes: number;
  /** Began after a COMMIT was acknowledged, and returned something older. */
  readonly commitStale: number;
  /** Began after the call that wrote had resolved, and returned something older. */
  readonly ackStale: number;
  /** Returned something older than a read that had ended before it began. */
  readonly nonMonotone: number;
  /** Returned what was never committed. */
  readonly dirty: number;
  /** How long the oldest value that was served had been out of date, in ms. */
  readonly worstLag: number;
  /** The first few, in words. */
  readonly examples: readonly string[];
}

interface Known {
  readonly at: number;
  readonly value: number;
}

const MOST_EXAMPLES = 5;

/** Judges what several processes have seen of registers that only grow. */
export function judge(events: readonly Event[]): Verdict {
  const reads = events.filter(event => event.kind === 'read');
  const commits = histories(events.filter(event => event.kind === 'commit'));
  const acks = histories(events.filter(event => event.kind === 'ack'));
  const seen = histories(reads.map(({ end, register, value }) => ({ at: end, register, value })));
  const counts = { commitStale: 0, ackStale: 0, nonMonotone: 0, dirty: 0 };
  const examples: string[] = [];
  let worstLag = 0;
  const found = (count: keyof typeof counts, says: () => string): void => {
    counts[count] += 1;
    if (examples.length < MOST_EXAMPLES) {
      examples.push(says());
    }
  };
  for (const { start, register, value } of reads) {
    if (value < 0) {
      found('dirty', () => `${register} = ${value}, which was rolled back`);
      continue;
    }
    const history = commits.get(register) ?? [];
    const committed = latest(history, start);
    if (committed > value) {
      const since = history.find(known => known.value > value)!.at;
      const lag = (start - since) / 1e6;
      worstLag = Math.max(worstLag, lag);
      found('commitStale', () => `${register} = ${value}, ${lag.toFixed(1)} ms after a commit had made it more`);
    }
    if (latest(acks.get(register) ?? [], start) > value) {
      found('ackStale', () => `${register} = ${value}, after the write of a later value had resolved`);
    }
    if (latest(seen.get(register) ?? [], start) > value) {
      found('nonMonotone', () => `${register} = ${value}, after another read had returned a later value`);
    }
  }
  return {
    reads: reads.length,
    writes: events.filter(event => event.kind === 'commit').length,
    ...counts,
    worstLag,
    examples,
  };
}

/** By register: from when on which value at least was to be seen. */
function histories(
  events: readonly { readonly at: number; readonly register: string; readonly value: number | undefined }[],
): Map<string, Known[]> {
  const found = new Map<string, Known[]>();
  for (const { at, register, value } of events.toSorted((a, b) => a.at - b.at)) {
    const history = found.get(register) ?? [];
    found.set(register, history);
    const before = history.at(-1)?.value ?? 0;
    // Of inserted rows it is only known that each makes one more.
    history.push({ at, value: Math.max(before, value ?? before + 1) });
  }
  return found;
}

/** The largest value that was to be seen before `time`. */
function latest(history: readonly Known[], time: number): number {
  let low = 0;
  let high = history.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (history[middle]!.at < time) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return history[low - 1]?.value ?? 0;
}
