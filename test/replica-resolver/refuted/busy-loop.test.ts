import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Notes } from '../fixtures/notes.ts';

/** By this process, in ms. */
function computed(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

test.each([{ onNoReplica: 'error' }, { fallbackShare: 0 }] as const)(
  'NO_ELIGIBLE_NODE at once, and the process goes on meanwhile: %j',
  async options => {
    const notes = await Notes.open(1);
    const { orm, resolver } = await notes.connect({
      resolver: { ...options, consistency: 'eventual', pool: { max: 1, acquireTimeoutMillis: 300 } },
    });
    const read = (sql: string): Promise<unknown> =>
      orm.em
        .fork()
        .execute(sql, [], { connectionType: 'read' } as never)
        .catch((error: unknown) => error);
    const first = read('select pg_sleep(1)');
    await sleep(100);
    const second = read('select 1');
    await sleep(50);
    resolver.drain('one');
    // By what it computes: it may have to wait for the machine.
    let gap = 0;
    let before = computed();
    const ticks = setInterval(() => {
      gap = Math.max(gap, computed() - before);
      before = computed();
    }, 10);
    await Promise.all([first, second]);
    await sleep(30);
    clearInterval(ticks);
    expect(gap).toBeLessThan(1_000);
  },
);
