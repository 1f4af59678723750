import type { PageRequest } from './request.ts';

/** The header that a reset has to have: a form or a link of another site cannot send one of its own. */
export const RESET_HEADER = 'x-query-timing';

/**
 * Whether a request that changes something was sent by the page: it has our header, and its `Origin` is the host that it
 * calls. Behind a proxy that changes `Host`, a browser's own `Sec-Fetch-Site` (which no page can set) tells as well. Pure.
 */
export function cameFromPage({ headers, host }: PageRequest): boolean {
  const origin = headers.get('origin');
  if (headers.get(RESET_HEADER) !== 'reset' || origin === null) {
    return false;
  }
  const site = headers.get('sec-fetch-site');
  if (site !== null) {
    return site === 'same-origin';
  }
  return host !== undefined && URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
}
