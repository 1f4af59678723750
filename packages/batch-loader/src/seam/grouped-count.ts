import {
  type EntityManager,
  type EntityMetadata,
  type EntityProperty,
  type MikroORM,
  Raw,
  ReferenceKind,
  helper,
} from '@mikro-orm/core';
import { type AnyCollection, type Entity, type LoadOptions, metadataOf, schemaOf } from './entity.ts';
import { relationOf } from './relation.ts';

const groupedCount = Symbol('@mikrokit/batch-loader grouped count');

interface GroupedCount {
  readonly groupBy: EntityProperty;
  rows: { key: unknown[]; count: number }[] | undefined;
}

interface CountingDriver {
  count(entityName: unknown, where: unknown, options?: Record<symbol, unknown>): Promise<number>;
  createQueryBuilder(...args: unknown[]): CountingQueryBuilder;
}

interface CountingQueryBuilder {
  readonly alias: string;
  readonly mainAlias: { readonly meta: EntityMetadata };
  readonly state: { readonly joins: Record<string, { readonly alias: string; readonly table: string }> };
  processPopulateHint(): void;
  hasToManyJoins(): boolean;
  select(fields: unknown[]): this;
  groupBy(fields: unknown): this;
  execute(method: 'all', options: { mapResults: false }): Promise<Record<string, unknown>[]>;
  getCount(): Promise<number>;
}

/**
 * Lets `driver.count` answer by group, for {@link countGrouped}. It builds its query in one synchronous run from
 * `createQueryBuilder` on, so the builder it gets while a count by group is being built is the one to answer for.
 */
export function letDriverCountByGroup(orm: MikroORM): void {
  const driver = orm.driver as unknown as CountingDriver;
  const count = driver.count.bind(driver);
  const createQueryBuilder = driver.createQueryBuilder.bind(driver);
  let building: GroupedCount | undefined;
  driver.count = (entityName, where, options) => {
    building = options?.[groupedCount] as GroupedCount | undefined;
    try {
      return count(entityName, where, options);
    } finally {
      building = undefined;
    }
  };
  driver.createQueryBuilder = (...args) => {
    const qb = createQueryBuilder(...args);
    const grouped = building;
    if (grouped) {
      building = undefined;
      qb.getCount = () => countByGroup(qb, grouped);
    }
    return qb;
  };
}

/**
 * `em.count()` grouped by a relation, with everything else (filters, joins, distinct, schema, session) MikroORM's own.
 *
 * @param groupBy a to-one or M:N relation of `target`; `where` has to restrict it
 * @returns the rows' group keys as the database gives them, with their counts; `undefined` if the condition joins the
 * relation a second time, so that it is not clear which join to group by
 */
export async function countGrouped(
  em: EntityManager,
  target: EntityMetadata,
  where: object,
  options: LoadOptions,
  groupBy: EntityProperty,
): Promise<{ key: unknown[]; count: number }[] | undefined> {
  const grouped: GroupedCount = { groupBy, rows: undefined };
  // What em.count() itself returns then means nothing, and must not be cached.
  await em.count(target.class, where as never, { ...options, cache: false, [groupedCount]: grouped } as never);
  return grouped.rows;
}

async function countByGroup(qb: CountingQueryBuilder, grouped: GroupedCount): Promise<number> {
  // As getCount() does, so that hasToManyJoins() knows the joins that `where` and filters ask for.
  qb.processPopulateHint();
  const target = groupColumns(qb, grouped.groupBy);
  if (target === undefined) {
    return 0;
  }
  const { alias, columns } = target;
  const group = columns.map(column => new Raw('??', [`${alias}.${column}`]));
  const keys = columns.map((column, index) => new Raw('?? as ??', [`${alias}.${column}`, `key${index}`]));
  const primary = qb.mainAlias.meta.getPrimaryProps().flatMap(property => property.fieldNames);
  const count = qb.hasToManyJoins()
    ? new Raw(
        `count(distinct (${primary.map(() => '??').join(', ')})) as count`,
        primary.map(column => `${qb.alias}.${column}`),
      )
    : new Raw('count(*) as count');
  const rows = await qb
    .select([...keys, count])
    .groupBy(group)
    .execute('all', { mapResults: false });
  grouped.rows = rows.map(row => ({ key: columns.map((_, index) => row[`key${index}`]), count: Number(row['count']) }));
  return 0;
}

