import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AtlasError } from './errors.ts';

export const HOST = '127.0.0.1';

/** An HTTP server that listens before there is anything to serve, so that a busy port is known at once. */
export class HttpServer {
  readonly #server: Server;
  #handler: RequestListener = (_request, response) => {
    response.writeHead(503, { 'content-type': 'text/plain', 'retry-after': '1' }).end('Atlas is still loading.\n');
  };

  private constructor() {
    this.#server = createServer((request, response) => this.#handler(request, response));
  }

  static async listen(port: number): Promise<HttpServer> {
    const http = new HttpServer();
    await new Promise<void>((resolve, reject) => {
      http.#server.once('error', (error: NodeJS.ErrnoException) =>
        reject(new AtlasError(portProblem(port, error), { cause: error })),
      );
      http.#server.listen(port, HOST, resolve);
    });
    return http;
  }

  get url(): string {
    return `http://${HOST}:${(this.#server.address() as AddressInfo).port}`;
  }

  serve(handler: RequestListener): void {
    this.#handler = handler;
  }

  /** Lets the requests in progress finish; connections that are merely kept open are closed. */
  async close(): Promise<void> {
    const closed = new Promise(resolve => this.#server.close(resolve));
    this.#server.closeIdleConnections();
    await closed;
  }
}

function portProblem(port: number, { code, message }: NodeJS.ErrnoException): string {
  if (code === 'EADDRINUSE') {
    return `port ${port} is in use. Choose another with --port N, or --port 0 for any free one.`;
  }
  if (code === 'EACCES') {
    return `port ${port} needs privileges that this user does not have. Choose one above 1023 with --port N.`;
  }
  return `cannot listen on port ${port}: ${message}`;
}
