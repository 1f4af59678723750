import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Note, Notes } from '../fixtures/notes.ts';

const limited = (clientUrl: string): string => {
  const url = new URL(clientUrl);
  url.username = 'limited';
  return url.href;
};

test('a pool gives back every place: connections that could not all be opened in advance leave none taken', async () => {
  const notes = await Notes.open(1);
  // One of them is the probe's.
  await notes.sql(
    `create role limited login connection limit 3; grant pg_monitor to limited; grant select on note to limited`,
  );
  await notes.cluster.caughtUp();
  const { resolver, orm } = await notes.connect({
    replicas: [{ name: 'one', clientUrl: limited(notes.replicas[0]!.clientUrl) }],
    resolver: { pool: { min: 3, max: 3 }, heartbeat: 100 },
  });
  await sleep(1_000);
  await notes.sql('alter role limited connection limit -1');
  await notes.cluster.caughtUp();
  const places = (): object => {
    const { inFlight, pool } = resolver.snapshot().nodes[1]!;
    return { inFlight, pool };
  };
  await expect
    .poll(places, { timeout: 20_000 })
    .toEqual({ inFlight: 0, pool: { total: 3, idle: 3, waiting: 0, max: 3 } });
  await Promise.all(Array.from({ length: 3 }, () => orm.em.fork().count(Note, {}, { consistency: 'eventual' })));
});

test('`min`: connections kept open. One that was lost is opened again', async () => {
  const notes = await Notes.open(1);
  const { resolver } = await notes.connect({
    resolver: { pool: { min: 3 }, heartbeat: 100 },
    orm: { driverOptions: { application_name: 'kept open' } },
  });
  const idle = (): number => resolver.snapshot().nodes[1]!.pool.idle;
  /** Those of the pool; the one of the probes is not among them. */
  const open = async (): Promise<number[]> => {
    const rows = await notes.one.query<{ pid: number }>(
      `select pid from pg_stat_activity where application_name = 'kept open' and query not like '%pg_is_in_recovery%'`,
    );
    return rows.map(({ pid }) => pid);
  };
  await expect.poll(idle).toBe(3);
  const [lost] = await open();
  await notes.one.query('select pg_terminate_backend($1)', [lost]);
  await expect.poll(async () => (await open()).filter(pid => pid !== lost).length, { timeout: 4_000 }).toBe(3);
  await expect.poll(idle).toBe(3);
});
