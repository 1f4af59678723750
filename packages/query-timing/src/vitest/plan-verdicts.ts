import { shown } from '../checks.ts';
import { QueryTimingError } from '../errors.ts';
import { cut } from '../terminal/columns.ts';
import { printable } from '../terminal/printable.ts';
import type { ExplainedNode, ExplainedRead } from './explained-reads.ts';
import type { Verdict } from './verdicts.ts';

const LONGEST_TEXT = 140;

/**
 * Whether one of the reads can use an index.
 * @param indexes all that there are
 * @param call what was called with the name, for an error
 * @throws QueryTimingError if there is no such index, or no read: what cannot fail is no test
 */
export function usesIndex(
  reads: readonly ExplainedRead[],
  index: string,
  indexes: ReadonlySet<string>,
  call = 'toUseIndex(name)',
): Verdict {
  checkReads(reads);
  if (!indexes.has(index)) {
    throw new QueryTimingError(
      'ARGUMENT',
      `${call} takes the name of an index, but the database has none called ${shown(index)}. ` +
        'Correct the name, or create the index.',
    );
  }
  const using = reads.filter(({ plan }) => nodes(plan).some(node => node['Index Name'] === index));
  return {
    pass: using.length > 0,
    failed: () =>
      [`expected a read that can use the index ${printable(index)}, but none can:`, ...reads.flatMap(readLines)].join(
        '\n',
      ),
    passed: () =>
      [`expected no read to use the index ${printable(index)}, but:`, ...using.flatMap(readLines)].join('\n'),
  };
}

/**
 * Whether one of the reads must read all of a table: no index has what it asks for. One that walks a whole index only to
 * filter its rows is as bad.
 * @param call what was called with the name, for an error
 * @throws QueryTimingError if no read is from that table
 */
export function readsWhole(reads: readonly ExplainedRead[], table: string, call = 'toSeqScan(table)'): Verdict {
  checkReads(reads);
  const tables = new Set(reads.flatMap(({ plan }) => nodes(plan).map(node => node['Relation Name'])));
  if (!tables.has(table)) {
    const names = [...tables].filter(name => name !== undefined).join(', ');
    throw new QueryTimingError(
      'ARGUMENT',
      `${call} takes a table that the function reads, but got: ${shown(table)}. It reads: ${printable(names)}. ` +
        'Name one of these, without its schema.',
    );
  }
  const whole = reads.filter(({ plan }) =>
    nodes(plan).some(node => node['Relation Name'] === table && isReadWhole(node)),
  );
  return {
    pass: whole.length > 0,
    failed: () =>
      [`expected a read of all of ${printable(table)}, but indexes serve each:`, ...reads.flatMap(readLines)].join(
        '\n',
      ),
    passed: () =>
      [`expected no read of all of ${printable(table)}, but no index serves:`, ...whole.flatMap(readLines)].join('\n'),
  };
}

/** All nodes of a plan, each before those below it. */
function nodes(node: ExplainedNode): readonly ExplainedNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodes)];
}

function isReadWhole(node: ExplainedNode): boolean {
  const type = node['Node Type'];
  const isIndexScan = type === 'Index Scan' || type === 'Index Only Scan';
  const isByIndex = node['Index Cond'] !== undefined || node['Order By'] !== undefined;
  return type === 'Seq Scan' || (isIndexScan && !isByIndex && node.Filter !== undefined);
}

function checkReads(reads: readonly ExplainedRead[]): void {
  if (reads.length === 0) {
    throw new QueryTimingError(
      'ARGUMENT',
      'Plans are looked at of reads, but the function has run none: select, values or with, without a lock. ' +
        'Only those count that it waits for, and that are made by the ORM whose `extensions` have this timing.',
    );
  }
}

/** A read, and how its tables are read. */
function readLines({ text, plan }: ExplainedRead): readonly string[] {
  const scans = nodes(plan).filter(node => node['Relation Name'] !== undefined || node['Index Name'] !== undefined);
  return [`  ${cut(printable(text), LONGEST_TEXT)}`, ...scans.map(node => `    ${scanText(node)}`)];
}

function scanText(node: ExplainedNode): string {
  const index = node['Index Name'];
  const relation = node['Relation Name'];
  return printable(
    node['Node Type'] +
      (index === undefined ? '' : ` using ${index}`) +
      (relation === undefined ? '' : ` on ${relation}`) +
      (index !== undefined && isReadWhole(node) ? ', all of it' : ''),
  );
}
