import { createConnection } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { OptionsError } from '@mikrokit/query-timing';
import { dashboard, type DashboardOptions } from '@mikrokit/query-timing/dashboard';
import fc from 'fast-check';
import { isLoopbackAddress, isLoopbackHost } from '../../packages/query-timing/src/dashboard/loopback.ts';
import { serve } from './fixtures/browser-page.ts';
import { ReportSource } from './fixtures/dashboard-source.ts';
import { ask } from './fixtures/http-ask.ts';
import { longReport } from './fixtures/long-report.ts';

const source = new ReportSource(longReport());
const everything = [
  '/queries',
  '/queries.json',
  '/queries.md',
  '/queries/scopes/1.json',
  '/queries/events',
  '/queries/reset',
];

async function served(options?: DashboardOptions): Promise<number> {
  const page = dashboard(source, options);
  onTestFinished(() => page.close());
  return (await serve(page)).port;
}

/** A request of `fetch` that came from an address. */
async function fetched(
  url: string,
  {
    remoteAddress,
    headers = {},
    options,
  }: { remoteAddress?: string; headers?: Record<string, string>; options?: DashboardOptions } = {},
): Promise<number> {
  const answer = await dashboard(source, options).fetch(new Request(url, { headers }), { remoteAddress });
  await answer.body?.cancel();
  return answer.status;
}

describe('in production', () => {
  test.each(everything)('nobody sees %s by default, and is told how to allow it', async path => {
    const answer = await ask(await served({ environment: 'production' }), path);
    expect(answer.status).toBe(403);
    expect(answer.body).toContain('In production nobody sees this page by default.');
    expect(answer.body).toContain('dashboard(timing, { authorize: request => isAdmin(request.headers) })');
  });

  test('NODE_ENV says so', async () => {
    vi.stubEnv('NODE_ENV', 'production');
    onTestFinished(() => void vi.unstubAllEnvs());
    expect((await ask(await served(), '/queries')).status).toBe(403);
  });

  test('`environment` says more than NODE_ENV', async () => {
    vi.stubEnv('NODE_ENV', 'production');
    onTestFinished(() => void vi.unstubAllEnvs());
    expect((await ask(await served({ environment: 'development' }), '/queries')).status).toBe(200);
  });

  test('whom `authorize` knows sees it, from anywhere and by any name', async () => {
    const port = await served({
      environment: 'production',
      authorize: ({ headers }) => headers.get('x-user') === 'admin',
    });
    const host = 'app.example.com';
    expect((await ask(port, '/queries', { headers: { 'x-user': 'admin', host } })).status).toBe(200);
    expect((await ask(port, '/queries', { headers: { 'x-user': 'guest', host } })).status).toBe(403);
  });
});

describe('authorize', () => {
  test('is asked for every request, with headers, URL and address', async () => {
    const asked: [url: string, address: string | undefined, agent: string | null][] = [];
    const port = await served({
      authorize: ({ headers, url, remoteAddress }) => {
        asked.push([url, remoteAddress, headers.get('user-agent')]);
        return true;
      },
    });
    await ask(port, '/queries?from=mail', { headers: { 'user-agent': 'one' } });
    await ask(port, '/queries.json', { headers: { 'user-agent': 'two' } });
    expect(asked).toEqual([
      ['/queries?from=mail', '127.0.0.1', 'one'],
      ['/queries.json', '127.0.0.1', 'two'],
    ]);
  });

  test('may take its time', async () => {
    const port = await served({ authorize: () => new Promise(done => setTimeout(() => done(true), 20)) });
    expect((await ask(port, '/queries')).status).toBe(200);
  });

  test.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('secret');
      },
    ],
    ['rejects', () => Promise.reject(new Error('secret'))],
    ['returns a text', () => 'yes'],
    ['returns an object', () => ({ admin: true })],
    ['resolves with a number', () => Promise.resolve(1)],
    ['returns nothing', () => undefined],
  ])('that %s keeps it closed, and tells nothing', async (_, authorize) => {
    const answer = await ask(await served({ authorize: authorize as () => boolean }), '/queries.json');
    expect(answer.status).toBe(403);
    expect(JSON.parse(answer.body)).toEqual({
      error: 'This page is not for you, says the application.',
      remedy: 'Its `authorize` option did not return true for this request.',
    });
  });
});

