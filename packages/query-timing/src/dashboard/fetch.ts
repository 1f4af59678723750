import type { Answer } from './answer.ts';
import { isLoopbackHost } from './loopback.ts';
import type { PageRequest } from './request.ts';

/** A request of `fetch`. It knows neither a socket nor what was taken off its path. */
export function fetchRequest(
  request: Request,
  info: { readonly remoteAddress?: string | undefined } | undefined,
): PageRequest {
  const url = new URL(request.url);
  const { method, headers } = request;
  const remoteAddress = info?.remoteAddress;
  return {
    method,
    url: url.pathname + url.search,
    headers,
    remoteAddress: typeof remoteAddress === 'string' ? remoteAddress : undefined,
    tellsAddress: false,
    host: hostOf(headers.get('host'), url.host),
  };
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
