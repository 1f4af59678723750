import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { Session, Sessions } from '../../packages/replica-resolver/src/session.ts';
import type { Token } from '../../packages/replica-resolver/src/token.ts';

const at = (lsn: bigint, timeline = 1): Token => ({ cluster: '0123456789ab', timeline, lsn, at: 1 });
/** Longer than a test takes. */
const TTL = 60_000;

/** A session in another one. */
const inside = (scope: Session): Session => new Session(undefined, scope);

describe('what was written', () => {
  test('the greatest token is kept, and that something was written', () => {
    const session = new Session();
    expect([session.own(TTL), session.wrote]).toEqual([undefined, false]);
    void session.written(at(5n));
    void session.written(at(3n));
    expect(session.own(TTL)).toEqual(at(5n));
    expect(session.wrote).toBe(true);
  });

  test('a token from outside is kept apart: it was not written here', () => {
    const session = new Session();
    session.advance(at(5n));
    session.advance(at(3n));
    expect([session.given, session.own(TTL), session.wrote]).toEqual([at(5n), undefined, false]);
    void session.written(at(4n));
    expect([session.given, session.own(TTL), session.wrote]).toEqual([at(5n), at(4n), true]);
  });

  test('what somebody else has written for this session counts as written, for the outer one as well', () => {
    const process = new Session();
    const outer = new Session(undefined, undefined, process);
    const inner = inside(outer);
    inner.received(at(5n));
    for (const session of [inner, outer, process]) {
      expect([session.given, session.own(TTL), session.wrote]).toEqual([at(5n), undefined, true]);
    }
  });

  test('an outer session hears of it, with its outer; of what was only handed in, or read, it does not', () => {
    const process = new Session();
    const outer = new Session(undefined, undefined, process);
    const inner = inside(outer);
    inner.advance(at(9n));
    inner.shown({ timeline: 1, lsn: 9n });
    void inner.pin(performance.now() + 1_000, 1, false);
    expect([outer.given, outer.read, outer.pinnedUntil]).toEqual([undefined, undefined, 0]);
    void inner.written(at(5n));
    for (const session of [outer, process]) {
      expect([session.own(TTL), session.given, session.wrote]).toEqual([at(5n), undefined, true]);
    }
  });

  test('it counts for so long after the last write as is asked for, whatever the clock of the token says', () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const outer = new Session();
    const inner = inside(outer);
    void outer.written({ ...at(5n), at: Date.now() + 3_600_000 });
    vi.advanceTimersByTime(60);
    void inner.written({ ...at(6n), at: 1 });
    vi.advanceTimersByTime(100);
    for (const session of [inner, outer]) {
      expect(session.own(100)?.lsn).toBe(6n);
      expect(session.own(99)).toBeUndefined();
      expect(session.wrote).toBe(true);
    }
  });

  test('a write whose position is not known pins each session that it is in, and a later end wins', () => {
    const process = new Session();
    const outer = new Session(undefined, undefined, process);
    const inner = inside(outer);
    void inner.pin(200, 20, true);
    void inner.pin(100, 10, true);
    for (const session of [inner, outer, process]) {
      expect([session.pinnedUntil, session.pinnedAt, session.wrote]).toEqual([200, 20, true]);
    }
  });

  test('each write is published once for each session that has a store; who waits for it waits for all', async () => {
    const outer = new Session();
    const inner = inside(outer);
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

describe('what was given', () => {
  test('is forgotten alone if it is not to be believed, also in the outer session; what was written stays', () => {
    const outer = new Session();
    const inner = inside(outer);
    outer.advance(at(9n));
    inner.advance(at(8n));
    void inner.written(at(5n));
    inner.shown({ timeline: 1, lsn: 7n });
    inner.forgetGiven(at(9n));
    expect([inner.given, outer.given, inner.own(TTL), inner.wrote]).toEqual([at(8n), undefined, at(5n), true]);
    inner.forgetGiven(at(8n));
    expect(inner.given).toBeUndefined();
    expect(inner.read).toEqual({ timeline: 1, lsn: 7n });
    inner.advance(at(6n));
    expect(inner.given).toEqual(at(6n));
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

  test('of what this session and the one around it have read, the furthest', () => {
    const outer = new Session();
    const inner = inside(outer);
    inner.shown({ timeline: 1, lsn: 5n });
    outer.shown({ timeline: 1, lsn: 3n });
    expect(inner.read).toEqual({ timeline: 1, lsn: 5n });
    outer.shown({ timeline: 2, lsn: 1n });
    expect(inner.read).toEqual({ timeline: 2, lsn: 1n });
  });
});

describe('what has to be known before the first read', () => {
  test('is waited for until it is there, by inner sessions as well, whenever they were opened', async () => {
    const outer = new Session();
    const before = inside(outer);
    const work = Promise.withResolvers<void>();
    expect(outer.pending).toBeUndefined();
    outer.waitFor(work.promise);
    const after = inside(outer);
    const { pending } = outer;
    expect(pending).toBeInstanceOf(Promise);
    for (const inner of [before, after]) {
      expect(inner.pending).toBe(pending);
    }
    let done = false;
    void pending!.then(() => void (done = true));
    await new Promise(resolve => setTimeout(resolve, 1));
    expect(done).toBe(false);
    work.resolve();
    await pending;
    for (const session of [outer, before, after]) {
      expect(session.pending).toBeUndefined();
    }
  });

  test('what an inner session waits for is not waited for by the outer', () => {
    const outer = new Session();
    inside(outer).waitFor(new Promise(() => undefined));
    expect(outer.pending).toBeUndefined();
  });

  test('the end of what was waited for before does not end what is waited for now', async () => {
    const session = new Session();
    const now = Promise.withResolvers<void>();
    session.waitFor(Promise.resolve());
    const first = session.pending;
    session.waitFor(now.promise);
    const second = session.pending;
    await first;
    expect(session.pending).toBe(second);
    now.resolve();
    await second;
    expect(session.pending).toBeUndefined();
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

  test('a scope outside any other knows nothing of what the process does, before it and since', () => {
    const sessions = new Sessions();
    const process = sessions.current;
    const before = sessions.open(undefined);
    void process.written(at(5n));
    process.advance(at(6n));
    process.shown({ timeline: 1, lsn: 7n });
    void process.pin(100, 10, true);
    process.waitFor(new Promise(() => undefined));
    for (const session of [before, sessions.open(undefined)]) {
      expect(session).toMatchObject({ given: undefined, wrote: false, pinnedUntil: 0, pinnedAt: 0 });
      expect([session.own(TTL), session.read, session.pending]).toEqual([undefined, undefined, undefined]);
    }
  });

  test('an inner scope knows what the outer wrote, was given, read and is pinned to, before it and since', () => {
    const sessions = new Sessions();
    const outer = sessions.open('strong');
    sessions.run(outer, () => {
      const before = sessions.open(undefined);
      void outer.written(at(5n));
      outer.advance(at(6n));
      outer.shown({ timeline: 1, lsn: 7n });
      void outer.pin(100, 10, true);
      outer.waitFor(new Promise(() => undefined));
      for (const inner of [before, sessions.open(undefined)]) {
        expect(inner).toMatchObject({
          given: at(6n),
          wrote: false,
          read: { timeline: 1, lsn: 7n },
          pinnedUntil: 100,
          pinnedAt: 10,
          consistency: 'strong',
        });
        expect(inner.own(TTL)).toEqual(at(5n));
        expect(inner.pending).toBe(outer.pending);
      }
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
              expect(session.own(TTL)?.lsn ?? 0n).toBe(last > known ? last : known);
            }
            return last;
          });
        };
        const last = run(steps, 0n);
        expect(sessions.current.own(TTL)?.lsn ?? 0n).toBe(last);
      }),
    );
  });

  test('of scopes that are open together, writes are known to all in the outermost one, the rest only within', () => {
    const what = fc.constantFrom('written', 'received', 'given', 'shown', 'pinned by a write', 'pinned');
    /** `in`: which of the scopes that are open; one more than there are: none, so a new outermost one. */
    const happened = fc.record({
      what: fc.oneof(what, fc.constant('opened' as const)),
      in: fc.nat(5),
      lsn: fc.nat(20),
    });
    fc.assert(
      fc.property(fc.array(happened, { maxLength: 30 }), steps => {
        const process = new Session();
        const open: { session: Session; chain: readonly Session[] }[] = [];
        const openIn = (scope: (typeof open)[number] | undefined): void => {
          const session = new Session(undefined, scope?.session, process);
          open.push({ session, chain: [...(scope?.chain ?? []), session] });
        };
        openIn(undefined);
        const facts: { what: string; chain: readonly Session[]; lsn: number }[] = [];
        for (const step of steps) {
          const scope = open[step.in % (open.length + 1)];
          if (step.what === 'opened' || scope === undefined) {
            openIn(scope);
            continue;
          }
          const { session, chain } = scope;
          const token = at(BigInt(step.lsn));
          facts.push({ what: step.what, chain, lsn: step.lsn });
          switch (step.what) {
            case 'written':
              void session.written(token);
              break;
            case 'received':
              session.received(token);
              break;
            case 'given':
              session.advance(token);
              break;
            case 'shown':
              session.shown({ timeline: 1, lsn: token.lsn });
              break;
            case 'pinned':
            case 'pinned by a write':
              void session.pin(step.lsn, step.lsn, step.what === 'pinned by a write');
          }
        }
        const writes = ['written', 'received', 'pinned by a write'];
        /** The furthest of what has happened, as far as `chain` knows of it; the process knows of every write. */
        const furthest = (kinds: readonly string[], chain: readonly Session[] | undefined): number | undefined => {
          const known = facts
            .filter(fact => kinds.includes(fact.what))
            .filter(fact =>
              writes.includes(fact.what)
                ? chain === undefined || fact.chain[0] === chain[0]
                : chain?.includes(fact.chain.at(-1)!),
            );
          return known.length === 0 ? undefined : Math.max(...known.map(fact => fact.lsn));
        };
        const everybody = [...open, { session: process, chain: undefined }];
        for (const { session, chain } of everybody) {
          const wrote = facts.some(
            fact => writes.includes(fact.what) && (chain === undefined || fact.chain.includes(session)),
          );
          expect({
            own: session.own(TTL)?.lsn,
            given: session.given?.lsn,
            read: session.read?.lsn,
            pinnedUntil: session.pinnedUntil,
            wrote: session.wrote,
          }).toEqual({
            own: big(furthest(['written'], chain)),
            given: big(furthest(['received', 'given'], chain)),
            read: big(furthest(['shown'], chain)),
            pinnedUntil: furthest(['pinned', 'pinned by a write'], chain) ?? 0,
            wrote,
          });
        }
      }),
    );
  });
});

function big(value: number | undefined): bigint | undefined {
  return value === undefined ? undefined : BigInt(value);
}
