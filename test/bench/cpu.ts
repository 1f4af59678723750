/** What one of several variants costs, each measured in turns: of the rounds the least, and the one a quarter up. */
export interface CpuCost {
  /** In µs of CPU (user and system) for each call. */
  readonly least: number;
  readonly quarter: number;
}

/**
 * The CPU time of variants, in turns in one process; the clock on the wall would tell of the machine's other guests.
 *
 * @param variants each with what makes it the one that is measured, and the call itself
 * @param options.rounds at least 20
 * @param options.calls in each round, one after the other
 */
export async function cpuInTurns<Name extends string>(
  variants: Readonly<Record<Name, { enter?: () => void; call: () => Promise<unknown>; leave?: () => void }>>,
  { rounds, calls, warmup = 3 }: { rounds: number; calls: number; warmup?: number },
): Promise<Record<Name, CpuCost>> {
  const names = Object.keys(variants) as Name[];
  const samples = Object.fromEntries(names.map(name => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = -warmup; round < rounds; round++) {
    const start = (round + warmup) % names.length;
    if (round % 10 === 0) {
      globalThis.gc?.();
    }
    for (const name of [...names.slice(start), ...names.slice(0, start)]) {
      const { enter, call, leave } = variants[name];
      enter?.();
      const before = process.cpuUsage();
      for (let each = 0; each < calls; each++) {
        await call();
      }
      const { user, system } = process.cpuUsage(before);
      leave?.();
      if (round >= 0) {
        samples[name].push((user + system) / calls);
      }
    }
  }
  return Object.fromEntries(
    names.map(name => {
      const sorted = samples[name].toSorted((a, b) => a - b);
      return [name, { least: sorted[0]!, quarter: sorted[Math.floor(sorted.length / 4)]! }];
    }),
  ) as Record<Name, CpuCost>;
}
