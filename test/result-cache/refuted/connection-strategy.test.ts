import { defineEntity, p, RequestContext } from '@mikro-orm/postgresql';
import { resultCache } from '@mikrokit/result-cache';
import { expect, test } from 'vitest';
import { openOrm } from '../../harness/orm.ts';

/*
 * With `sessionContext: 'connection'` MikroORM gives each connection the session context of the *ambient* EntityManager
 * (PostgreSqlConnection.composeSessionContextOnReserve), whichever one makes the call: that is what the key needs.
 */
const Note = defineEntity({ name: 'Note', properties: { id: p.integer().primary(), text: p.string() } });

test('the session context of a connection is the ambient one', async () => {
  const orm = await openOrm({
    entities: [Note],
    sessionContext: 'connection',
    extensions: [resultCache({ ttl: 60_000 })],
  });
  const role = `reader_x${process.pid}`;
  await orm.em.fork()
    .execute(`insert into "note" values (1, 'of a'), (2, 'of b'); create role "${role}"; grant select on "note" to "${role}";
    alter table "note" enable row level security;
    create policy "own" on "note" using ("text" = 'of ' || current_setting('app.tenant', true))`);
  // Made when the program starts, and used by all requests.
  const shared = orm.em.fork();
  const request = (tenant: string, cache: boolean): Promise<string[]> =>
    RequestContext.create(orm.em, async () => {
      orm.em.setSessionContext({ variables: { 'app.tenant': tenant }, role });
      shared.clear();
      return (await shared.find(Note, {}, { cache })).map(({ text }) => text);
    });
  try {
    expect([await request('a', false), await request('b', false)]).toEqual([['of a'], ['of b']]);
    expect([await request('a', true), await request('b', true)]).toEqual([['of a'], ['of b']]);
  } finally {
    await orm.em.fork().execute(`reset role; drop owned by "${role}"; drop role "${role}"`);
  }
});
