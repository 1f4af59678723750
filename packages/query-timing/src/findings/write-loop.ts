import { type Moving, movingOf } from './moving.ts';
import type { Group, Repeats } from './repeats.ts';
import { isFannedOut, type ScopeView } from './scope-view.ts';

/** Writes one by one that one statement or one flush could have been. */
export interface WriteLoop {
  readonly repeats: Repeats;
  readonly group: Group;
  readonly moving: Moving | undefined;
}

/** Whether the writes of a group, counted once for each flush, are a loop: so many from one place, in one fork. */
export function writeLoop(view: ScopeView, repeats: Repeats, group: Group): WriteLoop | undefined {
  const { threshold } = view.settings;
  return group.count < (group.site === undefined ? threshold * 2 : threshold) || isFannedOut(view, group, false)
    ? undefined
    : { repeats, group, moving: movingOf(group.hits, repeats.placeholders) };
}
