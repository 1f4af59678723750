import { Cluster, Redis, type ClusterOptions, type RedisOptions } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { OptionsError } from '../../packages/result-cache/src/errors.ts';
import { memoryStore } from '../../packages/result-cache/src/memory-store.ts';
import { redisStore } from '../../packages/result-cache/src/redis-store.ts';
import { clientWarnings } from '../../packages/result-cache/src/redis/warnings.ts';

/** Not connected: options are checked before. */
function client(options: Omit<RedisOptions, 'replyMapping'> = {}): Redis {
  const made = new Redis({ lazyConnect: true, ...options });
  onTestFinished(() => made.disconnect());
  return made;
}

function cluster(options: ClusterOptions = {}): Cluster {
  const made = new Cluster([{ host: '127.0.0.1', port: 1 }], { lazyConnect: true, ...options } as ConstructorParameters<
    typeof Cluster
  >[1]);
  onTestFinished(() => made.disconnect());
  return made;
}

function thrownBy(run: () => unknown): { readonly option: string; readonly message: string } {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(OptionsError);
    const { option, message } = error as OptionsError;
    return { option, message };
  }
  throw new Error('nothing was thrown');
}

const wrongBytes = [NaN, Infinity, -Infinity, -1, 0, 0.5, 2 ** 60, '1', null, true, {}, 1n];

test.each(wrongBytes)('memoryStore({ maxBytes: %s })', value => {
  const { option, message } = thrownBy(() => memoryStore({ maxBytes: value as number }));
  expect(option).toBe('maxBytes');
  expect(message).toMatch(
    /^memoryStore\(\{ maxBytes \}\) must be a whole number of bytes, at least 1, but got: .+\. Leave it out for 67108864\.$/,
  );
});

test('memoryStore(): exact messages', () => {
  expect(thrownBy(() => memoryStore({ maxBytes: NaN })).message).toBe(
    'memoryStore({ maxBytes }) must be a whole number of bytes, at least 1, but got: NaN. Leave it out for 67108864.',
  );
  expect(thrownBy(() => memoryStore({ max: 1 } as object))).toEqual({
    option: 'max',
    message: "memoryStore() has no option 'max'. Its options are: maxBytes.",
  });
  expect(thrownBy(() => memoryStore(null as unknown as object))).toEqual({
    option: 'options',
    message: 'memoryStore(options) takes an object, but got: null. Remove the argument for the defaults.',
  });
});

test('redisStore(): exact messages', () => {
  const redis = client();
  expect(thrownBy(() => redisStore(redis, { prefix: 'a b' }))).toEqual({
    option: 'prefix',
    message:
      "redisStore(client, { prefix }) must be 1 to 64 of letters, digits and _ . : -, but got: 'a b'. Leave it out for 'mikrokit'.",
  });
  expect(thrownBy(() => redisStore(redis, { grace: -1 }))).toEqual({
    option: 'grace',
    message:
      'redisStore(client, { grace }) must be a number from 1 to 3600000 (ms), but got: -1. Leave it out for 2000.',
  });
  expect(thrownBy(() => redisStore(redis, { local: true as unknown as false }))).toEqual({
    option: 'local',
    message:
      'redisStore(client, { local }) must be false or an object such as { maxBytes: 33554432 }, but got: true. Leave it out for that.',
  });
  expect(thrownBy(() => redisStore(redis, { local: { maxBytes: 0 } }))).toEqual({
    option: 'local.maxBytes',
    message:
      'redisStore(client, { local: { maxBytes } }) must be a whole number of bytes, at least 1, but got: 0. Leave it out for 33554432.',
  });
  expect(thrownBy(() => redisStore(redis, { local: { size: 1 } as object }))).toEqual({
    option: 'local.size',
    message: "redisStore() has no option 'local.size'. Its options are: local.maxBytes, local.push, local.pushTimeout.",
  });
  expect(thrownBy(() => redisStore(redis, { local: { push: 1 as unknown as boolean } }))).toEqual({
    option: 'local.push',
    message: 'redisStore(client, { local: { push } }) must be true or false, but got: 1. Leave it out for false.',
  });
  expect(thrownBy(() => redisStore(cluster(), { local: { push: true } }))).toEqual({
    option: 'local.push',
    message:
      'redisStore(client, { local: { push: true } }) takes a client of one server, since each node of a Cluster tells only of its own keys, but got: a Cluster. Leave push out, so that reads ask whether copies are current.',
  });
  expect(thrownBy(() => redisStore(redis, { local: { push: true, pushTimeout: 99 } }))).toEqual({
    option: 'local.pushTimeout',
    message:
      'redisStore(client, { local: { pushTimeout } }) must be a number from 100 to 60000 (ms), but got: 99. Leave it out for 1000.',
  });
  expect(thrownBy(() => redisStore(redis, { keyPrefix: 'x' } as object))).toEqual({
    option: 'keyPrefix',
    message: "redisStore() has no option 'keyPrefix'. Its options are: prefix, local, grace.",
  });
  expect(thrownBy(() => redisStore(client({ keyPrefix: 'app:' })))).toEqual({
    option: 'client',
    message:
      "redisStore(client) takes a client without keyPrefix, since ioredis does not add it to every name, but got one with keyPrefix: 'app:'. Leave it out and use redisStore(client, { prefix }).",
  });
  expect(thrownBy(() => redisStore(cluster({ scaleReads: 'slave' })))).toEqual({
    option: 'client',
    message:
      "redisStore(client) reads from masters, as replicas are behind, but got a Cluster with scaleReads: 'slave'. Leave scaleReads out or set it to 'master'.",
  });
  expect(thrownBy(() => redisStore(client({ readOnly: true })))).toEqual({
    option: 'client',
    message: 'redisStore(client) has to write, but got a client with readOnly: true. Leave readOnly out.',
  });
});

