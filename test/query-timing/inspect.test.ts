import { beforeAll, expect, test } from 'vitest';
import { Book, Library } from './fixtures/library.ts';

let library: Library;
beforeAll(async () => {
  library = await Library.open({ books: 1_000 });
});

const kinds = (findings: readonly { kind: string; subject: string }[]): string[] =>
  findings.map(({ kind, subject }) => `${kind}: ${subject}`);

test('whoever looks at the report is told of foreign keys without an index', async () => {
  const { orm, timing } = await library.timed({ plans: {} });
  // How many rows there are is known to PostgreSQL since then.
  await orm.em.fork().execute('analyze');
  await orm.em.fork().find(Book, {});
  await timing.settled();
  expect(kinds(timing.report().findings)).toContainEqual(expect.stringMatching(/^missing-foreign-key-index: .*book/));
});

test('with advice: false nobody is', async () => {
  const { orm, timing } = await library.timed({ plans: {}, advice: false });
  await orm.em.fork().find(Book, {});
  await timing.settled();
  expect(kinds(timing.report().findings)).toEqual([]);
});
