import type { EntityManager, EntityMetadata } from '@mikro-orm/core';
import { optionsKey } from './batch-key.ts';
import { chunks } from './chunks.ts';
import type { Segment } from './fork-queue.ts';
import { type LoadContext, NEUTRAL_OPTIONS, asError, assertLoadable, runStatement } from './load-context.ts';
import { primaryKeyCondition } from './seam/condition.ts';
import { type Entity, type LoadOptions, hasPrimaryKey, metadataOf, schemaOf, serializedKey } from './seam/entity.ts';

/** Options that only a lone `em.findOne()` honours: optimistic locks, result caching, paging. */
const ALONE = ['cache', 'lockVersion', 'limit', 'offset', 'first', 'last', 'before', 'after'];

/**
 * `ref.load()`, `loadOrFail()` and `wrap(e).init()`: entities of one class and one set of options are one `em.find()` by
 * primary key. Answers the entity, or `null` where the row is missing or a filter hides it.
 */
export function loadReference(
  context: LoadContext,
  em: EntityManager,
  segment: Segment<EntityManager>,
  entity: Entity,
  options: LoadOptions,
): Promise<Entity | null> {
  assertLoadable(context, em, segment, entity);
  const schema = schemaOf(entity);
  const key = optionsKey(options, context.keyOf, NEUTRAL_OPTIONS);
  if (!hasPrimaryKey(entity) || (key !== '' && ALONE.some(name => options[name] !== undefined))) {
    return context.seam.findOneAlone(em, entity, { ...options, refresh: true, schema });
  }
  // Of now: MikroORM turns a reference to a root class into its subclass as soon as any statement has read its row.
  const meta = metadataOf(entity);
  return context.queueOf(em).load<Entity, Entity | null>(
    meta,
    schema === undefined && key === '' ? 'reference' : `reference|${schema}|${key}`,
    () => ({
      dedupe: true,
      run: (entities, sent, calls) =>
        run(context, em, sent, {
          meta,
          entities,
          calls,
          asked: options,
          options: { ...options, refresh: true, schema },
        }),
    }),
    entity,
    segment,
  );
}

interface ReferenceBatch {
  readonly meta: EntityMetadata;
  readonly entities: readonly Entity[];
  readonly calls: number;
  /** The options that the calls gave. */
  readonly asked: LoadOptions;
  readonly options: LoadOptions;
}

async function run(
  context: LoadContext,
  em: EntityManager,
  segment: Segment<EntityManager>,
  { meta, entities, calls, asked, options }: ReferenceBatch,
): Promise<(Entity | null | Error)[]> {
  // Two instances can stand for one row: one of them detached, or of a fork's parent.
  const byKey = new Map<string, Entity>();
  for (const entity of entities) {
    byKey.set(serializedKey(entity), entity);
  }
  const found = new Map<string, Entity>();
  const failed = new Map<string, Error>();
  await Promise.all(
    chunks([...byKey.values()], context.maxBatchSize).map(async chunk => {
      const errors = await runStatement(context, em, segment, chunk, {
        event: { kind: 'reference', entity: meta.className },
        keys: part => (part.length === byKey.size ? calls : part.length),
        lazy: { kind: 'reference', volunteer: entity => entity, alone: calls === 1 ? asked : undefined },
        run: async part => {
          const rows = await em.find(meta.class, primaryKeyCondition(meta, part) as never, options as never);
          for (const row of rows as Entity[]) {
            found.set(serializedKey(row), row);
          }
          return rows.length;
        },
      });
      for (const [entity, error] of errors) {
        failed.set(serializedKey(entity), asError(error));
      }
    }),
  );
  return entities.map(entity => {
    const key = serializedKey(entity);
    return failed.get(key) ?? found.get(key) ?? null;
  });
}
