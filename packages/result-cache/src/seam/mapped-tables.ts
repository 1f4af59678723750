import { hash } from 'node:crypto';
import { type EntityMetadata, type EntityProperty, type MikroORM, ReferenceKind } from '@mikro-orm/core';
import { type ColumnKind, columnKind } from '../column-values.ts';
import { OptionsError } from '../errors.ts';
import type { EntityCacheOptions } from '../policy.ts';
import type { Cascade, MappedTable } from '../tables.ts';

/** Rules that change rows of the table with the foreign key. */
const CHANGING: ReadonlySet<string | undefined> = new Set(['cascade', 'set null', 'set default']);

/** Entities of one table, in single-table inheritance more than one. */
interface Draft {
  readonly metas: EntityMetadata[];
  readonly schema: string | undefined;
  readonly name: string;
}

/** What the cache has to know of each table that the ORM's entities are mapped to. */
export function mappedTables(
  orm: MikroORM,
  optionsOf: (meta: EntityMetadata) => EntityCacheOptions | undefined,
): MappedTable[] {
  const drafts = new Map<string, Draft>();
  const metas = [...orm.getMetadata().getAll().values()].filter(
    meta => (meta.tableName as string | undefined) !== undefined && !meta.virtual && !meta.embeddable && !meta.abstract,
  );
  for (const meta of metas) {
    const { schema, name } = placeOf(orm, meta);
    const id = `${schema}.${name}`;
    const known = drafts.get(id);
    if (known === undefined) {
      drafts.set(id, { metas: [meta], schema, name });
    } else {
      known.metas.push(meta);
    }
  }
  const cascades = cascadesOf(orm, metas);
  return [...drafts].map(([id, { metas: own, schema, name }]) => {
    const primaryKey = [...new Set(own.flatMap(meta => meta.getPrimaryProps().flatMap(prop => prop.fieldNames)))];
    const tracked = new Map<string, ColumnKind>();
    for (const meta of own) {
      for (const prop of meta.getPrimaryProps()) {
        track(tracked, prop);
      }
    }
    const options = own.map(optionsOf).filter(option => option !== undefined);
    for (const meta of own) {
      partitions(meta, optionsOf(meta)).forEach(prop => track(tracked, prop));
    }
    return {
      schema,
      name,
      tracked,
      primaryKey: primaryKey.every(column => tracked.has(column)) ? primaryKey : [],
      generated: new Set(own.flatMap(meta => meta.props.filter(isGenerated).flatMap(prop => prop.fieldNames ?? []))),
      shape: shapeOf(own),
      cascades: cascades.get(id) ?? [],
      scopes: options.map(option => option.scope).filter(scope => scope !== undefined),
      dependsOn: options.flatMap(option => option.dependsOn ?? []),
      alsoWrites: options.flatMap(option => option.alsoWrites ?? []),
      tellsWrites: options.some(option => option.alsoWrites !== undefined),
      view: own.some(meta => Boolean(meta.view)),
    };
  });
}

/** Schema and name as statements have them: a bare name is in whatever schema comes first. */
export function placeOf(orm: MikroORM, meta: EntityMetadata): { schema: string | undefined; name: string } {
  const [first, second] = meta.tableName.split('.', 2) as [string, string?];
  if (second !== undefined) {
    return { schema: first, name: second };
  }
  const byDefault = orm.driver.getPlatform().getDefaultSchemaName();
  const schema = meta.schema ?? (orm.config.get('schema') as string | undefined);
  return { schema: schema === byDefault ? undefined : schema, name: first };
}

