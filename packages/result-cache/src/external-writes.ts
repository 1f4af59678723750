import type { MikroORM } from '@mikro-orm/core';
import { OptionsError } from './errors.ts';
import { downStatements, literal, upStatements, WRITER_SETTING } from './external/change-log.ts';
import { follow, type FollowContext, type Follower, type FollowSettings } from './external/follower.ts';
import { checkNumber, shown } from './policy.ts';
import { placeOf } from './seam/mapped-tables.ts';
import { checkNames, checkObject } from './store-options.ts';

export type { FollowContext, Follower, NotificationSource } from './external/follower.ts';

/** Options of `externalWrites()`. */
export interface ExternalWritesOptions {
  /** Tables that others write to, `table` or `schema.table`, as in the database; {@link forEntities} names all of an ORM. */
  tables: readonly string[];
  /** Where the change log is: a schema of its own. Letters, digits and `_`, at most 40. @default 'mikrokit' */
  schema?: string | undefined;
  /** How often the log is looked at, in ms. @default 250 */
  interval?: number | undefined;
  /** How long changes are kept for followers that cannot look, in ms; one that comes later clears its cache. @default 600000 */
  retention?: number | undefined;
  /**
   * Whether a transaction notifies listeners when it commits. Trap: PostgreSQL lets only one transaction at a time commit
   * with a notification, in all databases of the server, and none with `PREPARE TRANSACTION`. @default false
   */
  notify?: boolean | undefined;
}

/** The SQL that makes writes of others known, and what follows them. */
export interface ExternalWrites {
  /** Statements of a migration: the log, its functions, the triggers. May be run again, as after partitions were added. */
  up(): string[];
  /** Statements that remove all of it, the triggers of tables no longer named included. May be run again. */
  down(): string[];
  /**
   * The statement after which a session's own writes are not logged: for connections whose writes are told to the cache in
   * another way. What their triggers and cascades write is logged all the same.
   *
   * Trap: only if all followers of this log invalidate the same store. Where a pooler (PgBouncer in transaction mode) hands
   * a session to somebody else, that one's writes are not logged either.
   */
  readonly ownSession: string;
  /** Whether commits notify: a follower with a listener need not wait for its next look. */
  readonly notify: boolean;
  /** Begins to follow the log; what it can need is in {@link FollowContext}. */
  follow(context: FollowContext): Follower;
}

const KNOWN = ['tables', 'schema', 'interval', 'retention', 'notify'];

/**
 * Makes a cache follow what is written past the ORM: by psql, by other services. Statement-level triggers note which table
 * a transaction has written to, in a log that each process looks at.
 *
 * ```ts
 * export const external = externalWrites({ tables: ['visit', 'public.city'] });
 *
 * class Migration20261101 extends Migration {
 *   override up(): void { for (const sql of external.up()) this.addSql(sql); }
 *   override down(): void { for (const sql of external.down()) this.addSql(sql); }
 * }
 * ```
 *
 * Guarantee: what others have committed is served no longer than `interval` and the time of one look after the commit can be
 * seen. No commit is missed, in whatever order transactions begin and commit. While the primary does not answer, that time
 * is {@link Follower.lag}. A follower that does not know what it has missed clears the cache: at its start, after a restart,
 * crash or failover of the server, after more than `retention`, after triggers were dropped or made.
 *
 * Cost: one insert for each transaction and table, one look into an index for each further statement of it. Writers never
 * wait for each other because of it, nor for followers. Each process sends one small query per `interval`.
 *
 * Trap: triggers see statements. What they do not see needs `clear()`: `alter table` (a column's type, `attach` and `detach
 * partition`), a subscription of logical replication, `refresh materialized view`, tables behind a foreign table. A
 * partition that is made later has no triggers until `up()` or `select mikrokit.watch('name')` runs; each follower checks
 * that every minute, and at once when a trigger is gone.
 *
 * Trap: MikroORM's schema generator drops tables and triggers that no entity has, these among them, unless it is told not
 * to: `schemaGenerator: { ignoreSchema: ['mikrokit'], ignoreTriggers: true }`.
 *
 * Rights: who writes to the tables needs none. A follower's user needs `usage` on the schema and `select, insert, update,
 * delete` on its tables.
 *
 * @throws {OptionsError} at once, for an unknown option or a wrong value
 */
