import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import express from 'express';
import type { Browser, Page } from 'playwright-core';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { dashboard } from '@mikrokit/query-timing/dashboard';
import type { TimingReport } from '@mikrokit/query-timing';
import { openChromium } from '../harness/chromium.ts';
import { node, programOf } from '../packaging/shell.ts';
import { openPage, serve, type WatchedPage } from './fixtures/browser-page.ts';
import { ReportSource } from './fixtures/dashboard-source.ts';
import { longReport } from './fixtures/long-report.ts';

let browser: Browser;

beforeAll(async () => {
  browser = await openChromium();
}, 180_000); // It may have to be installed.

interface Opened extends WatchedPage {
  readonly source: ReportSource;
  readonly origin: string;
}

/** The page of a report in the browser. Whatever a test does, nothing may fail there and nothing may be refused. */
async function open(
  hash = '',
  report: TimingReport = longReport(),
  options: Parameters<typeof openPage>[2] = {},
): Promise<Opened> {
  const source = new ReportSource(report);
  const { origin } = await serve(dashboard(source));
  const watched = await openPage(browser, `${origin}/queries${hash}`, options);
  onTestFinished(() => expect(watched.faults).toEqual([]));
  return { ...watched, source, origin };
}

const panel = (page: Page): ReturnType<Page['locator']> => page.locator('#panel');
const tab = (page: Page, name: string): ReturnType<Page['getByRole']> =>
  page.getByRole('tab', { name: new RegExp(`^${name}`) });
const rows = (page: Page): ReturnType<Page['locator']> => panel(page).locator('tbody:not(.folded) tr');

