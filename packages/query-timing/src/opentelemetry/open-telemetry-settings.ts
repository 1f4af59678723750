import { type Meter, metrics, trace, type Tracer } from '@opentelemetry/api';
import { checkBoolean, checkText, isObject, oneOf, whole, wrong } from '../checks.ts';
import { databaseOf } from './driver.ts';
import type { OpenTelemetryOptions, ServerAddress } from './open-telemetry-options.ts';

/** `OpenTelemetryOptions`, checked, with their defaults. */
export interface OpenTelemetrySettings {
  readonly tracer: Tracer;
  readonly meter: Meter;
  readonly spans: 'auto' | 'client' | 'internal' | 'off';
  readonly metrics: boolean;
  readonly queryText: boolean;
  readonly rows: boolean;
  namespace(): string | undefined;
  server(node: string | undefined): ServerAddress | undefined;
}

/** Name of the tracer and of the meter. */
const scope = '@mikrokit/query-timing';

const names: readonly string[] = [
  'tracer',
  'meter',
  'spans',
  'metrics',
  'queryText',
  'rows',
  'namespace',
  'server',
] satisfies (keyof OpenTelemetryOptions)[];

const hostAndPort = /^([\w.-]{1,255}|\[[\da-f:.]{2,45}\]):(\d{1,5})$/i;

/** @param driver `timing.driver` @throws {OptionsError} */
export function openTelemetrySettings(
  options: OpenTelemetryOptions = {},
  driver: () => object | undefined,
): OpenTelemetrySettings {
  if (!isObject(options)) {
    throw wrong('options', `is an object with ${names.join(', ')}`, options, 'Leave it out for the defaults.');
  }
  const unknown = Object.keys(options).find(name => !names.includes(name));
  if (unknown !== undefined) {
    throw wrong(unknown, `is not known, only ${names.join(', ')} are`, options, 'Remove it or correct its name.');
  }
  const { tracer, meter } = options;
  if (tracer !== undefined && typeof (tracer as Partial<Tracer> | null)?.startSpan !== 'function') {
    throw wrong('tracer', 'is a tracer of @opentelemetry/api', tracer, 'Leave it out for that of the registered SDK.');
  }
  if (meter !== undefined && typeof (meter as Partial<Meter> | null)?.createHistogram !== 'function') {
    throw wrong('meter', 'is a meter of @opentelemetry/api', meter, 'Leave it out for that of the registered SDK.');
  }
  const namespace = checkText('namespace', options.namespace);
  return {
    tracer: tracer ?? trace.getTracer(scope),
    meter: meter ?? metrics.getMeter(scope),
    spans: oneOf('spans', options.spans, 'auto', ['auto', 'client', 'internal', 'off']),
    metrics: checkBoolean('metrics', options.metrics ?? true),
    queryText: checkBoolean('queryText', options.queryText ?? true),
    rows: checkBoolean('rows', options.rows ?? true),
    namespace: () => namespace ?? databaseOf(driver()),
    server: serverOf(options.server),
  };
}

/** Nodes are named after their addresses, unless they have names of their own. */
function serverOf(server: OpenTelemetryOptions['server']): OpenTelemetrySettings['server'] {
  if (typeof server === 'function') {
    return node => server(node) ?? addressIn(node);
  }
  if (server === undefined) {
    return addressIn;
  }
  if (!isObject(server)) {
    throw wrong('server', 'is an object with address and port, or a function', server, 'Leave it out if unknown.');
  }
  if (checkText('server.address', server.address) === undefined) {
    throw wrong('server.address', 'is the name of a host', server.address, 'Leave out server if it is unknown.');
  }
  whole('server.port', server.port, 5432, 1, 65_535);
  return () => server;
}

function addressIn(node: string | undefined): ServerAddress | undefined {
  const [, address, port] = (node !== undefined && hostAndPort.exec(node)) || [];
  return address === undefined ? undefined : { address, port: Number(port) };
}
