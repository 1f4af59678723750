/**
 * Whether somebody has wrapped `query` of pg's clients as OpenTelemetry's instrumentations do (`__wrapped`), Sentry's among
 * them: it makes client spans of its own.
 * @param driver a pool of pg, or the module
 */
export function isWrapped(driver: object | undefined): boolean {
  const query = (driver as Driver | undefined)?.Client?.prototype?.query;
  return typeof query === 'function' && (query as { readonly __wrapped?: unknown }).__wrapped === true;
}

interface Driver {
  readonly Client?: { readonly prototype?: { readonly query?: unknown } };
}