describe('every view', () => {
  test('findings: the sentence, what it cost, the line, what proves it, and the fix', async () => {
    const { page } = await open();
    const card = page.getByRole('article', { name: 'Author is loaded 10 times, once for each Book of one find.' });
    await card.waitFor();
    const text = await card.innerText();
    for (const part of [
      'N+1',
      '90 ms',
      '10 queries',
      'services/books.ts:20',
      'in listBooks',
      'proved by rows: author_id',
      'led to by',
      "await em.find(Book, where, { populate: ['author'] }); // books.ts:38",
    ]) {
      expect(text).toContain(part);
    }
    await card.getByText('Evidence').click();
    expect(await card.innerText()).toContain('Every value was among author_id of the 12 rows of the find before.');
    expect(await page.getByRole('article').count()).toBe(9);
  });

  test('findings of one kind', async () => {
    const { page } = await open();
    await page.getByRole('button', { name: 'Missing index 1' }).click();
    await expect.poll(() => page.getByRole('article').count()).toBe(1);
    await page.getByRole('button', { name: 'All 9' }).click();
    await expect.poll(() => page.getByRole('article').count()).toBe(9);
  });

  test('requests, the newest first', async () => {
    const { page } = await open('#requests');
    const first = await rows(page).first().innerText();
    expect(first.replace(/\s+/g, ' ')).toBe('POST /orders 1 failed N+1 24 58.1 ms 106 % 54.8 ms 182 14:03:20');
    expect(await rows(page).count()).toBe(12);
  });

  test('a request: its findings, its queries in time, in lanes, with brackets, and as a table', async () => {
    const { page, ask } = await open('#requests/12');
    await page.getByRole('heading', { name: 'POST /orders' }).waitFor();
    await page.getByRole('region', { name: 'Queries of this request' }).waitFor();
    expect(await page.getByRole('article').count()).toBe(1);
    expect(await page.locator('.bars .query').count()).toBe(24);
    expect(await page.locator('.bracket').innerText()).toBe('transaction, 21.2 ms, idle 6.3 ms');
    expect(
      await ask<number>("new Set([...document.querySelectorAll('.bars .query')].map(e => e.style.top)).size"),
    ).toBe(5);
    const failed = rows(page).nth(17);
    expect((await failed.innerText()).replace(/\s+/g, ' ')).toMatch(/^18 update order Book\.find 23505 /);
    // What the picture shows is said, too.
    expect(await rows(page).nth(1).locator('td.timeline .hidden').textContent()).toBe(
      'starts after 1.75 ms, wait 27 µs, send 40 µs, database 604 µs, hydrate 547 µs',
    );
    expect(await rows(page).nth(1).innerText()).toContain('×10');
    expect(await rows(page).nth(12).innerText()).toContain('tx 12');
    expect(await rows(page).nth(22).innerText()).toMatch(/replica-1[\s\S]*batch of 12[\s\S]*miss: expired/);
  });

  test('a bar says what it is, and leads to its row', async () => {
    const { page, ask } = await open('#requests/12');
    const bar = page.locator('.bars .query').nth(5);
    await bar.hover();
    expect((await page.locator('.tooltip').innerText()).split('\n')).toEqual([
      'select author publisher',
      expect.stringMatching(/^starts after .* takes 3\.47 ms$/),
      'wait 2.6 ms',
      'send 90 µs',
      'database 697 µs',
      'hydrate 84 µs',
      '1 rows',
    ]);
    await bar.click();
    expect(await ask('document.activeElement.id')).toBe(await rows(page).nth(5).getAttribute('id'));
  });

  test('a bar leads to its row also where that is far below', async () => {
    const { page, ask } = await open('#requests/2', longReport({ shapes: 30, scopes: 2, records: 400 }));
    await page.locator('.bars .query').nth(390).dispatchEvent('click');
    const row = await ask<string>('document.activeElement.innerText');
    expect(row).toMatch(/^391\s/);
    expect(
      await ask(
        'document.activeElement.getBoundingClientRect().top > 0 && document.activeElement.getBoundingClientRect().bottom < innerHeight',
      ),
    ).toBe(true);
  });

  test('a request is cut to what has queries', async () => {
    const { page, ask } = await open('#requests/12');
    await page.locator('.bars .query').first().waitFor();
    const left = (): Promise<string> => ask("document.querySelector('.bars .query').style.left");
    expect(await left()).not.toBe('0%');
    await page.getByRole('button', { name: 'Only its queries' }).click();
    await expect.poll(left).toBe('0%');
  });

  test('shapes: their share, calls, percentiles, spread, errors and line', async () => {
    const { page } = await open('#shapes');
    expect(await rows(page).count()).toBe(40);
    expect((await rows(page).first().innerText()).replace(/\s+/g, ' ')).toMatch(
      /^select book Book\.find select "a0"\.\* from "book" .* 29\.7 % 2 031 7\.91 ms 20\.6 ms 40\.3 ms 2 0$/,
    );
    expect(
      await rows(page)
        .first()
        .getByRole('img', { name: /^Calls took from/ })
        .count(),
    ).toBe(1);
    expect(await rows(page).nth(1).innerText()).toContain('services/books.ts:20');
  });

  test('a shape: its text, spread, worst calls, and what the server says', async () => {
    const { page } = await open('#shapes/9e3779b97f4a7c15');
    await page.getByRole('heading', { name: 'select author' }).waitFor();
    const text = await panel(page).innerText();
    expect(text).toContain('select "a0".*\nfrom "author" as "a0"\nwhere');
    for (const part of [
      'Of all time',
      'Its slowest calls',
      'What the server says (pg_stat_statements)',
      'Mean here',
      'integer, string(12)',
    ]) {
      expect(text).toContain(part);
    }
    await panel(page).getByRole('link', { name: 'Its plan' }).click();
    await page.getByRole('heading', { name: 'Plan of select author' }).waitFor();
  });

  test('plans, and a plan as a tree whose nodes fold', async () => {
    const { page } = await open('#plans');
    expect(await rows(page).count()).toBe(4);
    await rows(page).first().getByRole('link').click();
    await page.getByRole('heading', { name: 'Plan of select author' }).waitFor();
    expect(await rows(page).count()).toBe(5);
    const text = (await panel(page).innerText()).replace(/\s+/g, ' ');
    for (const part of [
      'Seq Scan on book b',
      '175 700 rows were read and thrown away',
      'Filter (created_at > ?)',
      'Index Scan on author a by author_pkey 4 300 loops',
      '↑ 239×',
      '176 k',
      '410 · 2 100',
    ]) {
      expect(text).toContain(part);
    }
    const fold = page.getByRole('button', { name: 'Hide what Nested Loop reads from' });
    await fold.click();
    await expect.poll(() => rows(page).count()).toBe(3);
    await page.getByRole('button', { name: 'Show what Nested Loop reads from' }).click();
    await expect.poll(() => rows(page).count()).toBe(5);
  });

  test('pool: used, idle, waiting, who holds a connection, and the last seconds as a line and a table', async () => {
    const { page } = await open('#pool');
    await page.getByRole('img', { name: '7 used, 2 idle, 3 waiting, at most 10' }).waitFor();
    await page
      .getByRole('img', { name: 'Connections used and queries waiting for one in the last 120 seconds' })
      .waitFor();
    const text = (await panel(page).innerText()).replace(/\s+/g, ' ');
    expect(text).toContain('Wait p95 18.4 ms');
    expect(text).toContain('900 ms POST /orders select author services/books.ts:20 in listBooks');
    expect(text).toContain('Nobody holds a connection now.');
    await page.getByText('The same as a table').click();
    expect(await page.getByRole('table', { name: 'Seconds with queries' }).locator('tbody tr').count()).toBe(60);
  });

  test.each([
    ['nodes', ['replica-1', 'Why queries went to primary', 'read your writes']],
    ['cache', ['Hit rate', 'Author', '92.8 %', 'miss: expired']],
    ['batches', ['Calls of one query', '23.8', 'Queries saved']],
    ['cost', ['2.7 µs', '6.4 MB', 'shapes beyond the bound', 'Drawn in']],
  ])('%s', async (view, parts) => {
    const { page } = await open(`#${view}`);
    const text = await panel(page).innerText();
    for (const part of parts) {
      expect(text).toContain(part);
    }
  });

  test('nodes, cache and batches are left out where there are none', async () => {
    const { page } = await open('', longReport({ companions: false }));
    const names = await page.getByRole('tab').allInnerTexts();
    expect(names.map(name => name.replace(/\s*\d+$/, ''))).toEqual([
      'Findings',
      'Requests',
      'Shapes',
      'Plans',
      'Pool',
      'Own cost',
    ]);
  });

  test.each(['findings', 'requests', 'shapes', 'plans', 'pool', 'nodes', 'cache', 'batches'])(
    '%s of a program that has done nothing says what to do',
    async view => {
      const nothing = longReport({ shapes: 0, scopes: 0, plans: 0, findings: 0, companions: false });
      const { page } = await open(`#${view}`, { ...nothing, pools: [], seconds: [] });
      const text = await panel(page).locator('.empty').innerText();
      expect(text).toMatch(/^.+\.\n+.+/);
    },
  );

  test.each(['requests/999', 'requests/x', 'shapes/none', 'plans/<b>'])('%s is gone, and says so', async place => {
    const { page } = await open(`#${place}`);
    expect(await panel(page).locator('.empty').innerText()).toMatch(/gone|not kept/);
  });
});

