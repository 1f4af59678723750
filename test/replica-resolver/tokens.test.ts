import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { redisTokenStore, type ReplicaResolverOptions, type TokenStore } from '@mikrokit/replica-resolver';
import { Redis } from 'ioredis';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { encodeToken } from '../../packages/replica-resolver/src/token-text.ts';
import { closeAfter } from '../harness/close-after.ts';
import { type Proxy, startProxy } from '../harness/proxy.ts';
import { type RedisServer, startRedis } from '../harness/redis.ts';
import { Note, Notes, type Routed } from './fixtures/notes.ts';

let notes: Notes;
let redis: RedisServer;

beforeAll(async () => {
  notes = await Notes.open(1);
  redis = await startRedis();
  closeAfter(() => redis.stop());
}, 180_000); // Redis may have to be installed.

/** Two ORMs, as two processes have them: what one writes the other does not know of. */
async function two(options: Parameters<Notes['connect']>[0] = {}): Promise<{ writer: Routed; reader: Routed }> {
  const writer = await notes.connect(options);
  const reader = await notes.connect(options);
  return { writer, reader };
}

/** Writes a note in a session of its own. */
async function write({ orm, resolver }: Routed, text = notes.text()): Promise<{ text: string; token: string }> {
  const token = await resolver.run({}, async () => {
    await orm.em.fork().insert(Note, { text } as never);
    return resolver.token();
  });
  return { text, token: token! };
}

const onReplica = expect.stringMatching(/^replica one: replica-(checked|caught-up|waited)$/);
const parts = (token: string): { cluster: string; timeline: number; lsn: bigint; at: number } => {
  const [, cluster, timeline, lsn, at] = token.split('.');
  return { cluster: cluster!, timeline: Number(timeline), lsn: BigInt(`0x${lsn}`), at: Number.parseInt(at!, 36) };
};

