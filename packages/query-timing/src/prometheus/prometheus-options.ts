import { checkText, isObject, wrong } from '../checks.ts';

/** Options of `prometheus()`; every one may be left out. */
export interface PrometheusOptions {
  /** Label `db_namespace`: `database` or `database|schema`, as they are when connecting. @default the database */
  readonly namespace?: string | undefined;
}

/** @throws {OptionsError} */
export function checkedOptions(options: PrometheusOptions = {}): PrometheusOptions {
  if (!isObject(options)) {
    throw wrong('options', 'is an object with namespace', options, 'Leave it out for the defaults.');
  }
  const unknown = Object.keys(options).find(name => name !== 'namespace');
  if (unknown !== undefined) {
    throw wrong(unknown, 'is not known, only namespace is', options, 'Remove it or correct its name.');
  }
  return { namespace: checkText('namespace', options.namespace) };
}
