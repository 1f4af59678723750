import { closeAfter } from './close-after.ts';
import { createDatabase, type Database, type DatabaseOptions } from './database-plain.ts';

export type { Database, DatabaseOptions } from './database-plain.ts';

/** An empty database in the shared cluster, dropped after the test or, opened outside a test, after the file. */
export async function openDatabase(options?: DatabaseOptions): Promise<Database> {
  const database = await createDatabase(options);
  closeAfter(() => database.drop());
  return database;
}
