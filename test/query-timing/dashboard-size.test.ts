import { dashboard } from '@mikrokit/query-timing/dashboard';
import type { Browser, Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { openChromium } from '../harness/chromium.ts';
import { serve } from './fixtures/browser-page.ts';
import { ReportSource } from './fixtures/dashboard-source.ts';
import { longestTask } from './fixtures/browser-trace.ts';
import { longReport } from './fixtures/long-report.ts';

/*
 * The page with all that the bounds of recording allow: 1000 shapes, 200 requests of 250 queries each (50 000), 50 plans.
 * The figures are printed. Tasks are judged by the time of the processor that they take: others may use this machine, too.
 */

let browser: Browser;
let origin: string;
const source = new ReportSource(longReport({ shapes: 1000, scopes: 200, records: 250, plans: 50, findings: 200 }));

beforeAll(async () => {
  browser = await openChromium();
  ({ origin } = await serve(dashboard(source)));
  // Run from source, the first page strips the types of its code; built, there is nothing to strip.
  await fetch(`${origin}/queries`);
}, 180_000); // It may have to be installed.

async function opened(url: string): Promise<{ page: Page; paint: number; complete: number }> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  await page.goto(url);
  await page.locator('#panel tbody tr, #panel article').first().waitFor();
  const complete = await page.evaluate<number>('performance.now()');
  const paint = await page.evaluate<number>("performance.getEntriesByName('first-contentful-paint')[0].startTime");
  return { page, paint, complete };
}

function print(name: string, figures: Readonly<Record<string, number>>): void {
  const told = Object.entries(figures).map(([label, value]) => `${label} ${Math.round(value)} ms`);
  process.stderr.write(`page with 50 000 queries, ${name}: ${told.join(', ')}\n`);
}

describe('50 000 queries', () => {
  test('the report is as long as it may be', async () => {
    const report = (await (await fetch(`${origin}/queries.json`)).json()) as Record<string, readonly unknown[]>;
    expect(['shapes', 'scopes', 'plans', 'findings'].map(name => report[name]?.length)).toEqual([1000, 200, 50, 200]);
    expect(source.current.scopes.reduce((sum, { records }) => sum + records.length, 0)).toBe(50_000);
  });

  test.each(['findings', 'requests', 'requests/200', 'shapes', 'plans'])(
    '%s is painted in less than a second',
    async view => {
      const paints: number[] = [];
      // The least of three: the machine has others to serve.
      for (let time = 0; time < 3; time++) {
        const { page, paint, complete } = await opened(`${origin}/queries#${view}`);
        print(view, { 'first paint': paint, complete });
        paints.push(paint);
        await page.context().close();
      }
      expect(Math.min(...paints)).toBeLessThan(1000);
    },
  );

  test('scrolling, typing, sorting, changing views and live updates never block it for long', async () => {
    const { page } = await opened(`${origin}/queries#shapes`);
    const longest: Record<string, number> = {};
    const step = async (name: string, act: () => Promise<void>): Promise<void> => {
      longest[name] = await longestTask(browser, page, async () => {
        await act();
        await page.waitForTimeout(300);
      });
    };
    await step('scroll', async () => {
      for (let wheel = 0; wheel < 50; wheel++) {
        await page.mouse.wheel(0, 1500);
        await page.waitForTimeout(16);
      }
    });
    await step('type', () => page.getByRole('searchbox').pressSequentially('select book', { delay: 20 }));
    await step('clear', () => page.getByRole('searchbox').fill(''));
    await step('sort', () => page.getByRole('button', { name: 'p95' }).click());
    await step('open', () => page.locator('#panel tbody tr').first().getByRole('link').click());
    await step('back', () => page.keyboard.press('Escape'));
    for (const view of ['Findings', 'Requests', 'Plans', 'Pool', 'Shapes']) {
      await step(view, () => page.getByRole('tab', { name: new RegExp(`^${view}`) }).click());
    }
    await step('live', async () => {
      const before = source.reports;
      await expect
        .poll(
          () => {
            source.scopeEnds(source.current.scopes[0]!);
            return source.reports;
          },
          { timeout: 30_000, interval: 200 },
        )
        .toBeGreaterThan(before);
      await page.waitForTimeout(1000);
    });
    print('longest tasks', longest);
    expect(Object.entries(longest).filter(([, took]) => took > 200)).toEqual([]);
    await page.context().close();
  }, 180_000);

  test('a request of 500 queries is smooth, too', async () => {
    const big = new ReportSource(longReport({ shapes: 300, scopes: 3, records: 500 }));
    const served = await serve(dashboard(big));
    const { page } = await opened(`${served.origin}/queries#requests`);
    const longest = await longestTask(browser, page, async () => {
      await page.locator('#panel tbody tr').first().getByRole('link').click();
      await page.locator('.bars .query').first().waitFor();
      await page.getByRole('button', { name: 'Only its queries' }).click();
      for (let wheel = 0; wheel < 30; wheel++) {
        await page.mouse.wheel(0, 1200);
        await page.waitForTimeout(16);
      }
      await page.getByRole('searchbox').pressSequentially('update', { delay: 20 });
      await page.waitForTimeout(300);
    });
    print('a request of 500', { 'longest task': longest });
    expect(longest).toBeLessThan(200);
    await page.context().close();
  });

  test('the server is not held up by it', async () => {
    const times: number[] = [];
    for (let round = 0; round < 8; round++) {
      const fresh = dashboard(source);
      const before = process.cpuUsage();
      await (await fresh.fetch(new Request('http://localhost/queries.json'))).text();
      const { user, system } = process.cpuUsage(before);
      times.push((user + system) / 1000);
    }
    const least = Math.min(...times);
    print('JSON on the server', { least });
    expect(least).toBeLessThan(150);
  });
});
