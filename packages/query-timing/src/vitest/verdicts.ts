import { counted } from '../terminal/figures.ts';
import { queryLines } from './query-list.ts';
import type { QueryRun } from './query-run.ts';

/** Whether a run is as expected, and the message for each of the two ways in which that may be wrong. */
export interface Verdict {
  readonly pass: boolean;
  /** If it is not as expected. */
  readonly failed: () => string;
  /** If it is, and must not be. */
  readonly passed: () => string;
}

/** As many queries as this. @param root what paths are shown relative to */
export function exactly(run: QueryRun, expected: number, root: string): Verdict {
  const queries = counted(expected, 'query', 'queries');
  return {
    pass: run.count === expected,
    failed: () => message(`expected ${queries}, but ${ran(run)}`, run, root),
    passed: () => message(`expected another number than ${queries}, but ${ran(run)}`, run, root),
  };
}

/** No more queries than this. */
export function atMost(run: QueryRun, expected: number, root: string): Verdict {
  const queries = counted(expected, 'query', 'queries');
  return {
    pass: run.count <= expected,
    failed: () => message(`expected at most ${queries}, but ${ran(run)}`, run, root),
    passed: () => message(`expected more than ${queries}, but ${ran(run)}`, run, root),
  };
}

/** An N+1, of one shape or of several together. */
export function nPlusOne(run: QueryRun, root: string): Verdict {
  const found = run.findings.filter(({ kind }) => kind === 'n+1' || kind === 'mn+1');
  return {
    pass: found.length > 0,
    failed: () => message(`expected an N+1, but there is none, and ${ran(run)}`, run, root),
    passed: () =>
      message(`expected no N+1, but there ${found.length === 1 ? 'is one' : `are ${found.length}`}`, run, root),
  };
}

function ran({ count }: QueryRun): string {
  return count === 0 ? 'none was run' : `${count} ${count === 1 ? 'was' : 'were'} run`;
}

/** Why there may be none: what is most often wrong. */
const NONE =
  '. Only those count that the function waits for, and that are made by the ORM whose `extensions` have this timing.';

function message(sentence: string, run: QueryRun, root: string): string {
  const lines = queryLines(run, root);
  return lines.length > 0 ? [`${sentence}:`, ...lines].join('\n') : `${sentence}${NONE}`;
}
