import { setTimeout as sleep } from 'node:timers/promises';
import { CommitOutcomeUnknownError, redisTokenStore } from '@mikrokit/replica-resolver';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { startRedis } from '../harness/redis.ts';
import { createRegisters } from './faults/create-registers.ts';
import { type ExaminedOrm, openExamined } from './faults/examined-orm.ts';
import { inForm } from './faults/form.ts';
import { Entry, Register, SlowRegister } from './faults/registers.ts';
import { replayed } from './faults/servers.ts';
import { forged, positionOf } from './faults/token-position.ts';
import { World } from './faults/world.ts';

/* Faults of one statement or one token. F1 to F7 and F9 to F14 are in `faults.test.ts`. */
const TIMEOUT = inForm(30_000, 600_000);
const KEYS = Array.from({ length: 50 }, (_, key) => key);

let world: World;
let database: string;

beforeAll(async () => {
  world = await World.open(['autovacuum = off']);
  database = await createRegisters(world, KEYS);
});

/** As `inTransaction` of `writer.ts`. */
async function writeTransaction({ orm }: ExaminedOrm, key: number, version: number): Promise<void> {
  await orm.em.fork().transactional(async em => {
    await em.nativeUpdate(Register, { key }, { version });
    await em.insert(Entry, { key, version, writer: '', sent: 0 });
  });
}

async function writeStatement({ orm }: ExaminedOrm, key: number, version: number): Promise<void> {
  await orm.em
    .fork()
    .execute(`with told as (insert into entry values (?, ?, '', 0)) update register set version = ? where key = ?`, [
      key,
      version,
      version,
      key,
    ]);
}

const read = async ({ orm }: ExaminedOrm, key: number): Promise<{ version: number; port: number }> =>
  await orm.em.fork().findOneOrFail(Register, key);

/** How often a version of a register was written, as its server says. */
async function timesWritten(key: number, version: number): Promise<number> {
  const [row] = await world.primary.server.query<{ count: string }>(
    'select count(*) from entry where key = $1 and version = $2',
    [key, version],
    database,
  );
  return Number(row!.count);
}

/** Connections of all pools that somebody has. */
function inUse({ resolver }: ExaminedOrm): number {
  return resolver.snapshot().nodes.reduce((sum, { pool }) => sum + pool.total - pool.idle, 0);
}

describe('F8 an idle primary, single commits', () => {
  const COMMITS = inForm(2_000, 20_000);
  /** What the issue allows a read to wait for a token, in ms. */
  const LONGEST_WAIT = 50;

  test(`none of ${COMMITS} tokens is waited for in vain`, { timeout: TIMEOUT }, async () => {
    const examined = await openExamined(world, database);
    const { resolver } = examined;
    const primaryPort = world.primary.server.port;
    const late: { took: number; position: bigint; reached: boolean }[] = [];
    let onReplicas = 0;
    for (let commit = 0; commit < COMMITS; commit++) {
      // Records of many lengths, so that some commits end where a page does.
      const token = await resolver.run({}, async () => {
        await examined.orm.em
          .fork()
          .nativeUpdate(Register, { key: 0 }, { version: commit, writer: 'x'.repeat(Math.random() * 200) });
        return resolver.token()!;
      });
      const start = performance.now();
      const { version, port } = await resolver.run({ token }, () => read(examined, 0));
      const took = performance.now() - start;
      expect(version).toBe(commit);
      onReplicas += port === primaryPort ? 0 : 1;
      if (took > LONGEST_WAIT || port === primaryPort) {
        late.push({ took, position: positionOf(token), reached: await isReached(positionOf(token)) });
      }
    }
    // Nobody writes: a position that is not reached now was never that of a record.
    expect(late.filter(({ reached }) => !reached)).toEqual([]);
    expect(onReplicas / COMMITS).toBeGreaterThan(0.95);
    // In the short form other tests share the two cores, and whoever is not given one waits longer than that for anything.
    const waits = late.filter(({ took }) => took > LONGEST_WAIT);
    expect(waits.length).toBeLessThanOrEqual(inForm(COMMITS / 100, 0));
  });

  async function isReached(position: bigint): Promise<boolean> {
    await sleep(LONGEST_WAIT);
    const positions = await Promise.all(world.replicas.map(({ server }) => replayed(server)));
    return positions.every(at => BigInt(at) >= position);
  }
});

