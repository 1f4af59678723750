/** What of the page a path means. */
export type Route =
  | { readonly name: 'page' | 'json' | 'markdown' | 'events' | 'reset' }
  | { readonly name: 'scope'; readonly id: number };

/**
 * `undefined`: nothing of the page's. Beside the mount (`/queries.json`) and under it (`/queries/report.json`,
 * `/queries/.json`): where a server takes off the prefix, only what is under it arrives. Pure.
 *
 * @param path without query
 * @param prefix without a slash at its end
 * @param mounted whether the server has taken off a prefix of its own: then `prefix` need not be there
 */
export function routeOf(path: string, prefix: string, mounted: boolean): Route | undefined {
  const rest = path.startsWith(prefix) ? routeUnder(path.slice(prefix.length)) : undefined;
  return rest ?? (mounted ? routeUnder(path) : undefined);
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
