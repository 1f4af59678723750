/// <reference lib="dom" />
import { duration, percent, short, whole } from '../../report/format.ts';
import type { ReportData } from '../../report/json.ts';
import { ago, clock } from './ago.ts';
import { lineChart } from './line-chart.ts';
import { legend, plural, splitBar } from './parts.ts';
import { everySecond } from './seconds.ts';
import type { Actions, State, Theme } from './state.ts';
import { h, type VNode } from './vnode.ts';

/** Name, search, and what can be done with all of it. @param base URL of the page, without a slash at its end */
export function header(state: State, act: Actions, base: string): VNode {
  return h(
    'header.top',
    { key: 'top', attributes: { role: 'banner' } },
    h('h1', undefined, logo(), state.title),
    liveButton(state, act),
    h(
      'search.search',
      undefined,
      h('input', {
        on: {
          input: event =>
            act.set({ search: (event.target as HTMLInputElement).value.slice(0, 200), near: {}, heights: {} }),
        },
        attributes: {
          id: 'search',
          type: 'search',
          value: state.search,
          placeholder: 'Search',
          'aria-label': 'Search in this view',
          'aria-keyshortcuts': '/',
          autocomplete: 'off',
          spellcheck: 'false',
          maxlength: 200,
        },
      }),
      h('kbd', { attributes: { 'aria-hidden': 'true' } }, '/'),
    ),
    h(
      'nav.actions',
      { attributes: { 'aria-label': 'Report' } },
      h('a.button', { attributes: { href: `${base}/report.json`, target: '_blank', rel: 'noreferrer' } }, 'JSON'),
      h('a.button', { attributes: { href: `${base}/report.md`, target: '_blank', rel: 'noreferrer' } }, 'Markdown'),
      h(
        state.armed ? 'button.danger' : 'button',
        {
          on: {
            click: () => (state.armed ? act.reset() : act.set({ armed: true })),
            blur: () => act.set({ armed: false }),
          },
          attributes: { type: 'button', id: 'reset', title: 'Forgets everything that was recorded' },
        },
        state.armed ? 'Forget everything?' : 'Reset',
      ),
      themeButton(state, act),
    ),
  );
}

function logo(): VNode {
  return h(
    'svg.logo',
    { attributes: { viewBox: '0 0 16 16', 'aria-hidden': 'true' } },
    (
      [
        [1, 2, 6, 'wait'],
        [4, 6.5, 10, 'database'],
        [9, 11, 6, 'after'],
      ] as const
    ).map(([x, y, width, color]) =>
      h('rect', { style: { fill: `var(--${color})` }, attributes: { x, y, width, height: 3, rx: 1.5 } }),
    ),
  );
}

function liveButton({ live, problem, report }: State, act: Actions): VNode {
  const now = {
    live: { text: 'Live', title: 'New queries are shown by themselves. Press to stop that.' },
    polling: { text: 'Live', title: 'Many pages are open: this one asks every few seconds. Press to stop that.' },
    paused: { text: 'Paused', title: 'Press to show new queries again.' },
    lost: { text: 'Lost', title: 'The server does not answer; it is asked again and again.' },
  }[live];
  return h(
    'div.status',
    undefined,
    h(
      `button.live.${live}`,
      {
        on: { click: () => act.pause(live !== 'paused') },
        attributes: { type: 'button', title: now.title, 'aria-pressed': String(live !== 'paused') },
      },
      h('i.dot', { attributes: { 'aria-hidden': 'true' } }),
      now.text,
    ),
    h(
      'span.problem',
      { attributes: { role: 'status' } },
      problem ?? (live === 'lost' && report ? `as it was ${ago(report.at, Date.now())}` : ''),
    ),
  );
}

function themeButton({ theme }: State, act: Actions): VNode {
  const next: Readonly<Record<Theme, Theme>> = { auto: 'light', light: 'dark', dark: 'auto' };
  const icons: Readonly<Record<Theme, string>> = { auto: '◐', light: '☀', dark: '☾' };
  return h(
    'button.icon',
    {
      on: { click: () => act.setTheme(next[theme]) },
      attributes: {
        type: 'button',
        id: 'theme',
        title: `Colours: ${theme === 'auto' ? 'as the system has them' : theme}. Press for ${next[theme]}.`,
        'aria-label': `Colours: ${theme}`,
      },
    },
    icons[theme],
  );
}

/** The same for programs, and what all this costs. @param base URL of the page, without a slash at its end */
export function footer({ own, at }: ReportData, base: string): VNode {
  return h(
    'footer.foot',
    { key: 'foot' },
    h('span', undefined, `As it was at ${clock(at)}`),
    h('a', { attributes: { href: `${base}/report.json` } }, 'The same as JSON'),
    h('a', { attributes: { href: `${base}/report.md` } }, 'The same as Markdown'),
    h('span', undefined, `Timing costs at least ${duration(own.perQuery)} for each query`),
  );
}

/** All of it in a few numbers. */
export function totalsStrip({ totals, findings, seconds, at, since }: ReportData): VNode {
  const last = everySecond(seconds, at, 60);
  const count = (severity: string): number => findings.filter(each => each.severity === severity).length;
  return h(
    'section.totals',
    { key: 'totals', attributes: { 'aria-label': 'Totals' } },
    h(
      'div.tile',
      undefined,
      h('span.label', undefined, 'Queries'),
      h('b', undefined, short(totals.queries)),
      h('span.note', undefined, `${plural(totals.scopes, 'scope')} in ${duration(Math.max(0, at - since) * 1000)}`),
      totals.queries > 0 &&
        h(
          'div.mini',
          undefined,
          lineChart('Queries in each of the last 60 seconds', [
            { label: 'a second', color: 'database', area: true, values: last.map(({ queries }) => queries) },
          ]),
        ),
    ),
    h(
      'div.tile.broad',
      undefined,
      h('span.label', undefined, 'Time in SQL'),
      h('b', undefined, duration(totals.took)),
      splitBar(totals),
      legend(totals),
    ),
    h(
      'div.tile',
      undefined,
      h('span.label', undefined, 'Findings'),
      h('b', undefined, whole(findings.length)),
      h(
        'span.note',
        undefined,
        findings.length === 0
          ? 'nothing to change'
          : [
              count('error') > 0 && `${count('error')} high`,
              count('warning') > 0 && `${count('warning')} medium`,
              count('info') > 0 && `${count('info')} low`,
            ]
              .filter(Boolean)
              .join(' · '),
      ),
    ),
    h(
      'div.tile',
      undefined,
      h('span.label', undefined, 'Failed'),
      h(totals.errors > 0 ? 'b.error' : 'b', undefined, short(totals.errors)),
      h('span.note', undefined, `${percent(totals.queries > 0 ? totals.errors / totals.queries : 0)} of queries`),
    ),
  );
}