describe('tables', () => {
  test('are sorted by a press, and by another the other way round', async () => {
    const { page } = await open('#shapes');
    const calls = page.getByRole('button', { name: 'Calls' });
    await calls.click();
    const header = page.getByRole('columnheader', { name: 'Calls' });
    await expect.poll(() => header.getAttribute('aria-sort')).toBe('descending');
    expect(await rows(page).first().innerText()).toContain('4\u202f020');
    await calls.click();
    await expect.poll(() => header.getAttribute('aria-sort')).toBe('ascending');
    expect(await rows(page).first().innerText()).not.toContain('4\u202f020');
  });

  test('are searched as one types, and say so when there is nothing', async () => {
    const { page } = await open('#shapes');
    await page.getByRole('searchbox').fill('insert PUBLISHER');
    await expect.poll(() => rows(page).count()).toBe(2);
    await page.getByRole('searchbox').fill('no such thing');
    await page.getByText('Nothing here has “no such thing” in it.').waitFor();
    await page.getByRole('button', { name: 'Clear the search' }).click();
    await expect.poll(() => rows(page).count()).toBe(40);
  });

  test('of a long one only the rows near what is seen are there, and scrolling brings the others', async () => {
    const { page, ask } = await open('#shapes', longReport({ shapes: 950 }));
    const table = page.getByRole('table', { name: 'Statements without their values' });
    expect(await table.getAttribute('aria-rowcount')).toBe('951');
    const first = await rows(page).first().innerText();
    const seen = new Set<string>();
    for (let wheel = 0; wheel < 80; wheel++) {
      for (const name of await ask<string[]>("[...document.querySelectorAll('#panel .name')].map(e => e.href)")) {
        seen.add(name);
      }
      expect(await rows(page).count()).toBeLessThan(300);
      // What is seen is never an empty place.
      expect(await ask("document.elementFromPoint(400, 500).closest('.folded')")).toBeNull();
      await page.mouse.wheel(0, 800);
      await page.waitForTimeout(30);
    }
    expect(seen.size).toBe(950);
    expect(await ask<number>('scrollY')).toBeGreaterThan(30_000);
    await ask('scrollTo(0, 0)');
    await expect.poll(() => rows(page).first().innerText()).toBe(first);
  });

  test('who comes back from a row far below is there again', async () => {
    const { page, ask } = await open('#shapes', longReport({ shapes: 950 }));
    await ask('scrollTo(0, 25000)');
    const far = "[...document.querySelectorAll('#panel .name')].find(e => e.getBoundingClientRect().top > 300)";
    await expect.poll(() => ask(`${far} !== undefined`)).toBe(true);
    const name = await ask<string>(`${far}.dataset.focus`);
    await page.locator(`[data-focus="${name}"]`).click();
    await page.getByRole('heading', { level: 2, name: /./ }).first().waitFor();
    await page.keyboard.press('Escape');
    await expect.poll(() => ask('document.activeElement.dataset.focus')).toBe(name);
    expect(
      await ask(
        '(({ top, bottom }) => top > 0 && bottom < innerHeight)(document.activeElement.getBoundingClientRect())',
      ),
    ).toBe(true);
  });

  test('a row is pressed anywhere', async () => {
    const { page } = await open('#requests');
    await rows(page).nth(2).locator('td').nth(1).click();
    await page.getByRole('heading', { name: 'GET /books' }).waitFor();
  });
});