describe('F15 races over the token of one user', () => {
  const ROUNDS = inForm(10, 200);

  test(
    '50 sessions at once write, raise old tokens, and read elsewhere: each sees what it wrote',
    {
      timeout: TIMEOUT,
    },
    async () => {
      const redis = await startRedis();
      onTestFinished(() => redis.stop());
      const store = redisTokenStore(redis.client());
      const here = await openExamined(world, database, { tokenStore: store, wait: 5_000 });
      const there = await openExamined(world, database, {
        tokenStore: redisTokenStore(redis.client()),
        wait: 5_000,
      });
      const old: string[] = [];
      let stale = 0;
      let onReplicas = 0;
      for (let round = 1; round <= ROUNDS; round++) {
        await Promise.all(
          KEYS.map(async key => {
            const version = 1_000_000 + round;
            const [writes, reads] = key % 2 === 0 ? [here, there] : [there, here];
            const token = await writes.resolver.run({ key: 'user' }, async () => {
              await writes.orm.em.fork().nativeUpdate(Register, { key }, { version });
              return writes.resolver.token()!;
            });
            old.push(token);
            await store.raise('user', old[Math.floor(Math.random() * old.length)]!, 60_000);
            const found = await reads.resolver.run({ key: 'user' }, () => read(reads, key));
            stale += found.version < version ? 1 : 0;
            onReplicas += found.port === world.primary.server.port ? 0 : 1;
          }),
        );
      }
      expect(stale).toBe(0);
      // Else nothing was shown: on the primary everything can be seen.
      expect(onReplicas / (ROUNDS * KEYS.length)).toBeGreaterThan(0.5);
    },
  );
});

describe('F16 the connection is cut while a commit is under way', () => {
  const ROUNDS = inForm(25, 500);
  const cuts = [
    { how: 'a transaction', text: 'commit', at: 'answer', write: writeTransaction, key: 1, done: 1 },
    { how: 'a transaction', text: 'commit', at: 'request', write: writeTransaction, key: 2, done: 0 },
    { how: 'a statement', text: 'update register', at: 'answer', write: writeStatement, key: 3, done: 1 },
    { how: 'a statement', text: 'update register', at: 'request', write: writeStatement, key: 4, done: 0 },
  ] as const;

  test.for(cuts)(
    '$how, cut at its $at: the outcome is unknown, and it is not sent again',
    { timeout: TIMEOUT },
    async ({ text, at, write, key, done }) => {
      const examined = await openExamined(world, database);
      const { proxy } = world.primary;
      for (let version = 1; version <= ROUNDS; version++) {
        const before = proxy.stats.cut;
        proxy.cut(text, at);
        await expect(write(examined, key, version)).rejects.toThrow(CommitOutcomeUnknownError);
        expect(proxy.stats.cut).toBe(before + 1);
        expect(await timesWritten(key, version)).toBe(done);
        // A connection that nobody gives back is missing from the pool for ever.
        await expect.poll(() => inUse(examined)).toBe(0);
      }
      // And the next one works.
      await write(examined, key, ROUNDS + 1);
      expect(await timesWritten(key, ROUNDS + 1)).toBe(1);
    },
  );

  test.for([
    { at: 'answer', key: 5, done: 1 },
    { at: 'request', key: 6, done: 0 },
  ] as const)(
    'with resolveCommits, a transaction cut at its $at: what is said is what happened',
    {
      timeout: TIMEOUT,
    },
    async ({ at, key, done }) => {
      const examined = await openExamined(world, database, { resolveCommits: true });
      for (let version = 1; version <= ROUNDS; version++) {
        world.primary.proxy.cut('commit', at);
        const said = await writeTransaction(examined, key, version).then(
          () => 'committed',
          (error: unknown) => (error instanceof CommitOutcomeUnknownError ? 'unknown' : 'failed'),
        );
        expect(said).toBe(done === 1 ? 'committed' : 'failed');
        expect(await timesWritten(key, version)).toBe(done);
        // A connection that nobody gives back is missing from the pool for ever.
        await expect.poll(() => inUse(examined)).toBe(0);
      }
    },
  );
});

