/** Milliseconds on a clock that all processes of a machine share and nobody sets (CLOCK_MONOTONIC). */
export function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
