import { AsyncLocalStorage } from 'node:async_hooks';
import type { EntityMetadata } from '@mikro-orm/core';
import type { CacheChannel } from './cache-channel.ts';
import type { CachedRead } from './cached-read.ts';
import type { CachedReads } from './cached-reads.ts';
import { entryKey, keyBase } from './entry-key.ts';
import type { OpenTransaction } from './open-transaction.ts';
import { type CacheSetting, type EntityCacheOptions, type Policy, policyOf } from './policy.ts';
import type { ReadFamily } from './read-ahead.ts';
import type { ReadPlan } from './read-plan.ts';
import type { Scope } from './tables.ts';
import { Recent } from './recent.ts';
import type { BuilderRead } from './seam/builder-reads.ts';
import type { Capture } from './seam/captured-read.ts';
import type { Connection } from './seam/connection.ts';
import type { DatabaseFacts } from './database-facts.ts';
import type { DriverOptions, DriverRead } from './seam/driver-reads.ts';
import { movesWithTime } from './sql/functions.ts';
import type { Counters } from './stats.ts';
import { nameTag, type TagIds } from './tags.ts';
import { typedText } from './typed-text.ts';

/** What {@link QueryReads} has to know of its ORM. */
export interface ReadContext {
  readonly cached: CachedReads;
  readonly channel: CacheChannel;
  readonly counters: Counters;
  readonly defaults: Policy;
  /** `resultCache.global` of MikroORM's config. */
  readonly globally: CacheSetting;
  optionsOf(meta: EntityMetadata): EntityCacheOptions | undefined;
  settingOf(options: DriverOptions): CacheSetting;
  familyOf(options: DriverOptions): ReadFamily | undefined;
  planOf(sql: string): ReadPlan;
  /** The statement with its values in it, as it is sent. */
  formatted(sql: string, params: readonly unknown[]): string;
  /** Asks the database once who it is. */
  facts(): DatabaseFacts | Promise<DatabaseFacts>;
  readonly user: string;
  registry(): string;
  tagIds(): TagIds;
  /** Of the EntityManager, and of the one whose context MikroORM would set on a connection (`sessionContext: 'connection'`). */
  sessionContextsOf(
    em: object | undefined,
  ): readonly [own: SessionContext | undefined, ambient: SessionContext | undefined];
  /** The transaction that a context of MikroORM's is, if it is one of those that are watched. */
  transactionOf(context: object): Promise<OpenTransaction | undefined>;
  /** Where rows to keep are read: replication lag cannot make them too old there. */
  primary(): Connection;
  /** Whether columns are computed by functions of the user's: in an entity, or in any. */
  hasFormulas(meta: EntityMetadata | undefined): boolean;
  /** Whether filters exist, whose conditions on joined relations depend on the EntityManager. */
  hasFilters(): boolean;
  /** Why nothing is cached at all for now. */
  off(): string | undefined;
}

/** What row-level security depends on. */
export interface SessionContext {
  readonly variables?: object;
}

/** A statement that is under way, and the session context that it was sent with. */
interface Loading {
  readonly rows: Promise<unknown>;
  readonly session: unknown;
}

/** What `explain()` tells of one read. */
export interface Explanation {
  readonly entity: string;
  readonly sql: string | undefined;
  readonly key: string | undefined;
  /** In words; an entry is a hit as long as none of them is written to. */
  readonly tags: readonly string[];
  readonly policy: Policy | undefined;
  /** Why it is not cached. */
  readonly reason: string | undefined;
  /** What would be asked of the store. */
  readonly read: CachedRead<unknown> | undefined;
}

/** A statement, without what surrounds the call that sends it. */
interface Form {
  readonly uncacheable: string | undefined;
  readonly sql: string;
  readonly params: string;
  readonly keyBase: string;
  readonly tables: readonly string[];
  /** It reads one mapped table, once. */
  readonly isSimple: boolean;
  /** What else the rows of its tables depend on. */
  readonly scopes: readonly Scope[];
  readonly tags: readonly string[];
  /** The key of it where nothing surrounds it. */
  readonly plainKey: string;
}

/** Options of a call that do not change its statement. */
const NOT_IN_STATEMENT: ReadonlySet<string> = new Set([
  'ctx',
  'em',
  'logging',
  'loggerContext',
  'signal',
  'inflightQueryAbortStrategy',
  'cache',
  'flushMode',
  'connectionType',
  'refresh',
  'disableIdentityMap',
  'visited',
  'lookup',
]);

