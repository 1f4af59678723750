import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../../harness/cluster.ts';
import { createOrm } from '../../harness/orm-plain.ts';
import { startRedis } from '../../harness/redis.ts';
import type { Flaw } from './disturbed-store.ts';
import { disturb, type Fault, type World } from './faults.ts';
import { readJournal } from './journal.ts';
import { judge, type Verdict } from './judge.ts';
import { IDS, Register, Tick } from './registers.ts';
import type { Subject, Task } from './task.ts';
import { Workers } from './workers.ts';

/** A row of the table. */
export interface Row {
  readonly name: string;
  readonly subject?: Subject;
  /** Ends after so many reads; a call that reads several registers counts several times. */
  readonly reads: number;
  /** And not before so long, in ms. @default 2000 */
  readonly atLeast?: number;
  readonly faults?: readonly Fault[];
  /** How often a writer is killed between COMMIT and telling the store, 0 to 1. */
  readonly killed?: number;
  /** Does not end before so many were. */
  readonly leastKills?: number;
  readonly flaw?: Flaw;
  /** With streaming replicas, that MikroORM reads from by default. */
  readonly cluster?: Cluster;
  /** @default 3 */
  readonly processes?: number;
  /** Of `redisStore()`, in ms. @default 50 */
  readonly grace?: number;
  /** What a writer waits for at most between two writes, in ms. @default 200 */
  readonly pause?: number;
}

export interface Figures extends Verdict {
  readonly name: string;
  readonly hitRate: number;
  /** Workers that were killed, and faults that happened. */
  readonly kills: number;
  readonly faults: number;
}

/** A busy machine may be slow; one that does not get there at all is told of. */
const LONGEST = 600_000;
const SHORTEST = 2_000;

/** Runs processes that read and write the same rows, and judges what they have seen. */
export async function run(row: Row): Promise<Figures> {
  const { subject = 'result-cache', killed = 0, pause = 200, grace = 50, flaw, cluster } = row;
  const folder = mkdtempSync(join(tmpdir(), 'mikrokit-checker-'));
  const orm = await createOrm({ entities: [Register, Tick], cluster });
  // Always one of its own, whose keys nobody else loses and which may be killed.
  const world: World = { redis: await startRedis({ args: [] }), prefix: 'checker' };
  const end = new AbortController();
  let disturbing: Promise<number> = Promise.resolve(0);
  try {
    await orm.em.fork().insertMany(
      Register,
      IDS.map(id => ({ id, value: 0 })),
    );
    await cluster?.caughtUp();
    let journals = 0;
    const workers = new Workers(() => join(folder, `${(journals += 1)}.jsonl`));
    const base: Omit<Task, 'journal'> = {
      subject,
      databaseUrl: orm.config.get('clientUrl')!,
      replicaUrls: (cluster?.replicas ?? []).map(replica => replica.url(orm.config.get('dbName'))),
      redisUrl: world.redis.url,
      prefix: world.prefix,
      readers: 6,
      writers: 0,
      pause,
      killed: 0,
      flaw,
      grace,
      intentTtl: 1_000,
    };
    // Where writers are killed, they have processes of their own, so that their readers need not begin anew with them.
    await Promise.all(
      killed > 0
        ? [workers.start(base), workers.start(base), workers.start({ ...base, readers: 0, writers: 3, killed })]
        : Array.from({ length: row.processes ?? 3 }, () => workers.start({ ...base, readers: 4, writers: 1 })),
    );
    disturbing = disturb(world, row.faults ?? [], end.signal);
    const began = performance.now();
    for (;;) {
      await sleep(50);
      workers.check();
      const lasted = performance.now() - began;
      if (
        workers.progress.reads >= row.reads &&
        lasted > (row.atLeast ?? SHORTEST) &&
        workers.killed >= (row.leastKills ?? 0)
      ) {
        break;
      }
      if (lasted > LONGEST) {
        throw new Error(`${row.name}: ${workers.progress.reads} of ${row.reads} reads in ${LONGEST} ms`);
      }
    }
    await workers.stop();
    end.abort();
    const faults = await disturbing;
    const { hits, misses } = workers.progress;
    const events = readdirSync(folder).flatMap(file => readJournal(join(folder, file)));
    const verdict = judge(events);
    return { name: row.name, ...verdict, hitRate: hits / Math.max(1, hits + misses), kills: workers.killed, faults };
  } finally {
    end.abort();
    await disturbing.catch(() => undefined);
    await world.redis.stop();
    await orm.close(true);
    rmSync(folder, { recursive: true, force: true });
  }
}
