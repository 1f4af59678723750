import type { EntityManager } from '@mikro-orm/core';
import { optionsKey } from './batch-key.ts';
import { chunks } from './chunks.ts';
import type { Segment } from './fork-queue.ts';
import { type LoadContext, NEUTRAL_OPTIONS, asError, assertLoadable, runStatement } from './load-context.ts';
import { type Entity, type LoadOptions, metadataOf, schemaOf } from './seam/entity.ts';

/**
 * Lazy scalars (`ScalarReference.load()`), `wrap(e).populate([...])`, an inverse 1:1, and relations of the items of a
 * loaded collection: entities of one class with the same hints and options are one `em.populate([...])`.
 */
export function populate(
  context: LoadContext,
  em: EntityManager,
  segment: Segment<EntityManager>,
  entities: readonly Entity[],
  hints: unknown,
  options: LoadOptions,
): Promise<void> {
  for (const entity of entities) {
    assertLoadable(context, em, segment, entity);
  }
  const first = entities[0]!;
  return context.queueOf(em).load<Entity | EntityList, void>(
    // em.populate() takes the class of the first entity for all of them.
    metadataOf(first),
    `property|${schemaOf(first) ?? ''}|${context.keyOf(hints)}|${optionsKey(options, context.keyOf, NEUTRAL_OPTIONS)}`,
    () => ({ dedupe: true, run: (keys, sent) => run(context, em, sent, keys, hints, options) }),
    entities.length === 1 ? first : new EntityList(entities),
    segment,
  );
}

/** Several entities as one key. */
class EntityList {
  readonly entities: readonly Entity[];
  constructor(entities: readonly Entity[]) {
    this.entities = entities;
  }
}

async function run(
  context: LoadContext,
  em: EntityManager,
  segment: Segment<EntityManager>,
  keys: readonly (Entity | EntityList)[],
  hints: unknown,
  options: LoadOptions,
): Promise<(void | Error)[]> {
  const membersOf = (key: Entity | EntityList): readonly Entity[] => (key instanceof EntityList ? key.entities : [key]);
  const unique = [...new Set(keys.flatMap(membersOf))];
  const failed = new Map<Entity, Error>();
  await Promise.all(
    chunks(unique, context.maxBatchSize).map(async chunk => {
      const errors = await runStatement(context, em, segment, chunk, {
        event: { kind: 'property', entity: metadataOf(unique[0]!).className, relation: hintNames(hints) },
        keys: part => part.length,
        lazy: { kind: 'property', volunteer: entity => entity, alone: keys.length === 1 ? options : undefined },
        run: async part => {
          await context.seam.populateAll(em, part, hints, options);
          return part.length;
        },
      });
      for (const [entity, error] of errors) {
        failed.set(entity, asError(error));
      }
    }),
  );
  return keys.map(key =>
    membersOf(key)
      .map(entity => failed.get(entity))
      .find(error => error !== undefined),
  );
}

function hintNames(hints: unknown): string {
  return Array.isArray(hints)
    ? hints.map(hint => (typeof hint === 'string' ? hint : String((hint as { field?: unknown }).field))).join(',')
    : String(hints);
}
