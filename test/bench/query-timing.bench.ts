import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { MikroORM } from '@mikro-orm/postgresql';
import { queryTiming } from '@mikrokit/query-timing';
import { Shapes } from '../../packages/query-timing/src/shapes.ts';
import { scan } from '../../packages/query-timing/src/sql/scan.ts';
import { createOrm } from '../harness/orm-plain.ts';
import { atMost, type Bench, type BenchCase, type BenchContext } from './bench.ts';
import type { CpuCost } from './cpu.ts';
import { Account, ROWS, type Side } from './query-timing-model.ts';

/*
 * What timing costs in CPU beside plain MikroORM: two sides in one process, in turns, of which the least and the one a quarter
 * up; the figure is the mean of some processes. The same `findOne` on a fork of its own each time, which is what
 * a request does, so that the cost of a scope is in it. `plain again` is a second plain MikroORM: what it "costs" is what the
 * machine adds to all the others.
 */

/** In each other one, plain MikroORM is second: whoever is first is some µs quicker. */
const PROCESSES = 4;

setFlagsFromString('--expose-gc');
globalThis.gc = runInNewContext('gc') as typeof gc;

/** In µs of CPU for each findOne: plain MikroORM, and what the side takes more. */
interface Cost {
  readonly plain: number;
  readonly more: number;
}

let costs: Promise<Readonly<Record<Side, Cost>>> | undefined;

/** All sides, once for all the cases that compare them. */
async function measure({ cluster, progress }: BenchContext): Promise<Readonly<Record<Side, Cost>>> {
  await using orm = await createOrm({ cluster, entities: [Account] });
  await orm.em.fork().insertMany(
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
  const found: Record<Side, Cost[]> = { 'plain again': [], everything: [], production: [], 'instrumentation-pg': [] };
  for (let process = 1; process <= PROCESSES; process++) {
    for (const side of Object.keys(found) as Side[]) {
      const order = process % 2 === 0 ? 'first' : 'second';
      const { plain, other } = await inProcess(side, orm.config.get('clientUrl')!, order);
      progress(
        `${process}/${PROCESSES} ${side.padEnd(18)} plain ${plain.least.toFixed(0)} (least), ${plain.quarter.toFixed(0)} µs ` +
          `(a quarter up); more: ${signed(other.least - plain.least)}, ${signed(other.quarter - plain.quarter)} µs`,
      );
      found[side].push({ plain: plain.quarter, more: other.quarter - plain.quarter });
    }
  }
  const mean = (side: Side): Cost => ({
    plain: meanOf(found[side].map(({ plain }) => plain)),
    more: meanOf(found[side].map(({ more }) => more)),
  });
  return {
    'plain again': mean('plain again'),
    everything: mean('everything'),
    production: mean('production'),
    'instrumentation-pg': mean('instrumentation-pg'),
  };
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Two sides in a process of their own: V8 would make slower code for all if there were more kinds of EntityManager in one. */
async function inProcess(
  side: Side,
  clientUrl: string,
  order: 'first' | 'second',
): Promise<Record<'plain' | 'other', CpuCost>> {
  const child = fork(new URL('./query-timing-child.ts', import.meta.url), [side, clientUrl, order], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv: process.execArgv,
  });
  const ended = once(child, 'exit');
  const [result] = (await Promise.race([
    once(child, 'message'),
    ended.then(([code]) => Promise.reject(new Error(`The process of ${side} has ended with ${code}.`))),
  ])) as [Record<'plain' | 'other', CpuCost>];
  await ended;
  return result;
}

function signed(us: number): string {
  return `${us < 0 ? '' : '+'}${us.toFixed(1)}`;
}

const cpuCase = (
  name: string,
  bar: BenchCase['bar'],
  unit: string,
  value: (costs: Readonly<Record<Side, Cost>>) => number,
): BenchCase => ({
  name,
  bar,
  async run(bench) {
    costs ??= measure(bench);
    return { value: value(await costs), unit };
  },
});

/** The time of one call, in µs: the least of some rounds. */
function least(rounds: number, calls: number, call: (index: number) => unknown): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const begun = performance.now();
    for (let index = 0; index < calls; index++) {
      call(index);
    }
    best = Math.min(best, ((performance.now() - begun) * 1000) / calls);
  }
  return best;
}