describe('without authorize only this machine sees it', () => {
  test.each(['localhost', 'LOCALHOST:3000', '127.0.0.1:80', '[::1]:3000', 'app.localhost', '127.1.2.3'])(
    'as %s',
    async host => {
      expect((await ask(await served(), '/queries', { headers: { host } })).status).toBe(200);
    },
  );

  test.each([
    'evil.example.com',
    'localhost.evil.com',
    '127.0.0.1.evil.com',
    'evil.com:127',
    '10.0.0.1',
    'localhost@evil.com',
    '[::1].evil.com',
    '0.0.0.0',
  ])('not as %j: a page of a stranger can have its name resolved to this machine', async host => {
    const answer = await ask(await served(), '/queries', { headers: { host } });
    expect([answer.status, answer.body.split('\n')[0]]).toEqual([
      403,
      'This page answers by default only to localhost, 127.0.0.1 and [::1], and the request called it otherwise.',
    ]);
  });

  test('not without any name', async () => {
    const socket = createConnection(await served(), '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    socket.end('GET /queries HTTP/1.0\r\n\r\n');
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 403 /);
  });

  test.each([
    [{ 'x-forwarded-for': '203.0.113.9' }],
    [{ 'x-forwarded-for': '127.0.0.1, 203.0.113.9' }],
    [{ 'x-real-ip': '203.0.113.9' }],
    [{ forwarded: 'for=203.0.113.9' }],
    [{ 'x-forwarded-host': 'app.example.com' }],
  ])('not through a proxy that tells %j', async headers => {
    const answer = await ask(await served(), '/queries', { headers });
    expect([answer.status, answer.body]).toEqual([403, expect.stringContaining('through a proxy from elsewhere')]);
  });

  test('a development server of this machine may be in between', async () => {
    const headers = { 'x-forwarded-for': '::1', 'x-forwarded-host': 'localhost:3000' };
    expect((await ask(await served(), '/queries', { headers })).status).toBe(200);
  });

  test('a socket whose address is another one is refused', async () => {
    // Over loopback no other address can be had: what the server tells of the socket is replaced.
    const page = dashboard(source);
    const { port } = await serve((request, response) => {
      Object.defineProperty(request.socket, 'remoteAddress', { value: request.headers['x-from'] });
      page(request, response);
    });
    const status = async (from: Record<string, string>): Promise<number> =>
      (await ask(port, '/queries', { headers: { connection: 'close', ...from } })).status;
    expect(await status({ 'x-from': '192.168.1.7' })).toBe(403);
    expect(await status({ 'x-from': '::ffff:192.168.1.7' })).toBe(403);
    expect(await status({ 'x-from': 'fe80::1' })).toBe(403);
    // A Unix socket, behind which a proxy may stand.
    expect(await status({})).toBe(403);
    expect(await status({ 'x-from': '::ffff:127.0.0.1' })).toBe(200);
    expect(await status({ 'x-from': '::1' })).toBe(200);
  });
});

describe('fetch, which knows no socket', () => {
  test('goes by the address that it is told', async () => {
    expect(await fetched('http://localhost/queries', { remoteAddress: '127.0.0.1' })).toBe(200);
    expect(await fetched('http://localhost/queries', { remoteAddress: '::1' })).toBe(200);
    expect(await fetched('http://localhost/queries', { remoteAddress: '203.0.113.9' })).toBe(403);
  });

  test('without one goes by the name in the URL, and by the header', async () => {
    expect(await fetched('http://localhost:3000/queries')).toBe(200);
    expect(await fetched('http://[::1]:3000/queries')).toBe(200);
    expect(await fetched('http://app.example.com/queries')).toBe(403);
    expect(await fetched('http://app.example.com/queries', { headers: { host: 'localhost' } })).toBe(403);
    expect(await fetched('http://localhost/queries', { headers: { host: 'app.example.com' } })).toBe(403);
  });

  test('is closed in production', async () => {
    expect(await fetched('http://localhost/queries', { options: { environment: 'production' } })).toBe(403);
  });
});

describe('addresses and names of this machine', () => {
  test('no other address is one', () => {
    fc.assert(fc.property(fc.ipV4(), address => isLoopbackAddress(address) === address.startsWith('127.')));
    fc.assert(fc.property(fc.ipV6(), address => isLoopbackAddress(address) === (address === '::1')));
  });

  test('no name that a name server could answer is one', () => {
    fc.assert(
      fc.property(
        fc.domain(),
        fc.integer({ min: 0, max: 65_535 }),
        (domain, port) => !isLoopbackHost(`${domain}:${port}`),
      ),
    );
  });
});

describe('options', () => {
  const wrong = (options: unknown, timing: unknown): string => {
    try {
      dashboard(timing as ReportSource, options as DashboardOptions);
    } catch (error) {
      expect(error).toBeInstanceOf(OptionsError);
      return (error as OptionsError).message;
    }
    throw new Error('it was taken');
  };

  test.each<[unknown, string]>([
    [{ paths: '/q' }, 'options of dashboard() may have path, authorize, environment, title, but got: "paths".'],
    [{ path: 'queries' }, "path begins with '/'"],
    [{ path: '/queries/' }, "path begins with '/', does not end with it"],
    [{ path: '/q?x' }, 'but got: "/q?x"'],
    [{ path: '/../etc', title: '' }, 'title is a text that is not empty, but got: ""'],
    [{ path: 7 }, 'but got: 7'],
    [{ authorize: true }, 'authorize is a function of the request that returns true or false, but got: true.'],
    [{ environment: 'prod' }, "environment is one of 'development', 'test', 'production', but got: \"prod\"."],
    ['/queries', 'options of dashboard() is an object, but got: "/queries".'],
    [null, 'but got: null'],
  ])('%j is refused', (options, message) => {
    expect(wrong(options, source)).toContain(message);
  });

  test.each([undefined, {}, () => {}, { report: () => {}, on: () => {} }])('%j is no timing', timing => {
    expect(wrong({}, timing)).toMatch(
      /^timing of dashboard\(\) has the method \w+\(\).*Pass what queryTiming\(\) returned\.$/s,
    );
  });
});
