import { setTimeout as sleep } from 'node:timers/promises';
import type { Stage } from './stage.ts';

/**
 * Has replicas cancel reads for as long as `meanwhile` takes: rows that a read may still need are vacuumed away, and the
 * table is locked, again and again. @returns how many reads they have cancelled
 */
export async function loopConflicts({ world, database }: Stage, meanwhile: () => Promise<void>): Promise<number> {
  const { primary, replicas } = world;
  let over = false;
  const looping = (async () => {
    while (!over) {
      await primary.server.query('vacuum register', [], database);
      await sleep(150);
      await primary.server.query(`alter table register alter writer set default ''`, [], database);
      await sleep(150);
    }
  })();
  try {
    await meanwhile();
  } finally {
    over = true;
    await looping;
  }
  const counts = await Promise.all(
    replicas.map(async ({ server }) => {
      const [row] = await server.query<{ count: string }>(
        'select confl_lock + confl_snapshot + confl_bufferpin as count from pg_stat_database_conflicts where datname = $1',
        [database],
      );
      return Number(row!.count);
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}
