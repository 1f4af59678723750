/** Written by the histogram's author; the shape of it is in the brief. */
export declare class Histogram {
  record(us: number): void;
  quantile(q: number): number;
  readonly count: number;
  readonly max: number;
}
