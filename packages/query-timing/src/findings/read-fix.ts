import type { ModelFacts } from './model-facts.ts';
import { isMadeUp } from './model-tables.ts';
import type { NPlusOne } from './n-plus-one.ts';
import type { Parent } from './parent-search.ts';
import { type PopulatePath, populatePath, wayTo } from './populate-path.ts';
import type { Repeats } from './repeats.ts';
import { isByHand } from './scope-view.ts';
import { placeOf } from './site-key.ts';
import { variable } from './words.ts';

/** How rows are locked by who reads them. */
const LOCKS = /\bfor (?:no key update|update|share|key share)\b/i;
/** Steps of a way that are followed back. */
const DEEPEST = 4;

/**
 * Code that reads at once what is read one by one.
 *
 * @param items of these: they belong together
 * @param populated what these populate
 * @param all that was found in the scope: what led to these may itself have to be populated
 */
export function readFix(
  facts: ModelFacts,
  items: readonly NPlusOne[],
  populated: readonly Repeats[],
  all: readonly NPlusOne[],
): string | undefined {
  const paths = items.map(item => populateOf(facts, item, all));
  const roots = new Map<Repeats, { readonly entity: string; readonly paths: string[] }>();
  for (const path of paths.filter(each => each !== undefined)) {
    const root = roots.get(path.root) ?? { entity: path.entity, paths: [] };
    root.paths.push(
      path.path,
      ...further(facts, items[paths.indexOf(path)]!, populated).map(way => `${path.path}.${way}`),
    );
    roots.set(path.root, root);
  }
  const instead = batchLoaderFor(items);
  const fixes = [
    ...[...roots].map(([root, { entity, paths: of }]) => populateCode(root, entity, minimal(of), instead)),
    ...items.filter((_item, index) => paths[index] === undefined).map(item => fixOf(facts, item, instead)),
  ];
  return [...new Set(fixes)].filter(fix => fix !== undefined).join('\n') || undefined;
}

/** What populates the relation, where the rows were read as entities and are missed as entities. */
function populateOf(facts: ModelFacts, item: NPlusOne, all: readonly NPlusOne[], depth = 0): PopulatePath | undefined {
  const { repeats, parent } = item;
  if (
    parent === undefined ||
    parent.repeats === repeats ||
    // Whoever populates locks nothing.
    LOCKS.test(repeats.shape.text) ||
    isByHand(facts, repeats) ||
    facts.shape(repeats.shape).isCount
  ) {
    return undefined;
  }
  const path = populatePath(facts, parent, item) ?? lazyPath(facts, repeats, parent);
  if (path === undefined || isByHand(facts, path.root)) {
    return path?.root.method === 'qb' ? path : undefined;
  }
  // What led to it is one by one itself: then it is one step further on the way from what led to that.
  const before = all.find(each => each.repeats === path.root && each.repeats !== repeats);
  const outer = before === undefined || depth > DEEPEST ? undefined : populateOf(facts, before, all, depth + 1);
  return outer === undefined ? path : { ...outer, path: `${outer.path}.${path.path}` };
}

/** Lazy scalars of what was read: MikroORM reads the key and them alone. */
function lazyPath(
  facts: ModelFacts,
  { shape: { text } }: Repeats,
  { repeats, link, column }: Parent,
): PopulatePath | undefined {
  const [, list] = /^select ((?:"\w+"\."\w+"(?:, )?){2,9}) from /.exec(text) ?? [];
  const entity = facts.entitiesOf(column?.table)[0];
  if (link?.kind !== 'same' || list === undefined || entity === undefined) {
    return undefined;
  }
  const columns = [...list.matchAll(/\."(\w+)"/g)].map(([, name]) => name!);
  const properties = columns.filter(name => !entity.primaryKey.includes(name)).map(name => entity.properties.get(name));
  const [property] = properties;
  return properties.length === 1 && property !== undefined
    ? { root: repeats, entity: entity.name, path: property }
    : undefined;
}

