import type { Finding } from '../finding.ts';
import { findingId } from '../finding-id.ts';
import type { Model } from '../model.ts';
import { count } from '../plans/rules/words.ts';
import type { ChosenIndex } from './index-choice.ts';
import { createIndexSql } from './index-code.ts';
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
  const index: ChosenIndex = { columns: key.columns.map(column => ({ column, order: undefined })), isNull: [] };
  const table = { schema: key.schema === 'public' ? undefined : key.schema, name: key.table };
  const code = relationCode(key, model);
  return [...(code === undefined ? [] : [code]), createIndexSql(table, index)].join('\n');
}

/** PostgreSQL makes no index of a foreign key, and MikroORM makes one only if it is told to. */
function relationCode(key: ForeignKey, model: Model): string | undefined {
  const entity = model.byTable(key.table);
  const relation = entity?.relations.find(({ owner, columns }) => owner && columns.join() === key.columns.join());
  if (entity && relation && !entity.pivot) {
    return `.index(), @ManyToOne({ index: true })  // on ${entity.name}.${relation.property}`;
  }
  for (const { name, relations } of model.entities) {
    const pivot = relations.find(each => each.owner && each.pivotTable === key.table);
    if (pivot) {
      return `.index(), @ManyToMany({ index: true })  // on ${name}.${pivot.property}`;
    }
  }
  return undefined;
}
