import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { checkTiming } from '../checks.ts';
import { scopeData } from '../report/json.ts';
import { reportMarkdown } from '../report/markdown.ts';
import { refusalOf } from './access.ts';
import { type Answer, htmlAnswer, refusalAnswer, streamAnswer, textAnswer } from './answer.ts';
import { fetchAnswer, fetchRequest } from './fetch.ts';
import { createLive, MOST_LISTENERS } from './live.ts';
import { nodePaths, nodeRequest, sendAnswer } from './node.ts';
import { dashboardSettings, type DashboardOptions } from './options.ts';
import { createPage } from './page.ts';
import { createReports, type DashboardSource } from './reports.ts';
import type { PageRequest } from './request.ts';
import { type Route, routeOf } from './route.ts';
import { cameFromPage } from './same-origin.ts';

/** The page as a handler: of node:http, Express and Connect when it is called, of `fetch` servers by its `fetch`. */
export interface Dashboard {
  /**
   * Answers what is asked of the page. What is not goes to `next`, or without one is 404. Works behind
   * `app.use('/queries', page)`, too. Never throws.
   */
  (request: IncomingMessage, response: ServerResponse, next?: (error?: unknown) => void): void;
  /**
   * Answers a request of `fetch` (Hono, Yoga, Bun, Deno); what is not asked of the page is 404. Never rejects.
   *
   * Trap: without `remoteAddress` only the name that the client called tells whether it is on this machine, and a client
   * of another one may lie about that. Pass it where the server is reached from outside, or give `authorize`. Hono on
   * Node.js (`app.mount()`, or `c.env`), Yoga on Node.js and Deno give it by themselves if what they give beside the request
   * is passed on.
   */
  fetch(request: Request, info?: { readonly remoteAddress?: string | undefined }): Promise<Response>;
  /** Ends live connections, so that a server that closes need not wait for them (up to 30 s otherwise). */
  close(): void;
}

/** Longer URLs are refused. */
const LONGEST_URL = 2048;

/**
 * The page that shows what `queryTiming()` has found, at `/queries`; the same as JSON at `/queries.json` and as Markdown at
 * `/queries.md` (under a mount that takes off the prefix: `/queries/report.json`, `/queries/report.md`).
 *
 * Closed by default: only this machine sees it, and nobody in production, until `authorize` says who may. It costs nothing
 * until somebody looks. Made twice, or mounted at two places, it works at both and shows the same; at the same place the
 * first one answers.
 *
 * Trap: its client code is read from files beside this module, so a bundler must leave this package external.
 *
 * @throws {OptionsError}
 */
export function dashboard(timing: DashboardSource, options?: DashboardOptions): Dashboard {
  checkTiming('dashboard()', timing, ['report', 'on', 'reset']);
  const settings = dashboardSettings(options);
  const reports = createReports(timing);
  const live = createLive(timing);
  const page = createPage(settings.title);

  const routes: Readonly<Record<Route['name'], (route: Route) => Answer | Promise<Answer>>> = {
    page: async () => {
      const nonce = randomBytes(16).toString('base64');
      return htmlAnswer(200, await page(nonce), nonce);
    },
    json: () => textAnswer(200, 'application/json', reports.json()),
    markdown: () => textAnswer(200, 'text/markdown', reportMarkdown(reports.report(), { title: settings.title })),
    scope: route => {
      const id = 'id' in route ? route.id : undefined;
      const scope = reports.report().scopes.find(each => each.id === id);
      return scope
        ? textAnswer(200, 'application/json', `${JSON.stringify(scopeData(scope))}\n`)
        : refusalAnswer(404, { reason: `There is no scope ${id}.`, remedy: 'Only the newest are kept.' }, true);
    },
    events: () => {
      const stream = live.open();
      return stream
        ? streamAnswer(stream)
        : refusalAnswer(
            503,
            {
              reason: `${MOST_LISTENERS} pages are live already.`,
              remedy: 'Close one, or ask for the JSON now and then.',
            },
            false,
            { 'retry-after': '5' },
          );
    },
    reset: () => {
      timing.reset();
      reports.forget();
      return textAnswer(200, 'application/json', '{"reset":true}\n');
    },
  };

  const answer = async (route: Route, request: PageRequest): Promise<Answer> => {
    const json = route.name === 'json' || route.name === 'scope' || route.name === 'reset';
    const refusal = await refusalOf(settings, request);
    if (refusal) {
      return refusalAnswer(403, refusal, json);
    }
    if (request.url.length > LONGEST_URL) {
      return refusalAnswer(414, { reason: 'The URL is too long.', remedy: 'The page knows no such one.' }, json);
    }
    const methods = route.name === 'reset' ? ['POST'] : ['GET', 'HEAD'];
    if (!methods.includes(request.method)) {
      const remedy = `Use ${methods.join(' or ')}.`;
      return refusalAnswer(405, { reason: 'This method does not do here.', remedy }, json, {
        allow: methods.join(', '),
      });
    }
    if (route.name === 'reset' && !cameFromPage(request)) {
      const reason = 'Only the page itself may reset what was recorded.';
      return refusalAnswer(
        403,
        { reason, remedy: 'Send it from there, or call timing.reset() in your program.' },
        json,
      );
    }
    try {
      // What HEAD would not send is not begun either: a stream would stay open.
      return request.method === 'HEAD' && route.name === 'events'
        ? streamAnswer(() => () => {})
        : await routes[route.name](route);
    } catch (error) {
      return failure(error, json);
    }
  };

  const handle = (request: IncomingMessage, response: ServerResponse, next?: (error?: unknown) => void): void => {
    const route = routeOf(nodePaths(request), settings.path, !settings.hasPath);
    if (route) {
      answer(route, nodeRequest(request))
        .then(given => sendAnswer(request, response, given))
        // Somebody else has begun an answer in between.
        .catch(() => response.destroy());
    } else if (next) {
      // At once: most requests are not for the page.
      next();
    } else {
      sendAnswer(request, response, notFound(settings.path));
    }
  };

  return Object.assign(handle, {
    fetch: async (request: Request, info?: { readonly remoteAddress?: string | undefined }): Promise<Response> => {
      const path = new URL(request.url).pathname;
      const route = routeOf({ full: path, path }, settings.path, false);
      const given = route ? await answer(route, fetchRequest(request, info)) : notFound(settings.path);
      return fetchAnswer(request, given);
    },
    close: () => live.close(),
  });
}

function notFound(path: string): Answer {
  const remedy = `The page is at ${path === '' ? '/' : path}.`;
  return refusalAnswer(404, { reason: 'There is nothing here.', remedy }, false);
}

/** What is wrong is told only where it is for the developer: an error of somebody else's code may hold anything. */
function failure(error: unknown, json: boolean): Answer {
  const ours = error instanceof Error && error.name === 'PageMissingError';
  return refusalAnswer(
    500,
    {
      reason: 'The page could not be made.',
      remedy: ours ? error.message : 'See whether timing.report() works in your program.',
    },
    json,
  );
}
