import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect, createServer as createHttp2 } from 'node:http2';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expressTokens, fastifyTokens, fetchTokens, honoTokens, nodeTokens } from '@mikrokit/replica-resolver/http';
import express from 'express';
import fastify, { type FastifyRequest } from 'fastify';
import { type Context, Hono } from 'hono';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type ScriptedResolver, scriptedResolver } from './fixtures/scripted-resolver.ts';
import { type Listener, listen } from './fixtures/token-servers.ts';

const HEADER = 'x-mikrokit-replica-token';
const OURS = /^mikrokit-replica-token=v1\.0123456789ab\.1\.1\.0; /;

/** What node:http sends for a listener. */
async function answerOf(listener: Listener, resolver: ScriptedResolver): Promise<Response> {
  const server = await listen(nodeTokens(resolver, listener));
  onTestFinished(() => server.close());
  return await fetch(server.origin);
}

/** What it sends when the session has written: our cookie, and those of others. */
async function sentBy(listener: Listener): Promise<{ ours: number; others: string[]; answer: Response }> {
  const resolver = scriptedResolver();
  const answer = await answerOf((request, response) => {
    resolver.write();
    return listener(request, response);
  }, resolver);
  const cookies = answer.headers.getSetCookie();
  return {
    ours: cookies.filter(cookie => OURS.test(cookie)).length,
    others: cookies.filter(cookie => !OURS.test(cookie)),
    answer,
  };
}

describe('each way to send the head has the token in it', () => {
  test.each<[string, Listener]>([
    ['end()', (_, response) => response.end('ok')],
    ['write()', (_, response) => (response.write('o'), response.end('k'))],
    ['flushHeaders()', (_, response) => (response.flushHeaders(), response.end('ok'))],
    ['writeHead(status)', (_, response) => response.writeHead(200).end('ok')],
    ['writeHead(status, reason)', (_, response) => response.writeHead(200, 'Fine').end('ok')],
    ['writeHead(status, head)', (_, response) => response.writeHead(200, { a: 'b' }).end('ok')],
    ['writeHead(status, undefined, head)', (_, response) => response.writeHead(200, undefined, { a: 'b' }).end('ok')],
  ])('%s', async (_, listener) => {
    const { ours, others, answer } = await sentBy(listener);
    expect({ ours, others, status: answer.status }).toEqual({ ours: 1, others: [], status: 200 });
    expect(answer.headers.get(HEADER)).toBe('v1.0123456789ab.1.1.0');
    expect(await answer.text()).toBe('ok');
  });

  test('a reason that was given stays', async () => {
    const { answer } = await sentBy((_, response) => response.writeHead(404, 'Gone fishing', { a: 'b' }).end());
    expect([answer.status, answer.statusText, answer.headers.get('a')]).toEqual([404, 'Gone fishing', 'b']);
  });
});

