import type { ResolvedAdviceOptions } from '../advice/advice-options.ts';
import { Advisor } from '../advice/advisor.ts';
import { inspectIndexes } from '../advice/inspection.ts';
import type { Finding } from '../finding.ts';
import type { Model } from '../model.ts';
import type { Shape } from '../shape.ts';
import type { OpenSideConnection, SideConnection } from '../side-connection.ts';
import type { Scan } from '../sql/scan.ts';
import type { PlanReport, ServerStatistics } from '../timing-report.ts';
import { planOfNotice } from './auto-explain.ts';
import { readOnly, UNEXECUTED } from './guarded-explain.ts';
import { keptValues } from './kept-values.ts';
import { maskPlan } from './masked-plan.ts';
import { offsetOf } from './offset.ts';
import { planFindings } from './plan-findings.ts';
import { isPlanJson, maybe, type PlanJson, text } from './plan-json.ts';
import { explained, questionFor } from './plan-ladder.ts';
import type { ResolvedPlanOptions } from './plan-options.ts';
import { remarksOn } from './plan-rules.ts';
import { PlanStore } from './plan-store.ts';
import { visits } from './plan-walk.ts';
import { Recent } from './recent.ts';
import { ServerCounts } from './server-counts.ts';
import { SideLine } from './side-line.ts';
import { type FindTable, readTableFacts } from './table-facts.ts';
import { TokenBucket } from './token-bucket.ts';
import { Waiting, type Waits } from './waiting.ts';

/** A query whose plan may be worth a look. */
export interface Candidate {
  readonly shape: Scan;
  /** As it was sent: with its literals, or with `$n` and values. Kept only while it waits for its turn. */
  readonly sql: string;
  readonly values: readonly unknown[];
  /** In µs. */
  readonly took: number;
  /** One that is not is looked at only while there is little to do. */
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

/** A plan that came by itself and is not read yet. */
interface Notice {
  readonly message: string;
  readonly shape: Scan;
  readonly took: number;
}

/** Statements that wait for their turn, and characters of one. */
const MOST_WAITING = 20;
const LONGEST = 65_536;
/** Notices that wait to be read. */
const MOST_NOTICES = 5;
/** For all that is asked about one statement, in ms; each question has a limit of its own besides. */
const TURN_MS = 90_000;

/**
 * Gets plans, says what is wrong with them, and asks the advisor for indexes: beside the queries, never in their way. A plan
 * comes by itself (a notice of `auto_explain`), or is asked for on a connection of its own: one statement at a time, so many in
 * a minute, each shape once in a while, read-only, under time limits. What fails is told to the host and changes nothing else.
 */
export class Plans {
  readonly #options: ResolvedPlanOptions;
  readonly #advice: ResolvedAdviceOptions | undefined;
  readonly #host: PlansHost;
  readonly #line: SideLine;
  readonly #copy: SideLine | undefined;
  readonly #advisor: Advisor | undefined;
  readonly #bucket: TokenBucket;
  readonly #recent: Recent;
  readonly #waiting: Waiting = new Waiting(MOST_WAITING);
  readonly #store: PlanStore = new PlanStore();
  readonly #counts: ServerCounts = new ServerCounts();
  #notices: Notice[] = [];
  #soon: NodeJS.Immediate | undefined;
  #later: NodeJS.Timeout | undefined;
  #busy: Promise<void> | undefined;
  #closed = false;
  /** Counts resets: what was begun before one is not kept. */
  #era = 0;

  constructor(options: ResolvedPlanOptions, advice: ResolvedAdviceOptions | undefined, host: PlansHost) {
    this.#options = options;
    this.#advice = advice;
    this.#host = host;
    this.#line = new SideLine(host.open, options.clientUrl);
    this.#copy = advice?.verifyUrl === undefined ? undefined : new SideLine(host.open, advice.verifyUrl);
    this.#advisor =
      advice &&
      new Advisor(advice, this.#copy, {
        model: () => host.model(),
        shape: id => this.#figures(id),
        failed: (what, error) => this.#failed(what, error),
      });
    this.#bucket = new TokenBucket(options.perMinute);
    this.#recent = new Recent(options.again);
  }

  /** Bytes that are kept, about. */
  get size(): number {
    return this.#store.size;
  }

