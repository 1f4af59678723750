import { setTimeout as sleep } from 'node:timers/promises';
import { OptionsError } from '@mikrokit/replica-resolver';
import { beforeAll, expect, test } from 'vitest';
import { Note, Notes, type Routed } from './fixtures/notes.ts';

let notes: Notes;

beforeAll(async () => {
  notes = await Notes.open(2);
}, 120_000);

/** Who answers so many reads. */
async function answering({ orm, routes }: Routed, reads = 40): Promise<string[]> {
  routes();
  for (let n = 0; n < reads; n++) {
    await orm.em.fork().count(Note);
  }
  return [...new Set(routes())].toSorted();
}

const BOTH = ['replica one: replica', 'replica two: replica'];

test('a drained replica gets no more reads until it is undrained', async () => {
  const routed = await notes.connect();
  expect(await answering(routed)).toEqual(BOTH);
  routed.resolver.drain('one');
  expect(await answering(routed)).toEqual(['replica two: replica']);
  expect(routed.resolver.snapshot().nodes.find(({ name }) => name === 'one')).toMatchObject({
    state: 'draining',
    role: 'replica',
  });
  expect(routed.heard('node.state').at(-1)).toEqual({
    node: 'one',
    from: 'up',
    to: 'draining',
    why: expect.any(String),
  });
  routed.resolver.undrain('one');
  await expect.poll(() => answering(routed)).toEqual(BOTH);
});

test('by host:port as well', async () => {
  const routed = await notes.connect();
  routed.resolver.drain(`127.0.0.1:${notes.two.port}`);
  expect(await answering(routed)).toEqual(['replica one: replica']);
  routed.resolver.undrain('two');
  await expect.poll(() => answering(routed)).toEqual(BOTH);
});

test('what is under way on it ends', async () => {
  const routed = await notes.connect();
  routed.resolver.drain('two');
  const reading = routed.orm.em.fork().getConnection('read').execute('select 1 as one, pg_sleep(0.3)::text');
  await sleep(50);
  routed.resolver.drain('one');
  expect(await reading).toMatchObject([{ one: 1 }]);
});

test('it stays drained while beats go on, and drained twice is drained once', async () => {
  const routed = await notes.connect({ resolver: { heartbeat: 20 } });
  routed.resolver.drain('one');
  routed.resolver.drain('one');
  await sleep(300);
  expect(await answering(routed)).toEqual(['replica two: replica']);
  routed.resolver.undrain('one');
  routed.resolver.undrain('one');
  await expect.poll(() => answering(routed)).toEqual(BOTH);
});

test('all drained: the primary answers', async () => {
  const routed = await notes.connect();
  routed.resolver.drain('one');
  routed.resolver.drain('two');
  expect(await answering(routed, 5)).toEqual(['primary: primary-no-replica']);
});

test('drained before the first query', async () => {
  const routed = await notes.connect({ early: true });
  routed.resolver.drain('one');
  expect(await answering(routed)).toEqual(['replica two: replica']);
});

test('drained survives a reconnect of the ORM', async () => {
  const routed = await notes.connect();
  routed.resolver.drain('one');
  await routed.orm.reconnect();
  await routed.resolver.ready();
  expect(await answering(routed)).toEqual(['replica two: replica']);
});

test('a node that is not known is refused', async () => {
  const { resolver } = await notes.connect();
  for (const [wrong, shown] of [
    ['three', '"three"'],
    ['', '""'],
    [undefined, 'undefined'],
    [{}, 'an object with nothing in it'],
  ] as const) {
    for (const call of [() => resolver.drain(wrong as string), () => resolver.undrain(wrong as string)]) {
      expect(call).toThrow(OptionsError);
      expect(call).toThrow(
        `drain() and undrain() take the name or host:port of a node (127.0.0.1:${notes.primary.port}, one, two), but got: ${shown}.`,
      );
    }
  }
});
