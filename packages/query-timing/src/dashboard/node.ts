import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Answer } from './answer.ts';
import type { PageRequest } from './request.ts';
import type { Paths } from './route.ts';

/** A request of node:http (HTTP/2 as well), Express or Connect: those two have `originalUrl`. */
type NodeRequest = IncomingMessage & { readonly originalUrl?: unknown };

export function nodePaths(request: NodeRequest): Paths {
  return { full: pathOf(fullUrl(request)), path: pathOf(request.url ?? '/') };
}

function pathOf(url: string): string {
  // Proxies are asked with a whole URL (RFC 9112, 3.2.2).
  const target = /^https?:\/\//i.test(url) && URL.canParse(url) ? new URL(url).pathname : url;
  return target.split(/[?#]/, 1)[0] ?? '';
}

export function nodeRequest(request: NodeRequest): PageRequest {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    // Names with a colon are HTTP/2's own.
    if (value !== undefined && !name.startsWith(':')) {
      headers.set(name, Array.isArray(value) ? value.join(', ') : value);
    }
  }
  const authority = request.headers[':authority'];
  return {
    method: request.method ?? 'GET',
    url: fullUrl(request),
    headers,
    remoteAddress: request.socket.remoteAddress,
    tellsAddress: true,
    host: request.headers.host ?? (typeof authority === 'string' ? authority : undefined),
  };
}

function fullUrl({ url = '/', originalUrl }: NodeRequest): string {
  return typeof originalUrl === 'string' ? originalUrl : url;
}

/** Sends it; a stream goes on until either side ends it. */
export function sendAnswer(
  request: IncomingMessage,
  response: ServerResponse,
  { status, headers, body }: Answer,
): void {
  if (response.headersSent || response.writableEnded || response.destroyed) {
    return;
  }
  // A body that was sent along is not looked at.
  request.resume();
  if (typeof body === 'string') {
    response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
    response.end(request.method === 'HEAD' ? undefined : body);
    return;
  }
  response.writeHead(status, headers);
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  const leave = body(
    // To one that does not take what it gets nothing more is sent: it will hear of the next change.
    part => void (response.writableNeedDrain || response.write(part)),
    () => void response.end(),
  );
  response.once('close', leave);
}