export function externalWrites(options: ExternalWritesOptions): ExternalWrites {
  const settings = resolve(options);
  return Object.freeze({
    up: () => upStatements(settings),
    down: () => downStatements(settings),
    ownSession: `set ${WRITER_SETTING} = ${literal(settings.schema)}`,
    notify: settings.notify,
    follow: (context: FollowContext) => follow(settings, context),
  });
}

/**
 * The tables of an ORM's entities, pivot tables included, for {@link externalWrites}.
 *
 * @param orm an initialised one; in a migration, `{ config: this.config, driver: this.driver }`
 * @param schemas where tables are that entities have in several schemas (`schema: '*'`)
 * @throws {OptionsError} if there are such and `schemas` is empty
 */
export function forEntities(orm: Pick<MikroORM, 'config' | 'driver'>, schemas: readonly string[] = []): string[] {
  const names = new Set<string>();
  for (const meta of orm.driver.getMetadata().getAll().values()) {
    if (!meta.tableName || meta.virtual || meta.embeddable || meta.abstract || meta.view) {
      continue;
    }
    const { schema, name } = placeOf(orm as MikroORM, meta);
    if (schema === '*' && schemas.length === 0) {
      throw new OptionsError(
        'schemas',
        `forEntities(orm, schemas) must name the schemas of ${meta.className}, which is in several, but got: ${shown(schemas)}.`,
      );
    }
    for (const one of schema === '*' ? schemas : [schema]) {
      names.add(one === undefined ? name : `${one}.${name}`);
    }
  }
  return [...names];
}

function resolve(options: ExternalWritesOptions): FollowSettings {
  checkObject('externalWrites(options)', 'options', options, "Name tables: externalWrites({ tables: ['visit'] }).");
  checkNames('externalWrites()', '', options, KNOWN);
  const { tables, schema = 'mikrokit', interval, retention, notify } = options as ExternalWritesOptions;
  if (!Array.isArray(tables) || tables.length === 0 || !tables.every(isTable)) {
    throw new OptionsError(
      'tables',
      `externalWrites({ tables }) must be an array of table names such as ['visit', 'audit.visit'], but got: ${shown(tables)}. forEntities(orm) names all of an ORM.`,
    );
  }
  if (
    typeof schema !== 'string' ||
    !/^[A-Za-z_]\w{0,39}$/.test(schema) ||
    /^(?:public|information_schema|pg_.*)$/.test(schema)
  ) {
    throw new OptionsError(
      'schema',
      `externalWrites({ schema }) must be the name of a schema of its own, of up to 40 letters, digits and '_', but got: ${shown(schema)}. Leave it out for 'mikrokit'.`,
    );
  }
  checkNumber('externalWrites(): interval', 'interval', interval, 1, 'ms', 2 ** 31 - 1);
  checkNumber('externalWrites(): retention', 'retention', retention, 1_000, 'ms');
  if (notify !== undefined && typeof notify !== 'boolean') {
    throw new OptionsError('notify', `externalWrites({ notify }) must be true or false, but got: ${shown(notify)}.`);
  }
  return Object.freeze({
    tables: [...new Set(tables as string[])],
    schema,
    interval: interval ?? 250,
    retention: retention ?? 600_000,
    notify: notify ?? false,
  });
}

/** A name, or a name in a schema; the first dot ends the schema. */
function isTable(name: unknown): boolean {
  return typeof name === 'string' && !name.includes('\0') && /^(?:[^.]+|[^.]+\..+)$/s.test(name);
}
