import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Session, Sessions } from '../../packages/replica-resolver/src/session.ts';
import type { Token } from '../../packages/replica-resolver/src/token.ts';

const at = (lsn: bigint, timeline = 1): Token => ({ cluster: '0123456789ab', timeline, lsn, at: 1 });

describe('what was written', () => {
  test('the greatest token is kept, and that something was written', () => {
    const session = new Session();
    expect([session.token, session.wrote]).toEqual([undefined, false]);
    void session.written(at(5n));
    void session.written(at(3n));
    expect(session.token).toEqual(at(5n));
    expect(session.wrote).toBe(true);
  });

  test('a token from outside is seen, but was not written here', () => {
    const session = new Session();
    session.advance(at(5n));
    expect([session.token, session.wrote]).toEqual([at(5n), false]);
  });

  test('what somebody else has written for this session counts as written, for the outer one as well', () => {
    const outer = new Session();
    const inner = new Session(outer);
    inner.received(at(5n));
    for (const session of [inner, outer]) {
      expect([session.token, session.wrote]).toEqual([at(5n), true]);
    }
  });

  test('an outer session hears of it, with its outer; of what was only handed in, or read, it does not', () => {
    const process = new Session();
    const outer = new Session(process);
    const inner = new Session(outer);
    inner.advance(at(9n));
    inner.shown({ timeline: 1, lsn: 9n });
    void inner.pin(performance.now() + 1_000, 1, false);
    expect([outer.token, outer.read, outer.pinnedUntil]).toEqual([undefined, undefined, 0]);
    void inner.written(at(5n));
    for (const session of [outer, process]) {
      expect([session.token, session.wrote]).toEqual([at(5n), true]);
    }
  });

  test('a write whose position is not known pins each session that it is in, and a later end wins', () => {
    const outer = new Session();
    const inner = new Session(outer);
    void inner.pin(200, 20, true);
    void inner.pin(100, 10, true);
    for (const session of [inner, outer]) {
      expect([session.pinnedUntil, session.pinnedAt, session.wrote]).toEqual([200, 20, true]);
    }
  });

  test('each write is published once for each session that has a store; who waits for it waits for all', async () => {
    const outer = new Session();
    const inner = new Session(outer);
    const published: string[] = [];
    const ends = Promise.withResolvers<void>();
    outer.publish = async () => {
      await ends.promise;
      published.push('outer');
    };
    inner.publish = async () => void published.push('inner');
    let done = false;
    const writing = inner.written(at(1n))!.then(() => void (done = true));
    await Promise.resolve();
    expect([published, done]).toEqual([['inner'], false]);
    ends.resolve();
    await writing;
    expect(published).toEqual(['inner', 'outer']);
    expect(new Session().written(at(1n))).toBeUndefined();
  });
});

describe('what was read', () => {
  test('the furthest position stays, of the latest timeline', () => {
    const session = new Session();
    const steps: [number, bigint, number, bigint][] = [
      [1, 5n, 1, 5n],
      [1, 3n, 1, 5n],
      [1, 8n, 1, 8n],
      [2, 1n, 2, 1n],
      [1, 99n, 2, 1n],
    ];
    for (const [timeline, lsn, expectedTimeline, expectedLsn] of steps) {
      session.shown({ timeline, lsn });
      expect(session.read).toEqual({ timeline: expectedTimeline, lsn: expectedLsn });
    }
  });
});

describe('whose session it is', () => {
  test('outside any scope the same one, always; in a scope, its own, and after an await as well', async () => {
    const sessions = new Sessions();
    const process = sessions.current;
    const session = sessions.open(undefined);
    await sessions.run(session, async () => {
      expect(sessions.current).toBe(session);
      await new Promise(resolve => setTimeout(resolve, 1));
      expect(sessions.current).toBe(session);
    });
    expect(sessions.current).toBe(process);
  });

  test('a scope outside any other begins with nothing, though the process has written', () => {
    const sessions = new Sessions();
    void sessions.current.written(at(5n));
    expect(sessions.open(undefined).token).toBeUndefined();
  });

  test('an inner scope begins with what the outer has written, was given, has read and is pinned to', () => {
    const sessions = new Sessions();
    const outer = sessions.open('strong');
    const pending = Promise.resolve();
    sessions.run(outer, () => {
      void outer.written(at(5n));
      outer.shown({ timeline: 1, lsn: 7n });
      void outer.pin(100, 10, true);
      outer.pending = pending;
      const inner = sessions.open(undefined);
      expect(inner).toMatchObject({
        token: at(5n),
        wrote: false,
        read: { timeline: 1, lsn: 7n },
        pinnedUntil: 100,
        pinnedAt: 10,
        consistency: 'strong',
      });
      expect(inner.pending).toBe(pending);
    });
  });

  test('another consistency for a part of it: the session stays the same', () => {
    const sessions = new Sessions();
    const session = sessions.open('strong');
    sessions.run(session, () => {
      sessions.runWith('eventual', () =>
        expect([sessions.current, sessions.consistency]).toEqual([session, 'eventual']),
      );
      expect(sessions.consistency).toBe('strong');
    });
    expect(sessions.consistency).toBeUndefined();
  });

  test('of scopes in scopes, each knows of exactly what it and those within it have written, and what was there before', () => {
    /** A scope does these in turn: writes, or opens another one. */
    type Step = 'write' | readonly Step[];
    const { scope } = fc.letrec<{ scope: readonly Step[]; step: Step }>(tie => ({
      step: fc.oneof({ maxDepth: 4 }, fc.constant('write' as const), tie('scope')),
      scope: fc.array(tie('step'), { maxLength: 4 }),
    }));
    fc.assert(
      fc.property(scope, steps => {
        const sessions = new Sessions();
        let position = 0n;
        /** @returns the last position that was written within, and checks what is known at each step */
        const run = (these: readonly Step[], known: bigint): bigint => {
          const session = sessions.open(undefined);
          return sessions.run(session, () => {
            let last = 0n;
            for (const step of these) {
              if (step === 'write') {
                last = ++position;
                void sessions.current.written(at(last));
              } else {
                const within = run(step, last > known ? last : known);
                last = within > last ? within : last;
              }
              expect(sessions.current).toBe(session);
              expect(session.wrote).toBe(last > 0n);
              expect(session.token?.lsn ?? 0n).toBe(last > known ? last : known);
            }
            return last;
          });
        };
        const last = run(steps, 0n);
        expect(sessions.current.token?.lsn ?? 0n).toBe(last);
      }),
    );
  });
});
