import type { EntityManager, MikroORM } from '@mikro-orm/core';
import { type BatchLoaderOptions, batchLoader } from '@mikrokit/batch-loader';
import { expect } from 'vitest';
import { openDatabase } from '../harness/database.ts';
import { openOrm } from '../harness/orm.ts';
import { recordQueries } from '../harness/recorder.ts';
import { ENTITIES, fillLibrary } from './library.ts';
import { type AnyEntity, BASES, E, type RandomCall, randomCall } from './random-calls.ts';
import type { Random } from './random.ts';
import { type View, pkOf } from './view.ts';

/*
 * The oracle: whatever a call gives among others, on a fork with the extension, it gives alone, on a fresh fork of an ORM
 * without it.
 */

/** Calls on one fork. */
const CALLS = 60;

export interface Totals {
  calls: number;
  statements: number;
  /** Properties that MikroORM itself would write back after loading them alone; known, and not ours to answer for. */
  dirtyAlone: Set<string>;
}

/** Makes at least `atLeast` random calls on random data, and compares each with the same call alone. */
export async function compareWithLoneCalls(
  random: Random,
  atLeast: number,
  options: BatchLoaderOptions = {},
): Promise<Totals> {
  const totals: Totals = { calls: 0, statements: 0, dirtyAlone: new Set() };
  const { url } = await openDatabase();
  const plain = await openOrm({ url, entities: ENTITIES });
  const batched = await openOrm({ url, entities: ENTITIES, extensions: [batchLoader(options)] });
  await plain.schema.create();
  await fillLibrary(plain, random.next);
  using recorder = recordQueries(batched);
  const alone = new Map<string, Alone>();
  while (totals.calls < atLeast) {
    totals.calls += await scenario(plain, batched, random, alone);
    totals.statements += recorder.take().length;
  }
  for (const { dirty } of alone.values()) {
    dirty.forEach(property => totals.dirtyAlone.add(property));
  }
  return totals;
}

/** What a call gives alone, and the properties that MikroORM would write after it. */
interface Alone {
  readonly view: View;
  readonly dirty: readonly string[];
}

async function scenario(
  plain: MikroORM,
  batched: MikroORM,
  random: Random,
  alone: Map<string, Alone>,
): Promise<number> {
  const name = random.pick(BASES);
  const em = batched.em.fork();
  const bases = await baseEntities(em, name);
  const calls = planCalls(name, bases, random);
  const results = await Promise.all(
    calls.map(async ({ base, call, late, pause }) => {
      if (late) {
        await pause(random);
      }
      return outcome(call.make(base, em, late));
    }),
  );
  const dirtyAlone = new Set<string>();
  for (const [index, { base, call, late }] of calls.entries()) {
    const key = `${call.key}${late ? ' late' : ''}`;
    let expected = alone.get(key);
    if (expected === undefined) {
      expected = await callAlone(plain, name, pkOf(base), call, late);
      alone.set(key, expected);
    }
    const stack = (results[index] as Error | null)?.stack;
    expect(results[index], `seed ${random.seed}: ${key}\n${stack ?? ''}`).toEqual(expected.view);
    expected.dirty.forEach(property => dirtyAlone.add(property));
  }
  const written = dirtyProperties(em).filter(property => !dirtyAlone.has(property));
  expect(
    written,
    `seed ${random.seed}: loads from ${name} leave nothing to flush\n${calls.map(({ call }) => call.key).join('\n')}`,
  ).toEqual([]);
  return calls.length;
}

interface PlannedCall {
  readonly base: AnyEntity;
  readonly call: RandomCall;
  /** Made after a pause, when others may be on their way. */
  readonly late: boolean;
  readonly pause: (random: Random) => Promise<unknown>;
}

function planCalls(name: string, bases: readonly AnyEntity[], random: Random): PlannedCall[] {
  const seen = new Set<string>();
  return Array.from({ length: CALLS }, () => {
    const base = random.pick(bases);
    const call = randomCall(name, pkOf(base), random);
    // A reference that was asked for is asked for again in the same instant only: later, MikroORM would find it loaded.
    const late = random.chance(0.5) && (call.repeatable === true || !seen.has(call.target));
    seen.add(call.target);
    return { base, call, late, pause: random.pick(pauses) };
  });
}

async function callAlone(plain: MikroORM, name: string, pk: string, call: RandomCall, late: boolean): Promise<Alone> {
  const fork = plain.em.fork();
  const twin = (await baseEntities(fork, name)).find(entity => pkOf(entity) === pk)!;
  const view = await outcome(call.lone ? call.lone(twin, fork) : call.make(twin, fork, late));
  return { view, dirty: dirtyProperties(fork) };
}

async function baseEntities(em: EntityManager, name: string): Promise<AnyEntity[]> {
  return (await em.find(E[name] as never, {}, { filters: false } as never)) as AnyEntity[];
}

/** What a call ended with: its view, or the class of its error (messages name the SQL, which differs). */
async function outcome(promise: Promise<View>): Promise<View> {
  try {
    return await promise;
  } catch (error) {
    const view = { error: (error as Error).constructor.name };
    // For the reader of a failure; not compared.
    Object.defineProperty(view, 'stack', { value: (error as Error).stack, enumerable: false });
    return view;
  }
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

const pauses: readonly ((random: Random) => Promise<unknown>)[] = [
  () => Promise.resolve(),
  async random => {
    for (let i = random.int(6); i > 0; i--) {
      await Promise.resolve();
    }
  },
  () => new Promise<void>(resolve => process.nextTick(resolve)),
  () => new Promise<void>(resolve => setImmediate(resolve)),
  random => new Promise<void>(resolve => setTimeout(resolve, random.int(4))),
];