describe('cookies of others stay, in whatever form they are set', () => {
  const pairs = [
    ['Set-Cookie', 'a=1'],
    ['set-cookie', 'b=2'],
  ] as never;
  test.each<[string, Listener, string[]]>([
    ['setHeader(text)', (_, r) => r.setHeader('Set-Cookie', 'a=1').end(), ['a=1']],
    ['setHeader(list)', (_, r) => r.setHeader('Set-Cookie', ['a=1', 'b=2']).end(), ['a=1', 'b=2']],
    [
      'appendHeader()',
      (_, r) => r.appendHeader('set-cookie', 'a=1').appendHeader('Set-Cookie', 'b=2').end(),
      ['a=1', 'b=2'],
    ],
    ['head by name, text', (_, r) => r.writeHead(200, { 'Set-Cookie': 'a=1' }).end(), ['a=1']],
    ['head by name, list', (_, r) => r.writeHead(200, { 'SET-COOKIE': ['a=1', 'b=2'] }).end(), ['a=1', 'b=2']],
    ['head in turns', (_, r) => r.writeHead(200, ['Set-Cookie', 'a=1', 'set-cookie', 'b=2']).end(), ['a=1', 'b=2']],
    ['head in pairs', (_, r) => r.writeHead(200, pairs).end(), ['a=1', 'b=2']],
    ['an empty head in turns', (_, r) => r.writeHead(200, []).end(), []],
    [
      'setHeader(), then a head without cookies',
      (_, r) => r.setHeader('Set-Cookie', 'a=1').writeHead(200, { b: 'c' }).end(),
      ['a=1'],
    ],
    [
      'setHeader(), then a head in turns without cookies',
      (_, r) => r.setHeader('Set-Cookie', 'a=1').writeHead(200, ['b', 'c']).end(),
      ['a=1'],
    ],
    [
      'setHeader(), then a head with cookies, which replace it',
      (_, r) => r.setHeader('Set-Cookie', 'a=1').writeHead(200, { 'Set-Cookie': 'b=2' }).end(),
      ['b=2'],
    ],
    [
      'setHeader() of another header, then a head in turns',
      (_, r) => r.setHeader('x', 'y').writeHead(200, ['Set-Cookie', 'a=1']).end(),
      ['a=1'],
    ],
    ['a head behind no reason', (_, r) => r.writeHead(200, undefined, { 'Set-Cookie': 'a=1' }).end(), ['a=1']],
    ['a head behind a reason', (_, r) => r.writeHead(200, 'Fine', { 'Set-Cookie': 'a=1' }).end(), ['a=1']],
    [
      'a head with the name twice',
      (_, r) => r.writeHead(200, { 'Set-Cookie': 'a=1', 'set-cookie': 'b=2' }).end(),
      ['a=1', 'b=2'],
    ],
    [
      'setHeader(), then a head with the name twice, of which the last counts',
      (_, r) => r.setHeader('x', 'y').writeHead(200, { 'Set-Cookie': 'a=1', 'set-cookie': 'b=2' }).end(),
      ['b=2'],
    ],
  ])('%s', async (_, listener, expected) => {
    const { ours, others, answer } = await sentBy(listener);
    expect({ ours, others }).toEqual({ ours: 1, others: expected });
    expect(answer.headers.get(HEADER)).toBe('v1.0123456789ab.1.1.0');
    // Without us Node.js sends the same.
    const plain = await answerOf(listener, scriptedResolver());
    expect(plain.headers.getSetCookie()).toEqual(expected);
  });

  test('a head that was given is not changed: the application may use it again', async () => {
    const head = Object.freeze({ 'Set-Cookie': Object.freeze(['a=1']) as string[] });
    const { ours, others } = await sentBy((_, response) => response.writeHead(200, head).end());
    expect({ ours, others }).toEqual({ ours: 1, others: ['a=1'] });
  });

  test("a cookie of the same name, or the header, that the application sets itself is the application's", async () => {
    const { ours, others, answer } = await sentBy((_, response) => {
      response.setHeader(HEADER, 'own').writeHead(200, { 'set-cookie': 'mikrokit-replica-token=own' }).end();
    });
    expect({ ours, others, header: answer.headers.get(HEADER) }).toEqual({
      ours: 0,
      others: ['mikrokit-replica-token=own'],
      header: 'own',
    });
  });
});

test('what was written before the head is told, however late it was; what is written after it is not', async () => {
  const resolver = scriptedResolver();
  const answer = await answerOf(async (_, response) => {
    await sleep(5);
    resolver.write();
    response.write('a');
    resolver.write();
    response.end('b');
  }, resolver);
  expect(answer.headers.get(HEADER)).toBe('v1.0123456789ab.1.1.0');
  expect(await answer.text()).toBe('ab');
});

test('the head may be sent by somebody outside of the session', async () => {
  const resolver = scriptedResolver();
  const waiting: (() => void)[] = [];
  const timer = setInterval(() => waiting.splice(0).forEach(send => send()), 5);
  onTestFinished(() => clearInterval(timer));
  const answer = await answerOf((_, response) => {
    resolver.write();
    waiting.push(() => response.end());
  }, resolver);
  expect(answer.headers.get(HEADER)).toBe('v1.0123456789ab.1.1.0');
});

test('a head that is sent twice is the error of Node.js, as without us, also when the session wrote in between', async () => {
  const resolver = scriptedResolver();
  const refused: unknown[] = [];
  const sendsTwice =
    (between: () => unknown): Listener =>
    (_, response) => {
      response.writeHead(200);
      between();
      try {
        response.writeHead(500);
      } catch (error) {
        refused.push(String(error));
      }
      response.end();
    };
  await answerOf(
    sendsTwice(() => resolver.write()),
    resolver,
  );
  const plain = await listen(sendsTwice(() => {}));
  onTestFinished(() => plain.close());
  await fetch(plain.origin);
  expect(refused).toEqual([refused[1], expect.stringMatching(/Cannot write headers after they are sent/)]);
});

