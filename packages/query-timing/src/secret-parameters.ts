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
    } else if (column !== undefined) {
      known.add(index);
      const entity = table === undefined ? undefined : model.byTable(table);
      const isHidden =
        entity === undefined ? model.entities.some(each => each.secret.has(column)) : entity.secret.has(column);
      if (isHidden || model.isSecretName(column)) {
        secret.add(index);
      }
    }
  }
  return index => secret.has(index) || !known.has(index);
}
