import type { QueryRecord } from '../query-record.ts';

/** What a query does, to what: `db.operation.name` and `db.collection.name` of OpenTelemetry. */
export interface OperationNames {
  readonly operation: string | undefined;
  readonly collection: string | undefined;
}

const nothing: OperationNames = { operation: undefined, collection: undefined };

/**
 * What is told of a query by name. The conventions forbid to read it out of the text, so that both are `undefined` for SQL
 * that the user has written; MikroORM wrote the text of what an entity was asked for, and of transactions. The words are
 * those of the summary, which has to have them.
 */
export function operationOf({ entity, shape: { kind, summary, tables } }: QueryRecord): OperationNames {
  if ((entity === undefined && kind !== 'transaction') || summary === '') {
    return nothing;
  }
  const space = summary.indexOf(' ');
  return { operation: space < 0 ? summary : summary.slice(0, space), collection: tables[0] };
}
