import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRandom } from '../../batch-loader/random.ts';
import { closeAfter } from '../../harness/close-after.ts';
import { createOrm } from '../../harness/orm-plain.ts';
import { startRedis } from '../../harness/redis.ts';
import type { Flaw } from '../checker/disturbed-store.ts';
import { createChangeLog } from './change-log.ts';
import { ENTITIES } from './entities.ts';
import type { Findings, Report, Task } from './task.ts';
import { fill } from './writes.ts';

export interface Application {
  readonly seed: number;
  /** Ends after so many conclusive comparisons, */
  readonly comparisons: number;
  /** and so many writes: on a quick machine there are few of them between the reads. */
  readonly writes: number;
  readonly processes: number;
  readonly flaw?: Flaw;
  readonly log?: (line: string) => void;
}

type Progress = Extract<Report, { kind: 'progress' }>;

const PROGRAM = join(import.meta.dirname, 'worker.ts');

/** Runs several processes of an application that share a database and a cache. */
export async function runApplication({
  seed,
  comparisons,
  writes,
  processes,
  flaw,
  log,
}: Application): Promise<Findings> {
  await using redis = await startRedis({ args: [] });
  await using orm = await createOrm({ entities: ENTITIES });
  await createChangeLog(orm.em);
  await fill(orm.em.fork(), createRandom(seed));
  const children = new Set<ChildProcess>();
  closeAfter(async () => children.forEach(child => child.kill('SIGKILL')));
  const progress = new Map<number, Progress>();
  const failures: string[] = [];
  const done: Promise<Findings | undefined>[] = [];
  for (let stream = 1; stream <= processes; stream += 1) {
    const task: Task = {
      databaseUrl: orm.config.get('clientUrl')!,
      redisUrl: redis.url,
      seed,
      stream,
      flaw,
    };
    const child = fork(PROGRAM, [JSON.stringify(task)], {
      // The triggers of the change log write to no table that is read.
      execArgv: ['--conditions=@mikrokit/source', '--disable-warning=RESULT_CACHE_TRIGGER'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    children.add(child);
    done.push(
      new Promise(resolve => {
        let findings: Findings | undefined;
        child.on('message', (report: Report) => {
          if (report.kind === 'progress') {
            progress.set(stream, report);
          } else if (report.kind === 'done') {
            findings = report.findings;
          } else {
            failures.push(report.error);
          }
        });
        child.once('exit', (code, signal) => {
          children.delete(child);
          if (findings === undefined && failures.length === 0) {
            failures.push(`a process ended with code ${code}, signal ${signal}`);
          }
          resolve(findings);
        });
      }),
    );
  }
  let told = performance.now();
  for (;;) {
    await sleep(50);
    const all = [...progress.values()];
    const compared = all.reduce((total, { conclusive }) => total + conclusive, 0);
    const written = all.reduce((total, each) => total + each.writes, 0);
    if ((compared >= comparisons && written >= writes) || failures.length > 0) {
      break;
    }
    if (performance.now() - told > 30_000) {
      told = performance.now();
      log?.(`${compared} of ${comparisons} comparisons, ${written} of ${writes} writes`);
    }
  }
  children.forEach(child => child.send('stop', () => {}));
  const late = setTimeout(() => children.forEach(child => child.kill('SIGKILL')), 20_000);
  const findings = await Promise.all(done);
  clearTimeout(late);
  if (failures.length > 0) {
    throw new Error(failures.join('\n\n'));
  }
  return added(findings.filter(each => each !== undefined));
}

function added(all: readonly Findings[]): Findings {
  const sum = (of: (findings: Findings) => number): number => all.reduce((total, each) => total + of(each), 0);
  const sums = (of: (findings: Findings) => Readonly<Record<string, number>>): Record<string, number> => {
    const total: Record<string, number> = {};
    for (const [name, count] of all.flatMap(each => Object.entries(of(each)))) {
      total[name] = (total[name] ?? 0) + count;
    }
    return total;
  };
  return {
    conclusive: sum(each => each.conclusive),
    inconclusive: sum(each => each.inconclusive),
    mismatches: all.flatMap(each => each.mismatches),
    hits: sum(each => each.hits),
    misses: sum(each => each.misses),
    bypassReasons: sums(each => each.bypassReasons),
    written: sums(each => each.written),
    refused: sums(each => each.refused),
  };
}
