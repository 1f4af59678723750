import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { beforeAll, expect, test } from 'vitest';
import { Library } from '../fixtures/library.ts';

let library: Library;
beforeAll(async () => {
  library = await Library.open();
});

/** Megabytes that cannot be collected. */
function heap(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect();
  return process.memoryUsage().heapUsed / 1_000_000;
}

test('long texts with their values in them, none like the other: at most 10 MB', async () => {
  const { orm, timing } = await library.timed();
  const em = orm.em.fork();
  const before = heap();
  for (let index = 0; index < 1_500; index++) {
    await em.execute(`select ${index} as n, '${'x'.repeat(15_000)}' as text limit 0`);
  }
  expect(heap() - before).toBeLessThan(10);
  expect(timing.report().shapes).toHaveLength(1);
}, 60_000);

test('tags of scopes that are over are not kept, however long', async () => {
  const { orm, timing } = await library.timed();
  const before = heap();
  for (let index = 0; index < 100; index++) {
    // No text of repeated pieces: those take no room.
    const payload = Buffer.alloc(500_000, 97 + (index % 20)).toString();
    await timing.run({ name: 'job', tags: { payload } }, () => orm.em.fork().execute('select 1'));
  }
  expect(timing.report().scopes).toHaveLength(100);
  expect(heap() - before).toBeLessThan(10);
});
