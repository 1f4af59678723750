/*
 * One process of the application: it writes in every way there is, and compares what it reads from the cache with what the
 * database says, at moments in which nobody has written to the tables of the read.
 */
import { isDeepStrictEqual } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { type EntityManager, ValidationError } from '@mikro-orm/postgresql';
import { redisStore, resultCache } from '@mikrokit/result-cache';
import { createRandom, type Random } from '../../batch-loader/random.ts';
import { createOrm } from '../../harness/orm-plain.ts';
import { disturbed } from '../checker/disturbed-store.ts';
import { connected } from '../checker/subjects.ts';
import { lastChanges, stampOf } from './change-log.ts';
import { ENTITIES } from './entities.ts';
import { drawRead, type Read } from './reads.ts';
import type { Findings, Report, Task } from './task.ts';
import { ALONE, TakenBack, WRITES } from './writes.ts';

const TTL = 600_000;
/** All processes write for so long, and leave the database alone for as long, in ms. */
const PHASE = 300;
/** How often a cached read is made again at once: the first may be a fill, the others are hits. */
const REPEATS = 3;
const READERS = 2;
const MOST_MISMATCHES = 3;

const task = JSON.parse(process.argv[2]!) as Task;
const tell = (report: Report): void => void (process.connected && process.send!(report));
let stopping = false;
process.on('message', () => (stopping = true));
process.on('disconnect', () => process.exit());

const store = disturbed(redisStore(await connected(task.redisUrl), { prefix: 'application', grace: 50 }), {
  killed: 0,
  flaw: task.flaw,
});
// A busy machine is no reason to go past the store.
const cache = resultCache({ store, timeout: 10_000, inTransaction: task.stream % 2 === 0 ? 'hit' : 'bypass' });
const orm = await createOrm({ url: task.databaseUrl, entities: ENTITIES, extensions: [cache] });

let conclusive = 0;
let inconclusive = 0;
let writes = 0;
const mismatches: string[] = [];
const written: Record<string, number> = {};
const refused: Record<string, number> = {};

/** The clock is that of the machine, so all processes pause together. */
function writersPause(): boolean {
  return Math.floor(performance.timeOrigin + performance.now()) % (2 * PHASE) < PHASE;
}

async function write(): Promise<void> {
  const random = createRandom(task.seed, task.stream * 10);
  while (!stopping) {
    if (writersPause()) {
      await sleep(10);
      continue;
    }
    const { name, run } = random.pick(WRITES);
    writes += 1;
    try {
      await run(orm.em.fork(), random);
      written[name] = (written[name] ?? 0) + 1;
    } catch (error) {
      // Ids collide, parents are missing, two wait for each other.
      if (!isRefusal(error)) {
        throw new Error(`${name} failed`, { cause: error });
      }
      refused[name] = (refused[name] ?? 0) + 1;
    }
    await sleep(random.int(20));
  }
}

/**
 * By PostgreSQL, for what the data or the others are: class 22 (a value), 23 (a constraint), 40 (a conflict). Or by MikroORM,
 * which does not find again what it has upserted, or is to clone, if somebody deletes it meanwhile.
 */
function isRefusal(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return (
    error instanceof ValidationError ||
    /^(22|23|40)/.test(String(code)) ||
    /^Cannot find matching entity|with empty 'where' parameter/.test(String(message))
  );
}

async function compare(stream: number): Promise<void> {
  const random = createRandom(task.seed, task.stream * 10 + stream);
  while (!stopping) {
    const read = drawRead(random);
    await (random.chance(0.15) ? compareInTransaction(read, random) : compareOne(read, () => orm.em.fork()));
    await sleep(0);
  }
}

/** After a write of its own that is not committed, and may never be: nobody else sees it, and it sees nothing older. */
async function compareInTransaction(read: Read, random: Random): Promise<void> {
  try {
    await orm.em.fork().transactional(async tx => {
      if (random.chance(0.7) && !writersPause()) {
        await random.pick(ALONE).run(tx, random);
      }
      await compareOne(read, () => tx.fork({ keepTransactionContext: true }));
      if (random.chance(0.5)) {
        throw new TakenBack();
      }
    });
  } catch (error) {
    if (!(error instanceof TakenBack || isRefusal(error))) {
      throw error;
    }
  }
}

async function compareOne(read: Read, fork: () => EntityManager): Promise<void> {
  const before = await stampOf(fork(), read.tables);
  const expected = await read.run(fork(), false);
  const found: unknown[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat += 1) {
    found.push(await read.run(fork(), TTL));
  }
  if ((await stampOf(fork(), read.tables)) !== before) {
    inconclusive += REPEATS;
    return;
  }
  conclusive += REPEATS;
  const wrong = found.find(value => !isDeepStrictEqual(value, expected));
  if (wrong !== undefined && mismatches.length < MOST_MISMATCHES) {
    mismatches.push(await described(read, expected, wrong));
  }
}

async function described(read: Read, expected: unknown, found: unknown): Promise<string> {
  const em = orm.em.fork();
  const explained =
    read.explain &&
    (await cache.explain(em, ...(read.explain.slice(0, 2) as [unknown, unknown]), { ...read.explain[2], cache: TTL }));
  return [
    `${read.says}\n`,
    `database: ${JSON.stringify(expected)}`,
    `cache:    ${JSON.stringify(found)}`,
    `again:    ${JSON.stringify(await read.run(orm.em.fork(), false))}`,
    `explain:  ${JSON.stringify(explained)}`,
    `last writes, the latest first:\n${await lastChanges(em, read.tables)}`,
  ].join('\n');
}

const beat = setInterval(() => tell({ kind: 'progress', conclusive, writes }), 100);
try {
  await Promise.all([write(), ...Array.from({ length: READERS }, (_, index) => compare(index + 1))]);
  const { hits, misses, bypassReasons } = cache.stats();
  const findings: Findings = { conclusive, inconclusive, mismatches, hits, misses, bypassReasons, written, refused };
  tell({ kind: 'done', findings });
} catch (error) {
  stopping = true;
  const { stack, cause } = error as Error;
  tell({ kind: 'failed', error: `${stack}\n${cause instanceof Error ? cause.stack : ''}` });
} finally {
  clearInterval(beat);
}
await orm.close(true);
process.disconnect?.();
