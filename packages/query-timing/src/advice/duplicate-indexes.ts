import type { Finding } from '../finding.ts';
import { findingId } from '../finding-id.ts';
import type { Model } from '../model.ts';
import { kilobytes } from '../plans/rules/words.ts';
import { dropFix } from './drop-fix.ts';
import type { Inventory, InventoryIndex } from './index-inventory.ts';

/** Indexes that another one does the work of: it has the same columns first, in the same order, for the same rows. */
export function duplicateIndexes({ indexes }: Inventory, model: Model): readonly Finding[] {
  return indexes.flatMap(index => {
    const other = indexes.find(each => replaces(each, index));
    return other ? [finding(index, other, model)] : [];
  });
}

function replaces(other: InventoryIndex, index: InventoryIndex): boolean {
  return (
    other !== index &&
    !index.needed &&
    other.schema === index.schema &&
    other.table === index.table &&
    other.method === index.method &&
    other.predicate === index.predicate &&
    index.keys.every((key, place) => key === other.keys[place]) &&
    index.included.every(column => other.included.includes(column) || other.columns.includes(column)) &&
    (other.keys.length === index.keys.length ? isKept(other, index) : index.method === 'btree')
  );
}

/** Of two with the same keys one stays: the one that something needs, that has more in it, or whose name is first. */
function isKept(other: InventoryIndex, index: InventoryIndex): boolean {
  return (
    other.needed ||
    other.included.length > index.included.length ||
    (other.included.length === index.included.length && other.name < index.name)
  );
}

function finding(index: InventoryIndex, other: InventoryIndex, model: Model): Finding {
  const same = index.keys.length === other.keys.length ? 'has the same columns' : 'begins with the same columns';
  return {
    id: findingId('duplicate-index', index.schema, index.table, index.name),
    kind: 'duplicate-index',
    severity: 'warning',
    title: `The index ${index.name} of ${index.table} is superfluous: ${other.name} ${same}.`,
    subject: `${index.table} (${index.columns.map(column => column ?? '(expression)').join(', ')})`,
    shape: undefined,
    count: 1,
    cost: 0,
    site: undefined,
    parent: undefined,
    fix: dropFix(index, model),
    evidence: [`It takes ${kilobytes(index.size / 1_024)}, and each write has to keep it up.`],
    scope: undefined,
  };
}
