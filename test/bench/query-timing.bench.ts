import { createRequire } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { defineEntity, MikroORM, type Options, p } from '@mikro-orm/postgresql';
import { queryTiming } from '@mikrokit/query-timing';
import { context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { Shapes } from '../../packages/query-timing/src/shapes.ts';
import { scan } from '../../packages/query-timing/src/sql/scan.ts';
import { createOrm } from '../harness/orm-plain.ts';
import { atMost, type Bench, type BenchCase, type BenchContext } from './bench.ts';
import { cpuInTurns } from './cpu.ts';

/*
 * What timing costs in CPU: one process, in turns, the least of the rounds. The same `findOne` on a fork of its own each
 * time, which is what a request does, so that the cost of a scope is in it.
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
const ROUNDS = 24;
const CALLS = 1_000;

setFlagsFromString('--expose-gc');
globalThis.gc = runInNewContext('gc') as typeof gc;

/** Patches pg, and takes it back: as `registerInstrumentations()` does when pg is loaded. */
class Tracing {
  readonly #definitions: readonly { patch?: (module: unknown) => unknown; unpatch?: (module: unknown) => unknown }[];
  readonly #modules: readonly unknown[];
  readonly #provider: TracerProvider;

  constructor() {
    const require = createRequire(import.meta.url);
    const pg = require('pg') as object;
    const pool = createRequire(require.resolve('pg'))('pg-pool') as unknown;
    this.#modules = [pg, pool];
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    this.#provider = new TracerProvider({
      spanProcessors: [
        new BatchSpanProcessor({
          exporter: {
            export: (_spans: unknown, done: (result: { code: number }) => void) => done({ code: 0 }),
            shutdown: () => Promise.resolve(),
          },
        } as never),
      ],
    });
    const instrumentation = new PgInstrumentation({ enabled: false });
    instrumentation.setTracerProvider(this.#provider as never);
    this.#definitions = (instrumentation as unknown as { init(): Tracing['definitions'] }).init();
  }

  get definitions(): readonly { patch?: (module: unknown) => unknown; unpatch?: (module: unknown) => unknown }[] {
    return this.#definitions;
  }

  on(): void {
    this.#definitions.forEach(({ patch }, index) => patch?.(this.#modules[index]));
  }

  off(): void {
    this.#definitions.forEach(({ unpatch }, index) => unpatch?.(this.#modules[index]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.off();
    context.disable();
    await this.#provider.shutdown();
  }
}

interface Costs {
  /** In µs of CPU for each findOne. */
  readonly plain: number;
  readonly everything: number;
  readonly production: number;
  readonly otel: number;
}

let measured: Promise<Costs> | undefined;

/** All sides in one run, once for all the cases that compare them. */
function costs(bench: BenchContext): Promise<Costs> {
  measured ??= measure(bench);
  return measured;
}

async function measure({ cluster, progress }: BenchContext): Promise<Costs> {
  const everything = queryTiming({
    environment: 'development',
    terminal: false,
    parameters: 'types',
    comments: 'static',
  });
  let heard = 0;
  everything.subscribe(() => void heard++);
  const production = queryTiming({ environment: 'production' });
  await using plain = await createOrm({ cluster, entities: [Account], pool: { max: 5 } });
  const open = async (timing: ReturnType<typeof queryTiming>): Promise<MikroORM> =>
    await MikroORM.init({
      entities: [Account],
      clientUrl: plain.config.get('clientUrl')!,
      pool: { max: 5 },
      debug: false,
      logger: () => undefined,
      ensureDatabase: false,
      extensions: [timing] as NonNullable<Options['extensions']>,
    });
  await using timed = await open(everything);
  await using live = await open(production);
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
  await using tracing = new Tracing();
  let next = 0;
  const read = (orm: MikroORM) => (): Promise<unknown> => orm.em.fork().findOne(Account, next++ % ROWS);
  progress(`${ROUNDS} rounds of ${CALLS} reads on each of four sides`);
  const result = await cpuInTurns(
    {
      plain: { call: read(plain) },
      everything: { call: read(timed) },
      production: { call: read(live) },
      otel: { enter: () => tracing.on(), call: read(plain), leave: () => tracing.off() },
    },
    { rounds: ROUNDS, calls: CALLS },
  );
  for (const [name, { least, quarter }] of Object.entries(result)) {
    progress(`${name.padEnd(12)} least ${least.toFixed(1)} µs, a quarter up ${quarter.toFixed(1)} µs`);
  }
  if (heard === 0) {
    throw new Error('Nobody was told of a query: nothing was measured.');
  }
  return {
    plain: result.plain.least,
    everything: result.everything.least,
    production: result.production.least,
    otel: result.otel.least,
  };
}

const cpuCase = (name: string, bar: BenchCase['bar'], unit: string, value: (costs: Costs) => number): BenchCase => ({
  name,
  bar,
  async run(bench) {
    return { value: value(await costs(bench)), unit };
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
      'findOne with everything on but the page closed',
      atMost(5, 'µs more CPU than plain MikroORM'),
      'µs',
      c => c.everything - c.plain,
    ),
    cpuCase(
      'the same, relative',
      atMost(3, '% more CPU than plain MikroORM'),
      '%',
      c => (c.everything / c.plain - 1) * 100,
    ),
    cpuCase(
      'the same against instrumentation-pg with a no-op exporter',
      atMost(0.2, '× its cost'),
      '×',
      c => (c.everything - c.plain) / (c.otel - c.plain),
    ),
    cpuCase(
      'registered, nothing subscribed, production defaults',
      atMost(2, 'µs more CPU than plain MikroORM'),
      'µs',
      c => c.production - c.plain,
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
