import { dashboard } from '@mikrokit/query-timing/dashboard';
import type { Browser } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { openChromium } from '../harness/chromium.ts';
import { openPage, serve } from './fixtures/browser-page.ts';
import { Author, Book, Library } from './fixtures/library.ts';

/* The page of a real program on PostgreSQL: what its requests do is seen there while they do it. */

let browser: Browser;
let library: Library;

beforeAll(async () => {
  browser = await openChromium();
  library = await Library.open({ authors: 12, books: 24 });
}, 180_000); // It may have to be installed.

test('a request with an N+1, a transaction, a failure: seen live, with lines of this file, and gone after a reset', async () => {
  const { orm, timing } = await library.timed({ environment: 'development', parameters: 'full' });
  const { origin } = await serve(dashboard(timing));
  const { page, faults } = await openPage(browser, `${origin}/queries`);
  await page.getByText('No queries yet.').waitFor();

  await timing.run({ name: 'GET /books/:id', kind: 'request' }, async () => {
    const em = orm.em.fork();
    for (const book of await em.find(Book, { id: { $lte: 8 } })) {
      await book.author.load();
    }
  });
  await timing.run({ name: 'POST /authors', kind: 'request' }, async () => {
    await orm.em.fork().transactional(async em => {
      em.create(Author, { id: 1000, name: 'planted-secret' });
      await em.flush();
    });
    await orm.em
      .fork()
      .execute('select 1/0')
      .catch(() => {});
  });

  // It came by itself.
  const card = page.getByRole('article').filter({ hasText: 'N+1' }).first();
  await card.waitFor({ timeout: 20_000 });
  const finding = await card.innerText();
  expect(finding).toContain('dashboard-end-to-end.test.ts');
  expect(finding).toContain("populate: ['author']");

  await page.getByRole('tab', { name: /^Requests/ }).click();
  await page.getByRole('link', { name: 'POST /authors' }).click();
  await page.locator('.bars .query').first().waitFor();
  const text = await page.locator('#panel').innerText();
  expect(text).toMatch(/insert author/);
  expect(text).toContain('22012');
  expect(await page.locator('.bracket').count()).toBe(1);

  await page.getByRole('tab', { name: /^Shapes/ }).click();
  await page.getByRole('searchbox').fill('select author');
  await page.getByRole('link', { name: 'select author' }).first().click();
  await page.getByText('Its slowest calls').first().waitFor();
  await page.getByRole('tab', { name: /^Pool/ }).click();
  await page.getByText('Wait p95').first().waitFor();

  // The same as data.
  const markdown = await (await fetch(`${origin}/queries.md`)).text();
  expect(markdown).toContain("populate: ['author']");
  const report = timing.report();
  const data = (await (await fetch(`${origin}/queries.json`)).json()) as { totals: { queries: number } };
  expect(data.totals.queries).toBe(report.totals.queries);

  await page.getByRole('button', { name: 'Reset' }).click();
  await page.getByRole('button', { name: 'Forget everything?' }).click();
  await expect.poll(() => timing.report().totals.queries).toBe(0);
  await page.getByRole('tab', { name: /^Findings/ }).click();
  await page.getByText('No queries yet.').waitFor();
  expect(faults).toEqual([]);
});

test('values are nowhere unless they were asked for', async () => {
  const { orm, timing } = await library.timed({ environment: 'development' });
  const page = dashboard(timing);
  await timing.run('a job', async () => {
    const em = orm.em.fork();
    await em.find(Author, { name: 'planted-secret' });
    await em.execute("select * from author where name = 'planted-secret'");
    await em.execute("select 'planted-secret'::int").catch(() => {});
  });
  const scope = timing.report().scopes[0]!;
  expect(scope.queries).toBe(3);
  for (const path of ['', '.json', '.md', `/scopes/${scope.id}.json`]) {
    const body = await (await page.fetch(new Request(`http://localhost/queries${path}`))).text();
    expect(body.includes('planted-secret'), path).toBe(false);
  }
});
