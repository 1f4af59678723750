import { isObject, shown } from '../checks.ts';
import { OptionsError } from '../errors.ts';
import type { QueryTiming } from '../timing.ts';
import type { RequestTimingOptions } from './timing-options.ts';

/** What is used of `queryTiming()` to run a request as a scope. */
export type RequestTiming = Pick<QueryTiming, 'run' | 'scope' | 'rename'>;

/** `RequestTimingOptions`, checked, with their defaults; none of its functions throws. */
export interface TimingSettings<Request = unknown> {
  readonly serverTiming: boolean;
  tags(request: Request): Readonly<Record<string, unknown>>;
  name(request: Request): string | undefined;
  ignored(request: Request): boolean;
}

const NAMES: readonly string[] = ['serverTiming', 'tags', 'name', 'ignore'] satisfies (keyof RequestTimingOptions)[];

/** @param caller the public function, for messages @throws {OptionsError} */
export function timingSettings<Request>(
  caller: string,
  timing: RequestTiming,
  options: RequestTimingOptions<Request> = {},
): TimingSettings<Request> {
  if (typeof (timing as RequestTiming | undefined)?.run !== 'function') {
    throw refusal(caller, 'timing', 'is what queryTiming() returned', timing, 'Give it as the first argument.');
  }
  if (!isObject(options)) {
    throw refusal(
      caller,
      'options',
      `is an object with ${NAMES.join(', ')}`,
      options,
      'Leave it out for the defaults.',
    );
  }
  const unknown = Object.keys(options).find(name => !NAMES.includes(name));
  if (unknown !== undefined) {
    throw refusal(
      caller,
      unknown,
      `is not known, only ${NAMES.join(', ')} are`,
      options,
      'Remove it or correct its name.',
    );
  }
  const { serverTiming, tags, name, ignore } = options;
  if (serverTiming !== undefined && typeof serverTiming !== 'boolean') {
    throw refusal(caller, 'serverTiming', 'is true or false', serverTiming, 'Leave it out: true in development only.');
  }
  const asked = <T>(option: string, fn: ((request: Request) => T) | undefined): ((request: Request) => T | undefined) =>
    fn === undefined ? () => undefined : harmless(caller, option, fn);
  const askedTags = asked('tags', tags);
  const askedName = asked('name', name);
  const askedIgnore = asked('ignore', ignore);
  return {
    serverTiming: serverTiming ?? isDevelopment(),
    tags: request => askedTags(request) ?? {},
    name(request) {
      const given: unknown = askedName(request);
      return typeof given === 'string' && given !== '' ? given : undefined;
    },
    ignored: request => askedIgnore(request) === true,
  };
}

/** A request never fails because of how it is called: what throws is told of once, and then is as if it returned nothing. */
function harmless<Request, T>(
  caller: string,
  option: string,
  fn: (request: Request) => T,
): (request: Request) => T | undefined {
  if (typeof fn !== 'function') {
    throw refusal(caller, option, 'is a function of the request', fn, 'Leave it out if there is none.');
  }
  let isTold = false;
  return request => {
    try {
      return fn(request);
    } catch (error) {
      if (!isTold) {
        isTold = true;
        const what = error instanceof Error ? error.name : typeof error;
        process.emitWarning(
          `${caller}: the function given as ${option} has thrown (${shown(what)}); the request went on without it.`,
          { type: 'MikrokitWarning', code: 'QUERY_TIMING_HTTP' },
        );
      }
      return undefined;
    }
  };
}

function isDevelopment(): boolean {
  return !['production', 'test'].includes(process.env['NODE_ENV'] ?? '');
}

function refusal(caller: string, option: string, contract: string, value: unknown, remedy: string): OptionsError {
  return new OptionsError(option, `${caller}: ${option} ${contract}, but got: ${shown(value)}. ${remedy}`);
}
