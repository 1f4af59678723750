import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect, createServer as createHttp2 } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expressTiming, fastifyTiming, fetchTiming, honoTiming, nodeTiming } from '@mikrokit/query-timing/http';
import { expressTokens } from '@mikrokit/replica-resolver/http';
import express from 'express';
import fastify, { type FastifyRequest } from 'fastify';
import { type Context, Hono } from 'hono';
import { describe, expect, onTestFinished, test } from 'vitest';
import { scriptedResolver } from '../replica-resolver/fixtures/scripted-resolver.ts';
import { type CountedScopes, countedScopes } from './fixtures/http-scopes.ts';
import { type HttpServer, type Listener, listen, toNode, yogaApplication } from './fixtures/http-servers.ts';

const ONE = 'sql;desc="1 query";dur=1, sqlwait;dur=0, sqldb;dur=1, sqlhydrate;dur=0';

async function served(listener: Listener): Promise<HttpServer> {
  const server = await listen(listener);
  onTestFinished(() => server.close());
  return server;
}

/** The names of the scopes that are over, once there are so many. */
async function names(timing: CountedScopes, count: number): Promise<readonly string[]> {
  await expect.poll(() => timing.ended.length).toBe(count);
  return timing.ended.map(({ name }) => name);
}

describe('each way to send the head has Server-Timing in it, beside the one of the application', () => {
  const pairs = [
    ['Server-Timing', 'a'],
    ['x', 'y'],
  ] as never;
  test.each<[string, Listener, string[]]>([
    ['end()', (_, r) => r.end('ok'), []],
    ['write()', (_, r) => (r.write('o'), r.end('k')), []],
    ['flushHeaders()', (_, r) => (r.flushHeaders(), r.end('ok')), []],
    ['writeHead(status)', (_, r) => r.writeHead(200).end('ok'), []],
    ['writeHead(status, reason)', (_, r) => r.writeHead(200, 'Fine').end('ok'), []],
    ['writeHead(status, head)', (_, r) => r.writeHead(200, { a: 'b' }).end('ok'), []],
    ['writeHead(status, undefined, head)', (_, r) => r.writeHead(200, undefined, { a: 'b' }).end('ok'), []],
    ['writeHead(status, reason, head)', (_, r) => r.writeHead(200, 'Fine', { 'server-timing': 'a' }).end('ok'), ['a']],
    ['setHeader()', (_, r) => r.setHeader('Server-Timing', 'a').end('ok'), ['a']],
    ['setHeader(list)', (_, r) => r.setHeader('Server-Timing', ['a', 'b']).end('ok'), ['a', 'b']],
    ['a head by name', (_, r) => r.writeHead(200, { 'Server-Timing': 'a' }).end('ok'), ['a']],
    ['a head by name, list', (_, r) => r.writeHead(200, { 'SERVER-TIMING': ['a', 'b'] }).end('ok'), ['a', 'b']],
    ['a head in turns', (_, r) => r.writeHead(200, ['Server-Timing', 'a', 'x', 'y']).end('ok'), ['a']],
    ['a head in pairs', (_, r) => r.writeHead(200, pairs).end('ok'), ['a']],
    ['an empty head in turns', (_, r) => r.writeHead(200, []).end('ok'), []],
    [
      'setHeader(), then a head without it',
      (_, r) => r.setHeader('Server-Timing', 'a').writeHead(200, { b: 'c' }).end('ok'),
      ['a'],
    ],
    [
      'setHeader(), then a head in turns without it',
      (_, r) => r.setHeader('Server-Timing', 'a').writeHead(200, ['b', 'c']).end('ok'),
      ['a'],
    ],
    [
      'setHeader(), then a head with it, which replaces it',
      (_, r) => r.setHeader('Server-Timing', 'a').writeHead(200, { 'Server-Timing': 'b' }).end('ok'),
      ['b'],
    ],
  ])('%s', async (_, listener, theirs) => {
    const timing = countedScopes();
    const { origin } = await served(
      nodeTiming(
        timing,
        (request: IncomingMessage, response: ServerResponse) => {
          timing.query();
          return listener(request, response);
        },
        { serverTiming: true },
      ),
    );
    const answer = await fetch(origin);
    expect(await answer.text()).toBe('ok');
    expect(answer.headers.get('server-timing')).toBe([...theirs, ONE].join(', '));
  });

  test('a reason, and a head that was given, stay as they are', async () => {
    const head = Object.freeze({ 'Server-Timing': Object.freeze(['a']) as string[] });
    const listener: Listener = (_, response) => response.writeHead(404, 'Gone fishing', head).end();
    const { origin } = await served(nodeTiming(countedScopes(), listener as never, { serverTiming: true }));
    const answer = await fetch(origin);
    expect([answer.status, answer.statusText]).toEqual([404, 'Gone fishing']);
    expect(head).toEqual({ 'Server-Timing': ['a'] });
  });

  test('a head that is sent twice is the error of Node.js', async () => {
    const refused: string[] = [];
    const { origin } = await served(
      nodeTiming(
        countedScopes(),
        (_: IncomingMessage, response: ServerResponse) => {
          response.writeHead(200);
          try {
            response.writeHead(500);
          } catch (error) {
            refused.push(String(error));
          }
          response.end();
        },
        { serverTiming: true },
      ),
    );
    await fetch(origin);
    expect(refused).toEqual([expect.stringMatching(/Cannot write headers after they are sent/)]);
  });

  test('the head may be sent by somebody outside of the scope', async () => {
    const timing = countedScopes();
    const waiting: (() => void)[] = [];
    const timer = setInterval(() => waiting.splice(0).forEach(send => send()), 5);
    onTestFinished(() => clearInterval(timer));
    const { origin } = await served(
      nodeTiming(
        timing,
        (_: IncomingMessage, response: ServerResponse) => {
          timing.query();
          waiting.push(() => response.end());
        },
        { serverTiming: true },
      ),
    );
    expect((await fetch(origin)).headers.get('server-timing')).toBe(ONE);
  });
});

