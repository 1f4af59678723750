import { defineEntity, p } from '@mikro-orm/postgresql';
import { type QueryRecord, queryTiming } from '@mikrokit/query-timing';
import { expect, test } from 'vitest';
import { openOrm } from '../../harness/orm.ts';

const Login = defineEntity({
  name: 'Login',
  embeddable: true,
  properties: { hint: p.string(), pin: p.string().hidden(), password: p.string() },
});
const Person = defineEntity({
  name: 'Person',
  properties: {
    id: p.integer().primary(),
    login: () => p.embedded(Login).object(),
    settings: p.json().nullable(),
  },
});

test("parameters: 'full' shows no hidden or secret property of what is written as JSON", async () => {
  const timing = queryTiming({ terminal: false, plans: false, parameters: 'full' });
  const orm = await openOrm({ entities: [Login, Person], extensions: [timing] });
  const records: QueryRecord[] = [];
  timing.subscribe(record => void records.push(record));
  const login = { hint: 'cat', pin: 'PLANTED-pin', password: 'PLANTED-password' };
  await orm.em.fork().insert(Person, { id: 1, login, settings: { apiKey: 'PLANTED-key' } });
  expect(records).toHaveLength(1);
  expect(JSON.stringify(records[0]!.parameters)).not.toContain('PLANTED');
});
