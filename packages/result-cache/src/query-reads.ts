import { AsyncLocalStorage } from 'node:async_hooks';
import type { CachedRead } from './cached-read.ts';
import type { DatabaseFacts } from './database-facts.ts';
import { detached, type Loading } from './detached-read.ts';
import { entryKey } from './entry-key.ts';
import type { Explanation } from './explanation.ts';
import { type CacheSetting, type EntityCacheOptions, type Policy, policyOf } from './policy.ts';
import type { ReadFamily } from './read-ahead.ts';
import type { ReadContext } from './read-context.ts';
import { type Form, formKeyOf, formOf, modeOf } from './read-form.ts';
import { Recent } from './recent.ts';
import type { BuilderRead } from './seam/builder-reads.ts';
import type { Capture } from './seam/captured-read.ts';
import type { DriverRead } from './seam/driver-reads.ts';
import { isSameSession, surroundingsOf } from './surroundings.ts';
import { nameTag } from './tags.ts';

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
      form = formOf(context, facts, entity, modeOf(read), sql, params);
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
    const form = formOf(context, facts, entity, `rows:${method}`, sql, params);
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