describe('a scope of node:http', () => {
  test('has the events of the body, and those of the answer until it is over', async () => {
    const timing = countedScopes();
    const { origin } = await served(
      nodeTiming(timing, (request: IncomingMessage, response: ServerResponse) => {
        request.on('data', () => timing.query());
        request.on('end', () => {
          timing.query();
          response.end();
        });
        response.on('finish', () => timing.query());
      }),
    );
    await fetch(origin, { method: 'POST', body: 'x' });
    await expect.poll(() => timing.ended).toMatchObject([{ name: 'POST /', queries: 3 }]);
  });

  test('has the events of an answer that is slow to be taken', async () => {
    const timing = countedScopes();
    const { origin } = await served(
      nodeTiming(timing, (_: IncomingMessage, response: ServerResponse) => {
        response.on('drain', () => {
          timing.query();
          response.end();
        });
        response.write(Buffer.alloc(10_000_000));
      }),
    );
    await (await fetch(origin)).arrayBuffer();
    await expect.poll(() => timing.ended).toMatchObject([{ queries: 1 }]);
  });

  test('is current in what follows when its client has left', async () => {
    const timing = countedScopes();
    const closed = Promise.withResolvers<string | undefined>();
    const gone = new AbortController();
    const { origin } = await served(
      nodeTiming(timing, (_: IncomingMessage, response: ServerResponse) => {
        response.on('close', () => closed.resolve(timing.scope()?.name));
        gone.abort();
      }),
    );
    await expect(fetch(origin, { signal: gone.signal })).rejects.toThrow();
    expect(await closed.promise).toBe('GET /');
  });

  test('goes on while the answer is streamed, and is over when it is finished', async () => {
    const timing = countedScopes();
    const begun = Promise.withResolvers<void>();
    const { origin } = await served(
      nodeTiming(timing, async (_: IncomingMessage, response: ServerResponse) => {
        response.write('a');
        await begun.promise;
        timing.query();
        response.end('b');
      }),
    );
    const answer = await fetch(origin);
    expect(timing.running).toBe(1);
    begun.resolve();
    expect(await answer.text()).toBe('ab');
    await expect.poll(() => timing.ended).toMatchObject([{ queries: 1 }]);
  });

  test('is over at once when its client has left before it begins', async () => {
    const timing = countedScopes();
    const begun = Promise.withResolvers<void>();
    const gone = new AbortController();
    const middleware = nodeTiming(timing);
    const { origin } = await served(async (request, response) => {
      gone.abort();
      await once(response, 'close');
      middleware(request, response, () => begun.resolve());
    });
    await expect(fetch(origin, { signal: gone.signal })).rejects.toThrow();
    await begun.promise;
    expect(await names(timing, 1)).toEqual(['GET /']);
  });

  test('is over when its listener throws, or its promise is rejected; the error is the same', async () => {
    const timing = countedScopes();
    const error = new Error('no');
    const caught: unknown[] = [];
    const throws = nodeTiming(timing, () => {
      throw error;
    });
    const rejects = nodeTiming(timing, async () => {
      throw error;
    });
    const { origin } = await served(async (request, response) => {
      try {
        throws(request, response);
      } catch (thrown) {
        caught.push(thrown);
      }
    });
    const other = await served(async (request, response) => {
      await rejects(request, response).catch((thrown: unknown) => caught.push(thrown));
    });
    for (const [index, url] of [origin, other.origin].entries()) {
      const gone = new AbortController();
      const answer = fetch(url, { signal: gone.signal });
      expect(await names(timing, index + 1)).toHaveLength(index + 1);
      gone.abort();
      await expect(answer).rejects.toThrow();
    }
    expect(caught).toEqual([error, error]);
  });

  test('a rejection that nobody handles stays one', async () => {
    const unhandled: unknown[] = [];
    const listeners = process.listeners('unhandledRejection');
    process.removeAllListeners('unhandledRejection');
    process.on('unhandledRejection', error => unhandled.push(error));
    onTestFinished(() => {
      process.removeAllListeners('unhandledRejection');
      listeners.forEach(each => process.on('unhandledRejection', each));
    });
    const error = new Error('no');
    const listener = nodeTiming(countedScopes(), async (_: IncomingMessage, response: ServerResponse) => {
      response.end();
      throw error;
    });
    const { origin } = await served((request, response) => void listener(request, response));
    await fetch(origin);
    await expect.poll(() => unhandled).toEqual([error]);
  });

  test('returns what its listener returns', async () => {
    const returned: number[] = [];
    const listener = nodeTiming(countedScopes(), (_: IncomingMessage, response: ServerResponse) => {
      response.end();
      return 7;
    });
    const { origin } = await served((request, response) => void returned.push(listener(request, response)));
    await fetch(origin);
    expect(returned).toEqual([7]);
  });

  test('of http2', async () => {
    const timing = countedScopes();
    const server = createHttp2(
      nodeTiming(
        timing,
        (request, response) => {
          request.resume().on('end', () => {
            timing.query();
            response.end();
          });
        },
        { serverTiming: true },
      ),
    ).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    onTestFinished(() => client.close());
    const stream = client.request({ ':method': 'POST', ':path': '/books/7?secret' }).resume().end('x');
    const [headers] = (await once(stream, 'response')) as [Record<string, string>];
    expect(headers['server-timing']).toBe(ONE);
    await expect.poll(() => timing.ended).toMatchObject([{ name: 'POST /books/:id', queries: 1 }]);
  });

  test('a target of a megabyte, as an old proxy may pass it on, is bounded', async () => {
    const timing = countedScopes();
    const { origin } = await served((request, response) => {
      request.url = `/${'a/'.repeat(500_000)}?${'b'.repeat(1_000_000)}`;
      nodeTiming(timing, (_: IncomingMessage, answer: ServerResponse) => answer.end())(request, response);
    });
    await fetch(origin);
    expect(await names(timing, 1)).toEqual([expect.stringMatching(/^GET \/a\/a\/.{190}…$/)]);
  });
});

