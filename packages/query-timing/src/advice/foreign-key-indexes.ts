import type { Finding } from '../finding.ts';
import { findingId } from '../finding-id.ts';
import type { Model } from '../model.ts';
import { count } from '../plans/rules/words.ts';
import type { ChosenIndex } from './index-choice.ts';
import { createIndexSql, entityCode } from './index-code.ts';
import type { ForeignKey, Inventory } from './index-inventory.ts';

/** Foreign keys whose columns no index begins with. */
export function unindexedForeignKeys({ foreignKeys, indexes }: Inventory, model: Model): readonly Finding[] {
  return foreignKeys
    .filter(key => !indexes.some(index => covers(index, key)))
    .map(key => {
      const columns = key.columns.join(', ');
      return {
        id: findingId('missing-foreign-key-index', key.schema, key.table, ...key.columns),
        kind: 'missing-foreign-key-index',
        severity: 'warning',
        title:
          `The foreign key ${columns} of ${key.table} has no index: each delete from ${key.referenced}, and each change of ` +
          `its key, reads all ${count(key.rows)} rows of ${key.table}.`,
        subject: `${key.table} (${columns})`,
        shape: undefined,
        count: 1,
        cost: 0,
        site: undefined,
        parent: undefined,
        fix: fix(key, model),
        evidence: [`So does each join from ${key.referenced} to ${key.table}.`],
        scope: undefined,
      };
    });
}

function covers(index: Inventory['indexes'][number], key: ForeignKey): boolean {
  const first = index.columns.slice(0, key.columns.length);
  return (
    index.schema === key.schema &&
    index.table === key.table &&
    index.method === 'btree' &&
    index.predicate === undefined &&
    key.columns.every(column => first.includes(column))
  );
}

function fix(key: ForeignKey, model: Model): string {
  const entity = model.byTable(key.table);
  const relation = entity?.relations.find(({ owner, columns }) => owner && columns.join() === key.columns.join());
  const index: ChosenIndex = { columns: key.columns.map(column => ({ column, order: undefined })), isNull: [] };
  const code =
    entity && relation
      ? `.index(), @ManyToOne({ index: true })  // on ${entity.name}.${relation.property}`
      : entity && entityCode(entity, index);
  const table = { schema: key.schema === 'public' ? undefined : key.schema, name: key.table };
  return [code, createIndexSql(table, index)].filter(line => line !== undefined).join('\n');
}
