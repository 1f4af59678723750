import type { CallSite } from '../call-site.ts';
import { findingId } from '../finding-id.ts';
import type { Finding, FindingParent } from '../finding.ts';
import type { Placeholder } from '../sql/placeholders.ts';
import type { Duplicate } from './duplicates.ts';
import type { ModelFacts } from './model-facts.ts';
import { movingOf } from './moving.ts';
import type { NPlusOne } from './n-plus-one.ts';
import type { Parent } from './parent-search.ts';
import { readFix } from './read-fix.ts';
import type { Group, Repeats } from './repeats.ts';
import { type ScopeView, severityOf } from './scope-view.ts';
import { placeOf, steadyName } from './site-key.ts';
import { areAsMany } from './together.ts';
import { counted, listed, milliseconds, plural } from './words.ts';
import { writeFix } from './write-fix.ts';
import type { WriteLoop } from './write-loop.ts';

/**
 * @param items one is an N+1, several that belong together an MN+1
 * @param all that was found in the scope
 */
export function describeNPlusOne(
  { facts, shapes }: ScopeView,
  items: readonly NPlusOne[],
  all: readonly NPlusOne[],
): Finding {
  const [first] = items;
  const { repeats, group, count, parent } = first!;
  // What a call in the loop populates is repeated with it.
  const populated = shapes.filter(
    ({ own, host }) => own > 0 && areAsMany(own, count) && items.some(item => item.repeats === host),
  );
  const isMany = items.length + populated.length > 1;
  const kind = isMany ? 'mn+1' : 'n+1';
  const total = items.reduce((sum, item) => sum + item.count, 0) + populated.reduce((sum, { own }) => sum + own, 0);
  const cost =
    items.reduce((sum, item) => sum + item.cost, 0) + populated.reduce((sum, { ownTook }) => sum + ownTook, 0);
  const names = [
    ...items.map(item => nameOf(facts, item.repeats, item.moving?.keys)),
    ...populated.map(each => nameOf(facts, each, [])),
  ];
  const what = isMany ? `${count} × ${names.length} queries (${listed(names)})` : `${count} × ${names[0]}`;
  if (parent !== undefined) {
    facts.addParent(parent.repeats.shape.id);
  }
  const relation = items.map(item => item.parent?.link?.path ?? item.moving?.keys[0]?.column ?? '').join(' ');
  const shapeIds = [...items.map(item => item.repeats.shape.id), ...populated.map(({ shape }) => shape.id)];
  return {
    id: findingId(kind, shapeIds.toSorted().join(' '), relation, steadyName(group.site)),
    kind,
    severity: severityOf(total, cost),
    title: `${isMany ? 'MN+1' : 'N+1'}: ${what}${becauseOf(facts, count, parent)}`,
    subject: repeats.shape.text,
    shape: repeats.shape.id,
    count: total,
    cost,
    site: group.site,
    parent: parent && parentOf(facts, parent),
    fix: readFix(facts, items, populated, all),
    evidence: items.flatMap(item =>
      evidenceOf(item).map(sentence =>
        isMany ? `${nameOf(facts, item.repeats, item.moving?.keys)}: ${sentence}` : sentence,
      ),
    ),
    scope: undefined,
  };
}

export function describePagedLoop({ facts }: ScopeView, repeats: Repeats, group: Group): Finding {
  const moving = movingOf(group.hits, repeats.placeholders);
  const name = nameOf(facts, repeats, moving?.keys ?? []);
  return {
    ...common('paged-loop', repeats, group, undefined),
    severity: 'info',
    title: `Paged loop: ${group.count} × ${name}, ${counted(group.rows, 'row')} page by page`,
    fix: `larger pages, or em.stream()${at(group.site)}`,
    evidence: [spent(group.count, group.took)],
  };
}

export function describeWriteLoop({ facts }: ScopeView, loop: WriteLoop): Finding {
  const { repeats, group, moving } = loop;
  const name = nameOf(facts, repeats, moving?.keys ?? []);
  return {
    ...common('write-loop', repeats, group, undefined),
    title: `Write loop: ${group.count} × ${name}, ${group.method === 'flush' ? 'each with a flush of its own' : 'one by one'}`,
    fix: writeFix(facts, loop),
    evidence: [
      spent(group.count, group.took),
      ...(group.method === 'flush' ? ['Each flush is a transaction: begin and commit come with each.'] : []),
    ],
  };
}

export function describeDuplicate({ facts, settings }: ScopeView, duplicate: Duplicate): Finding {
  const { repeats, count, cost, site, isOfForks } = duplicate;
  const { shape } = repeats;
  const values = repeats.hits.filter(({ same }) => same > 0).length;
  return {
    id: findingId('duplicate', shape.id, '', steadyName(site)),
    kind: 'duplicate',
    severity: count >= settings.threshold ? severityOf(count, cost) : 'info',
    title: `Duplicate: ${count} × ${nameOf(facts, repeats, repeats.placeholders?.filter(({ place }) => place === 'where') ?? [])} with ${values === 1 ? 'the same values' : `${values} sets of values`}`,
    subject: shape.text,
    shape: shape.id,
    count,
    cost,
    site,
    parent: undefined,
    fix: isOfForks
      ? `one fork for both: its identity map has it already${at(site)}; or { cache: 1000 } with resultCache()`
      : `read it once and hand it on${at(site)}; or { cache: 1000 } with resultCache()`,
    evidence: [
      `Asked again ${count - values === 1 ? 'once' : `${count - values} times`}, which took ${milliseconds(cost)}.`,
    ],
    scope: undefined,
  };
}

