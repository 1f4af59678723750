import { reportData } from '../report/json.ts';
import type { TimingReport } from '../timing-report.ts';
import type { QueryTiming } from '../timing.ts';

/** What the page needs of `queryTiming()`. */
export type DashboardSource = Pick<QueryTiming, 'report' | 'on' | 'reset'>;

/** Reports for everybody who looks at the page. */
export interface Reports {
  report(): TimingReport;
  /** The same as JSON. */
  json(): string;
  forget(): void;
}

/** A report is kept for so many times as long as it took to make: looking costs less than a tenth of the process. */
const KEPT = 10;
/** And at most so long, in ms. */
const LONGEST = 2000;

/**
 * Makes a report when one is asked for. Many who look, or one who asks all the time, get the same one for a while that is
 * longer the more costly it was to make: of a usual one a few milliseconds.
 */
export function createReports(source: DashboardSource): Reports {
  const kept = {
    report: keeper(() => source.report()),
    json: keeper(() => `${JSON.stringify(reportData(report()))}\n`),
  };
  const report = (): TimingReport => kept.report.get();
  return {
    report,
    json: () => kept.json.get(),
    forget() {
      kept.report.forget();
      kept.json.forget();
    },
  };
}

function keeper<T>(make: () => T): { get(): T; forget(): void } {
  let now: { readonly value: T } | undefined;
  let timer: NodeJS.Timeout | undefined;
  const forget = (): void => {
    clearTimeout(timer);
    now = undefined;
  };
  return {
    get() {
      if (!now) {
        const start = performance.now();
        now = { value: make() };
        // Forgotten by a timer rather than looked at later: megabytes are not to be held for a page that was closed.
        timer = setTimeout(forget, Math.min(LONGEST, KEPT * (performance.now() - start))).unref();
      }
      return now.value;
    },
    forget,
  };
}
