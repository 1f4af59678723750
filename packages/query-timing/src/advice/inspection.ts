import type { Finding } from '../finding.ts';
import type { Model } from '../model.ts';
import { readOnly, UNEXECUTED } from '../plans/guarded-explain.ts';
import type { SideConnection } from '../side-connection.ts';
import { duplicateIndexes } from './duplicate-indexes.ts';
import { unindexedForeignKeys } from './foreign-key-indexes.ts';
import { readInventory } from './index-inventory.ts';
import { unusedIndexes } from './unused-indexes.ts';

/** Of one look. */
const MOST_FINDINGS = 50;

/** Looks at the indexes of the mapped tables. @throws as the connection does */
export async function inspectIndexes(
  connection: SideConnection,
  model: Model,
  minRows: number,
): Promise<readonly Finding[]> {
  const tables = [...new Set(model.entities.map(({ table }) => table))];
  const inventory = await readOnly(connection, UNEXECUTED, () => readInventory(connection, tables, minRows));
  const duplicate = duplicateIndexes(inventory, model);
  const told = new Set(duplicate.map(({ fix }) => fix));
  return [
    ...unindexedForeignKeys(inventory, model),
    ...duplicate,
    // One that another does the work of is told of once.
    ...unusedIndexes(inventory, model).filter(({ fix }) => !told.has(fix)),
  ].slice(0, MOST_FINDINGS);
}
