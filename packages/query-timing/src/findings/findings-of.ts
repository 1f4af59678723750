import type { Finding } from '../finding.ts';
import { describeDuplicate, describeNPlusOne, describePagedLoop, describeWriteLoop } from './describe.ts';
import { duplicateOf } from './duplicates.ts';
import { isIgnored } from './ignored.ts';
import { type NPlusOne, nPlusOne } from './n-plus-one.ts';
import { isPagedLoop } from './paged-loop.ts';
import type { Group, Repeats } from './repeats.ts';
import type { ScopeView } from './scope-view.ts';
import { together } from './together.ts';
import { writeLoop } from './write-loop.ts';

/** Candidates of one scope that are looked into, the most costly first. */
const MOST = 50;
/** Parents that are looked at while the scope runs. */
const MOST_LIVE = 64;

/** Everything that was found in a scope, the most costly first. */
export function findingsOf(view: ScopeView): readonly Finding[] {
  const { threshold, minTime } = view.settings;
  const candidates = view.shapes
    .flatMap(repeats => repeats.groups.map(group => ({ repeats, group })))
    .filter(({ group }) => group.count >= threshold)
    .toSorted((a, b) => b.group.took - a.group.took)
    .slice(0, MOST);
  const nPlusOnes: NPlusOne[] = [];
  const found: Finding[] = [];
  for (const { repeats, group } of candidates) {
    if (isIgnored(view.settings.ignore, group.site, group.entity, repeats.shape)) {
      continue;
    }
    const result = examine(view, repeats, group, Number.POSITIVE_INFINITY);
    if (result !== undefined && 'kind' in result) {
      found.push(result);
    } else if (result !== undefined) {
      nPlusOnes.push(result);
    }
  }
  for (const items of together(nPlusOnes)) {
    found.push(describeNPlusOne(view, items, nPlusOnes));
  }
  const repeated = new Set(nPlusOnes.map(({ repeats }) => repeats));
  for (const repeats of view.shapes) {
    if (!repeated.has(repeats)) {
      found.push(...duplicates(view, repeats));
    }
  }
  return found
    .filter(({ cost }) => cost >= minTime * 1000)
    .toSorted((a, b) => b.cost - a.cost)
    .slice(0, MOST);
}

/** What has become certain of one group while the scope goes on. */
export function liveFinding(view: ScopeView, repeats: Repeats, group: Group): Finding | undefined {
  if (isIgnored(view.settings.ignore, group.site, group.entity, repeats.shape)) {
    return undefined;
  }
  const result = group.count < view.settings.threshold ? undefined : examine(view, repeats, group, MOST_LIVE);
  const finding =
    result === undefined
      ? duplicates(view, repeats)[0]
      : 'kind' in result
        ? result
        : describeNPlusOne(view, [result], []);
  return finding === undefined || finding.cost < view.settings.minTime * 1000 ? undefined : finding;
}

function examine(view: ScopeView, repeats: Repeats, group: Group, most: number): Finding | NPlusOne | undefined {
  if (repeats.shape.kind !== 'select') {
    const loop = writeLoop(view, repeats, group);
    return loop && describeWriteLoop(view, loop);
  }
  return isPagedLoop(view, repeats, group)
    ? describePagedLoop(view, repeats, group)
    : nPlusOne(view, repeats, group, most);
}

function duplicates(view: ScopeView, repeats: Repeats): readonly Finding[] {
  const duplicate = repeats.shape.kind === 'select' ? duplicateOf(view, repeats) : undefined;
  return duplicate === undefined || isIgnored(view.settings.ignore, duplicate.site, repeats.entity, repeats.shape)
    ? []
    : [describeDuplicate(view, duplicate)];
}
