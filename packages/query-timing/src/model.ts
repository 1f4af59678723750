/** What the mapped entities tell of tables: for names, fixes, and advice. */
export interface Model {
  /** @param table without its schema */
  byTable(table: string): EntityModel | undefined;
  /** By class name. */
  byName(entity: string): EntityModel | undefined;
  readonly entities: readonly EntityModel[];
}

export interface EntityModel {
  readonly name: string;
  readonly table: string;
  readonly schema: string | undefined;
  /** Columns. */
  readonly primaryKey: readonly string[];
  /** Property by column. */
  readonly properties: ReadonlyMap<string, string>;
  readonly relations: readonly RelationModel[];
  /** Columns of each index, unique constraint and primary key that the entity declares. */
  readonly indexes: readonly {
    readonly name: string | undefined;
    readonly columns: readonly string[];
    readonly unique: boolean;
  }[];
  /** Columns whose values are never shown: `hidden: true`, or a name that looks secret. */
  readonly secret: ReadonlySet<string>;
  /** A table of pairs of a many-to-many relation. */
  readonly pivot: boolean;
}

export interface RelationModel {
  readonly property: string;
  readonly kind: 'm:1' | '1:1' | '1:m' | 'm:n';
  /** Class name of the other entity. */
  readonly target: string;
  /** Columns on this table (m:1, owning 1:1), or on the other one (1:m, inverse 1:1), or of the pivot table. */
  readonly columns: readonly string[];
  /** What those refer to. */
  readonly referenced: readonly string[];
  readonly owner: boolean;
  readonly pivotTable: string | undefined;
  /** Columns of the pivot table that refer to the target (m:n). */
  readonly inverseColumns: readonly string[];
}
