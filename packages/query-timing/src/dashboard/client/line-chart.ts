import { h, type VNode } from './vnode.ts';

/** A line of a chart. */
export interface Line {
  readonly label: string;
  /** A variable of the style sheet. */
  readonly color: string;
  /** Filled below. */
  readonly area?: boolean;
  readonly values: readonly number[];
}

const WIDTH = 600;
const HEIGHT = 120;

/** Lines over equal steps of time, all on one axis from 0. @param label what it shows, for who does not see it */
export function lineChart(label: string, lines: readonly Line[], ceiling = 0): VNode {
  const most = Math.max(
    1,
    ceiling,
    ...lines.map(({ values }) => values.reduce((top, value) => Math.max(top, value), 0)),
  );
  return h(
    'figure.line-chart',
    { attributes: { role: 'img', 'aria-label': label } },
    h('span.ceiling', { attributes: { 'aria-hidden': 'true' } }, most),
    h(
      'svg',
      { attributes: { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' } },
      [0.25, 0.5, 0.75].map(part =>
        h('line.grid-line', { attributes: { x1: 0, x2: WIDTH, y1: part * HEIGHT, y2: part * HEIGHT } }),
      ),
      ceiling > 0 &&
        h('line.ceiling-line', {
          attributes: { x1: 0, x2: WIDTH, y1: y(ceiling, most), y2: y(ceiling, most) },
        }),
      lines.map(({ label: name, color, area, values }) => {
        const path = pathOf(values, most);
        return h(
          'g',
          { key: name },
          area === true &&
            path !== '' &&
            h('path.area', {
              style: { fill: `var(--${color})` },
              attributes: { d: `${path}V${HEIGHT}H0Z` },
            }),
          h('path.stroke', { style: { stroke: `var(--${color})` }, attributes: { d: path } }),
        );
      }),
    ),
    h(
      'ul.legend',
      { attributes: { 'aria-hidden': 'true' } },
      lines.map(({ label: name, color, values }) =>
        h(
          'li',
          { key: name },
          h('i.swatch', { style: { background: `var(--${color})` } }),
          name,
          ' ',
          h('b', undefined, values.at(-1) ?? 0),
        ),
      ),
    ),
  );
}

function pathOf(values: readonly number[], most: number): string {
  const step = WIDTH / Math.max(1, values.length - 1);
  return values
    .map((value, index) => `${index === 0 ? 'M' : 'L'}${(index * step).toFixed(1)},${y(value, most)}`)
    .join('');
}

function y(value: number, most: number): string {
  // Half a line of room above and below.
  return (HEIGHT - 2 - (value / most) * (HEIGHT - 4)).toFixed(1);
}
