import type { CallSite } from '../call-site.ts';
import { mapped } from '../call-sites.ts';
import { compiledPlace } from '../compiled-place.ts';

/** A call site in the words of its source, under a test runner that compiles in memory, too. */
export function shownSite(site: CallSite): CallSite {
  const shown = mapped(site);
  // Where Node has a map, the runner has none of its own.
  return shown.line === site.line && shown.column === site.column ? { ...shown, ...compiledPlace(site) } : shown;
}
