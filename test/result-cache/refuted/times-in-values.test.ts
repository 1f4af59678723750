import { defineEntity, p } from '@mikro-orm/postgresql';
import { resultCache } from '@mikrokit/result-cache';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openOrm } from '../../harness/orm.ts';

/* 'now' and 'today' are as much a time in a value as in the text. */
const Event = defineEntity({
  name: 'Event',
  properties: { id: p.integer().primary(), at: p.string().columnType('timestamptz') },
});

test('a value that names a time', async () => {
  const orm = await openOrm({ entities: [Event], extensions: [resultCache({ ttl: 60_000 })] });
  await orm.em.fork().execute(`insert into "event" values (1, now() + interval '5 seconds')`);
  const read = (cache: boolean): Promise<number> => orm.em.fork().count(Event, { at: { $gt: 'now' } }, { cache });
  expect(await read(true)).toBe(1);
  await sleep(5_500);
  expect(await read(false)).toBe(0);
  expect(await read(true)).toBe(0);
});
