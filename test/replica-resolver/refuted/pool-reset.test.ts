import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { expect, test } from 'vitest';
import { Replayed } from '../../../packages/replica-resolver/src/replayed.ts';
import { nodeClientClass, type NodeClient } from '../../../packages/replica-resolver/src/seam/node-client.ts';
import { NodePool } from '../../../packages/replica-resolver/src/seam/node-pool.ts';
import { createDatabase } from '../../harness/database-plain.ts';
import { openCluster } from '../../harness/open-cluster.ts';

test('reset() sends away those who wait: a connection that was just asked for is given or refused', async () => {
  const cluster = await openCluster({ embedded: true });
  const { url } = await createDatabase({ cluster });
  const Client = nodeClientClass(pg.Client as never, {
    connectTimeout: 1_000,
    replayed: new Replayed(),
    roleChanged: () => undefined,
  });
  const pool = new NodePool(
    pg.Pool as never,
    { connectionString: url, max: 3, Client },
    1_000,
    () => undefined,
    () => undefined,
  );
  (await pool.connect()).release!();
  const asked = pool.connect().then(
    (client: NodeClient) => (client.release!(), 'given'),
    () => 'refused',
  );
  pool.reset('It is down.');
  expect.soft(await Promise.race([asked, sleep(1_000, 'forgotten')])).not.toBe('forgotten');
  expect(pool.load).toBe(0);
  await pool.end(100);
});