describe('F17 a storm of reads and writes that are given up', () => {
  const ROUNDS = inForm(5, 50);

  const strategies = ['ignore query', 'cancel query', 'kill session'] as const;
  test.for(strategies)(
    'by their signal (%s): none of the connections they were on is used while it is busy',
    {
      timeout: TIMEOUT,
    },
    async strategy => {
      const examined = await openExamined(world, database);
      await storm(examined, async () => {
        const given = { signal: AbortSignal.timeout(1 + Math.random() * 60), inflightQueryAbortStrategy: strategy };
        await examined.orm.em.fork().find(SlowRegister, { key: { $lt: 5 } }, given);
      });
    },
  );

  test('by query_timeout: the same', { timeout: TIMEOUT }, async () => {
    const examined = await openExamined(world, database, {}, { driverOptions: { query_timeout: 2_000 } });
    await storm(
      examined,
      async () => {
        // Five seconds: the reads after it have time, unless they are on a connection that is busy with it for three more.
        await examined.orm.em.fork().find(SlowRegister, { key: { $lt: 50 } });
      },
      inForm(2, 50),
    );
  });

  async function storm(examined: ExaminedOrm, slow: () => Promise<void>, rounds = ROUNDS): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      const given = await Promise.allSettled(KEYS.map(slow));
      expect(given.filter(({ status }) => status === 'rejected').length).toBeGreaterThan(KEYS.length / 2);
      const answers = await Promise.allSettled(KEYS.map(key => read(examined, key)));
      expect(answers.flatMap(answer => (answer.status === 'rejected' ? [String(answer.reason)] : []))).toEqual([]);
    }
  }
});

describe('F18 a forged token', () => {
  const READS = inForm(100, 5_000);
  const forgeries = {
    'a terabyte ahead': (token: string) => forged(token, { ahead: 1n << 40n }),
    'as far ahead as can be said': (token: string) => forged(token, { ahead: (1n << 64n) - 1n - positionOf(token) }),
    'of another cluster': (token: string) => forged(token, { cluster: '0123456789ab' }),
    'of a timeline to come': (token: string) => token.replace(/^(v1\.\w+)\.\d+/, '$1.4294967295'),
    'cut off': (token: string) => token.slice(0, 25),
    'no token at all': () => '\u0000'.repeat(10_000),
  };

  test.for(Object.entries(forgeries))(
    '%s: ignored, and no read more goes to the primary',
    {
      timeout: TIMEOUT,
    },
    async ([, forge]) => {
      const examined = await openExamined(world, database);
      const { resolver } = examined;
      let rejected = 0;
      resolver.on('token.rejected', () => (rejected += 1));
      const own = await resolver.run({}, async () => {
        await examined.orm.em.fork().nativeUpdate(Register, { key: 7 }, { version: 1 });
        return resolver.token()!;
      });
      await world.cluster.caughtUp();
      const token = forge(own);
      let onPrimary = 0;
      let slow = 0;
      // What the machine makes slow, by reads that have no token.
      let slowWithout = 0;
      for (let round = 0; round < READS; round++) {
        const start = performance.now();
        const { port } = await resolver.run({ token }, () => read(examined, 7));
        const between = performance.now();
        slow += between - start > 100 ? 1 : 0;
        onPrimary += port === world.primary.server.port ? 1 : 0;
        await resolver.run({}, () => read(examined, 7));
        slowWithout += performance.now() - between > 100 ? 1 : 0;
      }
      expect(onPrimary).toBe(0);
      expect(rejected).toBe(READS);
      expect(slow - slowWithout).toBeLessThan(READS / 20);
    },
  );
});
