/**
 * Whether somebody has wrapped `query` of pg's clients as OpenTelemetry's instrumentations do (`__wrapped`), Sentry's among
 * them: it makes client spans of its own.
 * @param driver `timing.driver()`
 */
export function isWrapped(driver: object | undefined): boolean {
  const query = (driver as Pool | undefined)?.Client?.prototype?.query;
  return typeof query === 'function' && (query as { readonly __wrapped?: unknown }).__wrapped === true;
}

/** The database that the pool connects to, where it was told by name. @param driver `timing.driver()` */
export function databaseOf(driver: object | undefined): string | undefined {
  const database = (driver as Pool | undefined)?.options?.database;
  return typeof database === 'string' && database !== '' ? database : undefined;
}

/** What is looked at of a pool of pg, which may be something else: users can give drivers of their own. */
interface Pool {
  readonly Client?: { readonly prototype?: { readonly query?: unknown } };
  readonly options?: { readonly database?: unknown };
}
