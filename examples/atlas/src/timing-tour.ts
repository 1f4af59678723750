import { graphql, type GraphQLSchema } from 'graphql';
import type { MikroORM } from '@mikro-orm/postgresql';
import {
  type CountedFinding,
  queryTiming,
  type QueryTiming,
  type QueryTimingOptions,
  type ScopeReport,
} from '@mikrokit/query-timing';
import type { Cleanup } from './cleanup.ts';
import type { Servers } from './database/servers.ts';
import { City } from './entities/index.ts';
import { AtlasError } from './errors.ts';
import { plainSchema, schema } from './graphql/schema.ts';
import { openBatchingOrm, openPlainOrm, SCHEMA } from './orm.ts';
import type { Progress } from './progress.ts';
import { TRAVELLERS, type NamedQuery } from './queries.ts';

const QUERY: NamedQuery = TRAVELLERS;
/** There is an index of its lower case only. */
const NAME = 'Springfield';
/** As the index that is advised will be called. */
const INDEX = 'city_name_index';
/** The shortest time of so many counts: other programs are running, too. */
const REPETITIONS = 5;
/** In ms: what the read without the index takes at least, and none of the others. */
const SLOW = 3;

/** What the timing tour needs. */
export interface TimingTour {
  readonly servers: Servers;
  /** Whether nobody else uses the database: then the index that is advised is tried there, and rolled back. */
  readonly isOwnDatabase: boolean;
}

/** An ORM that is timed, and what is written of it to the terminal. */
interface Timed {
  readonly orm: MikroORM;
  readonly timing: QueryTiming;
  /** What was written since it was asked last. */
  terminal(): string;
}

/**
 * A request before and after batching, and a read before and after the index that is advised, as they are reported in a
 * terminal. Throws if the N+1 or the index is not found, or does not help.
 */
export async function timingTour(tour: TimingTour, cleanup: Cleanup, progress: Progress): Promise<string> {
  progress.show('Tour', 'what queries cost');
  const { servers, isOwnDatabase } = tour;
  const quick: QueryTimingOptions = { slow: 60_000 };
  const wantsIndex: QueryTimingOptions = {
    slow: { overall: 60_000, entities: [[City, SLOW]] },
    advice: isOwnDatabase ? { verify: { clientUrl: servers.primary } } : {},
  };
  const plain = timed(quick, timing => openPlainOrm(servers, timing));
  const batching = timed(quick, timing => openBatchingOrm(servers, timing));
  const searching = timed(wantsIndex, timing => openPlainOrm(servers, timing));
  const close = (): Promise<unknown> => Promise.all([plain, batching, searching].map(({ orm }) => orm.close()));
  await cleanup.add(close);
  const before = await request(plain, plainSchema);
  if (!before.includes('N+1 ×')) {
    throw new AtlasError(`the query ${QUERY.name} has an N+1 without batching, and query-timing has not found it.`);
  }
  const after = await request(batching, schema);
  const index = await missingIndex(searching, servers);
  await close();
  progress.clear();
  return [before, '', after, '', ...index].join('\n');
}

function timed(options: QueryTimingOptions, open: (timing: QueryTiming) => MikroORM): Timed {
  const written: string[] = [];
  const stream = { write: (text: string) => written.push(text) };
  const timing = queryTiming({ ...options, terminal: { stream, summary: false } });
  return { orm: open(timing), timing, terminal: () => written.splice(0).join('').trimEnd() };
}

/** A request of GraphQL. The first one is not shown: code that is new to the process is slow. */
async function request({ orm, timing, terminal }: Timed, schemaToUse: GraphQLSchema): Promise<string> {
  const ask = async (): Promise<void> => {
    const { errors } = await timing.run({ name: `query ${QUERY.name}`, kind: 'request' }, () =>
      graphql({ schema: schemaToUse, source: QUERY.document, contextValue: { em: orm.em.fork() } }),
    );
    if (errors !== undefined) {
      throw new AtlasError(`the query ${QUERY.name} failed: ${errors[0]?.message}`, { cause: errors[0] });
    }
  };
  await ask();
  await timing.settled();
  timing.reset();
  terminal();
  await ask();
  await timing.settled();
  return terminal();
}

/** What is told of a read of cities before and after the index that is advised, which is dropped again. */
async function missingIndex(timed: Timed, servers: Servers): Promise<readonly string[]> {
  const { orm, timing } = timed;
  const drop = async (): Promise<void> => {
    await orm.em.fork().execute(`drop index if exists ${SCHEMA}.${INDEX}`);
  };
  // Somebody may have ended Atlas in the middle of this.
  await drop();
  try {
    const before = await search(timed);
    const { title, fix } = findingOf(timing, 'missing-index');
    const sql = fix?.split('\n').at(-1) ?? '';
    if (!sql.includes(`"${INDEX}"`)) {
      throw new AtlasError(`another index was advised than ${INDEX}: ${sql}`);
    }
    await orm.em.fork().execute(sql);
    await servers.caughtUp();
    const after = await search(timed);
    if (after.took >= before.took) {
      throw new AtlasError('the index that was advised does not make the read faster.');
    }
    return [before.told, `  ${title}`, `  ${sql}`, '', after.told];
  } finally {
    await drop();
  }
}

/** The shortest of some, and what was written of it. */
async function search({ orm, timing, terminal }: Timed): Promise<{ readonly took: number; readonly told: string }> {
  const runs: { readonly took: number; readonly told: string }[] = [];
  const scopes: ScopeReport[] = [];
  const stop = timing.on('scope', scope => void scopes.push(scope));
  terminal();
  for (let i = 0; i < REPETITIONS; i++) {
    await timing.run(`cities called ${NAME}`, async () => await orm.em.fork().find(City, { name: NAME }));
    runs.push({ took: scopes.at(-1)!.took, told: terminal() });
    // The plan and the advice come beside it.
    await timing.settled();
  }
  stop();
  return runs.toSorted((a, b) => a.took - b.took)[0]!;
}

function findingOf(timing: QueryTiming, kind: CountedFinding['kind']): CountedFinding {
  const finding = timing.report().findings.find(each => each.kind === kind);
  if (finding === undefined) {
    throw new AtlasError(`query-timing has found nothing of the kind ${kind}.`);
  }
  return finding;
}
