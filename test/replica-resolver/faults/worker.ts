/*
 * One process of a run: clients that write and read through one MikroORM until they are told to stop. Started by
 * `load.ts`, which hands it its task as JSON.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createOrm } from '../../harness/orm-plain.ts';
import { now } from './clock.ts';
import { Journal } from './journal.ts';
import { openLookouts } from './lookouts.ts';
import { accept, type Office } from './office.ts';
import { Orders } from './orders.ts';
import { Pending } from './pending.ts';
import { reader, slowReader } from './reader.ts';
import { Entry, Register, SlowRegister } from './registers.ts';
import { examinedOf } from './subjects.ts';
import type { Command, Report, Task } from './task.ts';
import { textOf } from './text-of.ts';
import { writer } from './writer.ts';

/** How long what is under way may take once the run is over, and then `orm.close()`, in ms. */
const LAST_ANSWERS = 6_000;
const CLOSE = 6_000;

const task = JSON.parse(process.argv[2]!) as Task;
const tell = (report: Report): void => void (process.connected && process.send!(report));
const stop = new AbortController();
const told = {
  stop: Promise.withResolvers<void>(),
  leave: Promise.withResolvers<void>(),
};
const orphaned = (): void => process.exit();

const journal = new Journal(task.journal);
for (const event of ['unhandledRejection', 'uncaughtException'] as const) {
  process.on(event, (error: unknown) =>
    journal.write({ kind: 'unhandled', at: now(), error: error instanceof Error ? `${error.stack}` : textOf(error) }),
  );
}
process.on('disconnect', orphaned);

try {
  const examined = examinedOf(task, journal);
  const orm = await createOrm({
    url: task.primaryUrl,
    name: 'primary',
    entities: [Register, SlowRegister, Entry],
    replicas: Object.entries(task.replicaUrls).map(([name, clientUrl]) => ({ name, clientUrl })),
    ...examined.options,
  });
  const office: Office = {
    task,
    orm,
    examined,
    journal,
    orders: new Orders(),
    pending: new Pending(),
    known: new Map(),
    tellOthers: order => tell({ kind: 'order', order }),
    stopping: stop.signal,
  };
  process.on('message', (command: Command) => {
    if (command.kind === 'order') {
      accept(office, command.order);
    } else {
      told[command.kind].resolve();
    }
  });
  await examined.ready();
  const endLookouts = await openLookouts(task.replicaUrls, journal);
  const sampling = setInterval(() => examined.noteBudget(), 20);
  tell({ kind: 'ready' });
  const clients = Promise.all([
    ...Array.from({ length: task.writers }, (_, index) => writer(office, index)),
    ...Array.from({ length: task.readers }, () => reader(office)),
    ...Array.from({ length: task.slowReaders }, () => slowReader(office)),
  ]);
  await told.stop.promise;
  stop.abort();
  clearInterval(sampling);
  await within(CLOSE, endLookouts());
  await within(LAST_ANSWERS, clients);
  office.pending.giveUp();
  if ((await within(CLOSE, orm.close(true))) === 'late') {
    tell({ kind: 'failed', error: `orm.close() takes more than ${CLOSE} ms` });
  }
  tell({ kind: 'closed' });
  await told.leave.promise;
} catch (error) {
  tell({ kind: 'failed', error: error instanceof Error ? `${error.stack}` : textOf(error) });
}
// From here on the process has to end by itself.
process.off('disconnect', orphaned);
process.disconnect?.();

async function within(ms: number, work: Promise<unknown>): Promise<'done' | 'late'> {
  const timer = new AbortController();
  try {
    return await Promise.race([
      work.then(() => 'done' as const),
      sleep(ms, 'late' as const, { signal: timer.signal, ref: true }),
    ]);
  } finally {
    timer.abort();
  }
}
