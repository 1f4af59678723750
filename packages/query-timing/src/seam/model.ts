import { type EntityMetadata, type EntityProperty, type MikroORM, ReferenceKind } from '@mikro-orm/core';
import type { EntityModel, Model, RelationModel } from '../model.ts';

/** What a column is called that holds what nobody should see. */
const SECRET = /pass|secret|token|ssn|email|api_?key|credential|iban|card_?number/i;

/** The model of an ORM: read once its metadata is there, anew when entities are discovered later. */
export class OrmModel implements Model {
  readonly #orm: MikroORM;
  readonly #isSecret: (column: string, property: string) => boolean;
  #entities: readonly EntityModel[] = [];
  #byTable = new Map<string, EntityModel>();
  #byName = new Map<string, EntityModel>();
  #read = -1;

  /** @param secret more names of columns or properties, beside the usual ones */
  constructor(orm: MikroORM, secret: readonly (string | RegExp)[]) {
    this.#orm = orm;
    this.#isSecret = (column, property) =>
      SECRET.test(column) ||
      SECRET.test(property) ||
      secret.some(each =>
        typeof each === 'string' ? each === column || each === property : each.test(column) || each.test(property),
      );
  }

  get entities(): readonly EntityModel[] {
    this.#update();
    return this.#entities;
  }

  byTable(table: string): EntityModel | undefined {
    this.#update();
    return this.#byTable.get(table);
  }

  byName(entity: string): EntityModel | undefined {
    this.#update();
    return this.#byName.get(entity);
  }

  /** A name without a mapped entity may be secret, too. */
  isSecretName(column: string): boolean {
    return this.#isSecret(column, column);
  }

  #update(): void {
    const all = this.#orm.getMetadata()?.getAll();
    if (all === undefined || all.size === this.#read) {
      return;
    }
    this.#read = all.size;
    this.#entities = [...all.values()]
      .filter(meta => (meta.tableName as string | undefined) !== undefined && !meta.virtual && !meta.embeddable)
      .map(meta => this.#entity(meta));
    this.#byTable = new Map();
    this.#byName = new Map();
    for (const entity of this.#entities) {
      // Of single-table inheritance the root comes first.
      if (!this.#byTable.has(entity.table)) {
        this.#byTable.set(entity.table, entity);
      }
      this.#byName.set(entity.name, entity);
    }
  }

  #entity(meta: EntityMetadata): EntityModel {
    const properties = new Map<string, string>();
    const secret = new Set<string>();
    for (const prop of meta.props) {
      for (const column of prop.fieldNames ?? []) {
        properties.set(column, prop.name);
        if (prop.hidden === true || this.#isSecret(column, prop.name)) {
          secret.add(column);
        }
      }
    }
    const columnsOf = (names: string | readonly string[] | undefined): readonly string[] =>
      [names ?? []].flat().flatMap(name => meta.properties[name as never]?.fieldNames ?? [name]);
    const primaryKey = meta.getPrimaryProps().flatMap(prop => prop.fieldNames ?? []);
    return {
      name: meta.className,
      table: meta.tableName,
      schema: meta.schema,
      primaryKey,
      properties,
      relations: meta.relations.map(relationOf).filter(relation => relation !== undefined),
      indexes: [
        { name: undefined, columns: primaryKey, unique: true },
        ...meta.indexes.map(({ name, properties: names }) => ({
          name: name as string | undefined,
          columns: columnsOf(names as string | string[] | undefined),
          unique: false,
        })),
        ...meta.uniques.map(({ name, properties: names }) => ({
          name: name as string | undefined,
          columns: columnsOf(names as string | string[] | undefined),
          unique: true,
        })),
        ...meta.props
          .filter(prop => prop.index !== undefined && prop.index !== false)
          .map(prop => ({
            name: typeof prop.index === 'string' ? prop.index : undefined,
            columns: prop.fieldNames ?? [],
            unique: false,
          })),
        ...meta.props
          .filter(prop => prop.unique !== undefined && prop.unique !== false)
          .map(prop => ({
            name: typeof prop.unique === 'string' ? prop.unique : undefined,
            columns: prop.fieldNames ?? [],
            unique: true,
          })),
      ],
      secret,
      pivot: meta.pivotTable === true,
    };
  }
}

const KINDS: Partial<Record<ReferenceKind, RelationModel['kind']>> = {
  [ReferenceKind.MANY_TO_ONE]: 'm:1',
  [ReferenceKind.ONE_TO_ONE]: '1:1',
  [ReferenceKind.ONE_TO_MANY]: '1:m',
  [ReferenceKind.MANY_TO_MANY]: 'm:n',
};

function relationOf(prop: EntityProperty): RelationModel | undefined {
  const kind = KINDS[prop.kind];
  const target = prop.targetMeta;
  if (kind === undefined || target === undefined) {
    return undefined;
  }
  const isOwner = kind === 'm:1' || prop.owner;
  const other = prop.mappedBy === undefined ? undefined : target.properties[prop.mappedBy as never];
  const referenced = target.getPrimaryProps().flatMap(primary => primary.fieldNames ?? []);
  if (kind === 'm:n') {
    return {
      property: prop.name,
      kind,
      target: target.className,
      columns: prop.joinColumns ?? [],
      referenced: prop.referencedColumnNames ?? [],
      owner: prop.owner,
      pivotTable: prop.pivotTable,
      inverseColumns: prop.inverseJoinColumns ?? [],
    };
  }
  return {
    property: prop.name,
    kind,
    target: target.className,
    columns: isOwner
      ? (prop.joinColumns ?? prop.fieldNames ?? [])
      : ((other as EntityProperty | undefined)?.joinColumns ?? []),
    referenced: isOwner
      ? (prop.referencedColumnNames ?? referenced)
      : ((other as EntityProperty | undefined)?.referencedColumnNames ?? []),
    owner: isOwner,
    pivotTable: undefined,
    inverseColumns: [],
  };
}
