import { AsyncLocalStorage } from 'node:async_hooks';
import { defineEntity, p } from '@mikro-orm/postgresql';
import { resultCache } from '@mikrokit/result-cache';
import { expect, test } from 'vitest';
import { openOrm } from '../../harness/orm.ts';

/* MikroORM calls the function of a formula for each statement: it may answer otherwise in another request. */
const language = new AsyncLocalStorage<string>();
const City = defineEntity({
  name: 'City',
  properties: {
    id: p.integer().primary(),
    en: p.string(),
    de: p.string(),
    name: p
      .string()
      .persist(false)
      .nullable()
      .formula((columns: Record<string, string>) => columns[language.getStore() ?? 'en']!),
  },
});

test('a formula that depends on the request', async () => {
  const orm = await openOrm({ entities: [City], extensions: [resultCache({ ttl: 60_000 })] });
  await orm.em.fork().execute(`insert into "city" values (1, 'Cologne', 'Köln')`);
  const read = (lang: string, cache: boolean): Promise<unknown> =>
    language.run(lang, async () => (await orm.em.fork().findOneOrFail(City, 1, { cache })).name);
  expect([await read('en', false), await read('de', false)]).toEqual(['Cologne', 'Köln']);
  expect([await read('en', true), await read('de', true)]).toEqual(['Cologne', 'Köln']);
});
