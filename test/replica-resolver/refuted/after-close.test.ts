import { setTimeout as sleep } from 'node:timers/promises';
import { OptionsError } from '@mikrokit/replica-resolver';
import type { Pool } from 'pg';
import { beforeAll, expect, test } from 'vitest';
import { Note, Notes, type Routed } from '../fixtures/notes.ts';

let notes: Notes;
beforeAll(async () => {
  notes = await Notes.open(1);
});

let next = 0;
async function closed(): Promise<{ routed: Routed; connections: () => Promise<number> }> {
  const name = `after close ${++next}`;
  const routed = await notes.connect({ orm: { driverOptions: { application_name: name } } });
  await routed.orm.em.fork().count(Note, {});
  await routed.orm.close();
  const connections = async (): Promise<number> => {
    const each = await Promise.all(
      [notes.primary, notes.one].map(node =>
        node.query(`select 1 from pg_stat_activity where application_name = $1`, [name]),
      ),
    );
    return each.flat().length;
  };
  await expect.poll(connections).toBe(0);
  return { routed, connections };
}

test('snapshot(), e.g. of a health endpoint while the process ends, costs no query: none is sent and nothing is opened after orm.close()', async () => {
  const { routed, connections } = await closed();
  expect(routed.resolver.snapshot().nodes).toMatchObject([{ role: 'primary' }, { name: 'one', pool: { total: 0 } }]);
  await sleep(500);
  expect(await connections()).toBe(0);
});

test('drain() after orm.close() opens nothing, and counts when the ORM is used again', async () => {
  const { routed, connections } = await closed();
  routed.resolver.drain('one');
  await sleep(300);
  expect(await connections()).toBe(0);
  routed.resolver.undrain('one');
  routed.resolver.drain(`127.0.0.1:${notes.one.port}`);
  await routed.orm.reconnect();
  await routed.orm.em.fork().count(Note, {});
  await routed.resolver.ready();
  expect(routed.resolver.snapshot().nodes[1]!.state).toBe('draining');
});

test('an ORM that was closed without a query has no nodes, and opens nothing to tell of them', async () => {
  const { orm, resolver, happened } = await notes.connect({ early: true });
  await orm.close();
  expect(resolver.snapshot()).toMatchObject({ primary: undefined, nodes: [], routes: {} });
  expect(() => resolver.drain('one')).toThrow(OptionsError);
  await sleep(300);
  expect(happened).toEqual([]);
});

test('whoever counts the connections of a pool that was never used opens none', async () => {
  const { orm, happened } = await notes.connect({ early: true });
  const connection = orm.em.getConnection('read') as unknown as { getNativeClient(): Promise<Pool> };
  const pool = await connection.getNativeClient();
  expect([pool.totalCount, pool.idleCount, pool.waitingCount]).toEqual([0, 0, 0]);
  await sleep(300);
  expect(happened).toEqual([]);
});