test('events of the body and of the end of the answer happen in the session', async () => {
  const resolver = scriptedResolver();
  const seen: Record<string, string | undefined> = {};
  const server = await listen(
    nodeTokens(resolver, (request: IncomingMessage, response: ServerResponse) => {
      request.on('data', () => (seen['data'] = resolver.token()));
      response.on('finish', () => (seen['finish'] = resolver.token()));
      response.on('close', () => (seen['close'] = resolver.token()));
      request.on('end', () => {
        seen['end'] = resolver.token();
        response.end();
      });
    }),
  );
  onTestFinished(() => server.close());
  const token = resolver.run({}, () => resolver.write());
  await fetch(server.origin, { method: 'POST', body: 'x', headers: { [HEADER]: token } });
  await expect.poll(() => seen).toEqual({ data: token, end: token, finish: token, close: token });
});

test('… and so does the close of an answer whose client has gone', async () => {
  const resolver = scriptedResolver();
  const gone = new AbortController();
  const closed = Promise.withResolvers<string | undefined>();
  const server = await listen(
    nodeTokens(resolver, (_: IncomingMessage, response: ServerResponse) => {
      response.on('close', () => closed.resolve(resolver.token()));
      gone.abort();
    }),
  );
  onTestFinished(() => server.close());
  const token = resolver.run({}, () => resolver.write());
  await expect(fetch(server.origin, { headers: { [HEADER]: token }, signal: gone.signal })).rejects.toThrow();
  expect(await closed.promise).toBe(token);
});

test('two resolvers, for two databases, each with its cookie: both sessions hold in the events of the body', async () => {
  const one = scriptedResolver();
  const two = scriptedResolver();
  two.run({}, () => two.write());
  const listener: Listener = (request, response) => {
    request.resume().on('end', () => {
      one.write();
      two.write();
      response.end();
    });
  };
  const inner = nodeTokens(two, listener, { cookie: { name: 'two' }, header: 'x-two' });
  const server = await listen(nodeTokens(one, inner, { cookie: { name: 'one' }, header: 'x-one' }));
  onTestFinished(() => server.close());
  const { headers } = await fetch(server.origin, { method: 'POST', body: 'x' });
  expect([headers.get('x-one'), headers.get('x-two')]).toEqual(['v1.0123456789ab.1.1.0', 'v1.0123456789ab.1.2.0']);
  expect(headers.getSetCookie().map(cookie => cookie.split('=')[0])).toEqual(['two', 'one']);
});

test('the same resolver twice sets one cookie: that of the inner session, which has seen more', async () => {
  const resolver = scriptedResolver();
  const app = express();
  app.use(expressTokens(resolver));
  app.get('/', (_, response) => {
    resolver.write();
    response.end();
  });
  const server = await listen(
    nodeTokens(resolver, (request: IncomingMessage, response: ServerResponse) => app(request, response)),
  );
  onTestFinished(() => server.close());
  const { headers } = await fetch(server.origin);
  expect(headers.getSetCookie()).toEqual([expect.stringMatching(OURS)]);
  expect(headers.get(HEADER)).toBe('v1.0123456789ab.1.1.0');
});

test('http2', async () => {
  const resolver = scriptedResolver();
  const server = createHttp2(
    nodeTokens(resolver, (request, response) => {
      request.resume().on('end', () => {
        resolver.write();
        response.setHeader('set-cookie', 'a=1');
        response.end();
      });
    }),
  ).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  onTestFinished(() => client.close());
  const stream = client.request({ ':method': 'POST' }).resume().end('x');
  const [headers] = (await once(stream, 'response')) as [Record<string, string[]>];
  expect(headers['set-cookie']).toEqual(['a=1', expect.stringMatching(OURS)]);
  expect(headers[HEADER]).toBe('v1.0123456789ab.1.1.0');
});

test('a cookie that goes out by TLS is Secure; x-forwarded-proto counts where the proxy is trusted', async () => {
  const resolver = scriptedResolver();
  const listener: Listener = (request, response) => {
    if (request.headers['x-tls'] !== undefined) {
      Object.defineProperty(request.socket, 'encrypted', { value: true, configurable: true });
    }
    resolver.write();
    response.setHeader('connection', 'close').end();
  };
  const ask = async (trustProxy: boolean, headers: Record<string, string>): Promise<boolean> => {
    const server = await listen(nodeTokens(resolver, listener, { trustProxy }));
    onTestFinished(() => server.close());
    return (await fetch(server.origin, { headers })).headers.getSetCookie()[0]!.endsWith('; Secure');
  };
  expect(await ask(false, {})).toBe(false);
  expect(await ask(false, { 'x-tls': '1' })).toBe(true);
  expect(await ask(false, { 'x-forwarded-proto': 'https' })).toBe(false);
  expect(await ask(true, { 'x-forwarded-proto': 'https' })).toBe(true);
  expect(await ask(true, { 'x-forwarded-proto': 'http' })).toBe(false);
});

