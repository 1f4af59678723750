import type { EntityManager, MikroORM } from '@mikro-orm/core';
import { batchLoader } from '@mikrokit/batch-loader';
import { expect, test } from 'vitest';
import { openDatabase } from '../harness/database.ts';
import { openOrm } from '../harness/orm.ts';
import { recordQueries } from '../harness/recorder.ts';
import { SEED } from '../harness/seed.ts';
import { compareWithLoneCalls } from './differential.ts';
import { ENTITIES, SIZES, fillLibrary } from './library.ts';
import { type AnyEntity, BASES, E, randomCall } from './random-calls.ts';
import { type Random, createRandom } from './random.ts';
import { type View, pkOf } from './view.ts';

/*
 * The oracle of peers: a program of plain loops gives the same with and without them, call by call, and leaves the same to
 * flush. Each runs on a database of its own, since programs write.
 */

const CASES = Number(process.env['MIKROKIT_CASES'] ?? 20_000) / 4;

/** One step of a program: a name for the reader of a failure, and what it does. */
interface Step {
  readonly name: string;
  run(em: EntityManager, bases: readonly AnyEntity[]): Promise<View>;
}

test(`${CASES} calls in random plain loops give with peers what they give without`, { timeout: 900_000 }, async () => {
  const random = createRandom(SEED, 7);
  console.log(`differential test of peers: MIKROKIT_SEED=${random.seed}`);
  const data = random.int(2 ** 30);
  const [plain, peers] = [await library(false, data), await library(true, data)];
  using plainQueries = recordQueries(plain);
  using peerQueries = recordQueries(peers);
  const sent = { plain: 0, peers: 0 };
  let calls = 0;
  // Some properties MikroORM itself would write back after loading them; known, and not ours to answer for.
  const [dirtyWithout, dirtyWith] = [new Set<string>(), new Set<string>()];
  for (let program = 0; calls < CASES; program++) {
    const name = random.pick(BASES);
    const find = findBases(name, random);
    const [plainEm, peersEm] = [plain.em.fork(), peers.em.fork()];
    const [plainBases, peersBases] = [await find(plainEm), await find(peersEm)];
    const steps = plan(name, plainBases.map(pkOf), random, program);
    for (const step of steps) {
      const expected = await outcome(step.run(plainEm, plainBases));
      const got = await outcome(step.run(peersEm, peersBases));
      expect(got, `seed ${random.seed}: ${steps.map(it => it.name).join('\n')}\nat ${step.name}`).toEqual(expected);
    }
    dirty(plainEm).forEach(property => dirtyWithout.add(property));
    dirty(peersEm).forEach(property => dirtyWith.add(property));
    if (!UNFLUSHED.includes(name)) {
      // A load that sends no query does not flush first.
      expect(await outcome(peersEm.flush())).toEqual(await outcome(plainEm.flush()));
    }
    calls += steps.length;
    sent.plain += plainQueries.take().length;
    sent.peers += peerQueries.take().length;
  }
  console.log(`differential test of peers: ${calls} calls, ${sent.plain} statements without, ${sent.peers} with`);
  expect([...dirtyWith].filter(property => !dirtyWithout.has(property))).toEqual([]);
  expect(sent.peers).toBeLessThan(sent.plain);
});

test(`${CASES} random loads among others give with peers what each gives alone`, { timeout: 900_000 }, async () => {
  const random = createRandom(SEED, 8);
  console.log(`differential test of peers, among others: MIKROKIT_SEED=${random.seed}`);
  const { calls, statements } = await compareWithLoneCalls(random, CASES, { peers: true });
  expect(statements).toBeLessThan(calls);
});

async function library(peers: boolean, data: number): Promise<MikroORM> {
  const { url } = await openDatabase();
  const orm = await openOrm({ url, entities: ENTITIES, extensions: [batchLoader({ peers: peers && { max: 7 } })] });
  await orm.schema.create();
  await fillLibrary(orm, createRandom(data).next);
  return orm;
}

