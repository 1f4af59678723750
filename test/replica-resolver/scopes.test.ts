import { setTimeout as sleep } from 'node:timers/promises';
import type { Consistency } from '@mikrokit/replica-resolver';
import { beforeAll, describe, expect, test } from 'vitest';
import { Note, Notes } from './fixtures/notes.ts';

let notes: Notes;

beforeAll(async () => {
  notes = await Notes.open(2);
}, 120_000);

describe('whose session it is', () => {
  test('outside any scope the process is one session', async () => {
    const { orm, resolver, count, routes } = await notes.connect();
    const text = notes.text();
    await notes.pause(notes.one, notes.two);
    await orm.em.fork().insert(Note, { text } as never);
    expect(resolver.wrote()).toBe(true);
    routes();
    expect(await count(text)).toBe(1);
    expect(routes()).toEqual(['primary: primary-not-caught-up']);
  });

  test('two scopes at the same time do not share what they have written', async () => {
    const { orm, resolver, count } = await notes.connect();
    const [a, b] = [notes.text(), notes.text()];
    await notes.pause(notes.one, notes.two);
    const bothWrote = Promise.withResolvers<void>();
    let written = 0;
    const scope = (own: string, other: string): Promise<number[]> =>
      resolver.run({}, async () => {
        await orm.em.fork().insert(Note, { text: own } as never);
        written++;
        if (written === 2) {
          bothWrote.resolve();
        }
        await bothWrote.promise;
        return [await count(own), await resolver.withConsistency('eventual', () => count(other))];
      });
    expect(await Promise.all([scope(a, b), scope(b, a)])).toEqual([
      [1, 0],
      [1, 0],
    ]);
    // A third one that has written nothing knows of neither.
    await resolver.run({}, async () => {
      expect([await count(a), await count(b), resolver.token()]).toEqual([0, 0, undefined]);
    });
  });

  test('an inner scope knows what the outer has written, and the outer what the inner has', async () => {
    const { orm, resolver, count } = await notes.connect();
    const [outer, inner, after] = [notes.text(), notes.text(), notes.text()];
    await notes.pause(notes.one, notes.two);
    await resolver.run({}, async () => {
      await orm.em.fork().insert(Note, { text: outer } as never);
      await resolver.run({}, async () => {
        expect(resolver.wrote()).toBe(false);
        expect(await count(outer)).toBe(1);
        await orm.em.fork().insert(Note, { text: inner } as never);
        expect(await count(inner)).toBe(1);
      });
      expect(await count(inner)).toBe(1);
    });
    await resolver.run({}, async () => {
      await resolver.run({}, () => orm.em.fork().insert(Note, { text: after } as never));
      expect(resolver.wrote()).toBe(true);
      expect(await count(after)).toBe(1);
    });
  });

  test('the process, too, hears of what a scope has written', async () => {
    const { orm, resolver, count } = await notes.connect();
    const text = notes.text();
    await notes.pause(notes.one, notes.two);
    await resolver.run({}, () => orm.em.fork().insert(Note, { text } as never));
    expect(await count(text)).toBe(1);
  });

  test('what began before a scope ended still belongs to it', async () => {
    const { orm, resolver } = await notes.connect();
    const text = notes.text();
    await notes.pause(notes.one, notes.two);
    let later: Promise<number> | undefined;
    resolver.run({}, () => {
      later = (async () => {
        await sleep(10);
        await orm.em.fork().insert(Note, { text } as never);
        return await orm.em.fork().count(Note, { text });
      })();
    });
    expect(await later).toBe(1);
  });
});

describe('where it is said', () => {
  test('the nearest wins: the call, then withConsistency(), then the scope, then the options', async () => {
    const { orm, resolver, routes } = await notes.connect({ resolver: { consistency: 'strong' } });
    const em = orm.em.fork();
    const reads = async (options: { consistency?: Consistency } = {}): Promise<string[]> => {
      routes();
      await em.count(Note, {}, options);
      return routes().map(route => route.replace(/one|two/, 'x'));
    };
    const replica = ['replica x: replica'];
    const strong = ['primary: primary-strong'];
    expect(await reads()).toEqual(strong);
    expect(await reads({ consistency: 'eventual' })).toEqual(replica);
    await resolver.run({ consistency: 'eventual' }, async () => {
      expect(await reads()).toEqual(replica);
      expect(await reads({ consistency: 'strong' })).toEqual(strong);
      await resolver.withConsistency('strong', async () => {
        expect(await reads()).toEqual(strong);
        expect(await reads({ consistency: 'eventual' })).toEqual(replica);
        // An inner scope goes on with what holds where it begins.
        await resolver.run({}, async () => expect(await reads()).toEqual(strong));
        await resolver.run({ consistency: 'session' }, async () => expect(await reads()).toEqual(replica));
      });
      expect(await reads()).toEqual(replica);
      await resolver.run({}, async () => expect(await reads()).toEqual(replica));
    });
    expect(await reads()).toEqual(strong);
  });

  test('find(), findOne(), findAndCount() and countBy() take it', async () => {
    const { orm, routes } = await notes.connect();
    const em = orm.em.fork();
    const strong = { consistency: 'strong' } as const;
    await em.find(Note, { text: 'x' }, strong);
    await em.findOne(Note, { text: 'x' }, strong);
    await em.findAndCount(Note, { text: 'x' }, strong);
    await em.countBy(Note, 'text', strong as never);
    expect(routes()).toEqual(Array.from({ length: 5 }, () => 'primary: primary-strong'));
  });

  test('what is no consistency is refused, wherever it is given, and nothing is sent', async () => {
    const { orm, resolver, routes } = await notes.connect();
    const wrong = 'sometimes' as never;
    const message =
      `consistency is one of 'session', 'monotonic', 'strong', 'eventual' or { bounded: ms } with 0 < ms <= 86400000, ` +
      `but got: "sometimes". Pass 'session' to see what the session has written.`;
    await expect((async () => orm.em.fork().find(Note, {}, { consistency: wrong }))()).rejects.toThrow(message);
    expect(() => resolver.run({ consistency: wrong }, () => 1)).toThrow(message);
    expect(() => resolver.withConsistency(wrong, () => 1)).toThrow(message);
    expect(routes()).toEqual([]);
  });
});