describe('one within another', () => {
  test('of the same timing and request is one scope, with the name of the inner one', async () => {
    const timing = countedScopes();
    const app = express();
    app.use(expressTiming(timing));
    app.get('/books/:title', (_, response) => {
      timing.query();
      response.end();
    });
    app.use(
      '/graphql',
      yogaApplication(timing, () => timing.query()),
    );
    const { origin } = await served(
      nodeTiming(timing, (request: IncomingMessage, response: ServerResponse) => app(request, response)),
    );
    await fetch(`${origin}/books/seven`);
    await fetch(`${origin}/graphql?query={book}`);
    expect(await names(timing, 2)).toEqual(['GET /books/:title', 'query { book }']);
    expect(timing.ended.map(({ queries }) => queries)).toEqual([1, 1]);
  });

  test('of two timings, for two databases, each has its own', async () => {
    const one = countedScopes();
    const two = countedScopes();
    const listener = nodeTiming(two, (request: IncomingMessage, response: ServerResponse) => {
      request.resume().on('end', () => {
        one.query();
        two.query();
        response.end();
      });
    });
    const { origin } = await served(nodeTiming(one, listener));
    await fetch(origin, { method: 'POST', body: 'x' });
    await expect.poll(() => [...one.ended, ...two.ended]).toMatchObject([{ queries: 1 }, { queries: 1 }]);
  });

  test.each(['before', 'after'])(
    '@mikrokit/replica-resolver %s it: both hold in the events of the body',
    async order => {
      const timing = countedScopes();
      const resolver = scriptedResolver();
      const middleware = [expressTiming(timing), expressTokens(resolver)];
      const app = express();
      app.use(...(order === 'after' ? middleware : middleware.toReversed()));
      app.post('/', (request, response) => {
        request.resume().on('end', () => {
          timing.query();
          resolver.write();
          response.end();
        });
      });
      const { origin } = await served(app);
      const answer = await fetch(origin, { method: 'POST', body: 'x' });
      expect(answer.headers.get('x-mikrokit-replica-token')).toMatch(/^v1/);
      await expect.poll(() => timing.ended).toMatchObject([{ name: 'POST /', queries: 1 }]);
    },
  );
});

