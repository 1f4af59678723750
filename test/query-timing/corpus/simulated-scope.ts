import { MikroORM } from '@mikro-orm/postgresql';
import type { CallSite, Finding, QueryRecord } from '@mikrokit/query-timing';
import { ModelFacts } from '../../../packages/query-timing/src/findings/model-facts.ts';
import { ScopeAnalysis } from '../../../packages/query-timing/src/findings/scope-analysis.ts';
import type { AnalysisSettings, OperationTrace } from '../../../packages/query-timing/src/findings/seen.ts';
import { OrmModel } from '../../../packages/query-timing/src/seam/model.ts';
import { type Scan, scan } from '../../../packages/query-timing/src/sql/scan.ts';
import { entities } from './shop.ts';

/* Queries that are told to the analysis without a database, for one rule at a time. */

const orm = await MikroORM.init({ entities, dbName: 'none', ensureDatabase: false });

export const shopModel: OrmModel = new OrmModel(orm, []);

type Row = Readonly<Record<string, unknown>>;

/** What is known of a query beside its text. */
export interface Sending {
  readonly parameters?: readonly unknown[];
  readonly rows?: readonly Row[];
  /** How many rows there were, where that is not their number. */
  readonly affected?: number;
  /** The call of the EntityManager; a name makes a new one. */
  readonly call?: OperationTrace | string;
  readonly entity?: string;
  /** Without a call: `'execute'`, `'qb'` … */
  readonly operation?: string;
  readonly site?: CallSite;
  /** In ms. */
  readonly took?: number;
  /** Of it, what it waited for a connection, in ms. */
  readonly wait?: number;
  /** Since the end of the query before, in ms. */
  readonly pause?: number;
  readonly fork?: number;
  readonly error?: string;
  readonly batch?: number;
}

/** `books.ts:38 listBooks < app.ts:3`, in a folder. */
export function place(text: string, parallel = false): CallSite {
  const [own, caller] = text.split(' < ');
  const [, file, line, name] = /^(.+):(\d+)(?: (.+))?$/.exec(own!)!;
  return {
    file: `/app/src/${file}`,
    line: Number(line),
    column: 5,
    function: name,
    parallel,
    caller: caller === undefined ? undefined : place(caller),
  };
}

let calls = 0;

export function call(name: string, entity?: string, parent?: OperationTrace): OperationTrace {
  return { id: ++calls, name, entity, parent };
}

export class SimulatedScope {
  readonly analysis: ScopeAnalysis;
  /** What was told while it went on. */
  readonly live: Finding[] = [];
  readonly #scans = new Map<string, Scan>();
  #clock = 1_700_000_000_000;
  #id = 0;

  readonly #settings: Partial<AnalysisSettings>;
  readonly #facts: ModelFacts;

  /** @param facts what other scopes have learnt */
  constructor(settings: Partial<AnalysisSettings> = {}, facts: ModelFacts = new ModelFacts(shopModel)) {
    this.#settings = settings;
    this.#facts = facts;
    this.analysis = new ScopeAnalysis(
      { threshold: 3, minTime: 0, ignore: [], proof: true, ...settings },
      facts.model,
      facts,
    );
  }

  /** The next scope of the same ORM. */
  again(): SimulatedScope {
    return new SimulatedScope(this.#settings, this.#facts);
  }

  /** One text has one scan, as in the recorder. */
  scan(sql: string): Scan {
    let known = this.#scans.get(sql);
    if (known === undefined) {
      known = scan(sql);
      this.#scans.set(sql, known);
    }
    return known;
  }

  sent(sql: string, sending: Sending = {}): Finding | undefined {
    const { parameters = [], rows = [], pause = 0.1, took = 1, wait = 0, error, site, fork = 1 } = sending;
    const shape = this.scan(sql);
    const trace = typeof sending.call === 'string' ? call(sending.call, sending.entity) : sending.call;
    const wanted = this.analysis.wantsSite(shape, rows.length);
    this.#clock += pause;
    const record: QueryRecord = {
      id: ++this.#id,
      shape,
      entity: trace?.entity ?? sending.entity,
      operation: trace?.name ?? sending.operation ?? 'execute',
      start: this.#clock,
      wait: wait * 1000,
      send: 0,
      database: (took - wait) * 1000,
      after: 0,
      took: took * 1000,
      rows: error === undefined ? (sending.affected ?? rows.length) : undefined,
      error,
      node: undefined,
      role: 'primary',
      fork,
      scope: 1,
      transaction: undefined,
      label: undefined,
      site: wanted ? site : undefined,
      parameters: undefined,
      batch: sending.batch,
      cache: undefined,
      route: undefined,
    };
    this.#clock += took;
    const finding = this.analysis.add({ record, sql, parameters, rows, operation: trace });
    if (finding !== undefined) {
      this.live.push(finding);
    }
    return finding;
  }

  /** A list of books, as `em.find(Book, {})` reads it. */
  books(count: number, sending: Sending = {}): readonly Row[] {
    const rows = numbers(count).map(n => ({
      id: 200 + n,
      title: `book ${n}`,
      isbn: `isbn-978-${n}`,
      author_id: n,
      publisher_id: uuid(n),
    }));
    this.sent('select "b0".* from "book" as "b0"', {
      rows,
      call: 'find',
      entity: 'Book',
      site: place('books.ts:38 listBooks'),
      ...sending,
    });
    return rows;
  }

  /** One author, as `book.author.load()` reads it. */
  author(id: number, sending: Sending = {}): Finding | undefined {
    return this.sent(AUTHOR_BY_ID, {
      parameters: [id, 1],
      rows: [{ id, name: `author ${id}` }],
      call: 'findOne',
      entity: 'Author',
      site: place('books.ts:41 listBooks'),
      ...sending,
    });
  }

  get findings(): readonly Finding[] {
    return this.analysis.findings();
  }

  get kinds(): readonly string[] {
    return this.findings.map(({ kind }) => kind);
  }
}

export const AUTHOR_BY_ID = 'select "a0".* from "author" as "a0" where "a0"."id" = ? limit ?';

export const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

export const uuid = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
