import { movingOf } from './moving.ts';
import type { Group, Repeats } from './repeats.ts';
import type { ScopeView } from './scope-view.ts';

/** Whether a group goes through pages: only limit, offset or the last key move. */
export function isPagedLoop({ settings }: ScopeView, { placeholders }: Repeats, group: Group): boolean {
  return group.distinct >= settings.threshold && movingOf(group.hits, placeholders)?.isPaging === true;
}
