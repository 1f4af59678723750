import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { type ScriptedResolver, scriptedResolver } from './fixtures/scripted-resolver.ts';
import { SERVERS, type TokenServer } from './fixtures/token-servers.ts';

const HEADER = 'x-mikrokit-replica-token';
const COOKIE = 'mikrokit-replica-token';

describe.each(Object.entries(SERVERS))('%s', (name, start) => {
  let resolver: ScriptedResolver;
  let server: TokenServer;

  beforeAll(async () => {
    resolver = scriptedResolver();
    server = await start(resolver);
  });

  afterAll(() => server.close());

  /** Somebody's token. */
  let token: string;
  beforeEach(() => {
    token = resolver.run({}, () => resolver.write());
  });

  test('a request without a token is a session without one', async () => {
    expect(await server.read()).toMatchObject({ status: 200, saw: undefined });
  });

  test('what the client wrote before, its next request sees: by cookie', async () => {
    expect(await server.read({ cookie: `a=b; ${COOKIE}=${token}` })).toMatchObject({ saw: token });
  });

  test('… and by header, which wins over the cookie', async () => {
    const other = resolver.run({}, () => resolver.write());
    expect(await server.read({ [HEADER]: token, cookie: `${COOKIE}=${other}` })).toMatchObject({ saw: token });
  });

  test('a request that wrote hands its token to the client, in a cookie and a header; cookies of others stay', async () => {
    const { status, saw, header, cookies } = await server.write();
    expect(status).toBe(200);
    expect(saw).toBeDefined();
    expect(header).toBe(saw);
    const ours = `${COOKIE}=${saw}; Max-Age=60; Path=/; HttpOnly; SameSite=Lax`;
    expect(cookies.toSorted()).toEqual([ours, expect.stringMatching(/^theirs=1; Path=\//)]);
  });

  test('a request that only read sets neither, whatever token it came with: none is taken away because a replica caught up', async () => {
    const { header, cookies } = await server.read({ [HEADER]: token, cookie: `${COOKIE}=${token}` });
    expect(header).toBeUndefined();
    expect(cookies.filter(cookie => !cookie.startsWith('theirs='))).toEqual([]);
  });

  test('a request that failed after it wrote hands its token over as well', async () => {
    const { header, cookies } = await server.fail();
    expect(header).toMatch(/^v1\./);
    expect(cookies.some(cookie => cookie.startsWith(`${COOKIE}=${header};`))).toBe(true);
  });

  test('requests at the same time never see the token of each other', async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, async (_, index) => {
        const own = resolver.run({}, () => resolver.write());
        const answer = await (index % 2 ? server.write() : server.read({ [HEADER]: own }));
        return { own, index, ...answer };
      }),
    );
    const written = answers.filter(({ index }) => index % 2);
    expect(new Set(written.map(({ saw }) => saw)).size).toBe(20);
    for (const { index, own, saw, header } of answers) {
      expect(header).toBe(index % 2 ? saw : undefined);
      expect(index % 2 || saw === own, `${index}: ${saw}`).toBeTruthy();
    }
  });

  test.each([
    ['a long value', 'v1.'.padEnd(7_000, 'a')],
    ['quotes', '"v1.0123456789ab.1.1.0"'],
    ['percent encoding', 'v1%2E0123456789ab%2E1%2E1%2E0'],
    ['a header to inject', 'v1%0d%0aset-cookie:%20admin=1'],
    ['markup', '<script>alert(1)</script>'],
  ])('%s in cookie or header is ignored, and comes back nowhere', async (_, hostile) => {
    const got = await server.write({ [HEADER]: hostile, cookie: `${COOKIE}=${hostile}` });
    expect(got.status).toBe(200);
    expect(JSON.stringify(got)).not.toContain(hostile.slice(2));
    expect(resolver.scopes.at(-1)!.token).toBeUndefined();
  });

  test('the key of the user goes to the resolver, with the consistency that was asked for', async () => {
    const keyed = scriptedResolver();
    const other = await start(keyed, { key: () => 'user 7', header: false, cookie: { name: 'kept', maxAge: 1 } });
    onTestFinished(() => other.close());
    const { header, cookies, saw } = await other.write({ cookie: `kept=${token}`, [HEADER]: 'v1.x' });
    expect(keyed.scopes).toEqual([{ token, key: 'user 7', consistency: undefined }]);
    expect(header).toBeUndefined();
    expect(cookies).toContain(`kept=${saw}; Max-Age=1; Path=/; HttpOnly; SameSite=Lax`);
  });

  // Without a framework it is the listener's own error, as any other that it throws.
  if (name !== 'node:http' && name !== 'fetch') {
    test('a key that throws fails the request, not the server', async () => {
      let failing = true;
      const other = await start(scriptedResolver(), {
        key: () => {
          if (failing) {
            throw new Error('no user');
          }
          return 'user 7';
        },
      });
      onTestFinished(() => other.close());
      expect((await other.read()).status).toBe(500);
      failing = false;
      expect((await other.read()).status).toBe(200);
    });
  }
});
