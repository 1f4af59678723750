import { inspect, isDeepStrictEqual } from 'node:util';
import { type EntityManager, type MikroORM, Utils, wrap } from '@mikro-orm/core';
import { batch, batchLoader } from '@mikrokit/batch-loader';
import { openDatabase } from '../harness/database.ts';
import { openOrm } from '../harness/orm.ts';
import { recordQueries, type Recorder } from '../harness/recorder.ts';
import { describeValue, make } from './described.ts';
import { ENTITIES as LIBRARY, fillLibrary } from './library.ts';
import { entities } from './random-conditions.ts';
import { type Read, randomTemplate, type Template } from './random-reads.ts';
import type { Random } from './random.ts';
import { fillSamples, SAMPLES } from './samples.ts';
import { viewAnswer } from './view-answer.ts';
import { pkOf, type View } from './view.ts';
import { WRITES, type Write } from './writes.ts';

/*
 * The oracle: whatever a read of `batch(em)` gives among others in its window, on a fork with the extension, `em` gives
 * alone, on a fresh fork of an ORM without it.
 */

const ENTITIES = [...LIBRARY, ...SAMPLES];

export interface BatchTotals {
  reads: number;
  statements: number;
  /** Reads by what became of them, as `batch(em).explain()` has it. */
  readonly strategies: Map<string, number>;
  /** Reads that were sent alone, by the reason. */
  readonly alone: Map<string, number>;
  lone: number;
  /** What differed, with what to repeat it by. */
  readonly mismatches: string[];
}

const MOST_MISMATCHES = Number(process.env['MIKROKIT_MISMATCHES'] ?? 3);

/** In one line. */
export function summary({ reads, statements, lone, strategies }: BatchTotals): string {
  const shares = [...strategies]
    .toSorted(([, one], [, other]) => other - one)
    .map(([strategy, calls]) => `${strategy} ${calls}`);
  return `${reads} reads, ${statements} statements; ${lone} different ones; ${shares.join(', ')}`;
}

const SHOWN_EVERY = 20_000;

/** Says every now and then how far a long run is. */
export function progressOf(name: string, cases: number): (totals: BatchTotals) => void {
  const started = performance.now();
  let shownAt = 0;
  return ({ reads, lone, mismatches }) => {
    if (cases > 100_000 && reads - shownAt >= SHOWN_EVERY) {
      shownAt = reads;
      const seconds = Math.round((performance.now() - started) / 1000);
      console.log(
        `${name}: ${reads} of ${cases} reads, ${lone} different ones, ${mismatches.length} mismatches, ${seconds} s`,
      );
    }
  };
}

/** Statement caps that cut the same windows in different places. */
const CAPS = [
  {},
  {},
  {},
  { maxRows: 1 },
  { maxRows: 7 },
  { maxBatchSize: 2 },
  { maxBatchSize: 7, maxRows: 2 },
] as const;

/** Makes at least `atLeast` random reads in windows, and compares each with the same read alone. */
export async function compareWithLoneReads(
  random: Random,
  atLeast: number,
  progress: (totals: BatchTotals) => void = () => {},
): Promise<BatchTotals> {
  const totals: BatchTotals = {
    reads: 0,
    statements: 0,
    strategies: new Map(),
    alone: new Map(),
    lone: 0,
    mismatches: [],
  };
  const { url } = await openDatabase();
  const plain = await openOrm({ url, entities: ENTITIES, pool: { min: 0, max: 6 } });
  await plain.em.getConnection().execute('create extension citext');
  await plain.schema.create();
  await fillLibrary(plain, random.next);
  await fillSamples(plain, random);
  const batched = await Promise.all(
    CAPS.map(caps => openOrm({ url, entities: ENTITIES, extensions: [batchLoader(caps)], pool: { min: 0, max: 4 } })),
  );
  const recorders = batched.map(orm => recordQueries(orm));
  const oracle = new Oracle(plain, random.seed);
  let templates: Template[] = [];
  let tenant = 1;
  for (let window = 0; totals.reads < atLeast && totals.mismatches.length < MOST_MISMATCHES; window++) {
    if (window % 400 === 0) {
      // Few enough to be met many times, so that their lone answers are in the cache.
      templates = Array.from({ length: 100 }, () => randomTemplate(random));
      tenant = 1 + random.int(2);
      oracle.forget();
    }
    const which = random.int(CAPS.length);
    await compareWindow(batched[which]!, recorders[which]!, oracle, randomWindow(templates, tenant, random), totals);
    totals.lone = oracle.asked;
    progress(totals);
  }
  return totals;
}