/** Options that decide how rows become data, beside the statement. */
const MAPPING = ['populate', 'fields', 'exclude', 'first', 'last'] as const;

const MOST_FORMS = 4_000;
/** Lists of thousands of keys come once, and are large. */
const LONGEST_FORM = 8_192;

/** Decides for each read whether it may be answered by an entry, and by which. */
export class QueryReads {
  readonly #context: ReadContext;
  /** Forms by a text of the call: MikroORM need not build the statement of a call that was made before. */
  readonly #forms = new Recent<Form>(MOST_FORMS);
  readonly #explaining = new AsyncLocalStorage<(explanation: Explanation) => void>();

  constructor(context: ReadContext) {
    this.#context = context;
  }

  /** Forgets what statements calls come down to, as after a change of the search path. */
  forget(): void {
    this.#forms.clear();
  }

  /** What the first read of `call` would ask the cache for. The call itself never ends. */
  explain(call: () => Promise<unknown>): Promise<Explanation | undefined> {
    return new Promise((resolve, reject) => {
      this.#explaining.run(resolve, call).then(() => resolve(undefined), reject);
    });
  }

  readDriver(read: DriverRead): Promise<unknown> {
    const context = this.#context;
    const { meta, options } = read;
    const setting = context.settingOf(options) ?? context.globally;
    const own = context.optionsOf(meta);
    // Most reads of most applications: they are not to pay for the others.
    if (
      (setting === false || (setting === undefined && own === undefined)) &&
      this.#explaining.getStore() === undefined
    ) {
      return read.plain();
    }
    return this.#readDriver(read, setting, own);
  }