describe('Express', () => {
  async function nameOf(build: (app: express.Express) => void, path: string): Promise<string> {
    const timing = countedScopes();
    const app = express();
    app.set('env', 'test');
    app.use(expressTiming(timing));
    build(app);
    const { origin } = await served(app);
    await (await fetch(`${origin}${path}`)).text();
    return (await names(timing, 1))[0]!;
  }

  test.each<[string, string, (router: express.Router) => void]>([
    ['a router', 'GET /api/books/:title', router => router.get('/books/:title', (_, response) => void response.end())],
    [
      'a router, of which a handler fails',
      'GET /api/books/:title',
      router =>
        router.get('/books/:title', () => {
          throw new Error('no');
        }),
    ],
    [
      'the root of a router',
      'GET /api',
      router =>
        router.use(
          '/books/seven',
          express.Router().get('/', (_, r) => void r.end()),
        ) && router,
    ],
    [
      'several that match, the last',
      'GET /api/books/:title',
      router => router.all('/*rest', (_, _response, next) => next()).get('/books/:title', (_, r) => void r.end()),
    ],
    [
      'a pattern, which tells nothing',
      'GET /api/books/seven',
      router => router.get(/^\/books/, (_, r) => void r.end()),
    ],
    ['a list of paths', 'GET /api/books/seven', router => router.get(['/books/:title', '/b'], (_, r) => void r.end())],
  ])('%s: %s', async (what, name, build) => {
    const router = express.Router();
    build(router);
    const expected = what === 'the root of a router' ? 'GET /api/books/seven' : name;
    expect(await nameOf(app => app.use('/api', router), '/api/books/seven?secret')).toBe(expected);
  });

  test('where a router is mounted at a pattern, what was asked for there is no part of the name', async () => {
    const router = express.Router().get('/books', (_, response) => void response.end());
    expect(await nameOf(app => app.use('/users/:user', router), '/users/7/books')).toBe('GET /users/:id/books');
  });

  test('a route that is found after the answer was finished gives no name', async () => {
    const timing = countedScopes();
    const reached = Promise.withResolvers<void>();
    const app = express();
    app.use(expressTiming(timing));
    app.get('/books/:title', (_, response, next) => {
      response.on('close', () => next()).end();
    });
    app.get('/*rest', () => reached.resolve());
    const { origin } = await served(app);
    await fetch(`${origin}/books/seven`);
    await reached.promise;
    expect(await names(timing, 1)).toEqual(['GET /books/:title']);
  });

  test('mounted at a path, the name has all of it', async () => {
    const timing = countedScopes();
    const app = express();
    app.use('/api', expressTiming(timing), (_, response) => void response.end());
    const { origin } = await served(app);
    await fetch(`${origin}/api/books/7`);
    expect(await names(timing, 1)).toEqual(['GET /api/books/:id']);
  });

  test('its own request is what the functions in the options are given, with its route in the end', async () => {
    const timing = countedScopes();
    const app = express();
    app.use(
      expressTiming(timing, {
        ignore: (request: express.Request) => request.path === '/health',
        name: request => `mine: ${request.route?.path}`,
        tags: request => ({ host: request.hostname }),
      }),
    );
    app.get('/health', (_, response) => void response.end());
    app.get('/books/:title', (_, response) => void response.end());
    const { origin } = await served(app);
    await fetch(`${origin}/health`);
    await fetch(`${origin}/books/seven`);
    expect(await names(timing, 1)).toEqual(['mine: /books/:title']);
    expect(timing.ended[0]!.tags).toEqual({ method: 'GET', host: '127.0.0.1' });
  });
});

