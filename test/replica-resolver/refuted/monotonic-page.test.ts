import { beforeAll, expect, test } from 'vitest';
import { Note, Notes } from '../fixtures/notes.ts';

let notes: Notes;
beforeAll(async () => {
  notes = await Notes.open(2);
}, 120_000);

test('on an idle primary nobody waits for the header of a page: monotonic reads', async () => {
  const { orm, resolver, count, routes } = await notes.connect();
  await notes.pause(notes.one, notes.two);
  await resolver.run({ consistency: 'monotonic' }, async () => {
    await orm.em.fork().insert(Note, { text: notes.text() } as never);
    // A record that ends with its page: pg_current_wal_insert_lsn() is behind the header of the next one.
    await notes.sql(`do $$ declare left_over bigint; begin
      for n in 1..400 loop
        left_over := 8192 - (pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint % 8192);
        exit when left_over = 8168;
        perform pg_logical_emit_message(false, '', repeat('x', case when left_over between 80 and 300 then (left_over - 56)::int else 8 end));
      end loop; end $$`);
    const [at] = await notes.sql(`select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint % 8192 as "at"`);
    expect(Number(at!['at'])).toBe(24);
    await count('x');
    for (const node of [notes.one, notes.two]) {
      await node.query('select pg_wal_replay_resume()');
      const behind = async (): Promise<unknown> => {
        const [row] = await node.query(
          `select pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint % 8192 as "at"`,
        );
        return Number(row!['at']);
      };
      await expect.poll(behind).toBe(0);
    }
    routes();
    await count('x');
    expect(routes()[0]).toMatch(/^replica/);
  });
});
