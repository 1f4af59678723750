import { type Moving, movingOf } from './moving.ts';
import type { Group, Repeats } from './repeats.ts';
import { isFannedOut, type ScopeView } from './scope-view.ts';

/** Writes one by one that one statement or one flush could have been. */
export interface WriteLoop {
  readonly repeats: Repeats;
  readonly group: Group;
  readonly moving: Moving | undefined;
}

/**
 * Whether the writes of a group, counted once for each flush, are a loop: so many from one place, in one fork. Who updates the same
 * row again and again by itself tells of what goes on: a heartbeat, the progress of a job.
 */
export function writeLoop(view: ScopeView, repeats: Repeats, group: Group): WriteLoop | undefined {
  const { threshold } = view.settings;
  const moving = movingOf(group.hits, repeats.placeholders);
  return group.count < (group.site === undefined ? threshold * 2 : threshold) ||
    isFannedOut(view, group, false) ||
    (repeats.shape.kind === 'update' && group.method !== 'flush' && moving?.isSetAlone === true)
    ? undefined
    : { repeats, group, moving };
}