function groupColumns(
  qb: CountingQueryBuilder,
  groupBy: EntityProperty,
): { alias: string; columns: string[] } | undefined {
  if (groupBy.kind !== ReferenceKind.MANY_TO_MANY) {
    return { alias: qb.alias, columns: groupBy.fieldNames };
  }
  const pivots = Object.values(qb.state.joins).filter(join => join.table === groupBy.pivotTable);
  return pivots.length === 1 ? { alias: pivots[0]!.alias, columns: groupBy.inverseJoinColumns } : undefined;
}

/** How the counts of a relation are read in one grouped query. */
export interface CountTarget {
  readonly meta: EntityMetadata;
  readonly groupBy: EntityProperty;
  /** `where` and options of the `em.count()` for these owners. */
  query(
    owners: readonly Entity[],
    where: unknown,
    options: LoadOptions,
  ): Promise<{ where: object; options: LoadOptions }>;
}

/** The grouped count of a relation; `undefined` where MikroORM's lone count is the only one (polymorphic owners). */
export function countTarget(em: EntityManager, relation: EntityProperty): CountTarget | undefined {
  const target = relation.targetMeta!;
  const counterpart =
    relation.kind === ReferenceKind.MANY_TO_MANY && relation.owner ? relation.inversedBy : relation.mappedBy;
  if (counterpart !== undefined) {
    const groupBy = target.properties[counterpart as never] as EntityProperty;
    if (groupBy.polymorphic || relation.polymorphic) {
      return undefined;
    }
    return {
      meta: target,
      groupBy,
      query: async (owners, where, options) => ({
        where: { ...(where as object), [counterpart]: { $in: owners.map(owner => keyFor(owner, groupBy)) } },
        options,
      }),
    };
  }
  if (relation.polymorphic || relation.pivotEntity === undefined) {
    return undefined;
  }
  // A one-sided M:N has no property to ask its target by: its pivot rows are counted, with the target's filters as their condition.
  const pivot = em.getMetadata().get(relation.pivotEntity as never) as EntityMetadata;
  const [toOwner, toTarget] = pivot.relations as EntityProperty[];
  return {
    meta: pivot,
    groupBy: toOwner!,
    query: async (owners, where, { filters, ...options }) => {
      const condition = (await em.applyFilters(target.class, (where ?? {}) as never, filters as never, 'read')) as
        | object
        | undefined;
      return {
        where: {
          [toOwner!.name]: { $in: owners.map(owner => keyFor(owner, toOwner!)) },
          ...(condition && Reflect.ownKeys(condition).length > 0 ? { [toTarget!.name]: condition } : {}),
        },
        options: { ...options, filters: false },
      };
    },
  };
}

function keyFor(owner: Entity, groupBy: EntityProperty): unknown {
  if (groupBy.targetKey) {
    return helper(owner).getTargetKeyValue(groupBy.targetKey);
  }
  const wrapped = helper(owner);
  return wrapped.__meta.compositePK ? wrapped.__primaryKeys : wrapped.getPrimaryKey();
}

/** Finds the owner that a group key of the database stands for; `undefined` if it is none of them. */
export function ownersByGroupKey(
  em: EntityManager,
  owners: readonly Entity[],
  groupBy: EntityProperty,
): (key: readonly unknown[]) => Entity | undefined {
  const { targetKey } = groupBy;
  if (targetKey) {
    const byValue = new Map(owners.map(owner => [String(helper(owner).getTargetKeyValue(targetKey)), owner]));
    return key => byValue.get(String(key[0]));
  }
  const first = owners[0]!;
  const known = new Set(owners);
  return key => {
    const reference = em.getReference(metadataOf(first).class, (key.length === 1 ? key[0] : key) as never, {
      convertCustomTypes: true,
      ...(schemaOf(first) === undefined ? {} : { schema: schemaOf(first)! }),
    });
    return known.has(reference) ? reference : undefined;
  };
}

/** The count of one collection as MikroORM reads it. */
export function countAlone(
  em: EntityManager,
  collection: AnyCollection,
  where: unknown,
  options: LoadOptions,
): Promise<number> {
  const condition = (
    collection as unknown as { createLoadCountCondition(where: object): object }
  ).createLoadCountCondition({
    ...(where as object | undefined),
  });
  return em.count(relationOf(collection).targetMeta!.class, condition as never, options as never);
}
