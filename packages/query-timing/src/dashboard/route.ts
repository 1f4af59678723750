/** What of the page a path means. */
export type Route =
  | { readonly name: 'page' | 'json' | 'markdown' | 'events' | 'reset' }
  | { readonly name: 'scope'; readonly id: number };

/** The paths of a request, without query. */
export interface Paths {
  /** As the client sent it. */
  readonly full: string;
  /** As the server has it: it may have taken a prefix off. */
  readonly path: string;
}

/**
 * `undefined`: nothing of the page's. Beside its place (`/queries.json`) and under it (`/queries/report.json`,
 * `/queries/.json`): where a server takes off the prefix, only what is under it arrives. Pure.
 *
 * @param prefix where the page is, without a slash at its end
 * @param anywhere whether it is wherever a server has taken a prefix off, too
 */
export function routeOf({ full, path }: Paths, prefix: string, anywhere: boolean): Route | undefined {
  return (
    routeAfter(full, prefix) ?? routeAfter(path, prefix) ?? (anywhere && full !== path ? routeUnder(path) : undefined)
  );
}

function routeAfter(path: string, prefix: string): Route | undefined {
  return path.startsWith(prefix) ? routeUnder(path.slice(prefix.length)) : undefined;
}

function routeUnder(path: string): Route | undefined {
  switch (path) {
    case '':
    case '/':
      return { name: 'page' };
    case '.json':
    case '/.json':
    case '/report.json':
      return { name: 'json' };
    case '.md':
    case '/.md':
    case '/report.md':
      return { name: 'markdown' };
    case '/events':
      return { name: 'events' };
    case '/reset':
      return { name: 'reset' };
    default: {
      const id = /^\/scopes\/(\d{1,15})\.json$/.exec(path)?.[1];
      return id === undefined ? undefined : { name: 'scope', id: Number(id) };
    }
  }
}
