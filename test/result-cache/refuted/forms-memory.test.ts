import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { defineEntity, p } from '@mikro-orm/postgresql';
import { resultCache } from '@mikrokit/result-cache';
import { expect, test } from 'vitest';
import { openOrm } from '../../harness/orm.ts';

/* What is remembered of calls takes a bounded amount of memory, not a bounded number of texts of any length. */
const City = defineEntity({ name: 'City', properties: { id: p.integer().primary(), name: p.string() } });

test('long lists of keys, each another', async () => {
  const orm = await openOrm({ entities: [City], extensions: [resultCache({ ttl: 60_000, maxEntryBytes: 1 })] });
  const read = (start: number): Promise<number> =>
    orm.em
      .fork()
      .count(City, { id: Array.from({ length: 5_000 }, (_, index) => 1_000_000 + start + index) }, { cache: true });
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const heap = (): number => {
    gc();
    return process.memoryUsage().heapUsed / 2 ** 20;
  };
  for (let index = 0; index < 20; index += 1) {
    await read(index);
  }
  const before = heap();
  const calls = 100;
  for (let index = 0; index < calls; index += 1) {
    await read(10_000 + index);
  }
  const perCall = ((heap() - before) / calls) * 1024;
  // 4 000 forms are remembered, whatever their length.
  expect((perCall * 4_000) / 1024, 'MiB').toBeLessThan(256);
}, 60_000);
