import { defineEntity, MikroORM, type Options, p } from '@mikro-orm/postgresql';
import { replicaResolver } from '@mikrokit/replica-resolver';
import { startCluster, type Cluster } from '../harness/postgres.ts';
import { atLeast, atMost, type Bench, type BenchCase } from './bench.ts';
import { interleave } from './interleave.ts';

/*
 * What routing costs when nothing is wrong: both sides read the same rows on the same two replicas, in turns.
 */

const Account = defineEntity({
  name: 'Account',
  properties: {
    id: p.integer().primary(),
    owner: p.string(),
    email: p.string(),
    balance: p.integer(),
    opened: p.datetime(),
    note: p.string(),
  },
});

const ROWS = 1_000;

interface Sides {
  readonly cluster: Cluster;
  readonly plain: MikroORM;
  readonly routed: MikroORM;
  readonly resolver: ReturnType<typeof replicaResolver>;
}

async function withSides<T>(use: (sides: Sides) => Promise<T>): Promise<T> {
  await using cluster = await startCluster({ embedded: true, replicas: 2 });
  const url = await cluster.createDatabase('bank');
  const resolver = replicaResolver();
  await using plain = await open(cluster, url, []);
  await using routed = await open(cluster, url, [resolver]);
  await plain.schema.create();
  await plain.em.fork().insertMany(
    Account,
    Array.from({ length: ROWS }, (_, id) => ({
      id,
      owner: `owner ${id}`,
      email: `owner${id}@example.com`,
      balance: id,
      opened: new Date(1_700_000_000_000 + id),
      note: 'x'.repeat(80),
    })),
  );
  await cluster.caughtUp();
  await resolver.ready();
  return await use({ cluster, plain, routed, resolver });
}

async function open(cluster: Cluster, clientUrl: string, extensions: Options['extensions']): Promise<MikroORM> {
  return await MikroORM.init({
    entities: [Account],
    clientUrl,
    replicas: cluster.replicas.map(node => ({ name: node.name, clientUrl: node.url('bank') })),
    pool: { max: 10 },
    ensureDatabase: false,
    debug: false,
    extensions: extensions!,
  });
}

const read = (orm: MikroORM): Promise<unknown> => orm.em.fork().findOne(Account, Math.floor(Math.random() * ROWS));

async function change(orm: MikroORM): Promise<void> {
  const em = orm.em.fork();
  const account = await em.findOneOrFail(Account, Math.floor(Math.random() * ROWS), { connectionType: 'write' });
  account.balance += 1;
  await em.flush();
}

/** How much longer the median read takes. */
function readCase(
  name: string,
  bar: number,
  around: (sides: Sides, fn: () => Promise<number>) => Promise<number>,
): BenchCase {
  return {
    name,
    bar: atMost(bar, '× plain MikroORM'),
    async run() {
      const value = await withSides(sides =>
        around(sides, async () => {
          const { ratio } = await interleave(
            { plain: () => read(sides.plain), routed: () => read(sides.routed) },
            { repetitions: 4_001, warmup: 500 },
          );
          return ratio('routed', 'plain');
        }),
      );
      return { value, unit: '×' };
    },
  };
}

export const bench: Bench = {
  package: 'replica-resolver',
  cases: [
    readCase('p50 of a read without a token', 1.05, ({ resolver }, fn) =>
      resolver.run({ consistency: 'eventual' }, fn),
    ),
    readCase('p50 of a read with a token that its connection has reached', 1.1, ({ resolver, routed }, fn) =>
      resolver.run({}, async () => {
        await change(routed);
        return await fn();
      }),
    ),
    {
      name: 'p50 of a read with a token that has to be asked for each time',
      bar: atMost(1.1, '× plain MikroORM'),
      async run({ progress }) {
        const value = await withSides(async ({ plain, routed, resolver, cluster }) => {
          progress('a write before each read');
          let token: string | undefined;
          const { ratio } = await interleave(
            {
              plain: {
                prepare: async () => {
                  await change(plain);
                  await cluster.caughtUp();
                  return () => read(plain);
                },
              },
              routed: {
                prepare: async () => {
                  token = await resolver.run({}, async () => {
                    await change(routed);
                    return resolver.token();
                  });
                  // By then the replicas have it: what is measured is the question, not the wait.
                  await cluster.caughtUp();
                  return () => resolver.run({ token }, () => read(routed));
                },
              },
            },
            { repetitions: 301, warmup: 30 },
          );
          return ratio('routed', 'plain');
        });
        return { value, unit: '×' };
      },
    },
    {
      name: 'throughput, 80 reads to 20 writes, 20 clients',
      bar: atLeast(0.95, '× plain MikroORM'),
      async run() {
        const value = await withSides(async ({ plain, routed, resolver }) => {
          const burst = (orm: MikroORM, run: (fn: () => Promise<unknown>) => Promise<unknown>) => () =>
            Promise.all(
              Array.from({ length: 20 }, () =>
                run(async () => {
                  for (let step = 0; step < 5; step++) {
                    await (step === 0 ? change(orm) : read(orm));
                  }
                }),
              ),
            );
          const { ratio } = await interleave(
            { plain: burst(plain, fn => fn()), routed: burst(routed, fn => resolver.run({}, fn)) },
            { repetitions: 151, warmup: 20 },
          );
          return ratio('plain', 'routed');
        });
        return { value, unit: '×' };
      },
    },
  ],
};