  /** Never throws, never waits. */
  consider({ shape, sql, values, took, slow }: Candidate): void {
    if (this.#closed || !shape.loneRead || sql.length > LONGEST || !this.#waiting.wants(shape.id, took)) {
      return;
    }
    if (this.#recent.has(shape.id, () => this.#p95(shape.id)) || (!slow && !this.#isQuiet())) {
      return;
    }
    const kept = this.#options.generic ? undefined : keptValues(values, LONGEST);
    this.#waiting.add({ shape, sql: kept ? sql : undefined, values: kept ?? [], took, plan: undefined });
    this.#schedule();
  }

  /** A notice of `auto_explain` that came while this was running. Never throws, never waits. */
  notice(message: string, { shape, took }: Pick<Candidate, 'shape' | 'took'>): void {
    if (this.#closed || this.#notices.length >= MOST_NOTICES || !message.startsWith('duration: ')) {
      return;
    }
    const known = this.#store.get(shape.id)?.source === 'auto_explain';
    if (known && this.#recent.has(shape.id, () => this.#p95(shape.id))) {
      return;
    }
    // Now, so that the same query is not explained as well.
    this.#recent.add(shape.id, this.#p95(shape.id));
    this.#notices.push({ message, shape, took });
    this.#schedule();
  }

  reports(): readonly PlanReport[] {
    return this.#store.reports();
  }

  /** What `pg_stat_statements` counted for a shape, as of the last time it was asked. */
  statistics(shapeId: string): ServerStatistics | undefined {
    return this.#counts.get(shapeId);
  }

