import type { CallSite } from './call-site.ts';
import type { Finding } from './finding.ts';
import type { Answer, OpenQuery } from './open-query.ts';
import type { OpenScope } from './open-scope.ts';
import type { ParameterDescriber } from './parameters.ts';
import type { Subscribers } from './subscribers.ts';

/** What judging a query asks of the rest, and tells it. */
export interface JudgeHost {
  readonly parameters: ParameterDescriber;
  /** Whether a parameter stands beside a column that is not to be shown. */
  secretsOf(sql: string): (index: number) => boolean;
  /** From when on it is slow, in µs. */
  slowFrom(query: OpenQuery): number;
  /** The place that has called; `undefined` where nobody wants to know. */
  capture(): CallSite | undefined;
  /** One query in so many is located whatever it is; 0: none. */
  readonly sample: number;
  /** Told of each query that was answered, with what was sent for it, while somebody explains them. */
  readonly statements: Subscribers<[query: OpenQuery, sql: string, values: readonly unknown[]]>;
  /** A query that is slow, with its text as it was sent. */
  slow(query: OpenQuery, sql: string, values: readonly unknown[]): void;
  /** Before it, its transaction has waited. */
  idled(query: OpenQuery): void;
  /** It has ended a transaction that was open for long. */
  lasted(query: OpenQuery): void;
  found(scope: OpenScope, finding: Finding): void;
}

/** What is found in a query that is over; its stack still leads to its caller. */
export function judge(host: JudgeHost, query: OpenQuery, scope: OpenScope, answer: Answer): void {
  const { context, shape } = query;
  const text = query.logContext?.query ?? answer.sql;
  const analysis = context?.quiet === true || shape.kind === 'transaction' ? undefined : scope.analysis;
  const isSlow = query.took - query.paused * 1000 >= host.slowFrom(query);
  if (
    isSlow ||
    query.idled > 0 ||
    query.lasted > 0 ||
    analysis?.wantsSite(shape, answer.rows.length) === true ||
    (host.sample > 0 && query.id % host.sample === 0)
  ) {
    query.site = host.capture();
    answer.lease.site = query.site;
  }
  if (host.parameters.isOn && answer.values.length > 0) {
    query.parameters = host.parameters.describe(answer.values, () => host.secretsOf(text));
  }
  const finding = analysis?.add({
    record: query,
    sql: text,
    parameters: answer.values,
    rows: answer.rows,
    operation: context?.operation,
  });
  if (finding !== undefined) {
    host.found(scope, finding);
  }
  if (query.idled > 0) {
    host.idled(query);
  }
  if (query.lasted > 0) {
    host.lasted(query);
  }
  if (isSlow) {
    host.slow(query, answer.sql, answer.sent);
  }
  if (host.statements.some && query.error === undefined) {
    host.statements.tell([query, answer.sql, answer.sent]);
  }
}
