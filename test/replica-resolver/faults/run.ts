import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { now } from './clock.ts';
import type { EntryRow } from './facts.ts';
import type { Figures } from './figures.ts';
import { readJournal } from './journal.ts';
import { judge } from './judge.ts';
import { Load } from './load.ts';
import { createRegisters } from './create-registers.ts';
import { keysOf } from './registers.ts';
import type { Scenario } from './scenario.ts';
import { Stage } from './stage.ts';
import type { Subject, Task } from './task.ts';
import type { FaultNode, World } from './world.ts';

const PROCESSES = 2;
/** Of each process: 25 clients. Ten writers that pause as long as this make some 900 reads and writes per second. */
const WRITERS = 5;
const READERS = 20;
const PAUSE = 75;
const KEYS = Array.from({ length: PROCESSES * WRITERS }, (_, index) =>
  keysOf(Math.floor(index / WRITERS), index % WRITERS),
).flat();
/** Connections that are still open so long after the last ORM was closed are held, in ms. */
const LAST_CONNECTION = 2_000;

/** Runs a scenario under load, and judges what the processes have seen. */
export async function run(scenario: Scenario, subject: Subject, world: World): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), 'mikrokit-faults-'));
  const database = await createRegisters(world, KEYS);
  const load = new Load();
  try {
    const journals = Array.from({ length: PROCESSES }, (_, worker) => join(folder, `${worker}.jsonl`));
    await load.start(
      journals.map((journal, worker): Task => ({
        subject,
        worker,
        journal,
        primaryUrl: world.primary.proxy.url(database),
        replicaUrls: Object.fromEntries(world.replicas.map(({ name, proxy }) => [name, proxy.url(database)])),
        writers: WRITERS,
        readers: scenario.readers ?? READERS,
        idle: scenario.idle ?? 200,
        slowReaders: scenario.slowReaders ?? 0,
        pause: PAUSE,
        options: scenario.options ?? {},
      })),
    );
    const stage = new Stage(world, load, database);
    await stage.warmsUp();
    await scenario.happens(stage);
    stage.moments.ended = now();
    await load.close();
    const held = await connectionsLeft(world);
    const exits = await load.exits();
    const { primary, oldPrimary } = stage;
    return judge({
      id: scenario.id,
      title: scenario.title,
      subject,
      journals: journals.map(readJournal),
      moments: stage.moments,
      ports: Object.fromEntries(world.nodes.map(({ name, server }) => [name, server.port])),
      faulty: scenario.faulty ?? [],
      primary: { before: world.primary.name, after: primary.name },
      entries: await entriesOf(primary, database),
      oldEntries: oldPrimary ? await entriesOf(oldPrimary, database) : [],
      held,
      stuck: PROCESSES - exits,
      failures: load.failures,
      measured: stage.measured,
    });
  } finally {
    await load.kill();
    rmSync(folder, { recursive: true, force: true });
    if (!scenario.promotes) {
      await world.heal();
      await world.cluster.dropDatabase(database);
    }
  }
}

async function connectionsLeft(world: World): Promise<number> {
  const deadline = now() + LAST_CONNECTION;
  while (world.connections > 0 && now() < deadline) {
    await sleep(20);
  }
  return world.connections;
}

async function entriesOf({ server }: FaultNode, database: string): Promise<EntryRow[]> {
  return await server.query<EntryRow & Record<string, unknown>>('select * from entry', [], database);
}