/** The properties that `partitionBy` names. @throws {OptionsError} for one that cannot be told apart by its text */
function partitions(meta: EntityMetadata, options: EntityCacheOptions | undefined): EntityProperty[] {
  return (options?.partitionBy ?? []).map(name => {
    const prop = meta.properties[name as never] as EntityProperty | undefined;
    if (prop === undefined) {
      throw new OptionsError(
        'partitionBy',
        `The resultCache of ${meta.className}: partitionBy must name properties of the entity, but got: '${name}'. Its properties are: ${meta.props.map(one => one.name).join(', ')}.`,
      );
    }
    if (prop.fieldNames?.length !== 1 || kindOf(prop, 0) === undefined) {
      throw new OptionsError(
        'partitionBy',
        `The resultCache of ${meta.className}: partitionBy takes properties with one column of type integer, uuid, text, varchar, boolean or enum, but got: '${name}' (${(prop.columnTypes ?? ['no column']).join(', ')}). Leave it out, or partition by another property.`,
      );
    }
    return prop;
  });
}

function track(tracked: Map<string, ColumnKind>, prop: EntityProperty): void {
  prop.fieldNames.forEach((column, index) => {
    const kind = kindOf(prop, index);
    if (kind !== undefined) {
      tracked.set(column, kind);
    }
  });
}

/** An identity is given once, to a new row. */
function isGenerated({ generated }: EntityProperty): boolean {
  return generated !== undefined && !(typeof generated === 'string' && /\bidentity$/.test(generated));
}

function kindOf(prop: EntityProperty, index: number): ColumnKind | undefined {
  // A collation of its own may call different texts equal.
  if (prop.collation !== undefined || prop.kind === ReferenceKind.EMBEDDED) {
    return undefined;
  }
  const type = prop.columnTypes?.[index];
  return type === undefined ? undefined : prop.nativeEnumName !== undefined ? 'text' : columnKind(type);
}

/** By id of the table that is referred to. */
function cascadesOf(orm: MikroORM, metas: readonly EntityMetadata[]): Map<string, Cascade[]> {
  const cascades = new Map<string, Cascade[]>();
  const defaults = orm.config.get('schemaGenerator') as { defaultDeleteRule?: string; defaultUpdateRule?: string };
  const add = (
    target: EntityMetadata,
    from: EntityMetadata,
    onDelete: boolean,
    onUpdateOf: readonly string[],
  ): void => {
    const to = placeOf(orm, target);
    const own = placeOf(orm, from);
    const id = `${to.schema}.${to.name}`;
    const table = own.schema === undefined ? own.name : `${own.schema}.${own.name}`;
    cascades.set(id, [...(cascades.get(id) ?? []), { table, onDelete, onUpdateOf }]);
  };
  for (const meta of metas) {
    if (meta.tptParent !== undefined) {
      add(
        meta.tptParent,
        meta,
        true,
        meta.tptParent.getPrimaryProps().flatMap(prop => prop.fieldNames),
      );
    }
    for (const prop of meta.props) {
      const target = prop.targetMeta?.root;
      if (
        target !== undefined &&
        !prop.polymorphic &&
        (prop.kind === ReferenceKind.MANY_TO_ONE || (prop.kind === ReferenceKind.ONE_TO_ONE && prop.owner))
      ) {
        const deleteRule = prop.deleteRule ?? defaults.defaultDeleteRule;
        const updateRule = prop.updateRule ?? defaults.defaultUpdateRule;
        add(
          prop.targetMeta!,
          meta,
          CHANGING.has(deleteRule),
          CHANGING.has(updateRule) ? (prop.referencedColumnNames ?? []) : [],
        );
      }
    }
  }
  return cascades;
}

/** A text that changes with whatever makes rows of the table mean something else to this release. */
function shapeOf(metas: readonly EntityMetadata[]): string {
  const columns = metas.map(meta => [
    meta.className,
    meta.discriminatorColumn,
    meta.discriminatorValue,
    meta.props.map(prop => [
      prop.name,
      prop.kind,
      prop.fieldNames,
      prop.columnTypes,
      prop.customType?.constructor.name,
      prop.runtimeType,
      prop.nullable,
      prop.targetMeta?.className,
      prop.embedded,
    ]),
  ]);
  return hash('sha256', JSON.stringify(columns), 'base64url').slice(0, 12);
}