test('what a listener returns is returned', async () => {
  const resolver = scriptedResolver();
  const returned: number[] = [];
  const listener = nodeTokens(resolver, (_: IncomingMessage, response: ServerResponse) => {
    response.end();
    return 7;
  });
  const server = await listen((request, response) => void returned.push(listener(request, response)));
  onTestFinished(() => server.close());
  await fetch(server.origin);
  expect(returned).toEqual([7]);
});

describe('an answer of fetch', () => {
  test('that the application gives to several clients has nobody else’s token', async () => {
    const resolver = scriptedResolver();
    const shared = new Response(null, { status: 204, headers: { 'set-cookie': 'a=1' } });
    const handler = fetchTokens(resolver, request => {
      if (request.method === 'POST') {
        resolver.write();
      }
      return shared;
    });
    const wrote = await handler(new Request('http://a/', { method: 'POST' }));
    const read = await handler(new Request('http://a/'));
    expect(wrote.headers.getSetCookie()).toEqual(['a=1', expect.stringMatching(OURS)]);
    expect(read.headers.getSetCookie()).toEqual(['a=1']);
    expect([wrote.status, read.headers.get(HEADER)]).toEqual([204, null]);
  });

  test('that is immutable, or an error, is handed on', async () => {
    const resolver = scriptedResolver();
    const answered = (response: Response): Promise<Response> =>
      fetchTokens(resolver, () => {
        resolver.write();
        return response;
      })(new Request('http://a/'));
    const redirect = await answered(Response.redirect('http://b/', 303));
    expect([redirect.status, redirect.headers.get('location')]).toEqual([303, 'http://b/']);
    expect(redirect.headers.get(HEADER)).toMatch(/^v1/);
    expect((await answered(Response.error())).type).toBe('error');
  });

  test('streams as before; what else the handler is given it gets', async () => {
    const resolver = scriptedResolver();
    const handler = fetchTokens(resolver, (_request, environment: { text: string }, last: number) => {
      resolver.write();
      return new Response(new Blob([environment.text, `${last}`]).stream());
    });
    const answer = await handler(new Request('http://a/'), { text: 'n' }, 7);
    expect(await answer.text()).toBe('n7');
    expect(answer.headers.get(HEADER)).toBe('v1.0123456789ab.1.1.0');
  });

  test('an error of the handler is the same error', async () => {
    const error = new Error('no');
    const handler = fetchTokens(scriptedResolver(), () => {
      throw error;
    });
    await expect(handler(new Request('http://a/'))).rejects.toBe(error);
  });
});

describe("key and consistency are given the framework's own request", () => {
  test('Express', async () => {
    const resolver = scriptedResolver();
    const app = express();
    app.use((request, _, next) => {
      Object.assign(request, { user: 'u1' });
      next();
    });
    app.use(
      expressTokens(resolver, {
        key: (request: express.Request & { user?: string }) => request.user,
        consistency: request => (request.get('x-strong') ? 'strong' : undefined),
      }),
    );
    app.get('/', (_, response) => void response.end());
    const server = await listen(app);
    onTestFinished(() => server.close());
    await fetch(server.origin, { headers: { 'x-strong': '1' } });
    expect(resolver.scopes).toEqual([{ key: 'u1', consistency: 'strong', token: undefined }]);
  });

  test('Fastify, for routes beside the plugin and within other plugins', async () => {
    const resolver = scriptedResolver();
    const app = fastify();
    onTestFinished(() => app.close());
    await app.register(fastifyTokens(resolver, { key: (request: FastifyRequest) => request.ip }));
    await app.register(async inner => {
      inner.get('/inner', async () => resolver.write());
    });
    app.get('/stream', (_, reply) => {
      resolver.write();
      reply.hijack();
      reply.raw.end('raw');
    });
    const inner = await app.inject('/inner');
    expect(inner.headers[HEADER]).toBe(inner.body);
    expect((await app.inject('/stream')).headers[HEADER]).toMatch(/^v1/);
    expect(resolver.scopes.map(({ key }) => key)).toEqual(['127.0.0.1', '127.0.0.1']);
  });

  test('Hono', async () => {
    const resolver = scriptedResolver();
    const app = new Hono();
    app.use(honoTokens(resolver, { key: (c: Context) => c.req.header('x-user') }));
    app.get('/', c => c.text(resolver.write()));
    const answer = await app.request('/', { headers: { 'x-user': 'u1' } });
    expect(answer.headers.get(HEADER)).toBe(await answer.text());
    expect(resolver.scopes[0]!.key).toBe('u1');
  });
});