interface Window {
  readonly tenant: number;
  readonly reads: readonly Read[];
  readonly transaction: boolean;
  readonly write: Write | undefined;
}

function randomWindow(templates: readonly Template[], tenant: number, random: Random): Window {
  const chosen: Template[] = [];
  const transaction = random.chance(0.2);
  const write = random.chance(0.12) ? random.pick(WRITES) : undefined;
  const readsEntities = ({ method }: Template): boolean => method.startsWith('find');
  const exclusive = (template: Template): boolean =>
    (template.exclusive && chosen.some(readsEntities)) ||
    (readsEntities(template) && chosen.some(it => it.exclusive)) ||
    (template.partial && chosen.some(it => it.populating)) ||
    (template.populating && chosen.some(it => it.partial));
  for (let wanted = 2 + random.int(5), tries = 0; chosen.length < wanted && tries < 200; tries++) {
    const template = random.pick(write ? templates.slice(0, 30) : templates);
    const possible = !write ? !(transaction && template.casts) : write.reads(template) && !template.casts;
    if (possible && !exclusive(template)) {
      chosen.push(template);
    }
  }
  const reads = chosen.flatMap(template =>
    Array.from({ length: random.chance(0.1) ? 1 : 2 + random.int(14) }, () => template.draw(random)),
  );
  return {
    tenant: random.chance(0.9) ? tenant : 3 - tenant,
    reads: reads
      .map(read => ({ read, at: random.next() }))
      .sort((a, b) => a.at - b.at)
      .map(({ read }) => read),
    transaction: transaction || write !== undefined,
    write,
  };
}

/** With these, reads of one fork see different moments of it. */
const FLUSHING = ['flushMode', 'refresh', 'disableIdentityMap'];

/** What a read gave, and what a flush would write after it. */
interface Outcome {
  readonly view: View;
  readonly dirty: readonly string[];
  /** Whether PostgreSQL refused it, which ends a transaction. */
  readonly refused: boolean;
}

/** Answers of MikroORM alone. */
class Oracle {
  readonly #plain: MikroORM;
  readonly #answers = new Map<string, Promise<Outcome>>();
  readonly seed: number;
  asked = 0;

  constructor(plain: MikroORM, seed: number) {
    this.#plain = plain;
    this.seed = seed;
  }

  forget(): void {
    this.#answers.clear();
  }

  answer(read: Read, tenant: number, write: Write | undefined): Promise<Outcome> {
    const key = `${tenant} ${write?.name ?? ''} ${keyOf(read)}`;
    let answer = this.#answers.get(key);
    if (answer === undefined) {
      this.asked++;
      answer = this.#ask(read, tenant, write);
      this.#answers.set(key, answer);
    }
    return answer;
  }

  async #ask(read: Read, tenant: number, write: Write | undefined): Promise<Outcome> {
    const em = forkOf(this.#plain, tenant);
    if (write === undefined) {
      const outcome = await outcomeOf(readAlone(em, read), read);
      return { ...outcome, dirty: dirtyProperties(em) };
    }
    return rolledBack(em, async inner => {
      await write.run(inner);
      const outcome = await outcomeOf(readAlone(inner, read), read);
      return { ...outcome, dirty: dirtyProperties(inner) };
    });
  }
}