describe('keyboard', () => {
  const focused = (page: Page): Promise<string> =>
    page.evaluate('document.activeElement.innerText || document.activeElement.id');

  test('arrows, Home and End go through the tabs; only the chosen one is in the order of Tab', async () => {
    const { page } = await open();
    await tab(page, 'Findings').focus();
    await page.keyboard.press('ArrowRight');
    expect(await focused(page)).toMatch(/^Requests/);
    await page.keyboard.press('End');
    expect(await focused(page)).toBe('Own cost');
    await page.keyboard.press('ArrowRight');
    expect(await focused(page)).toMatch(/^Findings/);
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('Home');
    expect(await focused(page)).toMatch(/^Findings/);
    expect(await page.locator('[role=tab][tabindex="0"]').count()).toBe(1);
    expect(await page.locator('[role=tab][aria-selected=true]').count()).toBe(1);
  });

  test('/ goes to the search, Escape clears it and then leaves it', async () => {
    const { page } = await open('#shapes');
    await page.keyboard.press('/');
    await page.keyboard.type('insert');
    await expect.poll(() => rows(page).count()).toBe(8);
    expect(await page.getByRole('searchbox').inputValue()).toBe('insert');
    await page.keyboard.press('Escape');
    await expect.poll(() => rows(page).count()).toBe(40);
    expect(await focused(page)).toBe('search');
    await page.keyboard.press('Escape');
    expect(await focused(page)).not.toBe('search');
  });

  test('Enter opens a row, Escape goes back to it', async () => {
    const { page } = await open('#requests');
    await rows(page).nth(3).getByRole('link').focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'POST /graphql BooksWithAuthors' }).waitFor();
    expect(await focused(page)).toContain('POST /graphql BooksWithAuthors');
    await page.keyboard.press('Escape');
    await expect.poll(() => rows(page).count()).toBe(12);
    expect(await focused(page)).toBe('POST /graphql BooksWithAuthors');
  });

  test('everything that can be pressed is reached by Tab and has a name', async () => {
    const { page, ask } = await open('#requests/12');
    await page.locator('.bars .query').first().waitFor();
    const unnamed = await ask<string[]>(
      `[...document.querySelectorAll('button, a, input, [tabindex="0"]')]
        .filter(e => e.getClientRects().length && !e.innerText.trim() && !e.getAttribute('aria-label')).map(e => e.outerHTML)`,
    );
    expect(unnamed).toEqual([]);
    const lost = await ask<string[]>(
      `[...document.querySelectorAll('button:not([role=tab]), a')].filter(e => e.tabIndex < 0).map(e => e.outerHTML)`,
    );
    expect(lost).toEqual([]);
  });

  test('what has the focus is seen', async () => {
    const { page, ask } = await open('#requests');
    for (let press = 0; press < 12; press++) {
      await page.keyboard.press('Tab');
      const seen = await ask<string>(
        "(() => { const s = getComputedStyle(document.activeElement); return s.outlineStyle !== 'none' || s.boxShadow !== 'none' ? '' : document.activeElement.outerHTML })()",
      );
      expect(seen).toBe('');
    }
  });

  test('a tip is shown for the focus, and Escape hides it before it does anything else', async () => {
    const { page } = await open('#requests/12');
    await rows(page).first().getByRole('button', { name: 'Copy the path' }).focus();
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Tab');
    await page.locator('.tooltip').waitFor();
    // What gets the focus may be scrolled to, and then something else is under the mouse.
    await page.evaluate(() => void window.dispatchEvent(new Event('scroll')));
    await page.mouse.move(3, 3);
    expect(await page.locator('.tooltip').isVisible()).toBe(true);
    await page.keyboard.press('Escape');
    await page.locator('.tooltip').waitFor({ state: 'hidden' });
    expect(await page.getByRole('heading', { name: 'POST /orders' }).count()).toBe(1);
  });

  test('landmarks', async () => {
    const { page } = await open();
    for (const role of ['banner', 'main', 'search', 'tablist', 'tabpanel', 'contentinfo'] as const) {
      expect([role, await page.getByRole(role).count()]).toEqual([role, 1]);
    }
    expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe('Queries');
  });
});