describe('a token that is handed over', () => {
  test('lets another see the write: on the primary while no replica shows it, on the replica afterwards', async () => {
    const { writer, reader } = await two();
    await notes.pause(notes.one);
    const { text, token } = await write(writer);
    reader.routes();
    await reader.resolver.run({}, async () => expect(await reader.count(text)).toBe(0));
    await reader.resolver.run({ token }, async () => expect(await reader.count(text)).toBe(1));
    expect(reader.routes()).toEqual(['replica one: replica', 'primary: primary-not-caught-up']);
    await notes.resume(notes.one);
    await reader.resolver.run({ token }, async () => expect(await reader.count(text)).toBe(1));
    expect(reader.routes()).toEqual([onReplica]);
  });

  test('to another process: it sees the write', async () => {
    const writer = await notes.connect();
    const servers = [notes.primary.url(notes.database), notes.one.url(notes.database)];
    const child = fork(new URL('fixtures/read-with-token.ts', import.meta.url), servers, {
      execArgv: ['--conditions=@mikrokit/source'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    expect(await once(child, 'message')).toEqual(['ready', undefined]);
    await notes.pause(notes.one);
    const { text, token } = await write(writer);
    child.send({ text, tokens: [null, token] });
    const [answer] = (await once(child, 'message')) as [unknown];
    expect(answer).toEqual([
      { count: 0, routes: ['replica: replica'] },
      { count: 1, routes: ['primary: primary-not-caught-up'] },
    ]);
  });

  test('is what the session that took it gives back, until it writes itself', async () => {
    const { writer, reader } = await two();
    const { token } = await write(writer);
    await reader.resolver.run({ token }, async () => {
      expect(reader.resolver.token()).toBe(token);
      expect(reader.resolver.wrote()).toBe(false);
      await reader.orm.em.fork().insert(Note, { text: notes.text() } as never);
      expect(reader.resolver.wrote()).toBe(true);
      expect(parts(reader.resolver.token()!).lsn).toBeGreaterThan(parts(token).lsn);
    });
  });

  test('an older one does not take away what a newer one shows, in either order', async () => {
    const { writer, reader } = await two();
    const older = await write(writer);
    await notes.cluster.caughtUp();
    await notes.pause(notes.one);
    const newer = await write(writer);
    for (const [first, second] of [
      [older, newer],
      [newer, older],
    ] as const) {
      await reader.resolver.run({ token: first.token }, async () => {
        reader.resolver.advance(second.token);
        expect(parts(reader.resolver.token()!).lsn).toBe(parts(newer.token).lsn);
        expect([await reader.count(older.text), await reader.count(newer.text)]).toEqual([1, 1]);
      });
    }
  });

  test('advance(): in the middle of a session, from another service', async () => {
    const { writer, reader } = await two();
    await notes.pause(notes.one);
    const { text, token } = await write(writer);
    await reader.resolver.run({}, async () => {
      expect(await reader.count(text)).toBe(0);
      reader.resolver.advance(token);
      expect(await reader.count(text)).toBe(1);
      // It was written for this session: whoever asked for it has to hear of it.
      expect(reader.resolver.wrote()).toBe(true);
      for (const nothing of [undefined, null, '']) {
        reader.resolver.advance(nothing);
      }
      expect(reader.resolver.token()).toBe(token);
    });
    expect(reader.heard('token.rejected')).toEqual([]);
  });

  test('advance() in an inner scope: the outer sees it, too; what is rejected was not written', async () => {
    const { writer, reader } = await two();
    await notes.pause(notes.one);
    const { text, token } = await write(writer);
    await reader.resolver.run({}, async () => {
      reader.resolver.advance('nonsense');
      expect(reader.resolver.wrote()).toBe(false);
      reader.resolver.run({}, () => reader.resolver.advance(token));
      expect(reader.resolver.wrote()).toBe(true);
      expect(await reader.count(text)).toBe(1);
    });
  });

  test('nothing was written: there is none', async () => {
    const { reader } = await two();
    await reader.resolver.run({}, async () => {
      await reader.count('x');
      expect(reader.resolver.token()).toBeUndefined();
    });
  });

  test('a token that was given before the first query of an ORM holds', async () => {
    const writer = await notes.connect();
    await notes.pause(notes.one);
    const { text, token } = await write(writer);
    const reader = await notes.connect({ early: true });
    await reader.resolver.run({ token }, async () => expect(await reader.count(text)).toBe(1));
  });
});

describe('a token that is ignored', () => {
  /** Reads with it: on a replica, as if there were none. */
  async function ignored(reader: Routed, token: string): Promise<unknown> {
    reader.routes();
    await reader.resolver.run({ token }, async () => expect(await reader.count('nothing')).toBe(0));
    expect(reader.routes()).toEqual(['replica one: replica']);
    return reader.heard('token.rejected').at(-1)?.why;
  }

  test('malformed', async () => {
    const reader = await notes.connect();
    const { token } = await write(reader);
    for (const text of [
      'hello',
      token.slice(0, -1).slice(0, 20),
      `${token}.x`,
      `${token}\n`,
      token.toUpperCase(),
      'v1.'.repeat(100),
    ]) {
      expect(await ignored(reader, text)).toBe('malformed');
    }
    expect(await ignored(reader, 7 as never)).toBe('malformed');
    expect(await ignored(reader, [token] as never)).toBe('malformed');
    expect(reader.heard('token.rejected')).toHaveLength(8);
  });

  test('of another cluster', async () => {
    const reader = await notes.connect();
    const { token } = await write(reader);
    expect(await ignored(reader, encodeToken({ ...parts(token), cluster: '0123456789ab' }))).toBe('cluster');
  });

  test('of another cluster, given before the first query', async () => {
    const { writer } = await two();
    const { token } = await write(writer);
    const reader = await notes.connect({ early: true });
    await reader.resolver.run({ token: encodeToken({ ...parts(token), cluster: '0123456789ab' }) }, () =>
      reader.count('x'),
    );
    await reader.resolver.ready();
    await reader.resolver.run({ token: encodeToken({ ...parts(token), cluster: '0123456789ab' }) }, () =>
      reader.count('x'),
    );
    expect(reader.heard('token.rejected').length).toBeGreaterThan(0);
    expect(new Set(reader.heard('token.rejected').map(({ why }) => why))).toEqual(new Set(['cluster']));
  });

  test('expired', async () => {
    const reader = await notes.connect({ resolver: { tokenTtl: 1_000, maxLag: 1_000 } });
    const { token } = await write(reader);
    // Of what it had not replayed it would be too far behind.
    await notes.cluster.caughtUp();
    await notes.pause(notes.one);
    await sleep(1_020);
    expect(await ignored(reader, token)).toBe('expired');
  });

  test('expired in the middle of a session', async () => {
    const { orm, resolver, count, routes } = await notes.connect({ resolver: { tokenTtl: 300, maxLag: 200 } });
    await resolver.run({}, async () => {
      await orm.em.fork().insert(Note, { text: notes.text() } as never);
      await sleep(320);
      await notes.cluster.caughtUp();
      // On a busy machine it may have been too far behind for a moment.
      await expect.poll(() => resolver.snapshot().nodes[1]!.state).toBe('up');
      routes();
      await count('x');
      expect(routes()).toEqual(['replica one: replica']);
    });
  });

  test('signed with another secret, or not at all; and signed where nobody asks for it', async () => {
    const secret = 'a secret of sixteen';
    const signing = await notes.connect({ resolver: { secret } });
    const other = await notes.connect({ resolver: { secret: 'another of sixteen' } });
    const plain = await notes.connect();
    const { token } = await write(signing);
    expect(await ignored(other, token)).toBe('signature');
    expect(await ignored(plain, token)).toBe('malformed');
    expect(await ignored(signing, (await write(plain)).token)).toBe('signature');
    expect(
      await ignored(signing, encodeToken({ ...parts(token), lsn: parts(token).lsn + 1n }) + token.slice(-23)),
    ).toBe('signature');
    signing.routes();
    await signing.resolver.run({ token }, () => signing.count('x'));
    expect(signing.routes()).toEqual([onReplica]);
  });

  test('of a position that the primary has not written: no read goes to the primary for it (F18)', async () => {
    const reader = await notes.connect();
    const { token } = await write(reader);
    await notes.cluster.caughtUp();
    const forged = encodeToken({ ...parts(token), lsn: parts(token).lsn + (1n << 40n) });
    reader.routes();
    await Promise.all(
      Array.from({ length: 50 }, () => reader.resolver.run({ token: forged }, () => reader.count('nothing'))),
    );
    const routes = reader.routes();
    expect(routes).toHaveLength(50);
    expect(new Set(routes)).toEqual(new Set(['replica one: replica']));
    expect(reader.heard('token.rejected')).toHaveLength(50);
    expect(new Set(reader.heard('token.rejected').map(({ why }) => why))).toEqual(new Set(['future']));
  });

  test('… and the session goes on: what it writes then is seen', async () => {
    const { orm, resolver, count, routes } = await notes.connect();
    const { token } = await write({ orm, resolver } as Routed);
    const forged = encodeToken({ ...parts(token), lsn: 2n ** 64n - 1n });
    await notes.pause(notes.one);
    const text = notes.text();
    await resolver.run({ token: forged }, async () => {
      await count('nothing');
      await orm.em.fork().insert(Note, { text } as never);
      routes();
      expect(await count(text)).toBe(1);
      expect(routes()).toEqual(['primary: primary-not-caught-up']);
      expect(parts(resolver.token()!).lsn).toBeLessThan(2n ** 60n);
    });
  });

  test('made in a far future', async () => {
    const reader = await notes.connect();
    const { token } = await write(reader);
    expect(await ignored(reader, encodeToken({ ...parts(token), at: Date.now() + 3_600_000 }))).toBe('future');
  });

  test('of a timeline that no server knows of: no read goes to the primary for it, and it is told', async () => {
    const reader = await notes.connect();
    const { token } = await write(reader);
    expect(await ignored(reader, encodeToken({ ...parts(token), timeline: 7 }))).toBe('future');
    expect(reader.heard('token.rejected')).toEqual([{ why: 'future' }]);
    expect(reader.heard('token.timeline')).toEqual([{ token: 7, primary: 1 }]);
  });
});

describe.each(['refuse', 'blackHole'] as const)(
  'a token of a timeline that nobody knows of, while a server cannot be asked (%s)',
  mode => {
    /** The replica cannot be reached, and this is known. */
    async function cutOff(options: ReplicaResolverOptions = {}): Promise<{ reader: Routed; proxy: Proxy }> {
      const proxy = await startProxy(notes.one.url(notes.database));
      closeAfter(() => proxy.stop());
      const reader = await notes.connect({
        resolver: { probeTimeout: 200, ...options },
        replicas: [{ name: 'one', clientUrl: proxy.url(notes.database) }],
      });
      await proxy[mode]();
      await expect.poll(() => reader.resolver.snapshot().nodes.find(({ name }) => name === 'one')!.state).toBe('down');
      return { reader, proxy };
    }

    test('without a secret: it is ignored after a while, in which somebody may have told of it', async () => {
      const { reader } = await cutOff();
      const { token } = await write(reader);
      reader.routes();
      await reader.resolver.run({ token: encodeToken({ ...parts(token), timeline: 7 }) }, async () => {
        const began = performance.now();
        expect(await reader.count('nothing')).toBe(0);
        const took = performance.now() - began;
        expect(took).toBeGreaterThan(700);
        // Less than writeHold: whoever made it up must not hold reads for as long.
        expect(took).toBeLessThan(3_000);
        expect(await reader.count('nothing')).toBe(0);
      });
      expect(reader.routes()).toEqual(['primary: primary-no-replica', 'primary: primary-no-replica']);
      // Once: the second read does not look for it again.
      expect(reader.heard('token.rejected')).toEqual([{ why: 'future' }]);
      expect(reader.heard('token.timeline')).toEqual([{ token: 7, primary: 1 }]);
    });

    test('with one it is believed, so nobody answers: NO_ELIGIBLE_NODE, until everybody can be asked', async () => {
      const secret = 'a secret of sixteen';
      const { reader, proxy } = await cutOff({ secret });
      const { token } = await write(reader);
      const later = encodeToken({ ...parts(token), timeline: 7 }, secret);
      reader.routes();
      await reader.resolver.run({ token: later }, async () => {
        await expect(reader.count('nothing')).rejects.toMatchObject({ code: 'NO_ELIGIBLE_NODE', retryable: true });
        expect([reader.routes(), reader.heard('token.rejected')]).toEqual([[], []]);
        await proxy.pass();
        await expect.poll(() => reader.count('nothing').catch(() => undefined), { timeout: 20_000 }).toBe(0);
      });
      expect(reader.heard('token.rejected')).toEqual([{ why: 'future' }]);
    });
  },
);

describe('a store of tokens', () => {
  test('two processes share the session of a key', async () => {
    const store = redisTokenStore(redis.client(), { timeout: 5_000 });
    const { writer, reader } = await two({ resolver: { tokenStore: store } });
    const text = notes.text();
    await notes.pause(notes.one);
    await writer.resolver.run({ key: 'ada' }, () => writer.orm.em.fork().insert(Note, { text } as never));
    reader.routes();
    await reader.resolver.run({ key: 'ada' }, async () => expect(await reader.count(text)).toBe(1));
    await reader.resolver.run({ key: 'bob' }, async () => expect(await reader.count(text)).toBe(0));
    expect(reader.routes()).toEqual(['primary: primary-not-caught-up', 'replica one: replica']);
  });

  test('a write in an inner scope is stored for the key of the outer', async () => {
    const store = redisTokenStore(redis.client(), { timeout: 5_000 });
    const { writer, reader } = await two({ resolver: { tokenStore: store } });
    const text = notes.text();
    await notes.pause(notes.one);
    await writer.resolver.run({ key: 'eve' }, () =>
      writer.resolver.run({}, () => writer.orm.em.fork().insert(Note, { text } as never)),
    );
    await reader.resolver.run({ key: 'eve' }, async () => expect(await reader.count(text)).toBe(1));
  });

  test('one that does not answer: reads go to the primary, writes are made, and it is told', async () => {
    await using proxy = await startProxy(redis.url);
    const slow = new Redis(proxy.url(), { maxRetriesPerRequest: 1, retryStrategy: () => 20 });
    slow.on('error', () => undefined);
    onTestFinished(() => slow.disconnect());
    const reader = await notes.connect({ resolver: { tokenStore: redisTokenStore(slow, { timeout: 100 }) } });
    await proxy.blackHole();
    reader.routes();
    const text = notes.text();
    await reader.resolver.run({ key: 'ada' }, async () => {
      await reader.count('x');
      expect(reader.routes()).toEqual(['primary: primary-pinned']);
      await reader.orm.em.fork().insert(Note, { text } as never);
      expect(await reader.count(text)).toBe(1);
    });
    expect(reader.heard('warning')).toEqual([
      { message: expect.stringMatching(/^The token store did not take a token: .*100 ms/) },
    ]);
  });

  test('one that answers nonsense, or does not take anything, does no harm', async () => {
    const wrong: TokenStore = { get: () => Promise.resolve('nonsense'), raise: () => Promise.reject(new Error('no')) };
    const reader = await notes.connect({ resolver: { tokenStore: wrong } });
    reader.routes();
    await reader.resolver.run({ key: 'ada' }, () => reader.count('x'));
    expect(reader.routes()).toEqual(['replica one: replica']);
    expect(reader.heard('token.rejected')).toEqual([{ why: 'malformed' }]);
  });

  test('a key without a store is refused', async () => {
    const { resolver } = await notes.connect();
    expect(() => resolver.run({ key: 'ada' }, () => 1)).toThrow(
      'run({ key }) reads the token of the key from a tokenStore, but the resolver has none. Pass replicaResolver({ tokenStore: redisTokenStore(client) }).',
    );
  });
});