async function compareWindow(
  orm: MikroORM,
  recorder: Recorder,
  oracle: Oracle,
  { tenant, reads, transaction, write }: Window,
  totals: BatchTotals,
): Promise<void> {
  const expected: Outcome[] = [];
  const kept: Read[] = [];
  const answers = await Promise.all(reads.map(read => oracle.answer(read, tenant, write)));
  for (const [index, read] of reads.entries()) {
    const answer = answers[index]!;
    // PostgreSQL ends the transaction with the first error, so that no other read has an answer; and whether a read shows
    // what is still to be flushed would depend on those before it.
    const refused = transaction && answer.refused;
    if (!refused && !(write && FLUSHING.some(option => option in read.options))) {
      expected.push(answer);
      kept.push(read);
    }
  }
  if (kept.length === 0) {
    return;
  }
  const em = forkOf(orm, tenant);
  recorder.clear();
  const run = async (own: EntityManager): Promise<void> => {
    await write?.run(own);
    const b = batch(own);
    const raws: unknown[] = Array.from({ length: kept.length });
    const outcomes = await Promise.all(
      kept.map((read, index) =>
        outcomeOf(
          callOf(b, own, read).then(answer => (raws[index] = answer)),
          read,
        ),
      ),
    );
    const described = (index: number): string =>
      `MIKROKIT_SEED=${oracle.seed} tenant ${tenant} ${write?.name ?? ''} ${keyOf(kept[index]!)}`;
    for (const [index, { view }] of outcomes.entries()) {
      if (!isDeepStrictEqual(view, expected[index]!.view)) {
        const stack = (view as { stack?: string } | null)?.stack ?? '';
        totals.mismatches.push(
          `${described(index)}\n${difference(expected[index]!.view, view)}\n${stack}\n${explained(own)}`,
        );
      }
    }
    totals.mismatches.push(...findStrangers(kept, raws, described));
    const allowed = new Set(expected.flatMap(({ dirty }) => dirty));
    const written = dirtyProperties(own).filter(property => !allowed.has(property));
    if (written.length > 0) {
      totals.mismatches.push(
        `MIKROKIT_SEED=${oracle.seed}: would write ${written.join(', ')} after\n${kept.map(keyOf).join('\n')}`,
      );
    }
    for (const { strategy, calls, why } of b.explain()) {
      totals.strategies.set(strategy, (totals.strategies.get(strategy) ?? 0) + calls);
      if (strategy === 'alone') {
        totals.alone.set(why, (totals.alone.get(why) ?? 0) + calls);
      }
    }
  };
  await (transaction ? rolledBack(em, run) : run(em));
  totals.reads += kept.length;
  totals.statements += recorder.take().length;
}

function difference(expected: View, actual: View): string {
  const lines = (view: View): string[] => inspect(view, { depth: 9, breakLength: 100, maxArrayLength: 50 }).split('\n');
  const [alone, among] = [lines(expected), lines(actual)];
  return [
    ...alone.filter(line => !among.includes(line)).map(line => `  alone: ${line}`),
    ...among.filter(line => !alone.includes(line)).map(line => `  among: ${line}`),
    ...(alone.length === among.length ? [] : [`  ${alone.length} and ${among.length} lines`]),
  ]
    .slice(0, 30)
    .join('\n');
}

function explained(em: EntityManager): string {
  return batch(em)
    .explain()
    .map(
      ({ method, entity, calls, strategy, why, sql }) =>
        `${method} ${entity} ${calls} ${strategy}: ${why}\n  ${sql ?? ''}`,
    )
    .join('\n');
}

/** One row is one object on a fork, whoever found it; of reads that do not share entities, to each its own. */
function findStrangers(
  reads: readonly Read[],
  answers: readonly unknown[],
  described: (index: number) => string,
): string[] {
  const strangers: string[] = [];
  const known = new Map<string, object>();
  const owners = new Map<object, number>();
  for (const [index, { options }] of reads.entries()) {
    const answer = answers[index];
    for (const entity of Array.isArray(answer) ? answer : [answer]) {
      // By a key that is a Date, MikroORM itself does not find what it has.
      if (!Utils.isEntity<object>(entity) || reads[index]!.entity === 'Day') {
        continue;
      }
      const key = pkOf(entity);
      if (options['disableIdentityMap'] === true) {
        if ((owners.get(entity) ?? index) !== index) {
          strangers.push(`${described(index)}\n  shares ${key} with ${described(owners.get(entity)!)}`);
        }
        owners.set(entity, index);
      } else if ((known.get(key) ?? entity) !== entity) {
        strangers.push(`${described(index)}\n  another object for ${key}`);
      } else {
        known.set(key, entity);
      }
    }
  }
  return strangers;
}

function forkOf(orm: MikroORM, tenant: number): EntityManager {
  const em = orm.em.fork() as EntityManager;
  em.setFilterParams('tenant', { tenant });
  return em;
}

const ROLL_BACK = new Error('rolled back');

async function rolledBack<T>(em: EntityManager, run: (em: EntityManager) => Promise<T>): Promise<T> {
  let result: T;
  try {
    await em.transactional(async inner => {
      result = await run(inner as EntityManager);
      throw ROLL_BACK;
    });
  } catch (error) {
    if (error !== ROLL_BACK) {
      throw error;
    }
  }
  return result!;
}

function callOf(b: ReturnType<typeof batch>, em: EntityManager, read: Read): Promise<unknown> {
  const { method, entity, property } = read;
  const args = [make(read.where, em), make(read.options, em)];
  const untyped = b as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
  return property === undefined
    ? untyped[method]!(entities[entity], ...args)
    : untyped[method]!(entities[entity], property, ...args);
}

