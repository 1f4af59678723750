import { appended, EMPTY } from '../appended.ts';
import type { CallSite } from '../call-site.ts';
import type { Course } from './course.ts';
import type { Group, Hit, Repeats } from './repeats.ts';
import type { Seen } from './seen.ts';
import { callOf } from './own-work.ts';
import { siteKey } from './site-key.ts';
import { hashText, hashValue, hashValues } from './value-hash.ts';

const MOST_HITS = 8;
const MOST_GROUPS = 8;
/** Values of a query that are told apart one by one. */
const MOST_VALUES = 16;
/** Texts so short are met by chance, as small numbers are. */
const RARE_LENGTH = 8;
const RARE_NUMBER = 1_000_000;

/**
 * Counts a query among the others of its shape.
 *
 * @returns the group that it is one of; `undefined` if it is none of any: a retry, for many at once, or a duplicate
 */
export function addHit(repeats: Repeats, seen: Seen, course: Course): Group | undefined {
  const { record, parameters, rows, operation } = seen;
  const { shape, site } = record;
  // What it waited for a connection is for the others that are under way, and would be counted for each of them.
  const took = Math.max(record.took - record.wait, 0);
  const call = callOf(operation);
  // Some calls make a fork for what they do.
  const fork = call?.fork ?? record.fork;
  const values = valuesOf(parameters);
  const whole = wholeOf(seen, values);
  const { start } = record;
  const same = repeats.hits.find(hit => hit.whole === whole);
  const isRead = shape.kind === 'select';
  // What has changed nothing is tried again as well: an update that has lost against another.
  const isRetry = same !== undefined && (course.hasFailedSince(repeats) || (!isRead && record.rows === 0));
  const hadReason = same === undefined || course.hadReason(repeats, start);
  repeats.lastAt = course.at;
  repeats.lastEnd = start + record.took / 1000;
  repeats.lastErrors = course.errors;
  if (isRetry) {
    return undefined;
  }
  if (same !== undefined && isRead && !hadReason && call?.name !== 'refresh') {
    same.same++;
    same.sameTook += took;
    same.sameSite ??= site;
    if (fork !== same.fork) {
      same.sameForks++;
    }
  }
  repeats.count++;
  if (isRead && isForMany(shape.hasList, parameters)) {
    if (same === undefined && repeats.hits.length < MOST_HITS) {
      repeats.hits = appended(repeats.hits, newHit(course.at, whole, EMPTY, 0, fork));
    }
    return undefined;
  }
  const group = groupOf(repeats, site, call?.name ?? record.operation, operation?.entity ?? record.entity);
  group.count++;
  group.took += took;
  group.rows += record.rows ?? 0;
  group.mostRows = Math.max(group.mostRows, record.rows ?? rows.length);
  if (same === undefined) {
    group.distinct++;
    if (repeats.hits.length < MOST_HITS) {
      const hit = newHit(course.at, whole, values, rareOf(parameters), fork);
      repeats.hits = appended(repeats.hits, hit);
      group.hits = appended(group.hits, hit);
    }
  }
  return group;
}

/** In a text that was written by hand, values may stand in the text itself. */
function wholeOf({ sql, parameters, operation }: Seen, values: readonly number[]): number {
  const ofValues = hashValues(parameters, values);
  return operation !== undefined && parameters.length > 0 ? ofValues : hashText(sql) ^ ofValues;
}

/** `in (1, 2, 3)` and `any('{1,2,3}')`: a batch. */
function isForMany(hasList: boolean, parameters: readonly unknown[]): boolean {
  return hasList || parameters.some(value => Array.isArray(value) && value.length > 1);
}

function newHit(at: number, whole: number, values: readonly number[], rare: number, fork: number | undefined): Hit {
  return { at, whole, values, rare, fork, same: 0, sameTook: 0, sameSite: undefined, sameForks: 0 };
}

function valuesOf(parameters: readonly unknown[]): readonly number[] {
  const first = parameters.length > MOST_VALUES ? parameters.slice(0, MOST_VALUES) : parameters;
  return first.map(value => hashValue(value));
}

function rareOf(parameters: readonly unknown[]): number {
  let rare = 0;
  const most = Math.min(parameters.length, MOST_VALUES);
  for (let index = 0; index < most; index++) {
    const value = parameters[index];
    if (
      typeof value === 'string'
        ? value.length >= RARE_LENGTH
        : typeof value === 'number'
          ? Math.abs(value) >= RARE_NUMBER
          : typeof value === 'bigint'
    ) {
      rare |= 1 << index;
    }
  }
  return rare;
}

/**
 * The group of a place. The first query of a shape has no known place: it is taken for the first of those that follow. After
 * the first six nobody asks any more: they are taken for more of the last ones.
 */
function groupOf(
  repeats: Repeats,
  site: CallSite | undefined,
  method: string | undefined,
  entity: string | undefined,
): Group {
  const { groups } = repeats;
  const last = groups.at(-1);
  if (site === undefined) {
    return last ?? added(repeats, undefined, undefined, method, entity);
  }
  const key = siteKey(site);
  const known = groups.find(group => group.key === key);
  if (known !== undefined) {
    return known;
  }
  if (last?.key === undefined && last?.method === method && groups.length === 1) {
    last!.key = key;
    last!.site = site;
    return last!;
  }
  return groups.length < MOST_GROUPS ? added(repeats, key, site, method, entity) : last!;
}

function added(
  repeats: Repeats,
  key: string | undefined,
  site: CallSite | undefined,
  method: string | undefined,
  entity: string | undefined,
): Group {
  const group: Group = {
    key,
    site,
    hits: EMPTY,
    count: 0,
    distinct: 0,
    took: 0,
    rows: 0,
    mostRows: 0,
    method,
    entity,
    toldAs: undefined,
  };
  repeats.groups = appended(repeats.groups, group);
  return group;
}
