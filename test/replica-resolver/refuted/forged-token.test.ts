import { beforeAll, expect, test } from 'vitest';
import { Note, Notes } from '../fixtures/notes.ts';

let notes: Notes;
beforeAll(async () => {
  notes = await Notes.open(2);
}, 120_000);

const changed = (token: string, part: number, value: string): string =>
  token
    .split('.')
    .map((each, index) => (index === part ? value : each))
    .join('.');

test.each([
  ['of a timeline that there is not', 2, '4000000'],
  ['without a position', 3, '0'],
])('a forged token can do no more than make replicas be asked: %s', async (_, part, value) => {
  const { orm, resolver, count, routes } = await notes.connect();
  const token = await resolver.run({}, async () => {
    await orm.em.fork().insert(Note, { text: notes.text() } as never);
    return changed(resolver.token()!, part, value);
  });
  await notes.cluster.caughtUp();
  routes();
  await resolver.run({ token }, () => count('x'));
  expect(routes()).toEqual([expect.stringMatching(/^replica/)]);
});

test('a forged token is ignored, and reads are still served: of a timeline that there is not, while a replica is down', async () => {
  const { orm, resolver, count } = await notes.connect();
  const token = await resolver.run({}, async () => {
    await orm.em.fork().insert(Note, { text: notes.text() } as never);
    return changed(resolver.token()!, 2, '4000000');
  });
  await notes.two.stop('fast');
  await expect.poll(() => resolver.snapshot().nodes[2]!.state).toBe('down');
  const took: number[] = [];
  for (let read = 0; read < 3; read++) {
    const began = performance.now();
    expect(await resolver.run({ token }, () => count('x'))).toBe(0);
    took.push(performance.now() - began);
  }
  // The first has not waited out its time, and the others are quick.
  expect(took[0]).toBeLessThan(3_000);
  expect(Math.min(...took)).toBeLessThan(1_000);
});
