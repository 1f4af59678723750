import { comment } from './comment.ts';
import type { CommentSettings } from './comment-settings.ts';

type Tags = Readonly<Record<string, string | undefined>>;

/** Tags of a scope that are the same for all of its route: they make no new text for every request. */
const ofRoute = ['framework', 'controller', 'action', 'route', 'method', 'job'] as const;

/** What a `CommentTags` asks others for. */
export interface CommentSources {
  /** The `traceparent` of the span that is active now (https://www.w3.org/TR/trace-context/). */
  readonly traceparent?: () => string | undefined;
  /** A source has thrown; the query goes on without its tags. */
  readonly failed?: (error: unknown) => void;
}

/**
 * What the option `comments` says for a query. `'static'`: application, driver, and tags of the scope that its whole route
 * shares; `'full'`: all tags of the scope, and `traceparent`. Both have what the option's `tags` returns, which is asked for
 * each query.
 *
 * Trap: in mode `'full'` no two requests have the same text. That costs prepared statements their cache.
 */
export class CommentTags {
  readonly #settings: CommentSettings;
  readonly #sources: CommentSources;
  readonly #always: Tags;
  /** By the tags of the scope, which do not change. */
  readonly #made = new WeakMap<Tags, string>();

  constructor(settings: CommentSettings, sources: CommentSources = {}) {
    this.#settings = settings;
    this.#sources = sources;
    this.#always = { application: settings.application, db_driver: 'mikro-orm' };
  }

  /** The comment for a query. @param scope the tags of its scope; the same object has the same tags */
  for(scope: Tags = this.#always): string {
    const { mode, tags } = this.#settings;
    if (mode === 'off') {
      return '';
    }
    if (mode === 'full' || tags !== undefined) {
      return this.#make(scope);
    }
    let made = this.#made.get(scope);
    if (made === undefined) {
      made = this.#make(scope);
      this.#made.set(scope, made);
    }
    return made;
  }

  /** The first tags are those that stay, if there are too many: the user's own come last. */
  #make(scope: Tags): string {
    const { mode, tags } = this.#settings;
    const { traceparent } = this.#sources;
    // Without a prototype: a tag may be called `constructor`, or `__proto__`.
    const all: Record<string, string | undefined> = Object.assign(Object.create(null), this.#always);
    for (const name of ofRoute) {
      all[name] = scope[name];
    }
    if (mode === 'full') {
      all['traceparent'] = (traceparent && this.#ask(traceparent)) ?? scope['traceparent'];
      for (const [name, value] of Object.entries(scope)) {
        all[name] ??= value;
      }
    }
    this.#ask(() => Object.assign(all, tags?.()));
    return this.#ask(() => comment(all)) ?? '';
  }

  /** A query never fails because of its comment. */
  #ask<T>(source: () => T): T | undefined {
    try {
      return source();
    } catch (error) {
      this.#sources.failed?.(error);
      return undefined;
    }
  }
}