  /** Looks for unused and duplicate indexes and foreign keys without one, and at `pg_stat_statements`. Never rejects. */
  async inspect(): Promise<void> {
    const era = this.#era;
    try {
      await this.#line.use(TURN_MS, async connection => {
        await this.#refreshCounts(connection);
        const found = this.#advice && (await inspectIndexes(connection, this.#host.model(), this.#advice.minRows));
        if (era === this.#era) {
          for (const finding of found ?? []) {
            this.#found(finding);
          }
        }
      });
    } catch (error) {
      this.#failed('inspect indexes', error);
    }
  }

  /** Resolves when nothing is under way and nothing could be begun now: what waits for its minute is not waited for. */
  async idle(): Promise<void> {
    while (this.#busy || this.#soon) {
      // A promise of its own, since an immediate may be what there is to wait for.
      await (this.#busy ?? new Promise<void>(resolve => void setImmediate(resolve)));
    }
  }

  /** Forgets everything. */
  reset(): void {
    this.#era += 1;
    this.#notices = [];
    this.#waiting.clear();
    this.#store.clear();
    this.#counts.clear();
    this.#recent.clear();
    this.#advisor?.clear();
  }

  /** Ends its connections. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    clearImmediate(this.#soon);
    clearTimeout(this.#later);
    this.#soon = undefined;
    this.reset();
    await Promise.all([this.#line.close(), this.#copy?.close()]);
  }

  #isQuiet(): boolean {
    return this.#waiting.size === 0 && this.#bucket.left() >= this.#options.perMinute / 2;
  }

  /** After what runs now has answered its callers. */
  #schedule(): void {
    if (this.#busy || this.#soon || this.#closed) {
      return;
    }
    clearTimeout(this.#later);
    this.#soon = setImmediate(() => {
      this.#soon = undefined;
      this.#busy = this.#work().finally(() => {
        this.#busy = undefined;
        this.#goOn();
      });
    });
  }

  #goOn(): void {
    if (this.#notices.length > 0) {
      this.#schedule();
    } else if (this.#waiting.size > 0 && !this.#closed) {
      const wait = this.#bucket.wait();
      if (wait === 0) {
        this.#schedule();
      } else {
        clearTimeout(this.#later);
        this.#later = setTimeout(() => this.#schedule(), wait).unref();
      }
    }
  }

  async #work(): Promise<void> {
    for (const notice of this.#notices.splice(0)) {
      this.#read(notice);
    }
    while (!this.#closed && this.#waiting.size > 0 && this.#bucket.take()) {
      const next = this.#waiting.take();
      if (next) {
        await this.#turn(next);
      }
    }
  }

  /** A plan that came by itself. */
  #read({ message, shape, took }: Notice): void {
    try {
      const noticed = planOfNotice(message);
      if (!noticed) {
        this.#recent.delete(shape.id);
        return;
      }
      const plan = maskPlan(noticed.plan);
      const us = took > 0 ? took : noticed.durationMs * 1_000;
      const sql = this.#options.generic ? undefined : text(noticed.plan, 'Query Text');
      const waits = { shape, sql, values: [], took: us, plan };
      this.#keep(waits, plan, 'auto_explain', () => undefined);
      if (this.#advisor?.wants(plan) && (sql ?? '').length <= LONGEST && this.#waiting.wants(shape.id, us)) {
        this.#waiting.add(waits);
      }
    } catch (error) {
      this.#failed('read a plan', error);
    }
  }

  /** All that is asked about one statement. */
  async #turn(next: Waits): Promise<void> {
    const era = this.#era;
    this.#recent.add(next.shape.id, this.#p95(next.shape.id));
    const question = next.shape.loneRead ? questionFor(next) : undefined;
    if (!question && !next.plan) {
      return;
    }
    try {
      await this.#line.use(TURN_MS, async connection => {
        const plan = next.plan ?? (await this.#asked(connection, next, question!, era));
        if (era === this.#era && !this.#closed) {
          await this.#refreshCounts(connection);
          await this.#advise(connection, next, plan, question, era);
        }
      });
    } catch (error) {
      this.#failed('explain', error);
    }
  }

  async #asked(
    connection: SideConnection,
    next: Waits,
    question: NonNullable<ReturnType<typeof questionFor>>,
    era: number,
  ): Promise<PlanJson> {
    const got = await explained(connection, question, next.took, this.#options.mode, (what, error) =>
      this.#failed(what, error),
    );
    const plan = maskPlan(got.plan);
    const findTable = await this.#tablesOf(connection, plan);
    if (era === this.#era) {
      this.#keep(next, plan, got.source, findTable);
    }
    return plan;
  }

  async #tablesOf(connection: SideConnection, plan: PlanJson): Promise<FindTable> {
    const root = plan['Plan'];
    const tables = (isPlanJson(root) ? visits(root) : []).flatMap(({ node }) => {
      const name = text(node, 'Relation Name');
      return name === undefined ? [] : [{ schema: text(node, 'Schema'), name }];
    });
    return await readOnly(connection, UNEXECUTED, () => readTableFacts(connection, tables));
  }

  #keep(next: Waits, plan: PlanJson, source: PlanReport['source'], findTable: FindTable): void {
    const { shape, took } = next;
    const root = isPlanJson(plan['Plan']) ? plan['Plan'] : {};
    const remarks = remarksOn({
      plan,
      findTable,
      offset: next.sql === undefined ? undefined : offsetOf(next.sql, next.values),
    });
    const findings = planFindings({ shape, figures: this.#figures(shape.id), took, source, root }, remarks);
    // Without its values a statement has another identifier than with them.
    const queryId = source === 'generic' ? undefined : text(plan, 'Query Identifier');
    if (queryId !== undefined) {
      this.#counts.know(shape.id, queryId);
    }
    this.#store.put(
      {
        id: shape.id,
        text: shape.text,
        source,
        at: Date.now(),
        planning: maybe(plan, 'Planning Time'),
        execution: maybe(plan, 'Execution Time'),
        queryId,
        raw: JSON.stringify([plan]),
        remarks: remarks.map(({ index, text: remark }) => ({ index, text: remark })),
        findings: findings.map(({ id }) => id),
      },
      id => this.#figures(id)?.took ?? 0,
    );
    for (const finding of findings) {
      this.#found(finding);
    }
  }

  async #refreshCounts(connection: SideConnection): Promise<void> {
    try {
      await readOnly(connection, UNEXECUTED, () => this.#counts.refresh(connection));
    } catch (error) {
      // Created and not loaded, or not to be read by this role: the plans are there without it.
      this.#failed('pg_stat_statements', error);
    }
  }

  async #advise(
    connection: SideConnection,
    { shape }: Waits,
    plan: PlanJson,
    question: ReturnType<typeof questionFor>,
    era: number,
  ): Promise<void> {
    const found = (await this.#advisor?.advise(connection, { shape, plan, question })) ?? [];
    if (era === this.#era) {
      this.#store.addFindings(
        shape.id,
        found.map(({ id }) => id),
      );
      for (const finding of found) {
        this.#found(finding);
      }
    }
  }

  #figures(id: string): Shape | undefined {
    for (const shape of this.#host.shapes()) {
      if (shape.id === id) {
        return shape;
      }
    }
    return undefined;
  }

  #p95(id: string): number | undefined {
    return this.#figures(id)?.times.quantile(0.95);
  }

  #found(finding: Finding): void {
    try {
      this.#host.found(finding);
    } catch {
      // The host counts its listeners' errors; one that gets here has nobody else to be told to.
    }
  }

  #failed(what: string, error: unknown): void {
    if (this.#closed) {
      return;
    }
    try {
      this.#host.failed(what, error);
    } catch {
      // As above.
    }
  }
}
