import { createServer } from 'node:net';

/**
 * A TCP port of 127.0.0.1 that nobody listens on. Another process may take it before the caller does: whoever uses it
 * to start a server must be ready to try again with a new one.
 */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise<void>(resolve => server.close(() => resolve()));
  if (address === null || typeof address === 'string') {
    throw new TypeError('expected an IP address from a TCP listener');
  }
  return address.port;
}
