import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type CountedScopes, countedScopes, type EndedScope } from './fixtures/http-scopes.ts';
import { APPLICATIONS, ask, type HttpServer, type Options } from './fixtures/http-servers.ts';

const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

describe.each(Object.entries(APPLICATIONS))('%s', (_, { calls, start }) => {
  let timing: CountedScopes;
  let server: HttpServer;

  beforeAll(async () => {
    timing = countedScopes();
    server = await start(timing, () => timing.query());
  });

  afterAll(() => server.close());

  /** What came of one more request, once it is over. */
  async function scopeOf(request: () => Promise<unknown>, of: CountedScopes = timing): Promise<EndedScope> {
    const before = of.ended.length;
    await request();
    await expect.poll(() => of.ended.length).toBeGreaterThan(before);
    expect(of.ended).toHaveLength(before + 1);
    return of.ended.at(-1)!;
  }

  /** Another server of it. */
  async function other(options: Options): Promise<[CountedScopes, HttpServer]> {
    const scopes = countedScopes();
    const its = await start(scopes, () => scopes.query(), options);
    onTestFinished(() => its.close());
    return [scopes, its];
  }

  test('a request is a scope, named after its method and route, never with its query string', async () => {
    const scope = await scopeOf(async () => expect((await ask(server, calls.read)).status).toBe(200));
    expect(scope).toMatchObject({ kind: 'request', name: calls.read.name, queries: 1 });
    expect(JSON.stringify(scope)).not.toContain('secret');
  });

  test('what is queried after its body was read, and later, is part of it', async () => {
    const scope = await scopeOf(async () => expect((await ask(server, calls.write)).status).toBe(200));
    expect(scope).toMatchObject({ name: calls.write.name, queries: 2 });
  });

  test('tags: method, the route where it is known at the beginning, and traceparent', async () => {
    const { tags } = await scopeOf(() => ask(server, calls.read, { headers: { traceparent: TRACE } }));
    const { body, route } = calls.read;
    expect(tags).toEqual({ method: body ? 'POST' : 'GET', traceparent: TRACE, ...(route && { route }) });
  });

  test.each([
    ['is too short', TRACE.slice(0, -1)],
    ['is too long', `${TRACE}-00`],
    ['has capitals', TRACE.toUpperCase()],
    ['has no trace', TRACE.replace('4bf92f3577b34da6a3ce929d0e0e4736', '0'.repeat(32))],
    ['has no parent', TRACE.replace('00f067aa0ba902b7', '0'.repeat(16))],
    ['has no version', `ff${TRACE.slice(2)}`],
    ['is SQL', `${TRACE}'*/; drop table book; --`],
    ['is long', TRACE.padEnd(7_000, '0')],
  ])('a traceparent that %s is no tag', async (_why, traceparent) => {
    const { tags } = await scopeOf(() => ask(server, calls.read, { headers: { traceparent } }));
    expect(Object.keys(tags)).not.toContain('traceparent');
  });

  test('a traceparent of a later version counts as far as it is known', async () => {
    const traceparent = `cc${TRACE.slice(2)}-what-comes-later`;
    const { tags } = await scopeOf(() => ask(server, calls.read, { headers: { traceparent } }));
    expect(tags['traceparent']).toBe(`cc${TRACE.slice(2)}`);
  });

  test('a request whose handler fails is over, too', async () => {
    const scope = await scopeOf(() => ask(server, calls.fail));
    expect(scope).toMatchObject({ name: calls.fail.name, queries: 1 });
  });

  test('a request whose client leaves is over, too', async () => {
    const gone = new AbortController();
    const scope = await scopeOf(async () => {
      const before = timing.running;
      const answer = ask(server, calls.hang, { signal: gone.signal });
      await expect.poll(() => timing.running).toBe(before + 1);
      gone.abort();
      await expect(answer).rejects.toThrow();
    });
    expect(scope).toMatchObject({ name: calls.hang.name, queries: 1 });
  });

  test('a request for nothing is named after its path, with :id for what looks like a value', async () => {
    const scope = await scopeOf(() => ask(server, calls.missing));
    expect(scope).toMatchObject({ name: calls.missing.name, queries: 0 });
  });

  test('requests at the same time are scopes of their own', async () => {
    const before = timing.ended.length;
    await Promise.all(Array.from({ length: 40 }, (_each, index) => ask(server, index % 2 ? calls.read : calls.write)));
    await expect.poll(() => timing.ended.length).toBe(before + 40);
    const counts = timing.ended.slice(before).map(({ name, queries }) => `${name}: ${queries}`);
    expect(new Set(counts)).toEqual(new Set([`${calls.read.name}: 1`, `${calls.write.name}: 2`]));
  });

  test('name, tags: the application says more', async () => {
    let asked = 0;
    const [scopes, its] = await other({
      name: () => `mine, asked ${++asked} times`,
      tags: () => ({ controller: 'books', method: 'own', __proto__: 'x' }),
    });
    const { name, tags } = await scopeOf(() => ask(its, calls.read), scopes);
    expect(name).toBe('mine, asked 1 times');
    await expect.poll(() => asked).toBe(1);
    expect(tags).toMatchObject({ controller: 'books', method: 'own' });
  });

  test('name and tags are bounded, whatever they are', async () => {
    const [scopes, its] = await other({
      name: () => `\u001b[2J\r\n\u202e${'x'.repeat(1_000_000)}`,
      tags: () =>
        Object.fromEntries([
          ...Array.from({ length: 100 }, (_each, index) => [`tag\n${index}`, '\0'.repeat(1_000_000)]),
          ['method', 'own'],
        ]),
    });
    const { name, tags } = await scopeOf(() => ask(its, calls.read), scopes);
    expect(name).toBe(`\uFFFD[2J\uFFFD\uFFFD\uFFFD${'x'.repeat(200 - 8)}…`);
    expect(Object.keys(tags)).toHaveLength(20);
    expect(tags['method']).toBe('own');
    expect(tags['tag\uFFFD0']).toBe(`${'\uFFFD'.repeat(255)}…`);
  });

  test('what is ignored is no scope', async () => {
    const scopes = countedScopes();
    const its = await start(scopes, () => {}, { ignore: () => true });
    onTestFinished(() => its.close());
    expect((await ask(its, calls.read)).status).toBe(200);
    expect((await ask(its, calls.fail)).ok).toBe(calls.fail.path === '/graphql');
    expect([scopes.ended, scopes.running]).toEqual([[], 0]);
  });

  test('options that throw are told of once, and never fail a request', async () => {
    const told: Error[] = [];
    const listener = (warning: Error): void => void told.push(warning);
    process.on('warning', listener);
    onTestFinished(() => void process.off('warning', listener));
    const fail = (): never => {
      throw new RangeError('secret');
    };
    const [scopes, its] = await other({ name: fail, tags: fail, ignore: fail });
    for (const _each of [1, 2]) {
      const scope = await scopeOf(async () => expect((await ask(its, calls.read)).status).toBe(200), scopes);
      expect(scope).toMatchObject({ name: calls.read.name, queries: 1 });
    }
    expect(told.map(({ message }) => message).toSorted()).toEqual(
      ['ignore', 'name', 'tags'].map(option =>
        expect.stringMatching(
          new RegExp(`^\\w+\\(\\): the function given as ${option} has thrown \\("RangeError"\\); the request went on`),
        ),
      ),
    );
  });

  test('Server-Timing, where it is wanted: what was queried before the head was sent', async () => {
    const [, its] = await other({ serverTiming: true });
    expect((await ask(its, calls.write)).headers.get('server-timing')).toBe(
      'sql;desc="2 queries";dur=2, sqlwait;dur=0, sqldb;dur=2, sqlhydrate;dur=0',
    );
  });

  test('… and not, where it is not', async () => {
    const [, its] = await other({ serverTiming: false });
    expect((await ask(its, calls.write)).headers.get('server-timing')).toBeNull();
  });
});
