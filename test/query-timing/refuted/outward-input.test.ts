import { OptionsError, queryTiming } from '@mikrokit/query-timing';
import { dashboard } from '@mikrokit/query-timing/dashboard';
import { openTelemetry } from '@mikrokit/query-timing/opentelemetry';
import { prometheus } from '@mikrokit/query-timing/prometheus';
import { queryMatchers } from '@mikrokit/query-timing/vitest';
import { Hono } from 'hono';
import { describe, expect, onTestFinished, test } from 'vitest';
import { serve } from '../fixtures/browser-page.ts';
import { ReportSource } from '../fixtures/dashboard-source.ts';
import { longReport } from '../fixtures/long-report.ts';
import { isFailure, sqlState } from '../../../packages/query-timing/src/opentelemetry/sqlstate.ts';

describe('what is no timing is refused with what to pass instead', () => {
  test.each([undefined, null, {}, 5])('%o', value => {
    for (const make of [dashboard, openTelemetry, prometheus, queryMatchers] as ((timing: never) => unknown)[]) {
      expect(() => make(value as never)).toThrow(OptionsError);
      expect(() => make(value as never)).toThrow(
        /^timing of \w+\(\) has the method \w+\(\), but got: .* Pass what queryTiming\(\) returned\.$/,
      );
    }
  });
});

describe('options of queryMatchers()', () => {
  test.each([{ transaction: true }, { transactions: 'yes' }, { toMatchSnapshot: true }, null, 'all'])('%o', options => {
    expect(() => queryMatchers(queryTiming({ terminal: false }), options as never)).toThrow(OptionsError);
  });
});

describe('the page by fetch, without authorize', () => {
  const page = dashboard(new ReportSource(longReport()), { path: '/' });

  test.each(['203.0.113.9', '127.0.0.1'])(
    'goes by the address that the server gives beside the request: %s',
    async address => {
      const socket = { remoteAddress: address };
      const expected = address === '127.0.0.1' ? 200 : 403;
      const hono = new Hono().mount('/q', page.fetch);
      // As @hono/node-server has it.
      const env = { incoming: { socket }, outgoing: {} };
      expect((await hono.fetch(new Request('http://localhost/q'), env)).status).toBe(expected);
      const of = async (info: unknown): Promise<number> =>
        (await page.fetch(new Request('http://localhost/'), info as never)).status;
      expect(await of({ req: { socket }, res: {} })).toBe(expected);
      expect(await of({ remoteAddr: { transport: 'tcp', hostname: address, port: 5 } })).toBe(expected);
    },
  );
});

test('no compression on the way holds back what a live page is told', async () => {
  const page = dashboard(new ReportSource(longReport()));
  onTestFinished(() => page.close());
  const { origin } = await serve(page);
  const { headers, body } = await fetch(`${origin}/queries/events`);
  await body!.cancel();
  expect(headers.get('cache-control')).toBe('no-store, no-transform');
});

test('an error of Node.js is no SQLSTATE, however many letters it has', () => {
  expect([sqlState('EPIPE'), isFailure('EPIPE'), sqlState('23505'), sqlState('XX000')]).toEqual([
    undefined,
    true,
    '23505',
    'XX000',
  ]);
});
