import type { EntityManager } from '@mikro-orm/core';
import { optionsShape, structureOf } from './readable-shape.ts';
import { type Trace, callSite, captureTrace } from './call-site.ts';
import { BatchLoaderError } from './errors.ts';
import type { OnUnbatched } from './options.ts';
import type { LazyKind } from './volunteers.ts';

/** A user's own call of the EntityManager, noted when it was made. */
export interface NotedCall {
  /** Request or fork. */
  readonly scope: object;
  readonly method: string;
  readonly entity: string;
  readonly where: unknown;
  readonly options: object;
  readonly trace: Trace | undefined;
  /** Whether it has sent its statement: what it populates afterwards belongs to it. */
  sent: boolean;
}

/** What is loaded lazily. */
export interface LazyLoad {
  readonly kind: LazyKind;
  readonly entity: string;
  readonly relation?: string;
}

interface ShapeCount {
  count: number;
  /** Calls of one batch window were made together, even if each is a statement. */
  window: object | undefined;
}

interface Scope {
  readonly shapes: Map<string, ShapeCount>;
  /** Shapes of which one more is one too many: only now it is of interest where calls come from. */
  hot: number;
}

/** The most shapes that are counted in a scope; the oldest is forgotten for a new one. */
const MAX_SHAPES = 256;
const MAX_SHOWN = 120;

/**
 * Counts the queries that are sent one by one, by shape, for each request or fork, and reports a shape once, with the
 * place it was called from, when there were more than `threshold` of it. Up to then it costs a key and a map look-up per
 * query; the stack is looked at only for the calls that may be the one too many.
 *
 * As Rails' `strict_loading`, Django's `RAISE` and Laravel's `preventLazyLoading` it names the loop at fault; unlike them
 * it does not mind a lazy load that is not repeated.
 */
export class Guard {
  readonly #mode: Exclude<OnUnbatched, 'ignore'>;
  readonly #threshold: number;
  readonly #scopes = new WeakMap<object, Scope>();

  constructor(mode: Exclude<OnUnbatched, 'ignore'>, threshold: number) {
    this.#mode = mode;
    this.#threshold = threshold;
  }

  /** The stack of a call, if the call may be one too many. To be called while the caller is on the stack. */
  trace(scope: object): Trace | undefined {
    return (this.#scopes.get(scope)?.hot ?? 0) > 0 ? captureTrace() : undefined;
  }

  /** Forgets what was counted: the fork was cleared, and begins anew. */
  forget(scope: object): void {
    this.#scopes.delete(scope);
  }

  /** A call sends its statement. @throws {BatchLoaderError} `UNBATCHED` */
  sends(call: NotedCall): void {
    if (call.sent) {
      return;
    }
    call.sent = true;
    const where = structureOf(call.where);
    const options = optionsShape(call.options);
    const what = `em.${call.method}(${call.entity}, ${where}${options === '' ? '' : `, { ${options} }`})`;
    const error = this.#count(call.scope, what, undefined, call.trace, 'batch(em).find() and its like, made together');
    if (error !== undefined) {
      throw error;
    }
  }

  /** A batch of one lazy load sends its statement. @returns the error it is to fail with instead */
  sendsAlone(
    scope: object,
    window: object,
    { kind, entity, relation }: LazyLoad,
    options: object,
    trace: Trace | undefined,
  ): BatchLoaderError | undefined {
    const shape = optionsShape(options);
    const given = shape === '' ? '' : `{ ${shape} }`;
    const what = {
      reference: `ref.load(${given}) of ${entity}`,
      collection: `${entity}.${relation}.load(${given})`,
      count: `${entity}.${relation}.loadCount(${given})`,
      property: `${entity}.${relation} loaded lazily${given && ` with ${given}`}`,
    }[kind];
    const remedy =
      kind === 'reference' || kind === 'collection'
        ? 'Promise.all() over the loads, populate: [...] where the entities are found, or batchLoader({ peers: true })'
        : 'Promise.all() over the loads, or batchLoader({ peers: true })';
    return this.#count(scope, what, window, trace, remedy);
  }

  /** A call of `batch(em)` that found no other to share a statement with is sent. @returns the error it is to fail with */
  sendsCallAlone(
    scope: object,
    window: object,
    { method, entity, where, options }: Pick<NotedCall, 'method' | 'entity' | 'where' | 'options'>,
    trace: Trace | undefined,
  ): BatchLoaderError | undefined {
    const shape = optionsShape(options);
    const what = `batch(em).${method}(${entity}, ${structureOf(where)}${shape === '' ? '' : `, { ${shape} }`})`;
    const remedy = 'Promise.all() over the calls, or batchLoader({ peers: true }) where they are about entities';
    return this.#count(scope, what, window, trace, remedy);
  }

  #count(
    scope: object,
    what: string,
    window: object | undefined,
    trace: Trace | undefined,
    remedy: string,
  ): BatchLoaderError | undefined {
    let counts = this.#scopes.get(scope);
    if (counts === undefined) {
      counts = { shapes: new Map(), hot: 0 };
      this.#scopes.set(scope, counts);
    }
    let shape = counts.shapes.get(what);
    if (shape === undefined) {
      if (counts.shapes.size === MAX_SHAPES) {
        const [oldest, { count }] = counts.shapes.entries().next().value!;
        counts.shapes.delete(oldest);
        counts.hot -= count === this.#threshold ? 1 : 0;
      }
      shape = { count: 0, window: undefined };
      counts.shapes.set(what, shape);
    }
    if (window !== undefined && shape.window === window) {
      return undefined;
    }
    shape.window = window;
    shape.count++;
    if (shape.count === this.#threshold) {
      counts.hot++;
    } else if (shape.count === this.#threshold + 1) {
      counts.hot--;
      return this.#report(what, shape.count, trace, remedy);
    }
    return undefined;
  }

  #report(what: string, count: number, trace: Trace | undefined, remedy: string): BatchLoaderError | undefined {
    const shown = what.length > MAX_SHOWN ? `${what.slice(0, MAX_SHOWN)}…` : what;
    const site = (trace && callSite(trace)) ?? 'an unknown place';
    const message = `${shown} was sent ${count} times one by one, last from ${site}. Let it be one query: ${remedy}.`;
    if (this.#mode === 'throw') {
      return new BatchLoaderError('UNBATCHED', message);
    }
    process.emitWarning(message, 'MikrokitWarning', 'UNBATCHED');
    return undefined;
  }
}

/** What counts as one scope: the request, if there is one, else the fork. */
export type ScopeOf = (em: EntityManager) => object;
