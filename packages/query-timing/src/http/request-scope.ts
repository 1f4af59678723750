import { AsyncLocalStorage } from 'node:async_hooks';
import { serverTiming } from '../server-timing.ts';
import { boundedText } from './bounded-text.ts';
import { pathName } from './path-name.ts';
import type { RequestTiming, TimingSettings } from './timing-settings.ts';
import { traceParent } from './trace-parent.ts';

const LONGEST_NAME = 200;
const LONGEST_METHOD = 20;
const LONGEST_TAG_NAME = 64;
const LONGEST_TAG = 256;
const MOST_TAGS = 20;

/** What is known of a request when it comes. */
export interface Arrival {
  readonly method: string | undefined;
  /** As it was sent: path or whole URL, with its query. */
  readonly target: string | undefined;
  /** The pattern of its route, where the framework has looked for it already. */
  readonly route: string | undefined;
  /** The header, unchecked. */
  readonly traceparent: unknown;
}

/** The scope of a request while it runs. Every function may be called from anywhere. */
export interface RequestScope {
  /** Its route is known (better): it is named after it, unless it has a better name. */
  routed(pattern: string | undefined): void;
  /** It has a better name than that of its route. */
  named(name: string): void;
  /** The value of the header Server-Timing for what has run so far. `undefined`: none wanted. */
  serverTiming(): string | undefined;
  /** Runs `fn` in it, and in whatever else was current when it began. */
  inside<T>(fn: () => T): T;
  /** It is over; further calls do nothing. */
  end(): void;
}

/**
 * Runs `fn` as the scope of a request, which is over when `end()` was called, or when `fn` throws.
 *
 * @param seen the request as the functions in the options know it
 * @returns what `fn` returns
 */
export function runRequest<Seen, T>(
  timing: RequestTiming,
  settings: TimingSettings<Seen>,
  arrival: Arrival,
  seen: Seen,
  fn: (scope: RequestScope) => T,
): T {
  const method = boundedText(arrival.method ?? 'GET', LONGEST_METHOD);
  const nameOf = (route: string | undefined): string => `${method} ${route ?? pathName(arrival.target ?? '/')}`;
  const over = Promise.withResolvers<void>();
  let isOver = false;
  let name = boundedText(nameOf(arrival.route), LONGEST_NAME);
  let isNamed = false;
  let result: { readonly value: T } | undefined;

  void timing.run({ name, kind: 'request', tags: tagsOf(settings, method, arrival, seen) }, () => {
    const inside = AsyncLocalStorage.snapshot();
    const rename = (to: string): void => {
      const bounded = boundedText(to, LONGEST_NAME);
      if (!isOver && bounded !== name) {
        name = bounded;
        inside(() => timing.rename(bounded));
      }
    };
    result = {
      value: fn({
        routed: route => void (isNamed || rename(nameOf(route))),
        named(to) {
          isNamed = true;
          rename(to);
        },
        serverTiming: () => (settings.serverTiming ? inside(() => serverTimingOf(timing)) : undefined),
        inside,
        end() {
          const own = isOver ? undefined : settings.name(seen);
          if (own !== undefined) {
            rename(own);
          }
          isOver = true;
          over.resolve();
        },
      }),
    };
    return over.promise;
  });
  return result!.value;
}

function serverTimingOf(timing: RequestTiming): string | undefined {
  const scope = timing.scope();
  return scope && serverTiming(scope);
}

/** The user's own come last: if there are too many, those are left out; if they have the same name, they win. */
function tagsOf<Seen>(
  settings: TimingSettings<Seen>,
  method: string,
  { route, traceparent }: Arrival,
  seen: Seen,
): Readonly<Record<string, string>> {
  const tags: [name: string, value: unknown][] = [
    ['method', method],
    ['route', route],
    ['traceparent', traceParent(traceparent)],
    ...Object.entries(settings.tags(seen)),
  ];
  const bounded = new Map<string, string>();
  for (const [tag, value] of tags) {
    const key = boundedText(tag, LONGEST_TAG_NAME);
    if (typeof value === 'string' && (bounded.size < MOST_TAGS || bounded.has(key))) {
      bounded.set(key, boundedText(value, LONGEST_TAG));
    }
  }
  return Object.fromEntries(bounded);
}
