import { setTimeout as sleep } from 'node:timers/promises';
import type { TokenStore } from '@mikrokit/replica-resolver';
import { beforeAll, expect, test } from 'vitest';
import { Note, Notes, type Routed } from '../fixtures/notes.ts';

let notes: Notes;
beforeAll(async () => {
  notes = await Notes.open(1);
}, 120_000);

async function write({ orm, resolver }: Routed): Promise<{ text: string; token: string }> {
  const text = notes.text();
  const token = await resolver.run({}, async () => {
    await orm.em.fork().insert(Note, { text } as never);
    return resolver.token()!;
  });
  return { text, token };
}
const further = (token: string): string => {
  const p = token.split('.');
  p[3] = (BigInt(`0x${p[3]}`) + (1n << 40n)).toString(16);
  return p.join('.');
};

test('a forged token in an inner session does not take away the one that the outer was given', async () => {
  const writer = await notes.connect();
  const reader = await notes.connect();
  await notes.pause(notes.one);
  const { text, token } = await write(writer);
  await reader.resolver.run({ token }, async () => {
    expect(await reader.count(text)).toBe(1);
    await reader.resolver.run({ token: further(token) }, () => reader.count('x'));
    expect(await reader.count(text)).toBe(1);
  });
});

test('a forged token does not take away a true one of the same session', async () => {
  const writer = await notes.connect();
  const reader = await notes.connect();
  await notes.pause(notes.one);
  const { text, token } = await write(writer);
  await reader.resolver.run({ token }, async () => {
    reader.resolver.advance(further(token));
    expect(await reader.count(text)).toBe(1);
  });
});

test('an inner session with a key waits for the key of the outer, too', async () => {
  const tokens = new Map<string, string>();
  const tokenStore: TokenStore = {
    get: async key => {
      await sleep(key === 'slow' ? 150 : 20);
      return tokens.get(key);
    },
    raise: () => Promise.resolve(),
  };
  const writer = await notes.connect();
  const reader = await notes.connect({ resolver: { tokenStore } });
  await notes.pause(notes.one);
  const { text, token } = await write(writer);
  tokens.set('slow', token);
  await reader.resolver.run({ key: 'slow' }, () =>
    reader.resolver.run({ key: 'fast' }, async () => expect(await reader.count(text)).toBe(1)),
  );
});

test('withConsistency monotonic remembers a strong read', async () => {
  const { orm, resolver, count } = await notes.connect();
  await notes.pause(notes.one);
  const text = await notes.elsewhere();
  await resolver.run({}, () =>
    resolver.withConsistency('monotonic', async () => {
      expect(await orm.em.fork().count(Note, { text }, { consistency: 'strong' })).toBe(1);
      expect(await count(text)).toBe(1);
    }),
  );
});
