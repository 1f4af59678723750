import type { EntityManager } from '@mikro-orm/core';
import { optionsKey } from './batch-key.ts';
import { chunks } from './chunks.ts';
import type { Segment } from './fork-queue.ts';
import { type LoadContext, NEUTRAL_OPTIONS, asError, assertLoadable, runStatement } from './load-context.ts';
import { type AnyCollection, type Entity, type LoadOptions, metadataOf, schemaOf } from './seam/entity.ts';
import { type CountTarget, countAlone, countGrouped, countTarget, ownersByGroupKey } from './seam/grouped-count.ts';
import { isOneToMany, relationOf } from './seam/relation.ts';
import { isEmptyCondition } from './collection-contents.ts';
import { canStandTogether, conditionFor } from './collection-statement.ts';
import { planStatements } from './where-parts.ts';

interface CountCall {
  readonly collection: AnyCollection;
  readonly owner: Entity;
  readonly where: unknown;
  readonly whereKey: string;
}

const EXCEPT = new Set([...NEUTRAL_OPTIONS, 'where']);

/** `collection.loadCount()`: counts of one relation with the same options and condition are one grouped `em.count()`. */
export function countCollection(
  context: LoadContext,
  em: EntityManager,
  segment: Segment<EntityManager>,
  collection: AnyCollection,
  options: LoadOptions,
): Promise<number> {
  const owner = collection.owner;
  assertLoadable(context, em, segment, owner);
  const { where: asked, ...rest } = options;
  const where = isEmptyCondition(asked) ? undefined : asked;
  return context
    .queueOf(em)
    .load<CountCall, number>(
      metadataOf(owner),
      `count|${relationOf(collection).name}|${schemaOf(owner) ?? ''}|${optionsKey(rest, context.keyOf, EXCEPT)}`,
      () => ({ dedupe: false, run: (calls, sent) => run(context, em, sent, calls, rest) }),
      { collection, owner, where, whereKey: where === undefined ? '' : context.keyOf(where) },
      segment,
    );
}

async function run(
  context: LoadContext,
  em: EntityManager,
  segment: Segment<EntityManager>,
  calls: readonly CountCall[],
  options: LoadOptions,
): Promise<(number | Error)[]> {
  const relation = relationOf(calls[0]!.collection);
  const target = countTarget(em, relation);
  // The condition on an M:N is one on its target, which a join to the pivot row of another owner would meet as well.
  const mergeable = (where: unknown): boolean =>
    isOneToMany(relation) && !Object.hasOwn(where as object, relation.mappedBy) && canStandTogether(relation, where);
  const counts = new Map<CountCall, number | Error>();
  await Promise.all(
    planStatements(calls, mergeable).flatMap(parts => {
      // Equal calls on one collection are one owner of the statement.
      const byOwner = Map.groupBy(
        parts.flatMap(part => part.calls),
        call => call.owner,
      );
      const answer = (owner: Entity, count: number | Error): void => {
        for (const call of byOwner.get(owner)!) {
          counts.set(call, count);
        }
      };
      return chunks([...byOwner.keys()], target === undefined ? 1 : context.maxBatchSize).map(async chunk => {
        const errors = await runStatement(context, em, segment, chunk, {
          event: { kind: 'count', entity: metadataOf(chunk[0]!).className, relation: relation.name },
          lazy: {
            kind: 'count',
            volunteer: owner => byOwner.get(owner)![0]!.collection,
            alone: calls.length === 1 ? { ...options, where: calls[0]!.where } : undefined,
          },
          keys: owners => owners.reduce((sum, owner) => sum + byOwner.get(owner)!.length, 0),
          run: async owners => {
            const asked = owners.map(owner => byOwner.get(owner)![0]!);
            const found =
              (target && (await countOwners(em, target, owners, conditionFor(em, asked), options))) ??
              (await countEach(em, asked, options));
            for (const owner of owners) {
              answer(owner, found.get(owner) ?? 0);
            }
            return found.size;
          },
        });
        for (const [owner, error] of errors) {
          answer(owner, asError(error));
        }
      });
    }),
  );
  return calls.map(call => counts.get(call)!);
}

/** As MikroORM counts: a query each. */
async function countEach(
  em: EntityManager,
  calls: readonly CountCall[],
  options: LoadOptions,
): Promise<Map<Entity, number>> {
  const count = async ({ owner, collection, where }: CountCall): Promise<[Entity, number]> => [
    owner,
    await countAlone(em, collection, where, options),
  ];
  return new Map(await Promise.all(calls.map(count)));
}

/** The counts of owners that have any; `undefined` if they cannot be told apart in one query. */
async function countOwners(
  em: EntityManager,
  target: CountTarget,
  owners: readonly Entity[],
  where: unknown,
  options: LoadOptions,
): Promise<Map<Entity, number> | undefined> {
  const query = await target.query(owners, where, options);
  const groups = await countGrouped(em, target.meta, query.where, query.options, target.groupBy);
  if (groups === undefined || owners.length === 1) {
    return groups && new Map([[owners[0]!, groups.reduce((sum, group) => sum + group.count, 0)]]);
  }
  const ownerOf = ownersByGroupKey(em, owners, target.groupBy);
  const counts = new Map<Entity, number>();
  for (const { key, count } of groups) {
    const owner = ownerOf(key);
    if (owner === undefined) {
      // The database writes this key otherwise than its entity does: ask owner by owner, where no key has to be matched.
      const alone = await Promise.all(owners.map(one => countOwners(em, target, [one], where, options)));
      return new Map(alone.flatMap(one => [...(one ?? [])]));
    }
    counts.set(owner, count);
  }
  return counts;
}