describe('texts of strangers', () => {
  const nasty = '<img src=x onerror="window.hacked=1"><script>window.hacked=2</script>\u202Eevil\u0007&amp;"\'</style>';
  const shown = '<img src=x onerror="window.hacked=1"><script>window.hacked=2</script>⟨U+202E⟩evil␇&amp;"\'</style>';

  /** A report in which every text is that one. */
  function hostile(text: string): TimingReport {
    const fixed = new Set(['kind', 'severity', 'role', 'source', 'id', 'shape', 'plan', 'findings']);
    const replaced = (value: unknown, key: string): unknown => {
      if (typeof value === 'string') {
        return fixed.has(key) ? value : text;
      }
      if (Array.isArray(value)) {
        return value.map(each => replaced(each, key));
      }
      return typeof value === 'object' && value !== null
        ? Object.fromEntries(
            Object.entries(value).map(([name, each]) => [
              typeof each === 'number' && ['reasons', 'dropped'].includes(key) ? `${text}${name}` : name,
              replaced(each, name),
            ]),
          )
        : value;
    };
    return replaced(longReport({ shapes: 8, scopes: 3 }), '') as TimingReport;
  }

  test.each([
    'findings',
    'requests',
    'requests/3',
    'shapes',
    'shapes/9e3779b97f4a7c15',
    'plans',
    'plans/9e3779b97f4a7c15',
    'pool',
    'nodes',
    'cache',
    'batches',
    'cost',
  ])('%s: markup and controls are text', async view => {
    const { page, ask } = await open(`#${view}`, hostile(nasty));
    await page.waitForTimeout(300);
    expect(await ask('window.hacked')).toBeUndefined();
    expect(await ask("document.querySelectorAll('img, #app script, #app style').length")).toBe(0);
    if (!['cache', 'batches'].includes(view)) {
      expect(await panel(page).innerText()).toContain(shown);
    }
    expect(await ask('/[\\u0000-\\u0008\\u202e]/.test(document.body.textContent)')).toBe(false);
  });

  test('a name of 1 MB is cut, and nothing breaks out of its place', async () => {
    const { page, ask } = await open('#requests', hostile('W'.repeat(1_048_576)));
    expect(await rows(page).first().getByRole('link').innerText()).toBe(`${'W'.repeat(199)}…`);
    await rows(page).first().getByRole('link').click();
    await page.locator('.bars .query').first().waitFor();
    expect(await ask('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
    expect(await ask<number>('document.body.textContent.length')).toBeLessThan(200_000);
  });

  test('an address that somebody else has made opens nothing but a view', async () => {
    const { page, ask } = await open('#shapes/%3Cimg%20src%3Dx%20onerror%3D%22window.hacked%3D1%22%3E');
    expect(await panel(page).locator('.empty').count()).toBe(1);
    expect(await ask('window.hacked')).toBeUndefined();
  });

  test('numbers that are none', async () => {
    const report = longReport({ shapes: 3, scopes: 2 });
    const broken = {
      ...report,
      totals: { ...report.totals, took: NaN, queries: Infinity },
      shapes: report.shapes.map(shape => ({ ...shape, p95: NaN, histogram: [] })),
    };
    const { page } = await open('#shapes', broken);
    expect(await rows(page).first().innerText()).toContain('–');
  });
});

describe('live', () => {
  test('new queries are shown by themselves; focus, text, scrolling and what is open stay', async () => {
    const { page, source, ask } = await open();
    await page.getByText('Evidence').first().click();
    await page.getByRole('searchbox').fill('load');
    await page.getByRole('article').first().waitFor();
    await ask("document.querySelector('.card').dataset.mine = '1'");
    source.current = { ...longReport(), totals: { ...longReport().totals, queries: 99_000 } };
    source.scopeEnds(source.current.scopes[0]!);
    await page.getByText('99 000').waitFor({ timeout: 10_000 });
    expect(await page.getByRole('searchbox').inputValue()).toBe('load');
    expect(await ask('document.activeElement.id')).toBe('search');
    expect(await page.locator('.card details').first().getAttribute('open')).toBe('');
    // It is the same element: whoever has selected something in it keeps it.
    expect(await page.locator('.card[data-mine]').count()).toBe(1);
  });

  test('paused it stands still, until it is live again', async () => {
    const { page, source } = await open();
    await page.getByRole('button', { name: 'Live' }).click();
    await expect.poll(() => source.listeners).toBe(0);
    const before = source.reports;
    source.current = { ...longReport(), totals: { ...longReport().totals, queries: 77_000 } };
    await page.waitForTimeout(2500);
    expect(source.reports).toBe(before);
    await page.getByRole('button', { name: 'Paused' }).click();
    await expect.poll(() => source.listeners).toBe(2);
    source.scopeEnds(source.current.scopes[0]!);
    await page.getByText('77 000').waitFor({ timeout: 10_000 });
  });

  test('a request that goes on is read again', async () => {
    const report = longReport();
    const [first, ...rest] = report.scopes;
    const running = {
      ...report,
      scopes: [{ ...first!, open: true, queries: 3, records: first!.records.slice(0, 3) }, ...rest],
    };
    const { page, source } = await open('#requests/12', running);
    await expect.poll(() => rows(page).count()).toBe(3);
    source.current = report;
    source.scopeEnds(first!);
    await expect.poll(() => rows(page).count(), { timeout: 10_000 }).toBe(24);
  });

  test('a page that is closed leaves nothing behind', async () => {
    const { page, source } = await open();
    await expect.poll(() => source.listeners).toBe(2);
    await page.close();
    await expect.poll(() => source.listeners, { timeout: 10_000 }).toBe(0);
  });

  test('a server that is gone is told, and what was shown stays', async () => {
    const source = new ReportSource(longReport());
    const server = await serve(dashboard(source));
    const { page } = await openPage(browser, `${server.origin}/queries#shapes`);
    await expect.poll(() => source.listeners).toBe(2);
    await server.close();
    await page.getByRole('button', { name: 'Lost' }).waitFor({ timeout: 20_000 });
    expect(await rows(page).count()).toBe(40);
  });

  test('the 21st page asks now and then', async () => {
    const source = new ReportSource(longReport());
    const { origin } = await serve(dashboard(source));
    const stopping = new AbortController();
    onTestFinished(() => stopping.abort());
    for (let stream = 0; stream < 20; stream++) {
      await fetch(`${origin}/queries/events`, { signal: stopping.signal });
    }
    const { page } = await openPage(browser, `${origin}/queries`);
    source.current = { ...longReport(), totals: { ...longReport().totals, queries: 55_000 } };
    await page.getByText('55 000').waitFor({ timeout: 15_000 });
  });
});

describe('what can be done', () => {
  test('a fix is copied', async () => {
    const { page, ask } = await open('', longReport(), { permissions: ['clipboard-read', 'clipboard-write'] });
    await page.getByRole('article').first().getByRole('button', { name: 'Copy', exact: true }).click();
    await page.getByText('Copied ✓').waitFor();
    expect(await ask('navigator.clipboard.readText()')).toBe(
      "await em.find(Book, where, { populate: ['author'] }); // books.ts:38",
    );
  });

  test('a line is copied as editors open it', async () => {
    const { page, ask } = await open('', longReport(), { permissions: ['clipboard-read', 'clipboard-write'] });
    await page.getByRole('button', { name: 'Copy the path /app/src/services/books.ts:20:31' }).first().click();
    await page.getByText('Copied ✓').waitFor();
    expect(await ask('navigator.clipboard.readText()')).toBe('/app/src/services/books.ts:20:31');
  });

  test('a raw plan is copied for other viewers', async () => {
    const { page, ask } = await open('#plans/9e3779b97f4a7c15', longReport(), {
      permissions: ['clipboard-read', 'clipboard-write'],
    });
    await page.getByRole('button', { name: 'Copy the raw JSON for explain.dalibo.com' }).click();
    await page.getByText('Copied ✓').waitFor();
    expect(JSON.parse(await ask('navigator.clipboard.readText()'))).toMatchObject([{ Plan: { 'Node Type': 'Limit' } }]);
  });

  test('reset asks once more, and Escape takes it back', async () => {
    const { page, source } = await open();
    await page.getByRole('button', { name: 'Reset' }).click();
    await page.getByRole('button', { name: 'Forget everything?' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Reset' }).click();
    expect(source.resets).toBe(0);
    source.current = longReport({ shapes: 2, scopes: 0, findings: 0, plans: 0 });
    await page.getByRole('button', { name: 'Forget everything?' }).click();
    await page.getByText('Nothing to change was found.').waitFor();
    expect(source.resets).toBe(1);
  });

  test('JSON and Markdown are a press away', async () => {
    const { page, origin } = await open();
    expect(await page.getByRole('link', { name: 'JSON', exact: true }).getAttribute('href')).toBe(
      `${origin}/queries/report.json`,
    );
    expect(await page.getByRole('link', { name: 'Markdown', exact: true }).getAttribute('href')).toBe(
      `${origin}/queries/report.md`,
    );
  });

  test('links into it work, and the browser goes back', async () => {
    const { page } = await open('#shapes');
    await rows(page).first().getByRole('link').click();
    await page.getByRole('heading', { name: 'select book' }).waitFor();
    await page.goBack();
    await expect.poll(() => rows(page).count()).toBe(40);
    await page.goForward();
    await page.getByRole('heading', { name: 'select book' }).waitFor();
  });

  test('works under a mount, with and without a slash', async () => {
    const source = new ReportSource(longReport());
    const { origin } = await serve(express().use('/admin/sql', dashboard(source)));
    for (const path of ['/admin/sql', '/admin/sql/']) {
      const { page, faults } = await openPage(browser, `${origin}${path}#requests/12`);
      await page.locator('.bars .query').first().waitFor();
      expect(faults).toEqual([]);
    }
  });
});

describe('how it looks', () => {
  const background = 'getComputedStyle(document.documentElement).backgroundColor';
  const LIGHT = 'rgb(246, 247, 249)';
  const DARK = 'rgb(14, 17, 22)';

  test('as the system has it, until the switch says otherwise, which is kept', async () => {
    const { page, ask } = await open('', longReport(), { colorScheme: 'dark' });
    expect(await ask(background)).toBe(DARK);
    const theme = page.locator('#theme');
    await theme.click();
    await expect.poll(() => ask(background)).toBe(LIGHT);
    await page.reload();
    await page.getByRole('tab').first().waitFor();
    expect(await ask(background)).toBe(LIGHT);
    await theme.click();
    await expect.poll(() => ask(background)).toBe(DARK);
    await theme.click();
    await page.emulateMedia({ colorScheme: 'light' });
    await expect.poll(() => ask(background)).toBe(LIGHT);
  });

  /** Contrast of each text with what is behind it (WCAG 2.1, 1.4.3), below the given one. */
  const faint = `(() => {
    const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    const paint = (color, under) => {
      canvas.fillStyle = under; canvas.fillRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const light = ([r, g, b]) => [r, g, b].map(c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
      .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = e => {
      const stack = [];
      for (let each = e; each; each = each.parentElement) stack.unshift(getComputedStyle(each).backgroundColor);
      return stack.reduce((under, color) => 'rgb(' + paint(color, under).slice(0, 3) + ')', 'rgb(255,255,255)');
    };
    const bad = new Set();
    for (const e of document.querySelectorAll('#app *')) {
      const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
      if (!own || !e.getClientRects().length || e.closest('[disabled], .hidden, caption, .arrow, [aria-hidden=true]')) continue;
      const under = behind(e);
      const [a, b] = [light(paint(getComputedStyle(e).color, under)), light(paint(under, under))];
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (ratio < 4.5) bad.add(e.className + ' ' + e.textContent.slice(0, 20) + ' ' + ratio.toFixed(2));
    }
    return [...bad];
  })()`;

  test.each(['light', 'dark'] as const)('%s: every text stands out from what is behind it', async colorScheme => {
    const { page, ask } = await open('', longReport(), { colorScheme });
    for (const view of [
      'findings',
      'requests',
      'requests/12',
      'shapes',
      'shapes/9e3779b97f4a7c15',
      'plans/9e3779b97f4a7c15',
      'pool',
      'nodes',
      'cache',
      'cost',
    ]) {
      await ask(`void (location.hash = '#${view}')`);
      await page.waitForTimeout(250);
      expect(await ask(faint), view).toEqual([]);
    }
  });

  test('360 px wide: nothing sticks out, and everything is still there', async () => {
    const { page, ask } = await open('', longReport(), { viewport: { width: 360, height: 740 } });
    for (const view of [
      'findings',
      'requests',
      'requests/12',
      'shapes',
      'shapes/9e3779b97f4a7c15',
      'plans',
      'plans/9e3779b97f4a7c15',
      'pool',
      'nodes',
      'cache',
      'batches',
      'cost',
    ]) {
      await ask(`void (location.hash = '#${view}')`);
      await page.waitForTimeout(150);
      expect(await ask('document.documentElement.scrollWidth'), view).toBe(360);
      expect(await ask<number>("document.querySelector('#panel').innerText.length"), view).toBeGreaterThan(50);
    }
  });

  test('without movement for who wants none', async () => {
    const { ask } = await open('', longReport(), { reducedMotion: 'reduce' });
    expect(await ask("getComputedStyle(document.querySelector('.dot'), '::after').animationName")).toBe('none');
  });

  test('on paper: all of it, without what can be pressed', async () => {
    const { page, ask } = await open('#requests/2', longReport({ shapes: 30, scopes: 2, records: 400 }));
    await page.locator('.bars .query').first().waitFor();
    expect(await rows(page).count()).toBeLessThan(200);
    await ask("dispatchEvent(new Event('beforeprint'))");
    expect(await rows(page).count()).toBe(400);
    await page.emulateMedia({ media: 'print' });
    expect(
      await ask("['.actions', '.search', '.tabs'].map(s => document.querySelector(s).getClientRects().length)"),
    ).toEqual([0, 0, 0]);
    expect(await ask("getComputedStyle(document.querySelector('.lanes')).overflow")).toBe('visible');
  });
});

describe('built by the compiler, without any other step', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mikrokit-page-'));
  const load = async (from: string): Promise<typeof dashboard> =>
    ((await import(/* @vite-ignore */ join(from, 'dashboard', 'index.js'))) as { dashboard: typeof dashboard })
      .dashboard;

  beforeAll(async () => {
    const project = fileURLToPath(new URL('../../packages/query-timing/tsconfig.build.json', import.meta.url));
    await node([programOf('typescript', 'tsc'), '-p', project, '--outDir', join(folder, 'dist')], folder);
    return () => rmSync(folder, { recursive: true, force: true });
  }, 120_000);

  test('it is the same page', async () => {
    const built = await load(join(folder, 'dist'));
    const { origin } = await serve(built(new ReportSource(longReport())));
    const { page, faults } = await openPage(browser, `${origin}/queries#requests/12`);
    await page.locator('.bars .query').first().waitFor();
    expect(await rows(page).count()).toBe(24);
    expect(faults).toEqual([]);
  });

  test('taken along by a bundler, which takes no code of the client, it says what to do', async () => {
    const bundled = join(folder, 'bundled');
    cpSync(join(folder, 'dist'), bundled, { recursive: true, filter: path => !path.endsWith('client') });
    const page = (await load(bundled))(new ReportSource(longReport()));
    const answer = await page.fetch(new Request('http://localhost/queries'));
    expect([answer.status, await answer.text()]).toEqual([
      500,
      expect.stringContaining('Leave @mikrokit/query-timing external'),
    ]);
  });
});