/** What MikroORM alone answers; the aggregates, which it does not have, from the rows that it finds. */
async function readAlone(em: EntityManager, read: Read): Promise<unknown> {
  const entity = entities[read.entity]!;
  const where = make(read.where, em) as never;
  const options = make(read.options, em) as object;
  switch (read.method) {
    case 'find':
    case 'findOne':
    case 'findOneOrFail':
    case 'count':
      return (em as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>)[read.method]!(
        entity,
        where,
        options,
      );
    case 'exists':
      return em.count(entity, where, options as never).then(
        count => count > 0,
        // PostgreSQL may refuse a row that is not needed to know.
        async () => (await em.find(entity, where, { ...options, limit: 1 } as never)).length > 0,
      );
    default:
      return aggregateOf(em, read, (await em.find(entity, where, options as never)) as Record<string, unknown>[]);
  }
}

async function aggregateOf(em: EntityManager, read: Read, found: readonly Record<string, unknown>[]): Promise<unknown> {
  const meta = em.getMetadata().get(entities[read.entity]!);
  const property = meta.properties[read.property as never] as { fieldNames: string[]; runtimeType: string };
  if (found.length === 0) {
    return null;
  }
  const values = found.map(entity => entity[read.property!]).filter(value => value !== null && value !== undefined);
  if (values.length === 0) {
    return null;
  }
  if (meta.root.inheritanceType === 'tpt') {
    // Plain names, in columns of several tables.
    const sorted = (values as string[]).toSorted();
    return read.method === 'min' ? sorted[0] : sorted.at(-1);
  }
  const keys = meta
    .getPrimaryProps()
    .flatMap(({ fieldNames }) => fieldNames)
    .map(name => `"${name}"`);
  const column = `"${property.fieldNames[0]!}"`;
  const literal = (value: unknown): string => em.getPlatform().quoteValue(value as never);
  const rows = found
    .map(entity => `(${(wrap(entity, true).getPrimaryKeys(true) as unknown[]).flat().map(literal).join(', ')})`)
    .join(', ');
  const from = `from "${meta.tableName}" where (${keys.join(', ')}) in (${rows})`;
  const send = async (sql: string): Promise<Record<string, unknown>[]> =>
    em.getConnection().execute(sql, [], 'all', em.getTransactionContext());
  if (read.method === 'sum' || read.method === 'avg') {
    const [row] = await send(`select ${read.method}(${column})::text as value ${from}`);
    const text = row!['value'] as string;
    if (property.runtimeType === 'number') {
      return Number(text);
    }
    return property.runtimeType === 'bigint' && read.method === 'sum' ? BigInt(text) : text;
  }
  const [row] = await send(
    `select ${keys.map((key, index) => `${key}::text as k${index}`).join(', ')} ${from} and ${column} is not null order by ${column} ${read.method === 'min' ? 'asc' : 'desc'} limit 1`,
  );
  const best = Object.values(row!).map(String).join('~~~');
  return found.find(entity => wrap(entity, true).getSerializedPrimaryKey() === best)![read.property!];
}

async function outcomeOf(answer: Promise<unknown>, read: Read): Promise<Outcome> {
  try {
    return { view: viewAnswer(await answer, read.shown), dirty: [], refused: false };
  } catch (error) {
    const { constructor, message, code } = error as Error & { code?: string };
    const refused = code !== undefined && /^[0-9A-Z]{5}$/.test(code);
    // The message begins with the SQL; an aggregate's is not that of MikroORM's find.
    const isOurs = !/^(?:find|count)/.test(read.method);
    // MikroORM rewrites the condition that it was given, and shows what has become of it.
    const text = constructor.name === 'NotFoundError' ? message.replace(/ \(.*/s, '') : message;
    const view = { error: constructor.name, ...(refused && isOurs ? { code } : { message: text }) };
    // For the reader of a failure; not compared.
    Object.defineProperty(view, 'stack', { value: (error as Error).stack, enumerable: false });
    return { view, dirty: [], refused };
  }
}

export function keyOf({ method, entity, property, where, options }: Read): string {
  return `${method}(${entity}, ${property === undefined ? '' : `'${property}', `}${describeValue(where)}, ${describeValue(options)})`;
}

/** What a flush would write, as `Entity.property`. */
function dirtyProperties(em: EntityManager): string[] {
  const uow = em.getUnitOfWork();
  uow.computeChangeSets();
  return [
    ...uow
      .getChangeSets()
      .flatMap(change => Object.keys(change.payload).map(property => `${change.meta.className}.${property}`)),
    ...uow.getCollectionUpdates().map(({ owner, property }) => `${owner.constructor.name}.${property.name}`),
  ];
}
