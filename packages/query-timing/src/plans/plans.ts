import type { ResolvedAdviceOptions } from '../advice/advice-options.ts';
import type { Finding } from '../finding.ts';
import type { Model } from '../model.ts';
import type { Shape } from '../shape.ts';
import type { OpenSideConnection } from '../side-connection.ts';
import type { Scan } from '../sql/scan.ts';
import type { PlanReport, ServerStatistics } from '../timing-report.ts';
import type { ResolvedPlanOptions } from './plan-options.ts';

/** A query whose plan may be worth a look. */
export interface Candidate {
  readonly shape: Scan;
  /** As it was sent: with its literals, or with `$n` and values. Kept only while it waits for its turn. */
  readonly sql: string;
  readonly values: readonly unknown[];
  /** In µs. */
  readonly took: number;
  readonly slow: boolean;
}

/** What `Plans` needs of the rest. */
export interface PlansHost {
  readonly open: OpenSideConnection;
  model(): Model;
  found(finding: Finding): void;
  /** Something beside the queries did not work; it is counted and changes nothing else. */
  failed(what: string, error: unknown): void;
  shapes(): Iterable<Shape>;
}

/** Gets plans, says what is wrong with them, and asks the advisor for indexes: always beside the queries. */
export class Plans {
  constructor(_options: ResolvedPlanOptions, _advice: ResolvedAdviceOptions | undefined, _host: PlansHost) {}

  /** Never throws, never waits. */
  consider(_candidate: Candidate): void {}

  /** A notice of `auto_explain` that came while this was running. Never throws, never waits. */
  notice(_message: string, _candidate: Pick<Candidate, 'shape' | 'took'>): void {}

  reports(): readonly PlanReport[] {
    return [];
  }

  statistics(_shapeId: string): ServerStatistics | undefined {
    return undefined;
  }

  /** Looks for unused and duplicate indexes and foreign keys without one. Never rejects. */
  inspect(): Promise<void> {
    return Promise.resolve();
  }

  /** Resolves when nothing is under way and nothing could be begun now. */
  idle(): Promise<void> {
    return Promise.resolve();
  }

  reset(): void {}

  close(): Promise<void> {
    return Promise.resolve();
  }
}