test.each(['', 'a*', 'a?', '[a]', 'a\\', '{a}', 'a b', 'ä', 'a\n', 'a'.repeat(65), 1, null, {}])(
  'redisStore(client, { prefix: %j })',
  prefix => {
    expect(thrownBy(() => redisStore(client(), { prefix: prefix as string })).option).toBe('prefix');
  },
);

test.each(['a', 'A.b_c:d-9', 'a'.repeat(64), undefined])('redisStore(client, { prefix: %j }) is fine', prefix => {
  expect(redisStore(client(), { prefix }).name).toBe('redis');
});

test.each(wrongBytes)('redisStore(client, { local: { maxBytes: %s } })', maxBytes => {
  const { option } = thrownBy(() => redisStore(client(), { local: { maxBytes: maxBytes as number } }));
  expect(option).toBe('local.maxBytes');
});

test.each([NaN, Infinity, -Infinity, -1, 0, 3_600_001, '1', null])('redisStore(client, { grace: %s })', grace => {
  expect(thrownBy(() => redisStore(client(), { grace: grace as number })).option).toBe('grace');
});

test.each([NaN, Infinity, -1, 0, 60_001, '1', null])('redisStore(client, { local: { pushTimeout: %s } })', value => {
  const { option } = thrownBy(() => redisStore(client(), { local: { pushTimeout: value as number } }));
  expect(option).toBe('local.pushTimeout');
});

test('a Cluster whose nodes have a keyPrefix is refused', () => {
  expect(thrownBy(() => redisStore(cluster({ redisOptions: { keyPrefix: 'app:' } }))).message).toContain('keyPrefix');
  expect(redisStore(cluster()).shared).toBe(true);
});

test.each<[unknown, string]>([
  [undefined, 'undefined'],
  [null, 'null'],
  ['redis://user:s3cret@host', 'a string'],
  [{ password: 's3cret' }, 'an instance of Object'],
  [new Map(), 'an instance of Map'],
  [Redis, 'a function'],
  [{ get() {}, set() {}, options: {} }, 'an instance of Object'],
])('what is no client is refused, without telling what is in it: %#', (value, got) => {
  expect(thrownBy(() => redisStore(value as Redis))).toEqual({
    option: 'client',
    message: `redisStore(client) takes a client of ioredis, but got: ${got}. Give it a new Redis(url) or a new Cluster([...]).`,
  });
});

test('warnings: what makes queries hang while Redis is down', () => {
  const queue =
    "redisStore(): the client's enableOfflineQueue is true, ioredis's default: while Redis is down, commands pile up in memory and are sent late. Set enableOfflineQueue: false.";
  const retries = (value: string): string =>
    `redisStore(): the client's maxRetriesPerRequest is ${value}: while Redis is down, a command hangs for as many reconnects. Set maxRetriesPerRequest: 1 (at most 3).`;
  expect(redisStore(client()).warnings).toEqual([queue, retries('20')]);
  expect(clientWarnings(client({ enableOfflineQueue: false, maxRetriesPerRequest: null }))).toEqual([retries('null')]);
  expect(clientWarnings(client({ enableOfflineQueue: false, maxRetriesPerRequest: 4 }))).toEqual([retries('4')]);
  expect(redisStore(client({ enableOfflineQueue: false, maxRetriesPerRequest: 3 })).warnings).toEqual([]);
  expect(clientWarnings(cluster())).toEqual([queue]);
  expect(clientWarnings(cluster({ enableOfflineQueue: false, redisOptions: { maxRetriesPerRequest: null } }))).toEqual([
    retries('null'),
  ]);
  expect(memoryStore().warnings).toBeUndefined();
});