  async #readDriver(read: DriverRead, setting: CacheSetting, own: EntityCacheOptions | undefined): Promise<unknown> {
    const context = this.#context;
    const { meta, options } = read;
    const policy = policyOf(setting, own, context.defaults);
    const entity = meta.className;
    const reason =
      policy === undefined
        ? 'not cached: no cache option, no resultCache of the entity'
        : whyNot(context, read, policy);
    if (reason !== undefined) {
      return await this.#bypass(context, entity, policy, reason, () => read.plain());
    }
    const facts = await factsOf(context);
    if (facts === undefined) {
      return await this.#bypass(context, entity, policy, 'the database does not answer', () => read.plain());
    }
    const formKey = formKeyOf(read);
    let form = formKey === undefined ? undefined : this.#forms.get(formKey);
    let capture: Capture<unknown> | undefined;
    if (form === undefined) {
      capture = await read.capture();
      if (capture.statement === undefined) {
        return await this.#bypass(context, entity, policy, 'it sends no statement of its own', () => capture!.result);
      }
      const { sql, params } = capture.statement;
      const mode = typedText([read.method, nameOf(meta), ...MAPPING.map(name => options[name])]);
      form = this.#formOf(context, facts, entity, mode, sql, params);
      // Conditions of filters on what is joined, and formulas, may come out differently for another call.
      if (
        formKey !== undefined &&
        formKey.length <= LONGEST_FORM &&
        (form.isSimple || !context.hasFilters()) &&
        !context.hasFormulas(form.isSimple ? meta : undefined)
      ) {
        this.#forms.set(formKey, form);
      }
    }
    const onPrimary = { ...options, connectionType: 'write' } as const;
    const { ctx, em } = options;
    return await this.#answer(context, facts, {
      entity,
      policy: policy!,
      form,
      em,
      family: context.familyOf(options),
      transaction: ctx,
      plain() {
        capture?.statement?.proceed(undefined);
        return capture?.result ?? read.plain();
      },
      async load() {
        // Built anew if the form was known: by now, another session context may be set.
        capture ??= await read.capture(onPrimary);
        capture.statement?.proceed(context.primary());
        return { rows: capture.result, session: capture.statement?.session };
      },
      loadDetached: () => detached(context, read, form),
    });
  }

  async readBuilder(read: BuilderRead): Promise<unknown> {
    const context = this.#context;
    const { meta, em, sql, params, method, transaction } = read;
    const policy = policyOf(read.setting ?? context.globally, meta && context.optionsOf(meta), context.defaults);
    if (policy === undefined && this.#explaining.getStore() === undefined) {
      return await read.send(undefined);
    }
    const entity = meta?.className ?? 'query';
    const reason =
      policy === undefined
        ? 'not cached: no cache(), no resultCache of the entity'
        : transaction !== undefined && policy.inTransaction === 'bypass'
          ? 'in a transaction'
          : context.off();
    if (reason !== undefined) {
      return await this.#bypass(context, entity, policy, reason, () => read.send(undefined));
    }
    const facts = await factsOf(context);
    if (facts === undefined) {
      return await this.#bypass(context, entity, policy, 'the database does not answer', () => read.send(undefined));
    }
    const form = this.#formOf(context, facts, entity, `rows:${method}`, sql, params);
    return await this.#answer(context, facts, {
      entity,
      policy: policy!,
      form,
      em,
      family: undefined,
      transaction,
      plain: () => read.send(undefined),
      load: () => Promise.resolve({ rows: read.send(context.primary()), session: read.session }),
      loadDetached: () => Promise.resolve({ rows: read.send(context.primary()), session: read.session }),
    });
  }

  async #answer(
    context: ReadContext,
    facts: DatabaseFacts,
    call: {
      entity: string;
      policy: Policy;
      form: Form;
      em: object | undefined;
      family: ReadFamily | undefined;
      transaction: object | undefined;
      plain(): Promise<unknown>;
      load(): Promise<Loading>;
      loadDetached(): Promise<Loading>;
    },
  ): Promise<unknown> {
    const { entity, policy, form, em, family, plain, load, loadDetached } = call;
    const surround = (): string | undefined => surroundingsOf(context, em, policy, form);
    const surroundings = form.uncacheable === undefined ? surround() : undefined;
    const reason =
      form.uncacheable ??
      (surroundings === undefined ? 'a session context or scope that cannot be told apart' : undefined);
    if (reason !== undefined) {
      return await this.#bypass(context, entity, policy, reason, plain, form);
    }
    const ids = context.tagIds();
    const names = policy.name === undefined ? form.tags : [...form.tags, nameTag(policy.name)];
    const read: CachedRead<unknown> = {
      entity,
      registry: context.registry(),
      key: surroundings === '' ? form.plainKey : entryKey(entity, form.keyBase, surroundings!),
      tags: names.map(name => ids.of(name)),
      policy,
      family,
      keep: true,
      async load() {
        const { rows, session } = await load();
        const result = await rows;
        // Rows of another session context are not to be kept under the key of this one.
        read.keep = isSameSession(context, em, session) && surround() === surroundings;
        return result;
      },
      async loadDetached() {
        const { rows, session } = await loadDetached();
        const isSame = isSameSession(context, em, session) && surround() === surroundings;
        const result = await rows;
        if (!isSame || surround() !== surroundings) {
          throw new Error('the session context is another by now');
        }
        return result;
      },
    };
    const explain = this.#explaining.getStore();
    if (explain !== undefined) {
      explain({ entity, sql: form.sql, key: read.key, tags: names, policy, reason: undefined, read });
      return await never();
    }
    if (call.transaction === undefined) {
      return await context.cached.get(read);
    }
    const open = await context.transactionOf(call.transaction);
    const why =
      open === undefined
        ? 'in a transaction that is not watched'
        : !open.seesCommits
          ? 'in a transaction with a snapshot of its own'
          : open.touches(form.tables)
            ? 'in a transaction that has written to its tables'
            : undefined;
    if (why !== undefined) {
      return await this.#bypass(context, entity, policy, why, plain, form);
    }
    const hit = await context.cached.peek(read);
    return hit === undefined
      ? await this.#bypass(context, entity, policy, 'in a transaction, no entry', plain, form)
      : hit.value;
  }

  #formOf(
    context: ReadContext,
    facts: DatabaseFacts,
    entity: string,
    mode: string | undefined,
    sql: string,
    params: readonly unknown[],
  ): Form {
    const values = typedText(params);
    if (values === undefined) {
      // A value may be raw SQL, with tables of its own: only the text that is sent tells all of it.
      return this.#formOf(context, facts, entity, mode, context.formatted(sql, params), []);
    }
    const plan = context.planOf(sql);
    const moving = params.some(movesOn) ? 'a value that is read as a time relative to now' : undefined;
    if (plan.uncacheable !== undefined || moving !== undefined || mode === undefined) {
      const uncacheable = plan.uncacheable ?? moving ?? 'an option that cannot be told apart from others';
      return {
        uncacheable,
        sql,
        params: values,
        keyBase: '',
        tables: [],
        isSimple: false,
        scopes: [],
        tags: [],
        plainKey: '',
      };
    }
    const base = keyBase({
      database: facts.database,
      user: context.user,
      searchPath: facts.searchPath,
      mode,
      shape: plan.shape,
      sql,
      params: values,
    });
    return {
      uncacheable: undefined,
      sql,
      params: values,
      keyBase: base,
      tables: plan.tables,
      isSimple: plan.isSimple,
      scopes: plan.scopes,
      tags: plan.tags(params),
      plainKey: entryKey(entity, base, ''),
    };
  }

  async #bypass(
    context: ReadContext,
    entity: string,
    policy: Policy | undefined,
    reason: string,
    run: () => Promise<unknown>,
    form?: Form,
  ): Promise<unknown> {
    const explain = this.#explaining.getStore();
    if (explain !== undefined) {
      explain({ entity, sql: form?.sql, key: undefined, tags: [], policy, reason, read: undefined });
      return await never();
    }
    context.counters.bypass(reason);
    context.channel.publish(() => ({ kind: 'bypass', entity, reason }));
    return await run();
  }
}