/** Base entities, out of one result or several. */
function findBases(name: string, random: Random): (em: EntityManager) => Promise<AnyEntity[]> {
  const find = async (em: EntityManager, options: object): Promise<AnyEntity[]> =>
    (await em.find(E[name] as never, {}, { filters: false, ...options } as never)) as AnyEntity[];
  // A row whose key is a Date is another instance to MikroORM each time it is read.
  const halves = name !== 'Day' && random.chance(0.3);
  return async em => {
    const first = halves ? await find(em, { limit: 3 }) : [];
    const all = await find(em, {});
    return [...new Set([...first, ...all])].toSorted((a, b) => (pkOf(a) < pkOf(b) ? -1 : 1));
  };
}

/** Loops over the bases, each with a body of one to three calls, alike for every base or not; some are left early. */
function plan(name: string, pks: readonly string[], random: Random, program: number): Step[] {
  const steps: Step[] = [];
  for (let loop = 1 + random.int(3); loop > 0; loop--) {
    const templates = Array.from({ length: 1 + random.int(3) }, () => random.int(2 ** 30));
    const different = random.chance(0.15);
    const writes = random.chance(0.25);
    for (const [index, pk] of pks.entries()) {
      if (random.chance(0.03)) {
        break;
      }
      for (const template of random.chance(0.9) ? templates : templates.slice(1)) {
        steps.push(load(name, pk, index, different ? random : createRandom(template)));
      }
      if (writes && random.chance(0.15)) {
        steps.push(write(name, random, program * 1_000 + steps.length));
      }
    }
  }
  return steps;
}

function load(name: string, pk: string, index: number, random: Random): Step {
  let call = randomCall(name, pk, random);
  while (/\.load(OrFail)?\(.*"fields"/.test(call.key) && !call.repeatable) {
    // Once a reference is loaded in part, MikroORM gives that part to everybody; a peer has it in full.
    call = randomCall(name, pk, random);
  }
  return { name: call.key, run: (em, bases) => call.make(bases[index]!, em, false) };
}

/** What changes the answers of later loads. Not of what an entity holds already: that is the identity map's, as ever. */
function write(name: string, random: Random, n: number): Step {
  const id = 1_000 + n;
  const author = 1 + random.int(SIZES.authors - 1);
  const publisher = `00000000-0000-4000-8000-00000000000${1 + random.int(SIZES.publishers)}`;
  const book = {
    id,
    title: `new ${n % 3}`,
    pages: 50 * (1 + random.int(8)),
    price: '1.00',
    withdrawn: random.chance(0.2),
    genre: 'essay',
    keywords: ['k1'],
    author,
    publisher,
  };
  const native: (() => Step)[] = [
    () => ({ name: `insert(${id})`, run: async em => void (await em.insert(E['Book'] as never, book as never)) }),
    () => ({
      name: `nativeUpdate(${publisher})`,
      run: async em =>
        void (await em.nativeUpdate(
          E['Publisher'] as never,
          { id: publisher } as never,
          { name: `renamed ${n}` } as never,
        )),
    }),
  ];
  const flushing: (() => Step)[] = [
    () => ({
      name: `flush(${id})`,
      async run(em) {
        em.create(E['Book'] as never, book as never);
        await em.flush();
      },
    }),
    () => ({
      name: `persist(${id})`,
      run: async em => void em.persist(em.create(E['Book'] as never, book as never) as object),
    }),
    () => ({
      name: `transactional(${id})`,
      run: async em => void (await em.transactional(async inner => inner.insert(E['Book'] as never, book as never))),
    }),
  ];
  return random.pick(UNFLUSHED.includes(name) ? native : [...native, ...flushing])();
}

/** MikroORM's flush takes what is known by a key alone for new: an author's profile, a publisher by its code. */
const UNFLUSHED = ['Author', 'Profile', 'Publisher', 'Imprint'];

async function outcome(promise: Promise<View>): Promise<View> {
  try {
    return await promise;
  } catch (error) {
    const view = { error: (error as Error).constructor.name };
    Object.defineProperty(view, 'stack', { value: (error as Error).stack, enumerable: false });
    return view;
  }
}

function dirty(em: EntityManager): string[] {
  const uow = em.getUnitOfWork();
  uow.computeChangeSets();
  return [
    ...uow
      .getChangeSets()
      .flatMap(({ meta, type, payload }) => Object.keys(payload).map(name => `${type} ${meta.className}.${name}`)),
    ...uow.getCollectionUpdates().map(({ owner, property }) => `${owner.constructor.name}.${property.name}`),
  ];
}