describe('Fastify', () => {
  test('routes beside the plugin and within other plugins, with their prefix', async () => {
    const timing = countedScopes();
    const app = fastify();
    onTestFinished(() => app.close());
    await app.register(fastifyTiming(timing, { tags: (request: FastifyRequest) => ({ ip: request.ip }) }));
    await app.register(async inner => void inner.get('/books/:title', async () => timing.query()), { prefix: '/api' });
    app.get('/raw', (_, reply) => {
      timing.query();
      reply.hijack();
      reply.raw.end('raw');
    });
    await app.inject('/api/books/seven');
    await app.inject('/raw');
    expect(await names(timing, 2)).toEqual(['GET /api/books/:title', 'GET /raw']);
    expect(timing.ended[0]!.tags).toEqual({ method: 'GET', route: '/api/books/:title', ip: '127.0.0.1' });
  });
});

describe('Hono', () => {
  test('its own context is what the functions in the options are given; middleware of everything is no route', async () => {
    const timing = countedScopes();
    const app = new Hono();
    app.use('*', honoTiming(timing, { tags: (c: Context) => ({ user: c.req.header('x-user') ?? 'nobody' }) }));
    app.use('/api/*', async (_, next) => {
      timing.query();
      await next();
    });
    app.route(
      '/api',
      new Hono().get('/books/:title', c => c.text('')),
    );
    await app.request('/api/books/seven?secret', { headers: { 'x-user': 'u1' } });
    await app.request('/books/7?secret');
    expect(await names(timing, 2)).toEqual(['GET /api/books/:title', 'GET /books/:id']);
    expect(timing.ended[0]).toMatchObject({ tags: { user: 'u1', route: '/api/books/:title' }, queries: 1 });
  });

  test('middleware that answers instead of the handler gives the name', async () => {
    const timing = countedScopes();
    const app = new Hono();
    app.use(honoTiming(timing));
    app.use('/api/*', async c => c.text('no', 401));
    app.get('/api/books/:title', c => c.text(''));
    await app.request('/api/books/seven');
    expect(await names(timing, 1)).toEqual(['GET /api/*']);
  });

  test('on Node.js, what is queried while the answer is streamed is part of the scope', async () => {
    const timing = countedScopes();
    const app = new Hono();
    app.use(honoTiming(timing));
    app.get('/', () => {
      const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
      void (async () => {
        await sleep(20);
        timing.query();
        await writable.close();
      })();
      return new Response(readable);
    });
    const { origin } = await served((incoming, outgoing) =>
      toNode(request => app.fetch(request, { incoming, outgoing }))(incoming, outgoing),
    );
    await fetch(origin);
    await expect.poll(() => timing.ended).toMatchObject([{ queries: 1 }]);
  });

  test('on Node.js, a scope is over at once when its client has left before it begins', async () => {
    const timing = countedScopes();
    const gone = new AbortController();
    const app = new Hono();
    app.use(honoTiming(timing));
    const { origin } = await served(async (incoming, outgoing) => {
      gone.abort();
      await once(outgoing, 'close');
      await app.fetch(new Request('http://a/'), { incoming, outgoing });
    });
    await expect(fetch(origin, { signal: gone.signal })).rejects.toThrow();
    expect(await names(timing, 1)).toEqual(['GET /']);
  });

  test('on Node.js, GraphQL Yoga within it gives the scope its name', async () => {
    const timing = countedScopes();
    const yoga = yogaApplication(timing, () => timing.query());
    const app = new Hono<{ Bindings: { outgoing: ServerResponse } }>();
    app.use(honoTiming(timing));
    app.get('/graphql', c => yoga.fetch(c.req.raw, { res: c.env.outgoing }));
    const { origin } = await served((incoming, outgoing) =>
      toNode(request => app.fetch(request, { incoming, outgoing }))(incoming, outgoing),
    );
    await fetch(`${origin}/graphql?query={book}`);
    expect(await names(timing, 1)).toEqual(['query { book }']);
  });

  test('Server-Timing stands beside the one of the application', async () => {
    const app = new Hono();
    app.use(honoTiming(countedScopes(), { serverTiming: true }));
    app.get('/', c => c.text('', 200, { 'server-timing': 'a' }));
    expect((await app.request('/')).headers.get('server-timing')).toMatch(/^a, sql;/);
  });
});

