import { createServer as createHttp2, connect } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { dashboard, type Dashboard, type DashboardOptions } from '@mikrokit/query-timing/dashboard';
import express from 'express';
import fastify from 'fastify';
import fc from 'fast-check';
import { Hono } from 'hono';
import { describe, expect, onTestFinished, test } from 'vitest';
import { serve } from './fixtures/browser-page.ts';
import { ReportSource } from './fixtures/dashboard-source.ts';
import { ask, type RawAnswer } from './fixtures/http-ask.ts';
import { longReport } from './fixtures/long-report.ts';

function made(options?: DashboardOptions): { source: ReportSource; page: Dashboard } {
  const source = new ReportSource(longReport());
  const page = dashboard(source, options);
  onTestFinished(() => page.close());
  return { source, page };
}

async function served(options?: DashboardOptions): Promise<{ source: ReportSource; page: Dashboard; port: number }> {
  const { source, page } = made(options);
  return { source, page, port: (await serve(page)).port };
}

const typeOf = ({ headers }: RawAnswer): string | undefined => headers['content-type'];

describe('what is there', () => {
  test.each([
    ['/queries', 'text/html; charset=utf-8', /^<!doctype html>/],
    ['/queries/', 'text/html; charset=utf-8', /^<!doctype html>/],
    ['/queries?x=1', 'text/html; charset=utf-8', /^<!doctype html>/],
    ['/queries.json', 'application/json; charset=utf-8', /^\{"at":/],
    ['/queries/report.json', 'application/json; charset=utf-8', /^\{"at":/],
    ['/queries/.json', 'application/json; charset=utf-8', /^\{"at":/],
    ['/queries.md', 'text/markdown; charset=utf-8', /^# Queries\n/],
    ['/queries/report.md', 'text/markdown; charset=utf-8', /^# Queries\n/],
    ['/queries/scopes/3.json', 'application/json; charset=utf-8', /^\{"id":3,/],
  ])('%s', async (path, type, body) => {
    const { port } = await served();
    const answer = await ask(port, path);
    expect([answer.status, typeOf(answer)]).toEqual([200, type]);
    expect(answer.body).toMatch(body);
  });

  test('a scope that is not kept', async () => {
    const { port } = await served();
    const answer = await ask(port, '/queries/scopes/999.json');
    expect([answer.status, JSON.parse(answer.body)]).toEqual([
      404,
      { error: 'There is no scope 999.', remedy: 'Only the newest are kept.' },
    ]);
  });

  test('the JSON of the report has every part of it, and records only in those of scopes', async () => {
    const { port, source } = await served();
    const report = JSON.parse((await ask(port, '/queries.json')).body) as Record<string, unknown[]>;
    expect(Object.keys(report).toSorted()).toEqual(Object.keys(source.current).toSorted());
    expect(report['scopes']?.[0]).not.toHaveProperty('records');
    const scope = JSON.parse((await ask(port, '/queries/scopes/3.json')).body) as Record<string, unknown[]>;
    expect(scope['records']).toHaveLength(24);
  });

  test('HEAD has the head alone', async () => {
    const { port, source } = await served();
    for (const path of ['/queries', '/queries.json', '/queries/events']) {
      const answer = await ask(port, path, { method: 'HEAD' });
      expect([answer.status, answer.body]).toEqual([200, '']);
    }
    expect(source.listeners).toBe(0);
  });

  test('title', async () => {
    const { port } = await served({ title: '<b>"Shop" & co' });
    expect((await ask(port, '/queries')).body).toContain('<title>&#60;b&#62;&#34;Shop&#34; &#38; co</title>');
    expect((await ask(port, '/queries.md')).body).toMatch(/^# \\<b\\>"Shop" \\& co\n/);
  });
});

describe('heads', () => {
  test.each([
    '/queries',
    '/queries.json',
    '/queries.md',
    '/queries/scopes/1.json',
    '/queries/scopes/999.json',
    '/nothing',
  ])('%s is kept by nobody, guessed by nobody, framed by nobody', async path => {
    const { port } = await served();
    expect((await ask(port, path)).headers).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-resource-policy': 'same-origin',
      'content-security-policy': expect.stringMatching(/default-src 'none'.*frame-ancestors 'none'/),
    });
  });

  test('only the script and the style of this answer may run', async () => {
    const { port } = await served();
    const [one, two] = [await ask(port, '/queries'), await ask(port, '/queries')];
    const nonce = /'nonce-([\w+/]{22}==)'/.exec(one.headers['content-security-policy'] as string)?.[1];
    expect(one.headers['content-security-policy']).toBe(
      `default-src 'none'; script-src 'nonce-${nonce}'; style-src 'nonce-${nonce}'; connect-src 'self'; img-src data:; ` +
        "base-uri 'none'; frame-ancestors 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    );
    expect(one.body).toContain(`<script type="module" nonce="${nonce}">`);
    expect(one.body).toContain(`<style nonce="${nonce}">`);
    expect(two.body).not.toContain(nonce);
  });

  test('the page loads nothing', async () => {
    const { port } = await served();
    const { body } = await ask(port, '/queries');
    expect(body.match(/(?:src|href)=["'][^"']*/g)).toEqual([expect.stringMatching(/^href="data:image\/svg\+xml,/)]);
    expect(body.match(/<script/g)).toHaveLength(1);
    expect(/^\s*(?:import|export)\b|\bimport\(/m.test(body)).toBe(false);
  });
});

describe('anything else that a browser sends', () => {
  test.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE'])('%s is refused', async method => {
    const { port } = await served();
    const answer = await ask(port, '/queries.json', { method });
    expect([answer.status, answer.headers.allow]).toEqual([405, 'GET, HEAD']);
  });

  test('a body is not looked at', async () => {
    const { port } = await served();
    const answer = await ask(port, '/queries/reset', { method: 'POST', body: 'x'.repeat(1_000_000) });
    expect(answer.status).toBe(403);
  });

  test('a URL that is too long', async () => {
    const { port } = await served();
    expect((await ask(port, `/queries?${'x'.repeat(3000)}`)).status).toBe(414);
  });

  test('any path: nothing but a clear answer, without a stack and without what it was asked', async () => {
    const { port } = await served();
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.webPath(),
          fc.webPath().map(path => `/queries${path}`),
          fc.webPath().map(path => `/queries/scopes/${path}.json`),
          fc.constantFrom(
            '/queries/../../etc/passwd',
            '/queries/%00',
            '/queries/%',
            '/queries/scopes/__proto__.json',
            '/queries/scopes/1e3.json',
            '/queries/scopes/-1.json',
            '/queries/scopes/99999999999999999999.json',
            '//queries',
            '/queriesX',
            '/queries.jsonx',
            '/queries/<script>alert(1)</script>',
          ),
        ),
        async path => {
          const answer = await ask(port, path);
          const known = answer.status === 200 || answer.body.startsWith('{"error":');
          expect([200, 404]).toContain(answer.status);
          expect(known || answer.body === 'There is nothing here.\n\nThe page is at /queries.\n', path).toBe(true);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('a report that throws is no stack', async () => {
    const { port, source } = await served();
    source.report = () => {
      throw new Error("password 'hunter2' of /home/me/app.ts");
    };
    for (const path of ['/queries.json', '/queries.md', '/queries/scopes/1.json']) {
      const answer = await ask(port, path);
      expect([answer.status, answer.body.includes('hunter2'), answer.body.includes('home')]).toEqual([
        500,
        false,
        false,
      ]);
    }
  });
});

describe('reset', () => {
  const send = (port: number, headers: Record<string, string>, method = 'POST'): Promise<RawAnswer> =>
    ask(port, '/queries/reset', { method, headers });

  test('the page may', async () => {
    const { port, source } = await served();
    const answer = await send(port, { 'x-query-timing': 'reset', origin: `http://localhost:${port}` });
    expect([answer.status, source.resets]).toEqual([200, 1]);
  });

  test('and what is shown then is new', async () => {
    const { port, source } = await served();
    await ask(port, '/queries.json');
    source.current = longReport({ shapes: 1 });
    await send(port, { 'x-query-timing': 'reset', origin: `http://localhost:${port}` });
    const { shapes } = JSON.parse((await ask(port, '/queries.json')).body) as { shapes: unknown[] };
    expect(shapes).toHaveLength(1);
  });

  test('behind a proxy that changes Host the browser itself tells', async () => {
    const { port, source } = await served({ authorize: () => true });
    const headers = { 'x-query-timing': 'reset', origin: 'https://app.example.com', host: 'internal:80' };
    expect((await send(port, headers)).status).toBe(403);
    expect((await send(port, { ...headers, 'sec-fetch-site': 'same-origin' })).status).toBe(200);
    expect(source.resets).toBe(1);
  });

  test.each<[string, Record<string, string>]>([
    ['without our header', { origin: 'http://localhost' }],
    ['without an origin', { 'x-query-timing': 'reset' }],
    ['of another site', { 'x-query-timing': 'reset', origin: 'http://evil.example.com' }],
    ['of another port', { 'x-query-timing': 'reset', origin: 'http://localhost:1' }],
    ['of a page without an origin', { 'x-query-timing': 'reset', origin: 'null' }],
    [
      'of another site, as the browser says',
      { 'x-query-timing': 'reset', origin: 'http://localhost', 'sec-fetch-site': 'cross-site' },
    ],
  ])('a request %s may not', async (_, headers) => {
    const { port, source } = await served();
    expect([(await send(port, { host: 'localhost', ...headers })).status, source.resets]).toEqual([403, 0]);
  });

  test('a link may not', async () => {
    const { port, source } = await served();
    const answer = await send(port, { 'x-query-timing': 'reset', origin: `http://localhost:${port}` }, 'GET');
    expect([answer.status, answer.headers.allow, source.resets]).toEqual([405, 'POST', 0]);
  });
});

describe('mounted', () => {
  test('in Express at a path of its own', async () => {
    const app = express().use('/admin/sql', made().page);
    const { port } = await serve(app);
    expect((await ask(port, '/admin/sql')).body).toMatch(/^<!doctype html>/);
    expect((await ask(port, '/admin/sql/report.json')).status).toBe(200);
    expect((await ask(port, '/admin/sql/scopes/1.json')).status).toBe(200);
    expect((await ask(port, '/admin/sql/else')).status).toBe(404);
  });

  test('in Express at the path that it has anyway', async () => {
    const { port } = await serve(express().use('/queries', made().page));
    expect((await ask(port, '/queries/report.md')).status).toBe(200);
    expect((await ask(port, '/queries')).status).toBe(200);
  });

  test('in Express at a path that it was told, too', async () => {
    const { port } = await serve(express().use('/sql', made({ path: '/sql' }).page));
    expect((await ask(port, '/sql')).body).toMatch(/^<!doctype html>/);
    expect((await ask(port, '/sql/report.json')).status).toBe(200);
  });

  test('with a path of its own within the mount of another it is there and nowhere else', async () => {
    const app = express().use('/admin', made({ path: '/sql' }).page, (_, response) => void response.send('mine'));
    const { port } = await serve(app);
    expect((await ask(port, '/admin/sql')).body).toMatch(/^<!doctype html>/);
    expect((await ask(port, '/admin/sql.json')).status).toBe(200);
    expect((await ask(port, '/admin')).body).toBe('mine');
    expect((await ask(port, '/admin/report.json')).body).toBe('mine');
  });

  test('in front of an application, which gets everything else at once', async () => {
    const app = express()
      .use(made({ path: '/q' }).page)
      .use((_, response) => void response.send('mine'));
    const { port } = await serve(app);
    expect((await ask(port, '/q.json')).status).toBe(200);
    for (const path of ['/', '/q/books', '/qq', '/queries', '/q.jsonp']) {
      expect((await ask(port, path)).body, path).toBe('mine');
    }
  });

  test('in production in front of an application it is closed, and the application is not', async () => {
    const app = express()
      .use(made({ environment: 'production' }).page)
      .use((_, response) => void response.send('mine'));
    const { port } = await serve(app);
    expect((await ask(port, '/queries')).status).toBe(403);
    expect((await ask(port, '/books')).body).toBe('mine');
  });

  test('at the root', async () => {
    const { port } = await served({ path: '/' });
    expect((await ask(port, '/')).body).toMatch(/^<!doctype html>/);
    expect((await ask(port, '/report.json')).status).toBe(200);
  });

  test('in Fastify, by hijack()', async () => {
    const { page } = made();
    const app = fastify();
    app.all('/queries*', (request, reply) => {
      reply.hijack();
      page(request.raw, reply.raw);
    });
    await app.listen({ port: 0, host: '127.0.0.1' });
    onTestFinished(() => app.close());
    const { port } = app.server.address() as AddressInfo;
    expect((await ask(port, '/queries')).body).toMatch(/^<!doctype html>/);
    expect((await ask(port, '/queries.json')).status).toBe(200);
  });

  test('in Hono, by fetch', async () => {
    const { page } = made();
    const app = new Hono()
      .all('/queries/*', context => page.fetch(context.req.raw))
      .mount('/mounted', made({ path: '/' }).page.fetch);
    expect(await (await app.request('http://localhost/queries')).text()).toMatch(/^<!doctype html>/);
    expect((await app.request('http://localhost/queries/report.json')).status).toBe(200);
    expect((await app.request('http://localhost/mounted/report.md')).status).toBe(200);
    expect((await app.request('http://localhost/mounted')).status).toBe(200);
  });

  test('over HTTP/2', async () => {
    const { page } = made();
    const server = createHttp2((request, response) => page(request as never, response as never)).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await new Promise(done => server.once('listening', done));
    const client = connect(`http://localhost:${(server.address() as AddressInfo).port}`);
    onTestFinished(() => client.destroy());
    const stream = client.request({ ':path': '/queries' });
    const status = await new Promise<number>(done => stream.once('response', headers => done(headers[':status'] ?? 0)));
    expect(status).toBe(200);
  });

  test('twice, made once: both work', async () => {
    const { page } = made();
    const { port } = await serve(express().use('/one', page).use('/two', page));
    expect((await ask(port, '/one/report.json')).status).toBe(200);
    expect((await ask(port, '/two/report.json')).status).toBe(200);
  });

  test('twice, made twice: both work and share nothing; at one path the first answers', async () => {
    const [first, second] = [made({ title: 'first' }), made({ title: 'second' })];
    const { port } = await serve(
      express().use('/one', first.page).use('/two', second.page).use(first.page).use(second.page),
    );
    expect((await ask(port, '/one')).body).toContain('<title>first</title>');
    expect((await ask(port, '/two')).body).toContain('<title>second</title>');
    expect((await ask(port, '/queries')).body).toContain('<title>first</title>');
    await ask(port, '/one/reset', {
      method: 'POST',
      headers: { 'x-query-timing': 'reset', origin: `http://localhost:${port}` },
    });
    expect([first.source.resets, second.source.resets]).toEqual([1, 0]);
  });
});

describe('live', () => {
  /** A listener: what it has got, and when. */
  async function listen(
    port: number,
  ): Promise<{ events: number[]; status: number; text: () => string; stop: () => void; ended: Promise<void> }> {
    const stopping = new AbortController();
    const answer = await fetch(`http://localhost:${port}/queries/events`, { signal: stopping.signal });
    onTestFinished(() => stopping.abort());
    const events: number[] = [];
    let text = '';
    const read = async (): Promise<void> => {
      for await (const part of answer.body!.pipeThrough(
        new TextDecoderStream() as never,
      ) as unknown as AsyncIterable<string>) {
        text += part;
        if (part.includes('event: change')) {
          events.push(performance.now());
        }
      }
    };
    const ended = read().catch(() => {});
    return { events, status: answer.status, text: () => text, stop: () => stopping.abort(), ended };
  }

  test('whatever happens, an event is sent once a second', async () => {
    const { port, source } = await served();
    const { events, text } = await listen(port);
    const scope = source.current.scopes[0]!;
    const finding = source.current.findings[0]!;
    const until = performance.now() + 3200;
    while (performance.now() < until) {
      source.scopeEnds(scope);
      source.finds(finding);
      await sleep(2);
    }
    expect(events.length).toBeGreaterThanOrEqual(2);
    expect(events.length).toBeLessThanOrEqual(3);
    expect(text()).toMatch(/^retry: 2000\n\n(?:event: change\ndata: \{\}\n\n)+$/);
  });

  test('nothing is subscribed to and no report is made until somebody looks', async () => {
    const { port, source } = await served();
    expect([source.listeners, source.reports]).toEqual([0, 0]);
    const one = await listen(port);
    const two = await listen(port);
    expect(source.listeners).toBe(2);
    one.stop();
    two.stop();
    await expect.poll(() => source.listeners).toBe(0);
    expect(source.reports).toBe(0);
  });

  test('the 21st listener is refused, until one leaves', async () => {
    const { port } = await served();
    const listeners = await Promise.all(Array.from({ length: 20 }, () => listen(port)));
    const refused = await ask(port, '/queries/events');
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '5']);
    listeners[0]!.stop();
    await expect
      .poll(async () => {
        const { status, stop } = await listen(port);
        stop();
        return status;
      })
      .toBe(200);
  });

  test('close() ends them, so that a server can close', async () => {
    const { port, page } = await served();
    const { ended, status } = await listen(port);
    page.close();
    await ended;
    expect(status).toBe(200);
  });

  test('of fetch, too: a body that is read no more gives its place back', async () => {
    const { source, page } = made();
    const answer = await page.fetch(new Request('http://localhost/queries/events'));
    expect([answer.status, answer.headers.get('content-type'), source.listeners]).toEqual([
      200,
      'text/event-stream; charset=utf-8',
      2,
    ]);
    const reader = answer.body!.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe('retry: 2000\n\n');
    await reader.cancel();
    expect(source.listeners).toBe(0);
  });
});

describe('what looking costs', () => {
  test('many who ask at the same time get one report', async () => {
    const { port, source } = await served();
    const slow = source.report.bind(source);
    source.report = () => {
      const until = performance.now() + 50;
      while (performance.now() < until);
      return slow();
    };
    await Promise.all(Array.from({ length: 20 }, () => ask(port, '/queries.json')));
    // 50 ms of work are kept for 500 ms; on a busy machine twenty requests may take longer than that.
    expect(source.reports).toBeLessThan(4);
    const before = source.reports;
    await expect
      .poll(
        async () => {
          await ask(port, '/queries.json');
          return source.reports;
        },
        { timeout: 20_000 },
      )
      .toBeGreaterThan(before);
  });
});
