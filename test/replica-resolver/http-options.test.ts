import { expressTokens, fetchTokens, readToken, type TokenOptions } from '@mikrokit/replica-resolver/http';
import { OptionsError } from '@mikrokit/replica-resolver';
import { describe, expect, test } from 'vitest';
import { scriptedResolver } from './fixtures/scripted-resolver.ts';

/** Set-Cookie of the answer to a request that wrote. */
async function cookieOf(options: TokenOptions<Request>, request = new Request('http://a/')): Promise<string | null> {
  const resolver = scriptedResolver();
  const handler = fetchTokens(
    resolver,
    () => {
      resolver.write();
      return new Response();
    },
    options,
  );
  return (await handler(request)).headers.get('set-cookie');
}

const beginning = 'mikrokit-replica-token=v1.0123456789ab.1.1.0';

describe('the cookie', () => {
  test('lasts a minute, is out of reach of scripts, and goes to the whole site and no other', async () => {
    expect(await cookieOf({})).toBe(`${beginning}; Max-Age=60; Path=/; HttpOnly; SameSite=Lax`);
  });

  test('takes each option', async () => {
    const cookie = {
      name: 't',
      maxAge: 1_500,
      secure: true,
      sameSite: 'none',
      path: '/app',
      domain: 'a.example',
    } as const;
    expect(await cookieOf({ cookie })).toBe(
      't=v1.0123456789ab.1.1.0; Max-Age=2; Path=/app; Domain=a.example; HttpOnly; SameSite=None; Secure',
    );
  });

  test('is Secure when the request came by https', async () => {
    expect(await cookieOf({}, new Request('https://a/'))).toMatch(/; Secure$/);
    expect(await cookieOf({ cookie: { secure: false } }, new Request('https://a/'))).not.toMatch(/Secure/);
  });

  test('what a proxy says of https counts only when it is trusted', async () => {
    const by = (proto: string): Request => new Request('http://a/', { headers: { 'x-forwarded-proto': proto } });
    expect(await cookieOf({}, by('https'))).not.toMatch(/Secure/);
    expect(await cookieOf({ trustProxy: true }, by('https'))).toMatch(/; Secure$/);
    expect(await cookieOf({ trustProxy: true }, by('HTTPS, http'))).toMatch(/; Secure$/);
    expect(await cookieOf({ trustProxy: true }, by('http, https'))).not.toMatch(/Secure/);
    expect(await cookieOf({ trustProxy: true }, by('httpsx'))).not.toMatch(/Secure/);
  });

  test('can be off', async () => {
    expect(await cookieOf({ cookie: false })).toBeNull();
  });
});

describe('wrong options are refused at once, with contract, value and remedy', () => {
  const refusal = (options: unknown): OptionsError => {
    try {
      expressTokens(scriptedResolver(), options as TokenOptions);
    } catch (error) {
      return error as OptionsError;
    }
    throw new Error('Nothing was thrown.');
  };

  test.each<[string, unknown]>([
    ['options', null],
    ['options', 5],
    ['cookies', { cookies: {} }],
    ['cookie', { cookie: true }],
    ['cookie.name', { cookie: { name: 'a;b' } }],
    ['cookie.name', { cookie: { name: '' } }],
    ['cookie.name', { cookie: { name: 'a=b' } }],
    ['cookie.maxAge', { cookie: { maxAge: 0 } }],
    ['cookie.maxAge', { cookie: { maxAge: Number.NaN } }],
    ['cookie.maxAge', { cookie: { maxAge: Infinity } }],
    ['cookie.maxAge', { cookie: { maxAge: '60' } }],
    ['cookie.secure', { cookie: { secure: 'yes' } }],
    ['cookie.secure', { cookie: { secure: false, sameSite: 'none' } }],
    ['cookie.sameSite', { cookie: { sameSite: 'Lax' } }],
    ['cookie.sameSite', { cookie: { sameSite: 'toString' } }],
    ['cookie.path', { cookie: { path: 'app' } }],
    ['cookie.path', { cookie: { path: '/; Domain=evil' } }],
    ['cookie.path', { cookie: { path: '/\r\n' } }],
    ['cookie.domain', { cookie: { domain: 'a; b' } }],
    ['httpOnly', { cookie: { httpOnly: false } }],
    ['header', { header: 'a b' }],
    ['header', { header: true }],
    ['trustProxy', { trustProxy: 1 }],
    ['key', { key: 'user' }],
    ['consistency', { consistency: 'strong' }],
  ])('%s: %j', (option, options) => {
    const error = refusal(options);
    expect(error).toBeInstanceOf(OptionsError);
    expect(error.option).toBe(option);
    expect(error.message).toMatch(/^expressTokens\(\): .*(must be .*, but is .*\. Correct it|but got: .*\. Remove it)/);
  });

  test('by the name of the function that was called', () => {
    expect(() => readToken({}, { header: '' })).toThrow(/^readToken\(\): header must be .*, but is ''\./);
  });
});
