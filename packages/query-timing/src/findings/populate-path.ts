import type { ModelFacts } from './model-facts.ts';
import type { NPlusOne } from './n-plus-one.ts';
import type { Parent } from './parent-search.ts';
import { relationOn } from './relations.ts';
import type { Repeats } from './repeats.ts';

/** A call that can populate, and what it would have to populate. */
export interface PopulatePath {
  /** The query of that call. */
  readonly root: Repeats;
  /** Class name. */
  readonly entity: string;
  readonly path: string;
}

/**
 * What the call that has read the parent would have to populate: `author`; `books.publisher`, if the books were populated
 * by it (in a query of their own or joined).
 *
 * @returns `undefined` if the relations on the way cannot be told
 */
export function populatePath(facts: ModelFacts, parent: Parent, item: NPlusOne): PopulatePath | undefined {
  const { repeats, column, link } = parent;
  const shape = facts.shape(repeats.shape);
  const joined = column === undefined ? '' : shape.pathTo(column.alias);
  // Of an inverse 1:1 MikroORM joins the key alone: the row that is missing is the one that was joined.
  const last =
    pathOfPairs(facts, parent, item) ?? link?.path ?? (link?.kind === 'same' && joined !== '' ? '' : undefined);
  const way = repeats.host === undefined || repeats.own === 0 ? '' : wayTo(facts, repeats);
  if (joined === undefined || last === undefined || way === undefined) {
    return undefined;
  }
  const root = way === '' ? repeats : repeats.host!;
  const entity = root.entity ?? facts.entitiesOf(facts.shape(root.shape).table)[0]?.name;
  return entity === undefined
    ? undefined
    : { root, entity, path: [way, joined, last].filter(step => step !== '').join('.') };
}

/** Pairs that have an entity of their own and were asked for by it: not what they lead to. */
function pathOfPairs(
  facts: ModelFacts,
  { column }: Parent,
  { repeats: { entity }, moving }: NPlusOne,
): string | undefined {
  const [key] = moving?.keys ?? [];
  const isAskedFor = facts.entitiesOf(key?.table).some(({ pivot, name }) => pivot && name === entity);
  return isAskedFor && column !== undefined
    ? relationOn(facts, column.table, column.column, key!.table!, key!.column!, false)?.property
    : undefined;
}

/** From the entity that was asked for to the one that was populated; `undefined` if the relations cannot be told. */
export function wayTo(facts: ModelFacts, { shape, way = [], host }: Repeats): string | undefined {
  const steps: string[] = [];
  const { table, uses } = facts.shape(shape);
  const names = way.length > 0 ? way : host?.entity === undefined ? [] : [host.entity];
  const isPairs = facts.isPivot(table) && facts.entitiesOf(table)[0]?.name !== names.at(-1);
  for (const [index, name] of names.entries()) {
    const relations = facts.model.byName(name)?.relations ?? [];
    const next = names[index + 1];
    if (next === undefined) {
      if (isPairs) {
        const relation = relations.find(each => each.kind === 'm:n' && each.pivotTable === table);
        if (relation === undefined) {
          return undefined;
        }
        steps.push(relation.property);
      }
      break;
    }
    const leading = relations.filter(({ target }) => target === next);
    // Of two relations to the same entity, the one whose column the statement names.
    const relation =
      leading.length > 1
        ? leading.find(({ columns }) => columns.some(column => shape.text.includes(`"${column}" in (`)))
        : leading[0];
    if (relation === undefined) {
      return undefined;
    }
    steps.push(relation.property);
  }
  return uses.length === 0 && steps.length === 0 ? undefined : steps.join('.');
}
