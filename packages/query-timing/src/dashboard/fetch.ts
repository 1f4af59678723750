import type { Answer } from './answer.ts';
import { isLoopbackHost } from './loopback.ts';
import type { PageRequest } from './request.ts';

/** A request of `fetch`. It knows neither a socket nor what was taken off its path. */
export function fetchRequest(request: Request, info: unknown): PageRequest {
  const url = new URL(request.url);
  const { method, headers } = request;
  return {
    method,
    url: url.pathname + url.search,
    headers,
    remoteAddress: addressIn(info),
    tellsAddress: false,
    host: hostOf(headers.get('host'), url.host),
  };
}

/** What servers give beside a request, as far as the address of who asks is in it. */
interface ServerInfo {
  readonly remoteAddress?: unknown;
  /** Hono on Node.js: `app.mount('/queries', page.fetch)` passes its environment on. */
  readonly incoming?: NodeSide;
  /** Yoga on Node.js. */
  readonly req?: NodeSide;
  /** Deno. */
  readonly remoteAddr?: { readonly hostname?: unknown } | undefined;
}

interface NodeSide {
  readonly socket?: { readonly remoteAddress?: unknown } | undefined;
}

function addressIn(info: unknown): string | undefined {
  const { remoteAddress, incoming, req, remoteAddr } = (info ?? {}) as ServerInfo;
  return [remoteAddress, incoming?.socket?.remoteAddress, req?.socket?.remoteAddress, remoteAddr?.hostname].find(
    each => typeof each === 'string',
  );
}

/** The header as the client sent it; but a URL of a stranger's host is not made ours by it. */
function hostOf(header: string | null, host: string): string {
  return header === null || (isLoopbackHost(header) && !isLoopbackHost(host)) ? host : header;
}

export function fetchAnswer(request: Request, { status, headers, body }: Answer): Response {
  if (request.method === 'HEAD') {
    return new Response(null, { status, headers });
  }
  if (typeof body === 'string') {
    return new Response(body, { status, headers });
  }
  const encoder = new TextEncoder();
  let leave = (): void => {};
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      leave = body(
        part => {
          // To one that does not take what it gets nothing more is sent: it will hear of the next change.
          if ((controller.desiredSize ?? 0) > 0) {
            controller.enqueue(encoder.encode(part));
          }
        },
        () => controller.close(),
      );
    },
    cancel: () => leave(),
  });
  // Some servers end the request without a word to the stream.
  request.signal.addEventListener('abort', () => leave(), { once: true });
  return new Response(stream, { status, headers });
}
