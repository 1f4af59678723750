import type { Finding } from '../finding.ts';
import type { EntityModel, Model } from '../model.ts';
import { type Question, readOnly, UNEXECUTED } from '../plans/guarded-explain.ts';
import { isPlanJson, type PlanJson } from '../plans/plan-json.ts';
import type { SideLine } from '../plans/side-line.ts';
import { type FindTable, readTableFacts, type TableFacts } from '../plans/table-facts.ts';
import type { Shape } from '../shape.ts';
import type { SideConnection } from '../side-connection.ts';
import type { Scan } from '../sql/scan.ts';
import { adviceFinding } from './advice-finding.ts';
import type { ResolvedAdviceOptions } from './advice-options.ts';
import { AdvisedIndexes } from './advised-indexes.ts';
import { verifyByHypopg } from './hypopg.ts';
import { chooseIndex, type ChosenIndex } from './index-choice.ts';
import { definition } from './index-code.ts';
import { type IndexFacts, readColumns, readIndexes } from './index-facts.ts';
import { verifyByCopy } from './throw-away.ts';
import type { Verdict } from './verdict.ts';
import { type WantedIndex, wantedIndexes } from './wanted-index.ts';

/** What advice is made from. */
export interface AdviceCase {
  readonly shape: Scan;
  /** Masked. */
  readonly plan: PlanJson;
  /** To be explained with an index; `undefined` if it may not be. */
  readonly question: Question | undefined;
}

/** What the advisor needs of the rest. */
export interface AdvisorHost {
  model(): Model;
  /** What is known of a shape so far. */
  shape(id: string): Shape | undefined;
  failed(what: string, error: unknown): void;
}

/** A table of fewer pages (of 8 kB) is read as fast without an index. */
const FEW_PAGES = 100;
/** For an index to be built and looked at in a copy, in ms. */
const COPY_MS = 60_000;

/** Thinks of indexes that would spare what a plan reads, looks whether they do, and keeps what is advised together. */
export class Advisor {
  readonly #options: ResolvedAdviceOptions;
  readonly #copy: SideLine | undefined;
  readonly #host: AdvisorHost;
  readonly #advised: AdvisedIndexes = new AdvisedIndexes();

  /** @param copy leads to the database that may be thrown away, if there is one */
  constructor(options: ResolvedAdviceOptions, copy: SideLine | undefined, host: AdvisorHost) {
    this.#options = options;
    this.#copy = copy;
    this.#host = host;
  }

  /** Whether there is anything to think of. */
  wants(plan: PlanJson): boolean {
    return isPlanJson(plan['Plan']) && wantedIndexes(plan['Plan']).length > 0;
  }

  /** @throws as the connection does */
  async advise(connection: SideConnection, asked: AdviceCase): Promise<readonly Finding[]> {
    const wanted = isPlanJson(asked.plan['Plan']) ? wantedIndexes(asked.plan['Plan']) : [];
    const findTable = await readOnly(connection, UNEXECUTED, () => readTableFacts(connection, wanted));
    const found: Finding[] = [];
    for (const want of wanted) {
      const table = this.#table(want, findTable);
      const finding = table && (await this.#adviseOne(connection, asked, want, table));
      if (finding) {
        found.push(finding);
      }
    }
    return found;
  }

  clear(): void {
    this.#advised.clear();
  }

  /** One that is large enough to need an index. */
  #table(want: WantedIndex, findTable: FindTable): (TableFacts & { readonly rows: number }) | undefined {
    const facts = findTable(want);
    // Indexes of a part belong to the whole, which the plan does not name.
    if (!facts || facts.partition || facts.rows === undefined) {
      return undefined;
    }
    const { rows } = facts;
    return rows >= this.#options.minRows && facts.pages >= FEW_PAGES ? { ...facts, rows } : undefined;
  }

  async #adviseOne(
    connection: SideConnection,
    { shape, question }: AdviceCase,
    want: WantedIndex,
    table: TableFacts & { readonly rows: number },
  ): Promise<Finding | undefined> {
    const [indexes, columns] = await readOnly(
      connection,
      UNEXECUTED,
      async () => [await readIndexes(connection, table), await readColumns(connection, table, table.rows)] as const,
    );
    const index = chooseIndex(want, { rows: table.rows, columns, indexes });
    if (!index) {
      return undefined;
    }
    const verdict = await this.#verified(connection, question, definition(table, index));
    if (verdict.helps === false) {
      return undefined;
    }
    return this.#finding(table, indexes, index, { shape, node: want.node, verdict });
  }

  #finding(
    table: TableFacts,
    indexes: readonly IndexFacts[],
    index: ChosenIndex,
    wanting: Parameters<AdvisedIndexes['add']>[2],
  ): Finding | undefined {
    const entity = entityOf(this.#host.model(), table);
    // On the usual path it needs none, and reads better. The ORM's own `schema`, or a fork's, is on no path.
    const isOnPath = table.schema === 'public' && entity !== undefined && entity.schema === undefined;
    const name = { schema: isOnPath ? undefined : table.schema, name: table.name };
    const advised = this.#advised.add(name, index, wanting);
    return advised && adviceFinding(advised, { table, indexes, entity, shape: id => this.#host.shape(id) });
  }

  async #verified(
    connection: SideConnection,
    question: Question | undefined,
    index: string,
  ): Promise<Exclude<Verdict, { helps: false }> | { readonly helps: false }> {
    if (!question) {
      return { helps: undefined, why: 'the statement is not one that may be explained once more' };
    }
    try {
      if (this.#copy) {
        return await this.#copy.use(COPY_MS, copy => verifyByCopy(copy, question, index));
      }
      const verdict = await verifyByHypopg(connection, question, index);
      return verdict ?? { helps: undefined, why: 'HypoPG is not installed' };
    } catch (error) {
      this.#host.failed('verify index', error);
      return { helps: undefined, why: 'looking at the plan with it failed' };
    }
  }
}

function entityOf(model: Model, table: TableFacts): EntityModel | undefined {
  const entity = model.byTable(table.name);
  return entity && (entity.schema === undefined || entity.schema === table.schema || entity.schema === '*')
    ? entity
    : undefined;
}
