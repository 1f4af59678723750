import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Notes } from '../fixtures/notes.ts';

test('orm.close() ends what waits for a connection: when it has resolved, no write goes on waiting', async () => {
  const notes = await Notes.open(1);
  const { orm } = await notes.connect({ resolver: { primaryPool: { max: 1 } } });
  const first = orm.em.fork().execute('select pg_sleep(0.5)');
  await sleep(100);
  let ended: string | undefined;
  const second = orm.em
    .fork()
    .execute(`insert into note (text) values ('late')`)
    .then(
      () => void (ended = 'done'),
      (error: Error) => void (ended = error.message),
    );
  await sleep(50);
  await orm.close();
  await first.catch(() => undefined);
  const closed = performance.now();
  await second;
  expect.soft(ended).toBeDefined();
  expect(performance.now() - closed).toBeLessThan(1_000);
});
