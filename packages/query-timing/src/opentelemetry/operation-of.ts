import type { QueryRecord } from '../query-record.ts';

/** What a query does, to what: `db.operation.name` and `db.collection.name` of OpenTelemetry. */
export interface OperationNames {
  readonly operation: string | undefined;
  readonly collection: string | undefined;
}

const nothing: OperationNames = { operation: undefined, collection: undefined };

/**
 * What is told of a query by name. The conventions forbid to read it out of the text, so that both are `undefined` for SQL
 * that the user has written; what MikroORM wrote says what MikroORM was asked for. The words are those of the summary, which
 * has to have them.
 */
export function operationOf(record: QueryRecord): OperationNames {
  const { summary, tables } = record.shape;
  if (summary === '' || !isOfMikroOrm(record)) {
    return nothing;
  }
  const space = summary.indexOf(' ');
  return { operation: space < 0 ? summary : summary.slice(0, space), collection: tables[0] };
}

/** A flush and a query builder write for many entities, and do not tell for which. SQL of the user's has an entity by its table. */
function isOfMikroOrm({ entity, operation, shape }: QueryRecord): boolean {
  if (operation === 'execute' || operation === 'kysely') {
    return false;
  }
  return entity !== undefined || operation === 'flush' || operation === 'qb' || shape.kind === 'transaction';
}
