import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { RouteEvent } from '@mikrokit/replica-resolver';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { Note, Notes } from './fixtures/notes.ts';

let notes: Notes;

beforeAll(async () => {
  notes = await Notes.open(1);
}, 120_000);

describe('events', () => {
  test('a node that goes and comes back is told of, with the reason', async () => {
    const routed = await notes.connect();
    await notes.one.stop();
    await expect.poll(() => routed.heard('node.state').at(-1)).toMatchObject({ node: 'one', to: 'down' });
    await notes.one.start();
    await expect.poll(() => routed.heard('node.state').at(-1)?.to, { timeout: 20_000 }).toMatch(/up|warming/);
    for (const { from, to, why } of routed.heard('node.state')) {
      expect(from).not.toBe(to);
      expect(why).not.toBe('');
    }
  });

  test('a listener that throws harms nobody: neither reads nor other listeners', async () => {
    const { resolver, count, heard } = await notes.connect();
    let called = 0;
    resolver.on('token.rejected', () => {
      called++;
      throw new Error('no');
    });
    resolver.on('token.rejected', () => void called++);
    await resolver.run({ token: 'x' }, async () => expect(await count('nothing')).toBe(0));
    expect(called).toBe(2);
    expect(heard('token.rejected')).toHaveLength(1);
  });

  test('on() returns what stops it, and only it', async () => {
    const { resolver } = await notes.connect();
    const calls: string[] = [];
    const listener = (): void => void calls.push('same');
    const stop = resolver.on('token.rejected', listener);
    resolver.on('token.rejected', listener);
    stop();
    stop();
    resolver.run({ token: 'x' }, () => undefined);
    expect(calls).toEqual(['same']);
  });

  test("'stale.prevented' tells by how much, in bytes", async () => {
    const { orm, resolver, count, heard } = await notes.connect();
    await notes.pause(notes.one);
    await resolver.run({}, async () => {
      await orm.em.fork().insert(Note, { text: 'x'.repeat(200) } as never);
      await count('x');
    });
    expect(heard('stale.prevented')).toEqual([{ node: 'one', behind: expect.any(Number) }]);
    expect(heard('stale.prevented')[0]!.behind).toSatisfy((bytes: number) => bytes > 200 && bytes < 1e6);
  });

  test("'read.retried': from where, and why", async () => {
    const { orm, heard, routes } = await notes.connect();
    await orm.em.getConnection('read').execute("select add_note('from a read')");
    expect(routes()).toEqual(['primary: primary-refused']);
    expect(heard('read.retried')).toEqual([
      { from: 'one', to: 'the primary', why: expect.stringContaining('25006'), attempt: 2 },
    ]);
    // It is remembered, also with other values.
    await orm.em.getConnection('read').execute("select add_note('again')");
    expect(routes()).toEqual(['primary: primary-learned']);
    expect(heard('read.retried')).toHaveLength(1);
  });
});

describe('mikrokit:route', () => {
  /** The whole messages from now on. */
  function listen(): RouteEvent[] {
    const heard: RouteEvent[] = [];
    const listener = (message: unknown): void => void heard.push(message as RouteEvent);
    subscribe('mikrokit:route', listener);
    onTestFinished(() => void unsubscribe('mikrokit:route', listener));
    return heard;
  }

  test('one message for each statement, with what was asked for and how long it took', async () => {
    const { orm } = await notes.connect();
    const heard = listen();
    await orm.em.fork().count(Note, {}, { consistency: { bounded: 60_000 } });
    await orm.em.fork().insert(Note, { text: 'x' } as never);
    await orm.em.fork().transactional(em => em.count(Note));
    expect(heard).toEqual([
      {
        node: 'one',
        role: 'replica',
        reason: expect.stringMatching(/^replica-(checked|caught-up)$/),
        kind: 'statement',
        consistency: 'bounded 60000 ms',
        attempt: 1,
        took: expect.any(Number),
      },
      expect.objectContaining({
        node: `127.0.0.1:${notes.primary.port}`,
        role: 'primary',
        reason: 'primary',
        kind: 'statement',
      }),
      expect.objectContaining({ role: 'primary', reason: 'primary', kind: 'open' }),
    ]);
    expect(heard[0]!.took).toBeGreaterThan(0);
  });

  test('a read-only transaction and a stream are one message each', async () => {
    const { orm } = await notes.connect();
    const heard = listen();
    await orm.em
      .fork()
      .transactional(async em => void (await em.count(Note), await em.count(Note)), { readOnly: true });
    for await (const note of orm.em.fork().stream(Note, {})) {
      expect(note.text).toBeTypeOf('string');
    }
    expect(heard).toMatchObject([
      { role: 'replica', node: 'one', kind: 'open', consistency: 'session' },
      { role: 'replica', node: 'one', kind: 'open', consistency: 'session' },
    ]);
  });

  test('a read that was begun again tells which attempt answered', async () => {
    const { orm } = await notes.connect();
    const heard = listen();
    await orm.em.getConnection('read').execute("select length(text), add_note('x') from (values ('y')) as v(text)");
    expect(heard).toMatchObject([{ role: 'primary', reason: 'primary-refused', attempt: 2 }]);
  });

  test('a listener that throws does not fail the statement', async () => {
    const { count } = await notes.connect();
    const broken = (): void => {
      throw new Error('of a listener');
    };
    const caught: unknown[] = [];
    const uncaught = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.once('uncaughtException', error => void caught.push(error));
    channel('mikrokit:route').subscribe(broken);
    try {
      expect(await count('nothing')).toBe(0);
      await expect.poll(() => caught).toHaveLength(1);
    } finally {
      channel('mikrokit:route').unsubscribe(broken);
      process.removeAllListeners('uncaughtException');
      uncaught.forEach(listener => process.on('uncaughtException', listener));
    }
  });
});