function common(
  kind: Finding['kind'],
  { shape }: Repeats,
  { count, took, site }: Group,
  relation: string | undefined,
): Finding {
  return {
    id: findingId(kind, shape.id, relation, steadyName(site)),
    kind,
    severity: severityOf(count, took),
    title: '',
    subject: shape.text,
    shape: shape.id,
    count,
    cost: took,
    site,
    parent: undefined,
    fix: undefined,
    evidence: [],
    scope: undefined,
  };
}

/** `select author by id`: of a table of pairs, what they lead to. */
function nameOf(facts: ModelFacts, { shape, entity }: Repeats, keys: readonly Placeholder[] | undefined): string {
  const { table, uses, isCount } = facts.shape(shape);
  const isPivot = facts.entitiesOf(table).some(({ pivot, name }) => pivot && name !== entity);
  const subject = (isPivot ? uses[1]?.table : undefined) ?? table ?? '';
  const columns = [...new Set((keys ?? []).map(({ column }) => column).filter(column => column !== undefined))];
  const verb = isCount ? 'count' : shape.kind;
  return `${verb} ${subject}${columns.length === 0 ? '' : ` by ${listed(columns)}`}`.trim();
}

/** `, for each of the 10 books read at books.ts:38` */
function becauseOf(facts: ModelFacts, count: number, parent: Parent | undefined): string {
  if (parent === undefined) {
    return ', one by one';
  }
  const { repeats, isProved, column } = parent;
  const { shape, rows, method, site } = repeats;
  const main = facts.shape(shape).uses[0];
  // A key that was joined to each row stands for that row.
  const isRoot = column === undefined || column.alias === main?.alias || isJoinedKey(facts, parent);
  const table = isRoot ? facts.shape(shape).table : column.table;
  const name = entityOf(facts, repeats, table) ?? table ?? 'row';
  const isExact = isRoot && !facts.shape(shape).multiplies;
  const rowsOf = !isExact
    ? `for the ${plural(name)}`
    : areAsMany(rows, count)
      ? `for each of the ${counted(rows, name)}`
      : `for the ${counted(rows, name)}`;
  const where = site === undefined ? ` that ${method ?? 'a query'} has read` : ` read at ${placeOf(site)}`;
  return `, ${isProved ? '' : 'probably '}${rowsOf}${where}`;
}

/** The entity that was asked for, if it is of the table; of several in one table they are not the same. */
function entityOf(facts: ModelFacts, { entity }: Repeats, table: string | undefined): string | undefined {
  const entities = facts.entitiesOf(table);
  return (entities.find(({ name }) => name === entity) ?? entities[0])?.name;
}

/** Of an inverse 1:1, which a row has once. */
function isJoinedKey(facts: ModelFacts, { repeats, column, link }: Parent): boolean {
  return link?.kind === 'same' && column !== undefined && facts.shape(repeats.shape).uses[0]?.alias !== column.alias;
}

function parentOf(facts: ModelFacts, parent: Parent): FindingParent {
  const { repeats, isProved, column, link } = parent;
  const { shape, entity, site } = repeats;
  return {
    shape: shape.id,
    text: shape.text,
    entity: isJoinedKey(facts, parent) ? entity : (entityOf(facts, repeats, column?.table) ?? link?.entity ?? entity),
    site,
    proved: isProved,
    column: column && `${column.table}.${column.column}`,
  };
}

function evidenceOf({ repeats, group, count, cost, parent, moving }: NPlusOne): readonly string[] {
  const looked = group.hits.length;
  return [
    spent(count, cost),
    parent === undefined
      ? 'No query of this scope has returned what it asks for: that came from elsewhere.'
      : parent.isProved
        ? `Proved: of ${looked} values looked at, ${parent.found} were in ${parent.column!.table}.${parent.column!.column} of its rows.`
        : 'Not proved: it is the nearest query before that may have led to it.',
    ...(group.distinct < count ? [`Only ${group.distinct} of them had different values.`] : []),
    ...(group.site?.parallel === true ? ['Called in parallel (Promise.all).'] : []),
    ...(moving === undefined && repeats.placeholders !== undefined ? ['Its values could not be told apart.'] : []),
  ];
}

function spent(count: number, cost: number): string {
  return `${count} queries took ${milliseconds(cost)}.`;
}

function at(site: CallSite | undefined): string {
  return site === undefined ? '' : `  // ${placeOf(site)}`;
}
