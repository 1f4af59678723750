import { Client } from 'pg';
import { expect, test } from 'vitest';
import { closeAfter } from '../harness/close-after.ts';
import { openDatabase } from '../harness/database.ts';
import { comment } from '../../packages/query-timing/src/comments/comment.ts';
import { commented } from '../../packages/query-timing/src/comments/commented.ts';

/* What the server makes of comments: it shows them, and nothing else. */

async function connect(): Promise<Client> {
  const { url } = await openDatabase();
  const client = new Client({ connectionString: url });
  await client.connect();
  closeAfter(() => client.end());
  return client;
}

const shown = 'select query from pg_stat_activity where pid = pg_backend_pid()';

const hostile = [
  `*/; drop table book; /*`,
  `*/ union select 'x' --`,
  `' or '1' = '1`,
  `\\'; drop table book; --`,
  `/* nested`,
  `\u0000\u0000`,
  `$1 ? ?? :name $tag$`,
  `E'\\047`,
  `\r\n; drop table book;`,
  `😀`.repeat(1_000),
];

test.each([false, true])('a comment arrives (in front: %s)', async prepend => {
  const client = await connect();
  const sql = commented(`${shown};`, false, comment({ route: '/books/:id', action: 'list' }), prepend);
  const { rows } = await client.query<{ query: string }>(sql);
  expect(rows).toEqual([{ query: sql }]);
  expect(sql).toContain(`/*action='list',route='%2Fbooks%2F%3Aid'*/`);
});

test('hostile tags change nothing: the same rows, by the simple and by the extended protocol, and the table is there', async () => {
  const client = await connect();
  await client.query(
    `create table book (id int primary key, title text); insert into book values (1, 'one'), (2, 'two')`,
  );
  const tags = Object.fromEntries(hostile.map((value, index) => [`${value}${index}`, value]));
  for (const text of [...hostile.map(value => comment({ [value]: value, value })), comment(tags)]) {
    for (const prepend of [false, true]) {
      const simple = commented(`select title from book where title <> ';' order by id;`, false, text, prepend);
      expect((await client.query(simple)).rows).toEqual([{ title: 'one' }, { title: 'two' }]);
      const extended = commented('select title from book where id = $1', false, text, prepend);
      expect((await client.query(extended, [2])).rows).toEqual([{ title: 'two' }]);
    }
  }
  expect((await client.query('select count(*)::int as count from book')).rows).toEqual([{ count: 2 }]);
});