/** For a call that was only asked about: it is collected with all it holds. */
function never(): Promise<never> {
  return new Promise(() => undefined);
}

/** Why a call is not answered by an entry, as far as that can be told before its statement is known. */
function whyNot(context: ReadContext, { meta, options }: DriverRead, policy: Policy): string | undefined {
  if (options.lockMode !== undefined && options.lockMode !== 0) {
    return 'it locks rows';
  }
  if (options.ctx !== undefined && policy.inTransaction === 'bypass') {
    return 'in a transaction';
  }
  return meta.virtual ? 'a virtual entity' : context.off();
}

async function factsOf(context: ReadContext): Promise<DatabaseFacts | undefined> {
  try {
    return await context.facts();
  } catch {
    return undefined;
  }
}

/** `'now'` and `'today'` are times wherever PostgreSQL expects one. */
function movesOn(value: unknown): boolean {
  return typeof value === 'string' ? movesWithTime(value) : Array.isArray(value) && value.some(movesOn);
}

/** @returns `''` for none; `undefined` for what cannot be written as a text */
function surroundingsOf(
  context: ReadContext,
  em: object | undefined,
  policy: Policy,
  { scopes }: Form,
): string | undefined {
  const [own, ambient] = context.sessionContextsOf(em);
  for (const session of [own, ambient]) {
    if (session?.variables !== undefined && 'search_path' in session.variables) {
      // Bare names are other tables than their tags would say.
      return undefined;
    }
  }
  const values = [policy.scope, ...scopes].filter(scope => scope !== undefined).map(scope => scope(em));
  return own === undefined && ambient === undefined && values.every(value => value === undefined)
    ? ''
    : typedText([own, ambient, values]);
}

/** Whether a statement was sent with the session context that its EntityManager has. */
function isSameSession(context: ReadContext, em: object | undefined, sent: unknown): boolean {
  return sent === undefined || typedText(sent) === typedText(context.sessionContextsOf(em)[0]);
}

/** Two entities may have classes of one name, but no table is mapped by both of them. */
function nameOf(meta: EntityMetadata): string {
  return `${meta.className} ${meta.schema ?? ''}.${meta.tableName ?? ''}`;
}

/** A text for all that decides the statement of a call; `undefined` if not all of it can be written down. */
function formKeyOf({ method, meta, where, options }: DriverRead): string | undefined {
  const parts: unknown[] = [method, nameOf(meta), where];
  for (const name of Object.keys(options)) {
    if (!NOT_IN_STATEMENT.has(name) && options[name] !== undefined) {
      parts.push(name, options[name]);
    }
  }
  return typedText(parts);
}

/** Reads the same for nobody in particular, if it still is the same. */
async function detached(context: ReadContext, read: DriverRead, form: Form): Promise<Loading> {
  const { ctx: _ctx, signal: _signal, ...options } = read.options;
  const capture = await read.capture({ ...options, connectionType: 'write' });
  if (capture.statement === undefined) {
    return { rows: capture.result, session: undefined };
  }
  const { sql, params, session } = capture.statement;
  const values = typedText(params);
  const same =
    values === undefined ? context.formatted(sql, params) === form.sql : sql === form.sql && values === form.params;
  if (!same) {
    throw new Error('the call comes down to another statement by now');
  }
  capture.statement.proceed(context.primary());
  return { rows: capture.result, session };
}
