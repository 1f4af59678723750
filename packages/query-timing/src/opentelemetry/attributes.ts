import type { Attributes } from '@opentelemetry/api';
import type { QueryRecord } from '../query-record.ts';
import { isReturned } from './is-returned.ts';
import type { OpenTelemetrySettings } from './open-telemetry-settings.ts';
import { operationOf } from './operation-of.ts';
import { sqlState } from './sqlstate.ts';

const DEFAULT_PORT = 5432;

/** What metrics of queries, and spans, are told apart by. A new object; no value of a parameter or row is in it. */
export function queryAttributes(settings: OpenTelemetrySettings, record: QueryRecord): Attributes {
  const { shape, error, node } = record;
  const attributes: Attributes = { 'db.system.name': 'postgresql' };
  const { operation, collection } = operationOf(record);
  const server = settings.server(node);
  const namespace = settings.namespace();
  if (namespace !== undefined) {
    attributes['db.namespace'] = namespace;
  }
  if (shape.summary !== '') {
    attributes['db.query.summary'] = shape.summary;
  }
  if (operation !== undefined) {
    attributes['db.operation.name'] = operation;
  }
  if (collection !== undefined) {
    attributes['db.collection.name'] = collection;
  }
  if (server !== undefined) {
    attributes['server.address'] = server.address;
    if (server.port !== undefined && server.port !== DEFAULT_PORT) {
      attributes['server.port'] = server.port;
    }
  }
  if (error !== undefined) {
    attributes['error.type'] = error;
    const state = sqlState(error);
    if (state !== undefined) {
      attributes['db.response.status_code'] = state;
    }
  }
  return attributes;
}

/** What a span has beside them. */
export function spanAttributes(settings: OpenTelemetrySettings, record: QueryRecord): Attributes {
  const attributes = queryAttributes(settings, record);
  const { shape, rows, site } = record;
  if (settings.queryText) {
    attributes['db.query.text'] = shape.text;
  }
  if (settings.rows && isReturned(record)) {
    attributes['db.response.returned_rows'] = rows;
  }
  if (site !== undefined) {
    attributes['code.file.path'] = site.file;
    attributes['code.line.number'] = site.line;
    attributes['code.function.name'] = site.function;
  }
  return attributes;
}
