import { duration, whole } from '../../report/format.ts';
import { h, type VNode } from './vnode.ts';

/** Bucket and count, as `ShapeReport` has them. */
export type Buckets = readonly (readonly [bucket: number, count: number])[];

/** 16 buckets for each doubling: see `Histogram`. */
const PER_DOUBLING = 16;

/** The time where a bucket begins, in µs. */
export function bucketStart(bucket: number): number {
  return 2 ** (bucket / PER_DOUBLING);
}

/** The same in wider bars, `count` of them from the first to the last that has any. Pure. */
export function bars(histogram: Buckets, count: number): readonly { from: number; to: number; calls: number }[] {
  const first = histogram[0]?.[0];
  if (first === undefined) {
    return [];
  }
  const last = histogram.at(-1)![0];
  const width = Math.max(1, Math.ceil((last - first + 1) / count));
  const all = Array.from({ length: Math.min(count, Math.ceil((last - first + 1) / width)) }, (_, index) => ({
    from: bucketStart(first + index * width),
    to: bucketStart(first + (index + 1) * width),
    calls: 0,
  }));
  for (const [bucket, calls] of histogram) {
    const bar = all[Math.floor((bucket - first) / width)];
    if (bar) {
      bar.calls += calls;
    }
  }
  return all;
}

/** A distribution of times, so small that it stands in a row. */
export function spark(histogram: Buckets): VNode {
  const all = bars(histogram, 24);
  const most = all.reduce((value, { calls }) => Math.max(value, calls), 1);
  return h(
    'svg.spark',
    {
      attributes: {
        viewBox: '0 0 72 18',
        role: 'img',
        'aria-label': spread(histogram),
        'data-tip': spread(histogram),
      },
    },
    // One path for all: there is one of these in each of hundreds of rows.
    h('path', {
      attributes: {
        d: all
          .map(({ calls }, index) => {
            const height = calls === 0 ? 0 : Math.max(1.5, (calls / most) * 17);
            return height === 0 ? '' : `M${index * 3},18v-${height.toFixed(1)}h2.4V18z`;
          })
          .join(''),
      },
    }),
  );
}

/** The same with an axis, and marks for the percentiles. */
export function distribution(
  histogram: Buckets,
  marks: readonly (readonly [label: string, us: number])[],
): VNode | undefined {
  const all = bars(histogram, 60);
  const first = all[0];
  const last = all.at(-1);
  if (!first || !last) {
    return undefined;
  }
  const most = all.reduce((value, { calls }) => Math.max(value, calls), 1);
  const whole100 = Math.log2(last.to / first.from);
  return h(
    'div.distribution',
    {
      attributes: {
        role: 'img',
        'aria-label': `${spread(histogram)}; ${marks.map(([label, us]) => `${label} ${duration(us)}`).join(', ')}`,
      },
    },
    h(
      'div.columns',
      undefined,
      all.map(({ from, to, calls }) =>
        h(
          'span.column',
          { attributes: { 'data-tip': `${duration(from)} to ${duration(to)}\n${whole(calls)} calls` } },
          h('i', { style: { height: calls === 0 ? '0' : `max(2px, ${((calls / most) * 100).toFixed(2)}%)` } }),
        ),
      ),
      marks.map(([label, us]) =>
        h(
          'span.mark',
          { style: { left: `${(Math.log2(Math.max(us, first.from) / first.from) / whole100) * 100}%` } },
          h('span', undefined, label),
        ),
      ),
    ),
    h('div.ends', undefined, h('span', undefined, duration(first.from)), h('span', undefined, duration(last.to))),
  );
}

function spread(histogram: Buckets): string {
  const first = histogram[0];
  const last = histogram.at(-1);
  return first && last
    ? `Calls took from ${duration(bucketStart(first[0]))} to ${duration(bucketStart(last[0] + 1))}`
    : 'No calls';
}