/** A statement of some 500 characters as MikroORM writes them; `n` makes it another one. */
function statement(n: number): string {
  return (
    `select "b0"."id", "b0"."title", "b0"."pages", "b0"."author_id", "a1"."id" as "a1__id", "a1"."name" as "a1__name", ` +
    `"a1"."password_hash" as "a1__password_hash", "a1"."born_${n}" as "a1__born" from "book" as "b0" left join "author" as "a1" ` +
    `on "b0"."author_id" = "a1"."id" left join "publisher" as "p2" on "b0"."publisher_id" = "p2"."id" where "b0"."pages" > ? ` +
    `and "a1"."name" like ? and "p2"."city" in (?, ?, ?, ?) and "b0"."deleted_at" is null order by "b0"."title" asc limit ? offset ?`
  );
}

export const bench: Bench = {
  package: 'query-timing',
  cases: [
    cpuCase(
      'a second plain MikroORM: how far off the others are',
      atMost(5, 'µs more CPU than plain MikroORM'),
      'µs',
      c => Math.abs(c['plain again'].more),
    ),
    cpuCase(
      'findOne with everything on but the page closed',
      atMost(5, 'µs more CPU than plain MikroORM'),
      'µs',
      c => c.everything.more,
    ),
    cpuCase(
      'the same, relative',
      atMost(3, '% more CPU than plain MikroORM'),
      '%',
      c => (c.everything.more / c.everything.plain) * 100,
    ),
    cpuCase(
      'the same against instrumentation-pg with a no-op exporter',
      atMost(0.2, '× its cost'),
      '×',
      c => c.everything.more / c['instrumentation-pg'].more,
    ),
    cpuCase(
      'registered, nothing subscribed, production defaults',
      atMost(2, 'µs more CPU than plain MikroORM'),
      'µs',
      c => c.production.more,
    ),
    {
      name: 'fingerprint of a shape seen before',
      bar: atMost(0.3, 'µs'),
      run() {
        const shapes = new Shapes();
        const text = statement(0);
        // As MikroORM makes it: a new string each time, of which no hash is known yet.
        const texts = (): string[] => Array.from({ length: 2_000 }, () => Buffer.from(text).toString());
        let best = Number.POSITIVE_INFINITY;
        for (let round = 0; round < 30; round++) {
          const fresh = texts();
          best = Math.min(
            best,
            least(1, fresh.length, index => shapes.of(fresh[index]!)),
          );
        }
        return { value: best, unit: 'µs' };
      },
    },
    {
      name: 'fingerprint of a new statement of 500 characters',
      bar: atMost(3, 'µs'),
      run() {
        const texts = Array.from({ length: 1_000 }, (_, index) => statement(index));
        return { value: least(200, texts.length, index => scan(texts[index]!)), unit: 'µs' };
      },
    },
    {
      name: 'memory after 1 000 000 queries over 5 000 shapes',
      bar: atMost(10, 'MB'),
      async run({ cluster, progress }) {
        const timing = queryTiming({ environment: 'production', plans: false });
        await using orm = await createOrm({
          cluster,
          entities: [Account],
          pool: { max: 5 },
          extensions: [timing] as never,
        });
        return { value: await memoryOf(orm, timing, progress), unit: 'MB' };
      },
    },
  ],
};

/** What a million queries leave behind beside what MikroORM itself keeps, in MB: the heap before `reset()` less after it. */
async function memoryOf(
  orm: MikroORM,
  timing: ReturnType<typeof queryTiming>,
  progress: (text: string) => void,
): Promise<number> {
  const connection = orm.em.getConnection();
  const queries = 1_000_000;
  const inFlight = 50;
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < queries) {
      const index = next++;
      if (index % 250_000 === 0) {
        progress(`${index.toLocaleString('en')} queries, ${heap().toFixed(1)} MB of heap`);
      }
      await connection.execute(`select ? as "column_of_shape_${index % 5_000}"`, [index]);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, work));
  await timing.settled();
  const full = heap();
  timing.reset();
  return full - heap();
}

function heap(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage().heapUsed / 1_048_576;
}
