import { channel } from 'node:diagnostics_channel';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { beforeAll, expect, test } from 'vitest';
import { Course } from '../../../packages/query-timing/src/findings/course.ts';
import { scan } from '../../../packages/query-timing/src/sql/scan.ts';
import { Library, Tag } from '../fixtures/library.ts';

let library: Library;
beforeAll(async () => {
  library = await Library.open();
});

function heap(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect();
  return process.memoryUsage().heapUsed / 1_000_000;
}

test('a scope that never ends remembers no table name without end', () => {
  const course = new Course();
  const write = (from: number): void => {
    for (let index = from; index < from + 50_000; index++) {
      course.next(1);
      course.wrote(scan(`insert into temporary_${index} values (1)`));
    }
  };
  // V8 keeps what it has compiled by then.
  write(0);
  const before = heap();
  write(50_000);
  const grown = heap() - before;
  expect(course.queriesOf(1)).toBe(100_000);
  expect(grown).toBeLessThan(1);
});

test('2000 long shapes: at most 10 MB', async () => {
  const { orm, timing } = await library.timed({ slow: 60_000 });
  const em = orm.em.fork();
  const before = heap();
  for (let index = 0; index < 2_000; index++) {
    const columns = Array.from({ length: 60 }, (_, each) => `1 as "c${each}_${index}_${'y'.repeat(45)}"`);
    await em.execute(`select ${columns.join(', ')}`);
  }
  const grown = heap() - before;
  expect(timing.report().own.dropped['shapes']).toBe(1_000);
  expect(grown).toBeLessThan(10);
}, 90_000);

test('what another ORM reads from its cache is not in the report of this one', async () => {
  const one = await library.timed();
  const other = await library.timed();
  await one.timing.run('read', async () => {
    await one.orm.em.fork().find(Tag, {});
    // As the result cache tells it: in the context of the call that it answers.
    channel('mikrokit:cache').publish({ kind: 'hit', entity: 'Tag' });
  });
  expect(other.timing.report().cache).toBeUndefined();
});
