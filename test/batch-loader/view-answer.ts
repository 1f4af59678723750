import { type Collection, type EntityProperty, Reference, Utils, wrap } from '@mikro-orm/core';
import type { ShownRead } from './random-reads.ts';
import { pkOf, viewEntity, type View } from './view.ts';

export type { View } from './view.ts';

type AnyEntity = Record<string, unknown> & object;

/** The answer to a read as plain data that two forks can be compared by. */
export function viewAnswer(answer: unknown, shown: ShownRead): View {
  if (Array.isArray(answer)) {
    const views = answer.map(entity => ({
      key: pkOf(entity as object),
      entity: viewFound(entity as AnyEntity, shown),
    }));
    if (!shown.ordered) {
      views.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    }
    return views;
  }
  if (answer instanceof Date) {
    return { date: answer.getTime() };
  }
  return Utils.isEntity<AnyEntity>(answer) ? viewFound(answer, shown) : answer;
}

function viewFound(entity: AnyEntity, { fields, exclude, populate }: ShownRead): View {
  const props = wrap(entity, true).__meta.props as EntityProperty[];
  const asked = fields ?? (exclude && props.map(({ name }) => name).filter(name => !exclude.includes(name)));
  const toOne = props.filter(({ name, kind }) => populate.includes(name) && (kind === 'm:1' || kind === '1:1'));
  const view = viewEntity(entity, { fields: asked, populate: toOne.map(({ name }) => name) });
  const collections = populate
    .map(name => entity[name])
    .filter(value => Utils.isCollection(value)) as unknown as Collection<AnyEntity>[];
  return {
    view,
    collections: collections.map(collection => ({
      initialized: collection.isInitialized(),
      dirty: collection.isDirty(),
      items: collection
        .getItems(false)
        .map(item => ({
          key: pkOf(item),
          view: viewEntity(Reference.unwrapReference(item) as AnyEntity, { nested: true }),
        }))
        .sort((a, b) => (a.key < b.key ? -1 : 1)),
    })),
  };
}
