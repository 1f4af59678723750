import type { MikroORM } from '@mikro-orm/postgresql';
import { closeAfter } from './close-after.ts';
import { createOrm, type OrmOptions } from './orm-plain.ts';

export type { OrmOptions } from './orm-plain.ts';

/** A MikroORM whose tables exist, closed after the test or, opened outside a test, after the file. */
export async function openOrm(options: OrmOptions): Promise<MikroORM> {
  const orm = await createOrm(options);
  closeAfter(() => orm.close(true));
  return orm;
}
