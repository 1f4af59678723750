import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { boundedName } from './bounded-name.ts';
import { isObject } from './checks.ts';
import type { Context } from './context.ts';
import type { OpenQuery } from './open-query.ts';
import type { BatchReport, CacheReport } from './timing-report.ts';

const CHANNELS = ['mikrokit:batch', 'mikrokit:cache', 'mikrokit:route'] as const;
/** Entities and reasons that are told apart. */
const MOST_NAMES = 200;
const LONGEST_NAME = 1_000;

interface BatchEvent {
  readonly entity: string;
  readonly keys: number;
  readonly rows?: number;
  readonly took: number;
}

interface CacheEvent {
  readonly kind: 'hit' | 'miss' | 'fill' | 'bypass' | 'invalidate' | 'error';
  readonly entity?: string;
  readonly reason?: string;
}

interface RouteEvent {
  readonly node: string;
  readonly role: 'primary' | 'replica';
  readonly reason: string;
}

interface EntityCounts {
  hits: number;
  misses: number;
  bypasses: number;
}

/**
 * What the other packages tell on their channels, by name: none of them is imported, and none needs to be there. Their
 * events come in the asynchronous context of the query they are about.
 */
export class Neighbours {
  readonly #context: () => Context | undefined;
  readonly #last: () => OpenQuery | undefined;
  readonly #listeners: Record<(typeof CHANNELS)[number], (event: unknown) => void>;
  #cache = newCache();
  #batches = newBatches();
  #hasCache = false;
  #hasBatches = false;

  /** @param last the query that was over last */
  constructor(context: () => Context | undefined, last: () => OpenQuery | undefined) {
    this.#context = context;
    this.#last = last;
    this.#listeners = {
      'mikrokit:batch': event => isBatch(event) && this.#batch(event),
      'mikrokit:cache': event => isCache(event) && this.#cached(event),
      'mikrokit:route': event => isRoute(event) && this.#routed(event),
    };
  }

  listen(): void {
    CHANNELS.forEach(name => subscribe(name, this.#listeners[name]));
  }

  close(): void {
    CHANNELS.forEach(name => void unsubscribe(name, this.#listeners[name]));
  }

  reset(): void {
    this.#cache = newCache();
    this.#batches = newBatches();
  }

  cacheReport(): CacheReport | undefined {
    if (!this.#hasCache) {
      return undefined;
    }
    const { entities, reasons, ...counts } = this.#cache;
    return { ...counts, entities: Object.fromEntries(entities), reasons: Object.fromEntries(reasons) };
  }

  batchReport(): BatchReport | undefined {
    return this.#hasBatches ? { ...this.#batches, entities: Object.fromEntries(this.#batches.entities) } : undefined;
  }

  /** It comes right after the rows of the batch were made entities of. */
  #batch({ entity, keys, rows }: BatchEvent): void {
    this.#hasBatches = true;
    this.#batches.batches++;
    this.#batches.calls += keys;
    const own = this.#batches.entities.get(entity);
    if (own !== undefined) {
      own.batches++;
      own.calls += keys;
    } else if (this.#batches.entities.size < MOST_NAMES) {
      this.#batches.entities.set(entity, { batches: 1, calls: keys });
    }
    const last = this.#context()?.scope?.last ?? this.#last();
    if (last !== undefined && last.batch === undefined && (last.entity === entity || last.rows === rows)) {
      last.batch = keys;
    }
  }

  /** A miss and a bypass come before the query they lead to. */
  #cached({ kind, entity, reason }: CacheEvent): void {
    const context = this.#context();
    if (context === undefined && (kind === 'hit' || kind === 'miss' || kind === 'bypass')) {
      // It answers a call of another ORM.
      return;
    }
    this.#hasCache = true;
    const counts = this.#cache;
    const own = entity === undefined ? undefined : entityCounts(counts.entities, entity);
    switch (kind) {
      case 'hit':
        counts.hits++;
        if (own) own.hits++;
        return;
      case 'miss':
        counts.misses++;
        if (own) own.misses++;
        break;
      case 'bypass':
        counts.bypasses++;
        if (own) own.bypasses++;
        break;
      case 'fill':
        counts.fills++;
        return;
      case 'invalidate':
        counts.invalidations++;
        return;
      default:
        counts.errors++;
        return;
    }
    const why = boundedName(reason === undefined ? kind : `${kind}: ${reason}`);
    const before = counts.reasons.get(why);
    if (before !== undefined || counts.reasons.size < MOST_NAMES) {
      counts.reasons.set(why, (before ?? 0) + 1);
    }
    const operation = context?.operation;
    if (operation !== undefined) {
      operation.cache = why;
    }
  }

  #routed({ node, role, reason }: RouteEvent): void {
    const context = this.#context();
    const query = context?.query;
    if (query === undefined) {
      return;
    }
    const route = boundedName(reason);
    if (query.error !== undefined) {
      context!.next = { node: boundedName(node), route };
    } else if (query.route === undefined) {
      // The first is its own; another one is of what is asked in its call, by a hook.
      query.node = boundedName(node);
      query.role = role;
      query.route = route;
    }
  }
}

/* Anybody may publish on a channel, and an exception of a listener would end the process. */

function isBatch(event: unknown): event is BatchEvent {
  return isObject(event) && 'entity' in event && isName(event.entity) && 'keys' in event && Number.isFinite(event.keys);
}

function isCache(event: unknown): event is CacheEvent {
  const { kind, entity, reason } = (isObject(event) ? event : {}) as Record<string, unknown>;
  return isName(kind) && (entity === undefined || isName(entity)) && (reason === undefined || isName(reason));
}

function isRoute(event: unknown): event is RouteEvent {
  const { node, role, reason } = (isObject(event) ? event : {}) as Record<string, unknown>;
  return isName(node) && (role === 'primary' || role === 'replica') && isName(reason);
}

/** Entities and the like: nothing that is kept by its thousands and may be of any length. */
function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length <= LONGEST_NAME;
}

function newCache(): Omit<CacheReport, 'entities' | 'reasons'> & {
  hits: number;
  misses: number;
  bypasses: number;
  fills: number;
  invalidations: number;
  errors: number;
  readonly entities: Map<string, EntityCounts>;
  readonly reasons: Map<string, number>;
} {
  return {
    hits: 0,
    misses: 0,
    bypasses: 0,
    fills: 0,
    invalidations: 0,
    errors: 0,
    entities: new Map(),
    reasons: new Map(),
  };
}

function newBatches(): {
  batches: number;
  calls: number;
  readonly entities: Map<string, { batches: number; calls: number }>;
} {
  return { batches: 0, calls: 0, entities: new Map() };
}

function entityCounts(entities: Map<string, EntityCounts>, entity: string): EntityCounts | undefined {
  let counts = entities.get(entity);
  if (counts === undefined && entities.size < MOST_NAMES) {
    counts = { hits: 0, misses: 0, bypasses: 0 };
    entities.set(entity, counts);
  }
  return counts;
}
