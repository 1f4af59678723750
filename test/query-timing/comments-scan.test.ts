import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { comment } from '../../packages/query-timing/src/comments/comment.ts';
import { commented } from '../../packages/query-timing/src/comments/commented.ts';
import { scan } from '../../packages/query-timing/src/sql/scan.ts';

/* A comment changes nothing of what a statement is. */

const statements = [
  'select 1',
  `select * from "book" as "b0" where "b0"."id" in (1, 2, 3);`,
  `insert into "book" ("title") values ('a;b'), ('c''d') ;`,
  `update book set title = $1 where id = ? ; `,
  `select $tag$ ; -- not a comment $tag$`,
  `select '/* not a comment */'`,
  `select E'\\'; --'`,
  'begin',
];

test('with a comment a statement has the same id, text, kind, tables and summary; and it is seen that there is one', () => {
  const text = fc.string({ unit: 'binary', maxLength: 40 });
  const tags = fc.dictionary(text, fc.oneof(text, fc.constantFrom('*/', '/*', `'`, `*/ select '`, '--', ';')), {
    maxKeys: 5,
  });
  fc.assert(
    fc.property(fc.constantFrom(...statements), tags, fc.boolean(), (sql, given, prepend) => {
      const made = comment(given);
      const { hasComment, ...bare } = scan(sql);
      expect(hasComment).toBe(false);
      expect(scan(commented(sql, hasComment, made, prepend))).toEqual({ ...bare, hasComment: made !== '' });
    }),
    { numRuns: 200 },
  );
});

test('what has a comment already gets no second one', () => {
  for (const sql of ['select 1 -- mine', 'select /* mine */ 1;', '/* /* nested */ */ select 1']) {
    expect(commented(sql, scan(sql).hasComment, comment({ a: 'b' }), false)).toBe(sql);
  }
});
