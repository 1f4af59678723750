import type { Model } from './model.ts';
import { placeholders } from './sql/placeholders.ts';

/** Whether a parameter stands beside a column that is not to be shown; where it stands cannot be told, it is not shown either. */
export function secretParameters(
  sql: string,
  model: Model & { isSecretName(column: string): boolean },
): (index: number) => boolean {
  const secret = new Set<number>();
  const known = new Set<number>();
  for (const { index, table, column, place } of placeholders(sql)) {
    if (place === 'limit' || place === 'offset') {
      known.add(index);
      continue;
    }
    // What is no table of an entity may be a part of the statement, where a column has got another name.
    const entity = table === undefined ? undefined : model.byTable(table);
    if (column !== undefined && entity !== undefined) {
      known.add(index);
      if (entity.secret.has(column) || model.isSecretName(column)) {
        secret.add(index);
      }
    }
  }
  return index => secret.has(index) || !known.has(index);
}
