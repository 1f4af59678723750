import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Note, Notes, type Routed } from './fixtures/notes.ts';

let notes: Notes;

beforeAll(async () => {
  notes = await Notes.open(1);
  await notes.sql(`create role plain login; grant all on all tables in schema public to plain`);
  await notes.cluster.caughtUp();
}, 120_000);

/** As a role that is neither superuser nor has `pg_monitor`. */
async function asPlainRole(resolver: Parameters<Notes['connect']>[0] = {}): Promise<Routed> {
  return await notes.connect({
    ...resolver,
    orm: { user: 'plain' },
    replicas: [{ ...notes.replicas[0]!, user: 'plain' } as never],
  });
}

test('a plain role is enough: positions are told', async () => {
  const { orm, resolver, count, routes, heard } = await asPlainRole();
  expect(await orm.em.fork().execute('select current_user::text as who')).toEqual([{ who: 'plain' }]);
  expect(resolver.snapshot()).toMatchObject({ mode: 'lsn', timeline: 1 });
  await notes.pause(notes.one);
  const text = notes.text();
  await resolver.run({}, async () => {
    await orm.em.fork().insert(Note, { id: 1, text });
    routes();
    expect(await count(text)).toBe(1);
    expect(routes()).toEqual(['primary: primary-not-caught-up']);
  });
  expect(heard('time-mode')).toEqual([]);
});

describe('a role that may not ask for positions', () => {
  const FUNCTIONS = ['pg_current_wal_insert_lsn()', 'pg_current_wal_lsn()', 'pg_last_wal_replay_lsn()'];

  beforeEach(async () => {
    for (const name of FUNCTIONS) {
      await notes.sql(`revoke execute on function ${name} from public`);
    }
    await notes.cluster.caughtUp();
    return async () => {
      for (const name of FUNCTIONS) {
        await notes.sql(`grant execute on function ${name} to public`);
      }
      await notes.cluster.caughtUp();
    };
  });

  test('it is told once, and why; reads are on replicas', async () => {
    const { resolver, count, routes, heard } = await asPlainRole();
    expect(resolver.snapshot().mode).toBe('time');
    expect(heard('time-mode')).toEqual([
      { why: expect.stringMatching(/ does not tell positions: permission denied for function pg_/) },
    ]);
    await count('x');
    expect(routes()).toEqual(['replica one: replica']);
  });

  test('after a write a session reads on the primary for `pin` ms, and then on replicas', async () => {
    const { orm, resolver, count, routes } = await asPlainRole({ resolver: { pin: 3_000 } });
    await notes.pause(notes.one);
    const text = notes.text();
    await resolver.run({}, async () => {
      await orm.em.fork().insert(Note, { id: 2, text });
      const written = performance.now();
      expect(resolver.wrote()).toBe(true);
      routes();
      expect(await count(text)).toBe(1);
      await sleep(200);
      expect(await count(text)).toBe(1);
      expect(routes()).toEqual(['primary: primary-pinned', 'primary: primary-pinned']);
      await notes.resume(notes.one);
      await sleep(written + 3_050 - performance.now());
      expect(await count(text)).toBe(1);
      expect(routes()).toEqual(['replica one: replica']);
    });
  });

  test('after a transaction, too; a session that has written nothing is not pinned', async () => {
    const { orm, resolver, count, routes } = await asPlainRole();
    await resolver.run({}, async () => {
      await orm.em.fork().transactional(async em => {
        await em.insert(Note, { id: 3, text: 'x' });
      });
      routes();
      await count('x');
      expect(routes()).toEqual(['primary: primary-pinned']);
    });
    await resolver.run({}, async () => {
      await orm.em.fork().transactional(em => em.count(Note));
      routes();
      await count('x');
      expect(routes()).toEqual(['replica one: replica']);
    });
  });

  test('a token pins another session, for what is left of the time', async () => {
    const writer = await asPlainRole({ resolver: { pin: 3_000 } });
    const reader = await asPlainRole({ resolver: { pin: 3_000 } });
    const token = await writer.resolver.run({}, async () => {
      await writer.orm.em.fork().insert(Note, { id: 4, text: 'x' });
      return writer.resolver.token();
    });
    expect(token).toMatch(/^v1\./);
    reader.routes();
    await reader.resolver.run({ token }, () => reader.count('x'));
    expect(reader.routes()).toEqual(['primary: primary-pinned']);
    await sleep(3_050);
    await reader.resolver.run({ token }, () => reader.count('x'));
    expect(reader.routes()).toEqual(['replica one: replica']);
    expect(reader.heard('token.rejected')).toEqual([]);
  });

  test("{ bounded } cannot be known, so the primary answers; 'eventual' and 'strong' are as ever", async () => {
    const { orm, resolver, routes } = await asPlainRole();
    await resolver.run({}, async () => {
      for (const consistency of [{ bounded: 60_000 }, 'eventual', 'strong'] as const) {
        await orm.em.fork().count(Note, {}, { consistency });
      }
    });
    expect(routes()).toEqual(['primary: primary-not-caught-up', 'replica one: replica', 'primary: primary-strong']);
  });
});
