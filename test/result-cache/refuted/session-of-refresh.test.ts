import { setTimeout as sleep } from 'node:timers/promises';
import { defineEntity, p } from '@mikro-orm/postgresql';
import { redisStore, resultCache } from '@mikrokit/result-cache';
import { expect, test } from 'vitest';
import { closeAfter } from '../../harness/close-after.ts';
import { openOrm } from '../../harness/orm.ts';
import { startRedis } from '../../harness/redis.ts';

/* A refresh in the background reads for the session that the entry is of, whatever the EntityManager does meanwhile. */
const Note = defineEntity({
  name: 'Note',
  properties: { id: p.integer().primary(), text: p.string() },
});

test('a refresh in the background keeps to the session context of its key', async () => {
  const redis = await startRedis();
  closeAfter(() => redis.stop());
  const store = redisStore(redis.client(), { grace: 1 });
  const orm = await openOrm({
    entities: [Note],
    sessionContext: 'transaction',
    extensions: [resultCache({ store, timeout: 1_000, ttl: 100, jitter: 0, staleWhileRevalidate: 60_000 })],
  });
  const role = `reader_r${process.pid}`;
  await orm.em.fork()
    .execute(`insert into "note" values (1, 'of a'), (2, 'of b'); create role "${role}"; grant select on "note" to "${role}";
    alter table "note" enable row level security;
    create policy "own" on "note" using ("text" = 'of ' || current_setting('app.tenant', true))`);
  try {
    const em = orm.em.fork();
    const read = async (tenant: string): Promise<string[]> => {
      em.setSessionContext({ variables: { 'app.tenant': tenant }, role });
      em.clear();
      return (await em.find(Note, {}, { cache: 100 })).map(({ text }) => text);
    };
    expect(await read('a')).toEqual(['of a']);
    await sleep(150);
    // Stale: it is read anew in the background, while the worker goes on with its next tenant.
    expect(await read('a')).toEqual(['of a']);
    em.setSessionContext({ variables: { 'app.tenant': 'b' }, role });
    await sleep(300);
    expect(await read('a')).toEqual(['of a']);
  } finally {
    await orm.em.fork().execute(`drop owned by "${role}"; drop role "${role}"`);
  }
});
