import type { Finding } from '../finding.ts';
import { findingId } from '../finding-id.ts';
import { count, kilobytes } from '../plans/rules/words.ts';
import { dropFix } from './drop-fix.ts';
import type { Inventory, InventoryIndex } from './index-inventory.ts';
import type { Model } from '../model.ts';

const DAY = 86_400;

/** Indexes that no query has used since the statistics began, and that nothing else needs. */
export function unusedIndexes({ indexes, foreignKeys, counting }: Inventory, model: Model): readonly Finding[] {
  return indexes
    .filter(({ scans, needed }) => scans === 0 && !needed)
    .map(index => {
      const foreign = foreignKeys.find(
        key => sameTable(key, index) && key.columns.every((column, place) => column === index.columns[place]),
      );
      return {
        id: findingId('unused-index', index.schema, index.table, index.name),
        kind: 'unused-index',
        severity: counting >= DAY ? 'warning' : 'info',
        title: `The index ${index.name} of ${index.table} was never used, and takes ${kilobytes(index.size / 1_024)}.`,
        subject: `${index.table} (${index.columns.map(column => column ?? '(expression)').join(', ')})`,
        shape: undefined,
        count: 1,
        cost: 0,
        site: undefined,
        parent: undefined,
        fix: dropFix(index, model),
        evidence: [
          age(counting),
          'A replica counts for itself: look there, too, before it is dropped.',
          ...(foreign
            ? [`It is of a foreign key: without it each delete from ${foreign.referenced} reads all of ${index.table}.`]
            : []),
        ],
        scope: undefined,
      };
    });
}

function age(seconds: number): string {
  return seconds >= DAY
    ? `The statistics have been counting for ${count(Math.floor(seconds / DAY))} days at least.`
    : `The statistics have been counting for ${count(seconds / 3_600)} hours: look again after a day of use.`;
}

function sameTable(
  one: Pick<InventoryIndex, 'schema' | 'table'>,
  other: Pick<InventoryIndex, 'schema' | 'table'>,
): boolean {
  return one.table === other.table && one.schema === other.schema;
}
