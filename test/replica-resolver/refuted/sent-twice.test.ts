import { beforeAll, expect, test } from 'vitest';
import { Notes } from '../fixtures/notes.ts';

let notes: Notes;
beforeAll(async () => {
  notes = await Notes.open(2);
}, 120_000);

test('no write is sent twice: a procedure that has committed before the server refused the rest', async () => {
  const { orm, resolver } = await notes.connect();
  await notes.sql(`create or replace procedure add_twice(t text) language plpgsql as
    $$ begin insert into note (text) values (t); commit; set transaction read only; insert into note (text) values (t); end $$`);
  const text = notes.text();
  await resolver.run({}, async () => {
    await expect(orm.em.fork().execute(`call add_twice('${text}')`)).rejects.toThrow('read-only transaction');
  });
  expect(await notes.sql(`select from note where text = '${text}'`)).toHaveLength(1);
});

test('no write is sent twice: a procedure that has committed before another server was full', async () => {
  const { orm, resolver } = await notes.connect();
  await notes.sql(`create or replace procedure add_then_full(t text) language plpgsql as
    $$ begin insert into note (text) values (t); commit; raise exception 'full' using errcode = '53300'; end $$`);
  const text = notes.text();
  await resolver.run({}, async () => {
    await expect(orm.em.fork().execute(`call add_then_full('${text}')`)).rejects.toThrow('full');
  });
  expect(await notes.sql(`select from note where text = '${text}'`)).toHaveLength(1);
});
