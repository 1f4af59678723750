import { comment } from './comment.ts';
import type { CommentSettings } from './comment-settings.ts';

type Tags = Readonly<Record<string, string | undefined>>;

/** Tags of a scope that are the same for all of its route: they make no new text for every request. */
const ofRoute = ['framework', 'controller', 'action', 'route', 'method', 'job'] as const;

/**
 * What the option `comments` says for a query. `'static'`: application, driver, and tags of the scope that its whole route
 * shares; `'full'`: all tags of the scope, `traceparent` among them. Both have what the option's `tags` returns, which is asked
 * for each query.
 *
 * Trap: in mode `'full'` no two requests have the same text. That costs prepared statements their cache.
 */
export class CommentTags {
  readonly #settings: CommentSettings;
  readonly #failed: (error: unknown) => void;
  readonly #always: Tags;
  /** By the tags of the scope, which do not change. */
  readonly #made = new WeakMap<Tags, string>();

  /** @param failed told of what the option's `tags` throws: application and driver are all that is said then */
  constructor(settings: CommentSettings, failed: (error: unknown) => void) {
    this.#settings = settings;
    this.#failed = failed;
    this.#always = { application: settings.application, db_driver: 'mikro-orm' };
  }

  /** The comment for a query. @param scope the tags of its scope; the same object has the same tags */
  for(scope: Tags = this.#always): string {
    const { mode, tags } = this.#settings;
    if (mode === 'off') {
      return '';
    }
    try {
      return mode === 'full' || tags !== undefined ? this.#make(scope) : this.#madeOnce(scope);
    } catch (error) {
      // A query never fails because of its comment.
      this.#failed(error);
      return comment(this.#always);
    }
  }

  #madeOnce(scope: Tags): string {
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
    // Without a prototype: a tag may be called `constructor`, or `__proto__`.
    const all: Record<string, string | undefined> = Object.assign(Object.create(null), this.#always);
    for (const name of ofRoute) {
      all[name] = scope[name];
    }
    if (mode === 'full') {
      all['traceparent'] = scope['traceparent'];
      Object.assign(all, scope);
    }
    return comment(Object.assign(all, tags?.()));
  }
}
