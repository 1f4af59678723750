import { duration, percent, whole } from '../../report/format.ts';
import { fullPlace, shortPlace } from '../../report/place.ts';
import type { CallSite } from '../../call-site.ts';
import type { Actions, State } from './state.ts';
import { type Child, h, type VNode } from './vnode.ts';

/* Small pieces that several views are made of. */

/** The parts of a query's time: everything that has them. */
export interface Split {
  readonly wait: number;
  readonly send: number;
  readonly database: number;
  readonly after: number;
}

/** Name and colour (a variable of the style sheet) of each part, in the order in which they happen. */
export const splitParts = [
  { part: 'wait', label: 'wait', title: 'waiting for a connection of the pool' },
  { part: 'send', label: 'send', title: 'until it was written to the socket' },
  { part: 'database', label: 'database', title: 'the server and the network, until the last row' },
  { part: 'after', label: 'hydrate', title: 'mapping and hydration' },
] as const;

export function splitSum({ wait, send, database, after }: Split): number {
  return wait + send + database + after;
}

/** As a gradient: a bar is one element, however many there are. */
export function splitGradient(split: Split): string {
  const sum = splitSum(split) || 1;
  let from = 0;
  const stops = splitParts.map(({ part }) => {
    const to = from + (split[part] / sum) * 100;
    const stop = `var(--${part}) ${from.toFixed(2)}% ${to.toFixed(2)}%`;
    from = to;
    return stop;
  });
  return `linear-gradient(to right, ${stops.join(', ')})`;
}

export function splitText(split: Split): string {
  return splitParts.map(({ part, label }) => `${label} ${duration(split[part])}`).join(', ');
}

export function splitBar(split: Split): VNode {
  return h('span.bar', {
    style: { background: splitGradient(split) },
    attributes: { role: 'img', 'aria-label': splitText(split), 'data-tip': splitText(split).replaceAll(', ', '\n') },
  });
}

export function legend(split?: Split): VNode {
  return h(
    'ul.legend',
    undefined,
    splitParts.map(({ part, label, title }) =>
      h(
        'li',
        { attributes: { title } },
        h('i.swatch', { style: { background: `var(--${part})` }, attributes: { 'aria-hidden': 'true' } }),
        label,
        ' ',
        split && h('b', undefined, duration(split[part])),
      ),
    ),
  );
}

/** A bar that is as long as a share of the whole. @param share 0 to 1 */
export function shareBar(share: number): VNode {
  return h(
    'span.share-bar',
    undefined,
    h(
      'span.share-track',
      { attributes: { 'aria-hidden': 'true' } },
      h('i', { style: { width: `${clamp(share) * 100}%` } }),
    ),
    h('span', undefined, percent(share)),
  );
}

export function badge(text: string, tone = '', title?: string): VNode {
  return h(tone === '' ? 'span.badge' : `span.badge.${tone}`, { attributes: { title } }, text);
}

/** A place in the code; pressed it is copied as an editor opens it. */
export function siteButton(state: State, act: Actions, key: string, site: CallSite | undefined): VNode | undefined {
  if (!site) {
    return undefined;
  }
  const callers: string[] = [];
  for (let each: CallSite | undefined = site; each; each = each.caller) {
    callers.push(`${fullPlace(each)}${each.function === undefined ? '' : ` in ${each.function}`}`);
  }
  const copied = state.copied?.key === key;
  return h(
    'button.site',
    {
      on: {
        click: event => {
          event.stopPropagation();
          act.copy(key, fullPlace(site));
        },
      },
      attributes: {
        type: 'button',
        'data-tip': `${callers.join('\ncalled from ')}\n\n${copied ? copyNote(state, key) : 'Press to copy the path'}`,
        'aria-label': `Copy the path ${fullPlace(site)}`,
      },
    },
    shortPlace(site),
    site.function !== undefined && h('span.function', undefined, ` in ${site.function}`),
    site.parallel && h('span.function', undefined, ' (parallel)'),
    copied && h('span.copied', undefined, copyNote(state, key)),
  );
}

export function copyButton(state: State, act: Actions, key: string, label: string, text: string): VNode {
  return h(
    'button.small',
    {
      on: { click: () => act.copy(key, text) },
      attributes: { type: 'button' },
    },
    state.copied?.key === key ? copyNote(state, key) : label,
  );
}

function copyNote({ copied }: State, key: string): string {
  return copied?.key !== key ? '' : copied.done ? 'Copied ✓' : 'Your browser did not let us copy';
}

/** A number with what it is. */
export function fact(label: string, value: Child | readonly Child[], hint?: string): VNode {
  return h('div.fact', { attributes: { title: hint } }, h('dt', undefined, label), h('dd', undefined, value));
}

export function facts(...all: readonly (VNode | undefined | false)[]): VNode {
  return h('dl.facts', undefined, all);
}

/** What stands where there is nothing yet: what it would be, and what to do. */
export function empty(title: string, advice: string, code?: string): VNode {
  return h(
    'div.empty',
    undefined,
    h('p.empty-title', undefined, title),
    h('p', undefined, advice),
    code !== undefined && h('pre.code', undefined, h('code', undefined, code)),
  );
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${whole(count)} ${count === 1 ? one : many}`;
}

export function clamp(share: number): number {
  return Number.isFinite(share) ? Math.min(1, Math.max(0, share)) : 0;
}
