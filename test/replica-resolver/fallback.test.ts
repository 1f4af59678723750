import { ReplicaResolverError, type ReplicaResolverOptions } from '@mikrokit/replica-resolver';
import { beforeAll, describe, expect, test } from 'vitest';
import { holdLock, LOCK } from './fixtures/hold-lock.ts';
import { Note, Notes, type Routed } from './fixtures/notes.ts';

let notes: Notes;

beforeAll(async () => {
  notes = await Notes.open(2);
  await notes.sql(`create view held as select case when not pg_is_in_recovery() then ${LOCK}::text end as held`);
  await notes.cluster.caughtUp();
}, 120_000);

/** Room for four on the primary, two of them for reads that replicas should have answered. */
const OPTIONS = { primaryPool: { max: 4 }, fallbackShare: 0.5, fallbackWait: 150, wait: 0, retries: 0 };

async function allPaused(options: ReplicaResolverOptions = {}): Promise<Routed> {
  const routed = await notes.connect({ resolver: { ...OPTIONS, ...options } });
  await notes.pause(notes.one, notes.two);
  return routed;
}

/** A read that needs what the session has just written, and takes its time on the primary. */
function slowRead({ orm }: Routed, ms: number): Promise<unknown> {
  const seconds = `case when pg_is_in_recovery() then 0 else ${ms / 1_000} end`;
  return orm.em.fork().getConnection('read').execute(`select count(*), pg_sleep(${seconds})::text from note`);
}

/** As `slowRead`, until the lock is given back. */
function heldRead({ orm }: Routed): Promise<unknown> {
  return orm.em.fork().getConnection('read').execute('select held from held');
}

describe('every replica is paused: reads that need own writes go to the primary, so many at a time', () => {
  test('within the budget, each is answered', async () => {
    const routed = await allPaused({ fallbackWait: 5_000 });
    await routed.resolver.run({}, async () => {
      await routed.orm.em.fork().insert(Note, { text: notes.text() } as never);
      routed.routes();
      await Promise.all(Array.from({ length: 12 }, () => slowRead(routed, 30)));
      expect(routed.routes()).toEqual(Array.from({ length: 12 }, () => 'primary: primary-not-caught-up'));
      expect(routed.resolver.snapshot().fallback).toEqual({ inUse: 0, waiting: 0, limit: 2 });
    });
    expect(routed.heard('fallback.budget').length).toBeGreaterThan(0);
    expect(routed.heard('fallback.budget').every(({ refused }) => !refused)).toBe(true);
  });

  test('beyond it they are refused after `fallbackWait`, with the state of each node; writes find connections', async () => {
    const routed = await allPaused({ fallbackWait: 2_000 });
    const { orm, resolver, heard } = routed;
    const giveBack = await holdLock(notes.primary, notes.database);
    await resolver.run({}, async () => {
      await orm.em.fork().insert(Note, { text: notes.text() } as never);
      const reads = Promise.allSettled(Array.from({ length: 6 }, () => heldRead(routed)));
      await expect
        .poll(() => resolver.snapshot().fallback, { interval: 5 })
        .toEqual({ inUse: 2, waiting: 4, limit: 2 });
      await Promise.all(Array.from({ length: 10 }, () => orm.em.fork().insert(Note, { text: notes.text() } as never)));
      expect(resolver.snapshot().fallback.inUse).toBe(2);
      await expect.poll(() => heard('fallback.budget').filter(({ refused }) => refused).length).toBe(4);
      await giveBack();
      const outcomes = await reads;
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') {
          const error = outcome.reason as ReplicaResolverError;
          expect(error).toBeInstanceOf(ReplicaResolverError);
          expect(error).toMatchObject({ code: 'NO_ELIGIBLE_NODE', retryable: true });
          expect(error.message).toMatch(
            /^A read needs a replica that may answer it, or a place on the primary, but there is none: 127\.0\.0\.1:\d+: primary, elected; one: up \(\d+ ms behind\), .+; two: up \(\d+ ms behind\), .+\. It may be tried again; if it lasts, raise fallbackShare or add a replica\.$/,
          );
          expect((error.cause as Error).message).toBe(
            'A read waits at most 2000 ms for one of the 2 places on the primary, and none came free in that time. Bring replicas back, or allow more places.',
          );
        }
      }
    });
    expect(heard('fallback.budget').filter(({ refused }) => refused)).toEqual(
      Array.from({ length: 4 }, () => ({ inUse: 2, limit: 2, refused: true })),
    );
  });

  test('a share of 0: none at once', async () => {
    const routed = await allPaused({ fallbackShare: 0 });
    await routed.resolver.run({}, async () => {
      await routed.orm.em.fork().insert(Note, { text: notes.text() } as never);
      await expect(slowRead(routed, 0)).rejects.toMatchObject({ code: 'NO_ELIGIBLE_NODE' });
    });
  });

  test('what promised nothing is answered by replicas, however many', async () => {
    const { orm, routes } = await allPaused();
    await Promise.all(Array.from({ length: 30 }, () => orm.em.fork().count(Note, {}, { consistency: 'eventual' })));
    expect(new Set(routes().map(route => route.slice(-9)))).toEqual(new Set([': replica']));
  });

  test('those sent to the primary by their own choice take no place', async () => {
    const { orm, routes } = await allPaused({ fallbackShare: 0 });
    await Promise.all(Array.from({ length: 20 }, () => orm.em.fork().count(Note, {}, { consistency: 'strong' })));
    expect(new Set(routes())).toEqual(new Set(['primary: primary-strong']));
  });
});

