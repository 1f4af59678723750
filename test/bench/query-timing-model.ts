import { defineEntity, p } from '@mikro-orm/postgresql';

export const Account = defineEntity({
  name: 'Account',
  properties: {
    id: p.integer().primary(),
    owner: p.string(),
    email: p.string(),
    balance: p.integer(),
    opened: p.datetime(),
    note: p.string(),
  },
});

export const ROWS = 1_000;

/** What plain MikroORM is measured against. */
export type Side = 'plain again' | 'everything' | 'production' | 'instrumentation-pg';
