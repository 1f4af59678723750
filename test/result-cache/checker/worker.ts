/*
 * One process of a run: readers and writers that go through one MikroORM until they are told to stop, or are killed.
 * Started by `workers.ts`, which hands it its task as JSON.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createOrm } from '../../harness/orm-plain.ts';
import { now } from './clock.ts';
import { Journal } from './journal.ts';
import { anyRead } from './reads.ts';
import { IDS, Register, Tick } from './registers.ts';
import { examinedOf } from './subjects.ts';
import type { Report, Task } from './task.ts';
import { noteAck, noted, watchAnswers } from './write-watch.ts';
import { WRITES } from './writes.ts';

const task = JSON.parse(process.argv[2]!) as Task;
const tell = (report: Report): void => void (process.connected && process.send!(report));
const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)]!;

let stopping = false;
// The parent ends us by a message; without a parent there is nobody to read for.
process.on('message', () => (stopping = true));
process.on('disconnect', () => process.exit());

watchAnswers();
const journal = new Journal(task.journal);
const examined = await examinedOf(task, journal);
const orm = await createOrm({
  url: task.databaseUrl,
  entities: [Register, Tick],
  replicas: task.replicaUrls.map((clientUrl, index) => ({ clientUrl, name: `replica ${index}` })),
  ...examined.options,
});
let reads = 0;

async function read(): Promise<void> {
  while (!stopping) {
    const one = anyRead();
    const start = now();
    const observed = await examined.read(orm.em.fork(), one);
    const end = now();
    reads += observed.length;
    for (const [register, value] of observed) {
      journal.write({ kind: 'read', start, end, register, value });
    }
    // A hit from memory needs no I/O for long: let timers and sockets have their turn, as a server would.
    await sleep(Math.random() * 2);
  }
}

async function write(): Promise<void> {
  while (!stopping) {
    const { run, transaction } = pick(WRITES);
    const em = orm.em.fork();
    const operation = await noted(journal, transaction, planned => run(em, pick(IDS), planned));
    if (operation.changed && operation.planned.length > 0) {
      await examined.written(
        em,
        operation.planned.map(({ register }) => register),
      );
    }
    noteAck(journal, operation);
    await sleep(Math.random() * task.pause);
  }
}

function progress(): void {
  const { hits, misses } = examined.rates();
  tell({ kind: 'progress', reads, hits, misses });
}

const beat = setInterval(progress, 100);
tell({ kind: 'ready' });
try {
  await Promise.all([...Array.from({ length: task.readers }, read), ...Array.from({ length: task.writers }, write)]);
  progress();
} catch (error) {
  tell({ kind: 'failed', error: error instanceof Error ? `${error.stack}` : String(error) });
} finally {
  clearInterval(beat);
}
process.disconnect?.();
