import { randomBytes } from 'node:crypto';
import { TABLES } from './registers.ts';
import type { World } from './world.ts';

/** Makes a new database with the registers that `keys` names, at version 0. @returns its name */
export async function createRegisters(world: World, keys: readonly number[]): Promise<string> {
  const database = `faults_${randomBytes(8).toString('hex')}`;
  const { server } = world.primary;
  await world.cluster.createDatabase(database);
  await server.query(TABLES, [], database);
  await server.query(`insert into register select unnest($1::int[]), 0, ''`, [keys], database);
  // A replica that crashes begins again at its last checkpoint: the tables of an application are older than that.
  await server.query('checkpoint');
  await world.cluster.caughtUp();
  await Promise.all(world.replicas.map(replica => replica.server.query('checkpoint')));
  return database;
}
