/// <reference lib="dom" />
import type { ReportData, ScopeData } from '../../report/json.ts';

/** What the page asks the server. */
export interface Server {
  /** @throws {ServerError} */
  report(): Promise<ReportData>;
  /** `'gone'`: it is not kept any more. @throws {ServerError} */
  scope(id: number): Promise<ScopeData | 'gone'>;
  /** @throws {ServerError} */
  reset(): Promise<void>;
  /** Calls `change` when there is something new. @returns ends it */
  listen(change: () => void, state: (state: 'live' | 'polling' | 'lost') => void): () => void;
}

/** The server refused, or does not answer; the message is for who looks at the page. */
export class ServerError extends Error {
  override readonly name = 'ServerError';
}

/** How often is asked where the server tells nothing by itself, in ms. */
const POLL = 5000;
/** A connection that is not back after so long is lost, in ms. */
const MISSING = 6000;

/** @param base URL of the page, without a slash at its end */
export function createServer(base: string): Server {
  return {
    report: async () => (await (await ask(`${base}/report.json`)).json()) as ReportData,
    scope: async id => {
      const answer = await ask(`${base}/scopes/${id}.json`, {}, [404]);
      return answer.status === 404 ? 'gone' : ((await answer.json()) as ScopeData);
    },
    reset: async () => {
      await ask(`${base}/reset`, { method: 'POST', headers: { 'x-query-timing': 'reset' } });
    },
    listen(change, state) {
      const source = new EventSource(`${base}/events`);
      let poll: number | undefined;
      let missing: number | undefined;
      let opened = false;
      source.addEventListener('open', () => {
        window.clearTimeout(missing);
        missing = undefined;
        state('live');
        if (opened) {
          // What happened while it was away.
          change();
        }
        opened = true;
      });
      source.addEventListener('change', change);
      source.addEventListener('error', () => {
        if (source.readyState === EventSource.CLOSED) {
          // It was refused for good: there are too many.
          state('polling');
          poll ??= window.setInterval(change, POLL);
        } else {
          // The server ends each connection now and then, and the browser comes back by itself.
          missing ??= window.setTimeout(() => state('lost'), MISSING);
        }
      });
      return () => {
        source.close();
        window.clearInterval(poll);
        window.clearTimeout(missing);
      };
    },
  };
}

async function ask(url: string, init: RequestInit = {}, expected: readonly number[] = []): Promise<Response> {
  let answer;
  try {
    answer = await fetch(url, { credentials: 'same-origin', cache: 'no-store', ...init });
  } catch {
    throw new ServerError('The server does not answer. Is the application running?');
  }
  if (!answer.ok && !expected.includes(answer.status)) {
    throw new ServerError(`The server refused (${answer.status}): ${(await answer.text()).slice(0, 500)}`);
  }
  return answer;
}
