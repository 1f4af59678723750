import { OptionsError } from '@mikrokit/query-timing';
import {
  expressTiming,
  fastifyTiming,
  fetchTiming,
  honoTiming,
  nodeTiming,
  type RequestTiming,
  type RequestTimingOptions,
  yogaTiming,
} from '@mikrokit/query-timing/http';
import { afterEach, describe, expect, test } from 'vitest';
import { countedScopes } from './fixtures/http-scopes.ts';

const all: Record<string, (timing: RequestTiming, options: RequestTimingOptions) => unknown> = {
  nodeTiming: (timing, options) => nodeTiming(timing, options),
  expressTiming,
  fastifyTiming,
  honoTiming,
  yogaTiming,
  fetchTiming: (timing, options) => fetchTiming(timing, () => new Response(), options),
};

function refusal(fn: () => unknown): OptionsError {
  try {
    fn();
  } catch (error) {
    return error as OptionsError;
  }
  throw new Error('Nothing was thrown.');
}

describe.each(Object.entries(all))('%s() refuses at once, with contract, value and remedy', (name, create) => {
  test.each<[string, unknown, string]>([
    ['options', 5, '5. Leave it out'],
    ['options', null, 'null. Leave it out'],
    ['names', { names: 1 }, 'an object with names. Remove it or correct its name.'],
    ['serverTiming', { serverTiming: 'yes' }, '"yes". Leave it out'],
    ['tags', { tags: {} }, 'an object with nothing in it. Leave it out'],
    ['name', { name: 'GET /' }, '"GET /". Leave it out'],
    ['ignore', { ignore: /health/ }, 'Leave it out'],
  ])('%s: %j', (option, options, rest) => {
    const error = refusal(() => create(countedScopes(), options as RequestTimingOptions));
    expect(error).toBeInstanceOf(OptionsError);
    expect(error.option).toBe(option);
    expect(error.message).toMatch(new RegExp(`^${name}\\(\\): ${option} is .*, but got: `));
    expect(error.message).toContain(rest);
  });

  test('what is no timing', () => {
    for (const timing of [undefined, null, {}, 'timing']) {
      const error = refusal(() => create(timing as unknown as RequestTiming, {}));
      expect(error.message).toMatch(new RegExp(`^${name}\\(\\): timing is what queryTiming\\(\\) returned, but got: `));
    }
  });
});

test('fetchTiming() refuses a handler that is none', () => {
  const error = refusal(() => fetchTiming(countedScopes(), { fetch: 1 } as never));
  expect(error.message).toBe(
    'fetchTiming(): handler is a function of the request, but got: an object with fetch. Give it as the second argument.',
  );
});

describe('Server-Timing is sent', () => {
  const { NODE_ENV } = process.env;
  afterEach(() => {
    process.env['NODE_ENV'] = NODE_ENV;
  });

  test.each([
    ['production', false],
    ['test', false],
    ['development', true],
    [undefined, true],
    ['staging', true],
  ])('by default, with NODE_ENV %s: %s', async (environment, expected) => {
    if (environment === undefined) {
      delete process.env['NODE_ENV'];
    } else {
      process.env['NODE_ENV'] = environment;
    }
    const answer = await fetchTiming(countedScopes(), () => new Response())(new Request('http://a/'));
    expect(answer.headers.has('server-timing')).toBe(expected);
  });
});
