import { type MikroORM, defineEntity, p } from '@mikro-orm/postgresql';
import { resultCache } from '@mikrokit/result-cache';
import { expect, test } from 'vitest';
import { openOrm } from '../harness/orm.ts';
import { recordQueries } from '../harness/recorder.ts';

const Country = defineEntity({
  name: 'Country',
  resultCache: { ttl: 60_000 },
  properties: { code: p.string().primary(), name: p.string(), languages: () => p.manyToMany(Language) },
});
const Language = defineEntity({
  name: 'Language',
  resultCache: { ttl: 60_000 },
  properties: { code: p.string().primary(), name: p.string() },
});

async function open(): Promise<MikroORM> {
  const orm = await openOrm({ entities: [Country, Language], extensions: [resultCache()] });
  const em = orm.em.fork();
  const german = em.create(Language, { code: 'de', name: 'German' });
  em.create(Language, { code: 'fr', name: 'French' });
  em.create(Country, { code: 'CH', name: 'Switzerland', languages: [german] });
  await em.flush();
  return orm;
}

const languages = async (orm: MikroORM): Promise<string[]> => {
  const country = await orm.em.fork().findOneOrFail(Country, 'CH', { populate: ['languages'], strategy: 'select-in' });
  return country.languages.getItems().map(language => language.name);
};

test('a many-to-many relation of cached entities is cached, its pivot table with it', async () => {
  const orm = await open();
  expect(await languages(orm)).toEqual(['German']);
  using recorder = recordQueries(orm);
  expect(await languages(orm)).toEqual(['German']);
  expect(recorder.take()).toEqual([]);

  const em = orm.em.fork();
  const country = await em.findOneOrFail(Country, 'CH', { populate: ['languages'] });
  country.languages.add(em.getReference(Language, 'fr'));
  await em.flush();
  expect((await languages(orm)).toSorted()).toEqual(['French', 'German']);

  await orm.em.fork().nativeUpdate(Language, { code: 'fr' }, { name: 'Français' });
  expect((await languages(orm)).toSorted()).toEqual(['Français', 'German']);
});