describe('onNoReplica', () => {
  test("'error': a read that needs own writes is refused, and nothing but writes reach the primary", async () => {
    const { orm, resolver, count, routes } = await allPaused({ onNoReplica: 'error' });
    await resolver.run({}, async () => {
      await orm.em.fork().insert(Note, { text: notes.text() } as never);
      routes();
      await expect(count('x')).rejects.toMatchObject({ code: 'NO_ELIGIBLE_NODE', retryable: true });
      expect(routes()).toEqual([]);
    });
  });

  test("'error': at once, also while there is no primary that could be waited for", async () => {
    const own = await Notes.open(1);
    const { orm, heard } = await own.connect({ resolver: { onNoReplica: 'error', writeHold: 60_000 } });
    await own.one.stop('fast');
    await own.primary.stop('immediate');
    await expect.poll(() => heard('primary.lost').length).toBe(1);
    const refused = orm.em.fork().count(Note, {}, { consistency: 'eventual' });
    await expect(refused).rejects.toMatchObject({ code: 'NO_ELIGIBLE_NODE', retryable: true });
  });

  /** No replica may answer: each is further behind than `maxLag`. */
  async function allLagging(options: ReplicaResolverOptions): Promise<Routed> {
    const routed = await allPaused({ maxLag: 200, ...options });
    await notes.elsewhere();
    await expect
      .poll(() => routed.resolver.snapshot().nodes.map(({ state }) => state), { timeout: 5_000 })
      .toEqual(['primary', 'lagging', 'lagging']);
    routed.routes();
    return routed;
  }

  test("'primary': every read goes there, whatever it promised", async () => {
    const { orm, routes } = await allLagging({});
    await orm.em.fork().count(Note, {}, { consistency: 'eventual' });
    await orm.em.fork().count(Note);
    expect(routes()).toEqual(['primary: primary-no-replica', 'primary: primary-no-replica']);
  });

  test("'stale': reads that promised nothing go to the replica that is least behind, once the primary has no place", async () => {
    const { orm, routes } = await allLagging({ onNoReplica: 'stale', fallbackShare: 0 });
    await orm.em.fork().count(Note, {}, { consistency: 'eventual' });
    expect(routes()).toEqual([expect.stringMatching(/^replica (one|two): stale$/)]);
    await expect(orm.em.fork().count(Note)).rejects.toMatchObject({ code: 'NO_ELIGIBLE_NODE' });
  });

  test('replicas that have caught up answer again', async () => {
    const { orm, resolver, routes } = await allLagging({});
    await notes.resume(notes.one, notes.two);
    await expect
      .poll(() => resolver.snapshot().nodes.map(({ state }) => state), { timeout: 10_000 })
      .toEqual(['primary', 'up', 'up']);
    await orm.em.fork().count(Note);
    expect(routes()).toEqual([expect.stringMatching(/^replica (one|two): replica$/)]);
  });
});
