import type { BucketCounts } from './bucket-counts.ts';
import type { Labels, Sample } from './metric.ts';

/** The numbers of a histogram, as the text format has them. */
export function histogramSamples(name: string, labels: Labels, counts: BucketCounts): Sample[] {
  const cumulative = counts.cumulative();
  const total = cumulative.at(-1)!;
  return [
    ...counts.bounds.map((bound, index) => ({
      metricName: `${name}_bucket`,
      labels: { ...labels, le: bound },
      value: cumulative[index]!,
    })),
    { metricName: `${name}_bucket`, labels: { ...labels, le: '+Inf' }, value: total },
    { metricName: `${name}_sum`, labels, value: counts.sum },
    { metricName: `${name}_count`, labels, value: total },
  ];
}
