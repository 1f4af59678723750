// What a findOne costs on one side beside plain MikroORM, in turns in one process: node … <side> <database url> <first or second>
import { createRequire } from 'node:module';
import { MikroORM, type Options } from '@mikro-orm/postgresql';
import { queryTiming } from '@mikrokit/query-timing';
import { context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { cpuInTurns } from './cpu.ts';
import { Account, ROWS, type Side } from './query-timing-model.ts';

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

const [side, clientUrl, first] = process.argv.slice(2) as [Side, string, 'first' | 'second'];

async function open(...extensions: ReturnType<typeof queryTiming>[]): Promise<MikroORM> {
  return await MikroORM.init({
    entities: [Account],
    clientUrl,
    pool: { max: 5 },
    debug: false,
    logger: () => undefined,
    ensureDatabase: false,
    extensions: extensions as NonNullable<Options['extensions']>,
  });
}

let next = 0;
const read = (orm: MikroORM) => (): Promise<unknown> => orm.em.fork().findOne(Account, next++ % ROWS);

let heard = 0;
function everything(): ReturnType<typeof queryTiming> {
  const timing = queryTiming({
    environment: 'development',
    terminal: false,
    parameters: 'types',
    comments: 'static',
  });
  timing.subscribe(() => void heard++);
  return timing;
}

async function openSide(): Promise<MikroORM | undefined> {
  switch (side) {
    case 'everything':
      return await open(everything());
    case 'production':
      return await open(queryTiming({ environment: 'production' }));
    case 'plain again':
      return await open();
    case 'instrumentation-pg':
      return undefined;
  }
}

const tracing = new Tracing();
// V8 makes its code for what it sees first, which is quicker for it.
const early = first === 'first' ? await openSide() : undefined;
const plain = await open();
const other = early ?? (await openSide());
const beside =
  other === undefined
    ? { enter: () => tracing.on(), call: read(plain), leave: () => tracing.off() }
    : { call: read(other) };
const result = await cpuInTurns(
  first === 'first' ? { other: beside, plain: { call: read(plain) } } : { plain: { call: read(plain) }, other: beside },
  { rounds: 30, calls: 300, warmup: 6 },
);
if (side === 'everything' && heard === 0) {
  throw new Error('Nobody was told of a query: nothing was measured.');
}
process.send!(result);
await tracing[Symbol.asyncDispose]();
await plain.close();
await other?.close();