describe('a fetch handler', () => {
  test('gets what else it is given; its answer streams as before, and is not changed itself', async () => {
    const timing = countedScopes();
    const shared = new Response(new Blob(['a']).stream(), { status: 201, headers: { 'server-timing': 'a' } });
    const handler = fetchTiming(
      timing,
      (_request, environment: { answer: Response }) => {
        timing.query();
        return environment.answer;
      },
      { serverTiming: true },
    );
    const answer = await handler(new Request('http://a/books/7?secret'), { answer: shared });
    expect([answer.status, answer.headers.get('server-timing'), await answer.text()]).toEqual([201, `a, ${ONE}`, 'a']);
    expect(shared.headers.get('server-timing')).toBe('a');
    expect(await names(timing, 1)).toEqual(['GET /books/:id']);
  });

  test('an answer that is immutable, or an error, is handed on', async () => {
    const answered = (answer: Response): Promise<Response> =>
      fetchTiming(countedScopes(), () => answer, { serverTiming: true })(new Request('http://a/'));
    const redirect = await answered(Response.redirect('http://b/', 303));
    expect([redirect.status, redirect.headers.get('location')]).toEqual([303, 'http://b/']);
    expect(redirect.headers.get('server-timing')).toMatch(/^sql;/);
    expect((await answered(Response.error())).type).toBe('error');
  });

  test('an error of it is the same error', async () => {
    const timing = countedScopes();
    const error = new Error('no');
    const handler = fetchTiming(timing, () => {
      throw error;
    });
    await expect(handler(new Request('http://a/'))).rejects.toBe(error);
    expect(await names(timing, 1)).toEqual(['GET /']);
  });
});

describe('GraphQL Yoga', () => {
  async function yoga(): Promise<[CountedScopes, string]> {
    const timing = countedScopes();
    const { origin } = await served(yogaApplication(timing, () => timing.query()));
    return [timing, `${origin}/graphql`];
  }

  test('several operations in one request are one scope, with the names of all', async () => {
    const [timing, url] = await yoga();
    const operations = [{ query: '{ book }' }, { query: 'mutation Add { add(wait: 1) }' }, { query: '{ book }' }];
    await fetch(url, {
      method: 'POST',
      body: JSON.stringify(operations),
      headers: { 'content-type': 'application/json' },
    });
    expect(await names(timing, 1)).toEqual(['query { book }, mutation Add']);
    expect(timing.ended[0]!.queries).toBe(4);
  });

  test('a subscription is a scope until its answer begins', async () => {
    const [timing, url] = await yoga();
    const gone = new AbortController();
    const answer = await fetch(`${url}?query=subscription{books}`, {
      headers: { accept: 'text/event-stream' },
      signal: gone.signal,
    });
    expect(await names(timing, 1)).toEqual(['subscription { books }']);
    expect(timing.ended[0]!.queries).toBe(1);
    const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.includes('"books":"book 2"')) {
      text += (await reader.read()).value;
    }
    gone.abort();
  });

  test('what its client calls an operation beside the document is no name', async () => {
    const [timing, url] = await yoga();
    await fetch(url, {
      method: 'POST',
      body: JSON.stringify({ query: 'query A { book }', operationName: '<script>' }),
      headers: { 'content-type': 'application/json' },
    });
    expect(await names(timing, 1)).toEqual(['POST /graphql']);
  });
});
