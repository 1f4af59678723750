// What a resolver has to prove: own writes are seen, a killed replica is not noticed, a promotion is followed.
// npm run example replica-resolver (servers of its own: it kills two of three)
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineEntity, MikroORM, p } from '@mikro-orm/postgresql';
import { startCluster } from '@mikrokit-dev/test/harness/postgres.ts';
import { CommitOutcomeUnknownError, replicaResolver } from '@mikrokit/replica-resolver';

const VisitSchema = defineEntity({ name: 'Visit', properties: { id: p.integer().primary(), city: p.string() } });
class Visit extends VisitSchema.class {}
VisitSchema.setClass(Visit);

const WRITES = 100;
const CLIENTS = 10;

await using cluster = await startCluster({ embedded: true, replicas: 2 });
const url = await cluster.createDatabase('visits');
const [first, second] = cluster.replicas as [(typeof cluster.replicas)[0], (typeof cluster.replicas)[0]];

const resolver = replicaResolver();
await using plain = openOrm([]);
await using orm = openOrm([resolver]);
await orm.schema.create();
await cluster.caughtUp();
await resolver.ready();

console.log(`${''.padEnd(58)}${'MikroORM'.padStart(16)}${'with resolver'.padStart(16)}`);

// One replica stands still, as behind a long query or a slow disk.
await first.query('select pg_wal_replay_pause()');
const missed = [await missedWrites(plain, 0), await missedWrites(orm, WRITES)];
assert.equal(missed[1], 0, 'own writes are seen');
say(`${WRITES} writes, each read back at once: missed`, missed);
await first.query('select pg_wal_replay_resume()');
await cluster.caughtUp();

// A replica is killed under load.
const died = first.signal('SIGKILL');
const reads = await Promise.all([readsFor(1_500, plain), readsFor(1_500, orm), died]);
assert.equal(reads[1].failed, 0, 'no read fails');
say('a replica is killed under load: failed reads', [share(reads[0]), share(reads[1])]);

// The primary is killed, and the other replica promoted: by hand here, by Patroni and the like elsewhere.
await cluster.primary.signal('SIGKILL');
const writes = Promise.all([writesFor(2_500, plain, 1_000_000), writesFor(2_500, orm, 2_000_000)]);
await sleep(500);
const promoted = performance.now();
await second.query('select pg_promote()');
const [lost, kept] = await writes;
assert.equal(kept.failed, 0, 'no write fails: it waits for the new primary');
say('the primary is killed, a replica is promoted: failed writes', [share(lost), share(kept)]);
const took = Math.round(kept.first - promoted);
console.log(`The first write was done ${took} ms after pg_promote() was called, by ${resolver.snapshot().primary}.`);

console.log('\nWhere the reads went, and why:');
for (const [reason, count] of Object.entries(resolver.snapshot().routes)) {
  console.log(`  ${reason.padEnd(24)} ${count}`);
}

function openOrm(extensions: ReturnType<typeof replicaResolver>[]): MikroORM {
  return new MikroORM({
    entities: [Visit],
    clientUrl: url,
    replicas: cluster.replicas.map(replica => ({ name: replica.name, clientUrl: replica.url('visits') })),
    ensureDatabase: false,
    extensions,
    logger: () => {},
  });
}

/** Outside any scope the process is one session, and sees what it has written. */
async function missedWrites({ em }: MikroORM, from: number): Promise<number> {
  let missing = 0;
  for (let id = from; id < from + WRITES; id++) {
    await em.fork().insert(Visit, { id, city: 'Oslo' });
    missing += (await em.fork().findOne(Visit, id)) === null ? 1 : 0;
  }
  return missing;
}

interface Tally {
  all: number;
  failed: number;
  /** When the first one was done. */
  first: number;
}

async function readsFor(ms: number, { em }: MikroORM): Promise<Tally> {
  return await tally(ms, () => em.fork().findOne(Visit, 1));
}

async function writesFor(ms: number, { em }: MikroORM, from: number): Promise<Tally> {
  let id = from;
  return await tally(ms, () => em.fork().insert(Visit, { id: id++, city: 'Lima' }));
}

/** Several clients that work without a break. */
async function tally(ms: number, work: () => Promise<unknown>): Promise<Tally> {
  const counts: Tally = { all: 0, failed: 0, first: Number.POSITIVE_INFINITY };
  const until = performance.now() + ms;
  const client = async (): Promise<void> => {
    while (performance.now() < until) {
      counts.all++;
      await work().then(
        () => (counts.first = Math.min(counts.first, performance.now())),
        (error: unknown) => {
          assert.ok(!(error instanceof CommitOutcomeUnknownError), 'nothing was under way');
          counts.failed++;
        },
      );
      await sleep(5);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return counts;
}

function share({ failed, all }: Tally): string {
  return `${failed} of ${all}`;
}

function say(what: string, [without, withResolver]: readonly (number | string)[]): void {
  console.log(`${what.padEnd(58)}${String(without).padStart(16)}${String(withResolver).padStart(16)}`);
}
