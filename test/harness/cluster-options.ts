import type { ClusterOptions } from './cluster.ts';
import { HarnessError } from './errors.ts';

/** Throws at the first option that cannot be what was meant. */
export function checkOptions({ replicas = 0, keepData, dataDir, conf = [] }: ClusterOptions): void {
  if (!Number.isInteger(replicas) || replicas < 0 || replicas > 8) {
    throw new HarnessError(`replicas has to be a whole number from 0 to 8, but is ${String(replicas)}.`);
  }
  if (keepData && dataDir === undefined) {
    throw new HarnessError('keepData has to know where the data is, but dataDir is not given. Pass dataDir as well.');
  }
  if (dataDir === '') {
    throw new HarnessError('dataDir has to be the path of a folder, but is an empty string.');
  }
  const bad = conf.find(line => line.includes('\n') || !line.includes('='));
  if (bad !== undefined) {
    throw new HarnessError(`conf has to hold lines such as "work_mem = '8MB'", but one is ${JSON.stringify(bad)}.`);
  }
}
