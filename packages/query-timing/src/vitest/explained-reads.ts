import { errorClass } from '../error-class.ts';
import { QueryTimingError } from '../errors.ts';
import type { SideConnection } from '../side-connection.ts';
import { type StatementSource, STATEMENTS } from '../statements.ts';
import { type QueryCountOptions, type QueryRun, type RunTiming, WatchedRun } from './query-run.ts';

/** A node of EXPLAIN (FORMAT JSON), as far as it is looked at. */
export interface ExplainedNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Index Cond'?: string;
  readonly 'Order By'?: string;
  readonly Filter?: string;
  readonly Plans?: readonly ExplainedNode[];
}

/** A read of a function, and how it would be executed if reading whole tables were no choice. */
export interface ExplainedRead {
  /** Without values. */
  readonly text: string;
  readonly plan: ExplainedNode;
}

/** EXPLAIN has one row, with JSON as text. */
interface ExplainedRow {
  readonly 'QUERY PLAN': string;
}

/** Reads that are explained, each shape once; what is longer, in characters, is not. */
const MOST_READS = 100;
const LONGEST = 1_000_000;

/**
 * Runs a function and explains each of its reads, once for each shape, on a connection of its own. Nothing is executed twice,
 * and nothing changes. With `enable_seqscan = off`: a planner reads small tables whole, and rightly, whatever indexes there
 * are; so it tells which index could serve.
 *
 * Trap: the connection is another one. What the function has not committed, temporary tables and settings of its session are
 * not there.
 * @param judge looks at what was run before anything is explained; what it throws ends it
 * @throws what `fn` throws; a QueryTimingError if a read cannot be explained, or there is none
 */
export async function explainReads<T>(
  timing: RunTiming & { readonly [STATEMENTS]?: StatementSource },
  fn: () => T,
  options: QueryCountOptions & { readonly name?: string },
  judge: (run: QueryRun<Awaited<T>>) => void = () => undefined,
): Promise<{
  readonly run: QueryRun<Awaited<T>>;
  readonly reads: readonly ExplainedRead[];
  readonly indexes: ReadonlySet<string>;
}> {
  const source = timing[STATEMENTS];
  if (source === undefined) {
    throw new QueryTimingError(
      'ARGUMENT',
      'Plans are looked at with a timing that queryTiming() has made, but this one tells no statements. Give that one.',
    );
  }
  const watched = new WatchedRun(timing, options);
  const reads = new Map<string, { readonly text: string; readonly sql: string; readonly values: readonly unknown[] }>();
  const end = source.watch((query, sql, values) => {
    const { id, text, loneRead } = query.shape;
    if (loneRead && watched.has(query) && reads.size < MOST_READS && sql.length <= LONGEST && !reads.has(id)) {
      reads.set(id, { text, sql, values });
    }
  });
  let run: QueryRun<Awaited<T>>;
  try {
    run = await watched.run(fn);
  } finally {
    end();
    watched.stop();
  }
  judge(run);
  const connection = await source.open();
  try {
    const explained: ExplainedRead[] = [];
    for (const { text, sql, values } of reads.values()) {
      explained.push({ text, plan: await explain(connection, text, sql, values) });
    }
    return { run, reads: explained, indexes: await indexNames(connection) };
  } finally {
    await connection.end();
  }
}

async function explain(
  connection: SideConnection,
  text: string,
  sql: string,
  values: readonly unknown[],
): Promise<ExplainedNode> {
  try {
    await connection.query('begin read only');
    await connection.query('set local enable_seqscan = off');
    await connection.query(`set local statement_timeout = '4s'`);
    await connection.query(`set local lock_timeout = '2s'`);
    const [row] = await connection.query<ExplainedRow>(`explain (format json) ${sql}`, values);
    await connection.query('rollback');
    const [{ Plan: plan }] = JSON.parse((row as ExplainedRow)['QUERY PLAN']) as [{ Plan: ExplainedNode }];
    return plan;
  } catch (error) {
    // Never its message, which may have values.
    throw new QueryTimingError(
      'UNSUPPORTED',
      `A read could not be explained on a connection of its own (${errorClass(error)}): ${text}. ` +
        'Commit what it needs before, and leave temporary tables out.',
    );
  }
}

async function indexNames(connection: SideConnection): Promise<ReadonlySet<string>> {
  const rows = await connection.query<{ name: string }>(
    `select relname as name from pg_class where relkind in ('i', 'I') and relnamespace <> 'pg_catalog'::regnamespace`,
  );
  return new Set(rows.map(({ name }) => name));
}