/** What an item populates, from its own entity. */
function further(facts: ModelFacts, { repeats }: NPlusOne, populated: readonly Repeats[]): readonly string[] {
  return populated
    .filter(({ host }) => host === repeats)
    .map(each => wayTo(facts, each))
    .filter((way): way is string => way !== undefined && way !== '');
}

/** In a plain loop only those of one result can be loaded together. */
function batchLoaderFor(items: readonly NPlusOne[]): string {
  const site = items[0]?.group.site;
  return site === undefined || site.parallel ? 'or register batchLoader()' : 'or register batchLoader({ peers: true })';
}

function populateCode(root: Repeats, entity: string, paths: readonly string[], instead: string): string {
  const list = paths.map(path => `'${path}'`).join(', ');
  const { method = 'find', site } = root;
  const where = `${site === undefined ? '' : `${placeOf(site)} — `}${instead}`;
  switch (method) {
    case 'qb':
      return `${paths
        .map(path => `.leftJoinAndSelect('${path}', '${path.split('.').at(-1)}')`)
        .join('')}  // on the QueryBuilder of ${entity}, ${where}`;
    case 'findByCursor':
      return `em.findByCursor(${entity}, { …, populate: [${list}] })  // ${where}`;
    default:
      return `em.${method.startsWith('find') ? method : 'find'}(${entity}, …, { populate: [${list}] })  // ${where}`;
  }
}

/** Each once, in one order: `books.publisher` populates `books`. */
function minimal(paths: readonly string[]): readonly string[] {
  return [...new Set(paths)].filter(path => !paths.some(other => other.startsWith(`${path}.`))).toSorted();
}

/** Without a call that could populate: all of them at once. */
function fixOf(facts: ModelFacts, { repeats, group, moving, parent }: NPlusOne, instead: string): string | undefined {
  const [key] = moving?.keys ?? [];
  const shape = facts.shape(repeats.shape);
  const where = group.site === undefined ? '' : `${placeOf(group.site)} — `;
  if (parent?.repeats === repeats && parent.link?.path !== undefined) {
    return `em.populate(${variable(parent.link.entity ?? 'Entity')}, ['${parent.link.path}'])  // ${where}once for each level, or a "with recursive" query for all of them`;
  }
  if (isByHand(facts, repeats) && repeats.method !== 'qb') {
    return `one statement for all: ${key?.column === undefined ? 'with a list' : `"${key.column}" in (…)`}, or a join  // ${where}instead of the loop`;
  }
  const back = parent?.link?.back ?? ownProperty(facts, key?.table, key?.column);
  if (back === undefined) {
    return parent?.link?.path === undefined
      ? undefined
      : `em.populate(${variable(parent.link.entity ?? 'Entity')}, ['${parent.link.path}'])  // before the loop, ${instead}`;
  }
  const { entity, property } = back;
  const condition = `{ ${property}: { $in: […] } }`;
  return shape.isCount
    ? `em.countBy(${entity}, '${property}', { where: ${condition} })  // ${where}${instead}`
    : LOCKS.test(repeats.shape.text)
      ? `em.find(${entity}, ${condition}, { lockMode: … })  // ${where}instead of the loop`
      : repeats.method === 'refresh'
        ? `em.find(${entity}, ${condition}, { refresh: true })  // ${where}instead of the loop`
        : `em.find(${entity}, ${condition})  // ${where}${instead}`;
}

function ownProperty(
  facts: ModelFacts,
  table: string | undefined,
  column: string | undefined,
): { entity: string; property: string } | undefined {
  const entity = facts.entitiesOf(table)[0];
  const property =
    column === undefined
      ? undefined
      : (entity?.relations.find(({ columns, owner }) => owner && columns.includes(column))?.property ??
        entity?.properties.get(column));
  return entity === undefined || isMadeUp(entity) || property === undefined
    ? undefined
    : { entity: entity.name, property };
}
