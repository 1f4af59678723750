import { runFetchScope } from './fetch-scope.ts';
import type { NodeResponse } from './node-head.ts';
import { type Operations, operationName } from './operation-name.ts';
import type { RequestScope } from './request-scope.ts';
import type { RequestTimingOptions } from './timing-options.ts';
import { type RequestTiming, timingSettings } from './timing-settings.ts';
import { withServerTiming } from './with-server-timing.ts';

const MOST_OPERATIONS = 10;

/** What is used of a plugin's `onRequest` of GraphQL Yoga. */
export interface YogaRequest {
  readonly fetchAPI: { readonly Response: unknown };
  /** On Node.js, `res` is its answer. */
  readonly serverContext: unknown;
  readonly requestHandler: YogaHandler;
  setRequestHandler(handler: YogaHandler): void;
}

/** How Yoga answers a request. */
export type YogaHandler = (request: Request, context: never) => Response | Promise<Response>;

/** What is used of a plugin's `onExecute` and `onSubscribe`. */
export interface YogaExecution {
  readonly args: Operations & { readonly contextValue?: unknown };
}

/** A plugin of GraphQL Yoga. */
export interface YogaTiming {
  onRequest(payload: YogaRequest): void;
  onExecute(payload: YogaExecution): void;
  onSubscribe(payload: YogaExecution): void;
}

/**
 * A plugin for GraphQL Yoga, `createYoga({ plugins: [yogaTiming(timing)] })`: each request is a scope, with all the operations
 * in it, and is named after them (`query Books`; without a name, after its fields: `query { books }`). Within `nodeTiming()`,
 * `expressTiming()` or `fastifyTiming()` of the same timing it gives their scope that name.
 *
 * On Node.js the scope is over when the answer is finished or closed, elsewhere when it is returned.
 *
 * Trap: what a subscription, `@defer` and `@stream` query after their answer has begun is no part of it.
 *
 * @throws {OptionsError}
 */
export function yogaTiming(timing: RequestTiming, options?: RequestTimingOptions<Request>): YogaTiming {
  const settings = timingSettings('yogaTiming()', timing, options);
  const running = new WeakMap<object, (operation: string) => void>();
  const tellName = ({ args }: YogaExecution): void => {
    const { request } = (args.contextValue ?? {}) as { readonly request?: object };
    const operation = operationName(args);
    if (request !== undefined && operation !== undefined) {
      running.get(request)?.(operation);
    }
  };
  return {
    onRequest({ fetchAPI, serverContext, requestHandler, setRequestHandler }) {
      const { Response: Made } = fetchAPI as { readonly Response: typeof Response };
      const { res: response } = (serverContext ?? {}) as { readonly res?: NodeResponse };
      setRequestHandler((request, context) =>
        runFetchScope<Request, Response>(
          timing,
          settings,
          { request, response },
          request,
          async scope => {
            if (scope === undefined) {
              return await requestHandler(request, context);
            }
            running.set(request, naming(scope));
            const answer = await requestHandler(request, context);
            if (goesOn(answer)) {
              scope.end();
            }
            return answer;
          },
          (answer, value) => withServerTiming(Made, answer, value),
        ),
      );
    },
    onExecute: tellName,
    onSubscribe: tellName,
  };
}

/** Whether more comes, maybe for hours, after what was executed for it: of `subscription`, `@defer` and `@stream`. */
function goesOn({ headers }: Response): boolean {
  return /^(text\/event-stream|multipart\/mixed)\b/.test(headers.get('content-type') ?? '');
}

/** All the operations of a request, each once. */
function naming(scope: RequestScope): (operation: string) => void {
  const operations = new Set<string>();
  return operation => {
    if (operations.size === MOST_OPERATIONS) {
      return;
    }
    operations.add(operation);
    scope.named([...operations].join(', '));
  };
}
