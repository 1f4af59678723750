import { setTimeout as sleep } from 'node:timers/promises';
import { now } from './clock.ts';
import { accept, type Office } from './office.ts';
import { Entry, keysOf, Register } from './registers.ts';
import { textOf } from './text-of.ts';

/** Reads that follow a write, in this process and in another: 80 reads for 20 writes. */
const READS_HERE = 2;
const READS_THERE = 2;

/** A client that counts its registers up, and has each version read at once by other clients here and elsewhere. */
export async function writer(office: Office, index: number): Promise<void> {
  const { task, stopping } = office;
  const keys = keysOf(task.worker, index);
  for (let round = 0; !stopping.aborted; round++) {
    const key = keys[round % keys.length]!;
    // A version whose write failed is never used again: it may be there all the same.
    await write(office, key, Math.floor(round / keys.length) + 1, round % 2 === 0 ? inTransaction : inStatement);
    await sleep((task.pause * (1 + 2 * Math.random())) / 3);
  }
}

interface Version {
  readonly key: number;
  readonly version: number;
  readonly writer: string;
  readonly sent: number;
}

async function write(
  office: Office,
  key: number,
  version: number,
  run: (office: Office, written: Version) => Promise<void>,
): Promise<void> {
  const { examined, journal, pending, task } = office;
  const start = now();
  const noted = { kind: 'write' as const, start, key, version };
  const settle = pending.add(() => journal.write({ ...noted, end: now(), outcome: 'failed', error: 'hangs' }));
  try {
    const token = await examined.session(undefined, async () => {
      await run(office, { key, version, writer: `worker-${task.worker}`, sent: start });
      return examined.token();
    });
    const at = now();
    const tokenless = task.subject === 'mikrokit' && token === undefined;
    settle(() =>
      journal.write({ ...noted, end: at, outcome: 'acked', ...(tokenless && { tokenless: true as const }) }),
    );
    // Without a token nobody can be promised anything; MikroORM alone has none, and is judged as if it had.
    const order = { key, version: tokenless ? 0 : version, token, at };
    for (let read = 0; read < READS_THERE; read++) {
      office.tellOthers(order);
    }
    for (let read = 0; read < READS_HERE; read++) {
      accept(office, order);
    }
  } catch (error) {
    const outcome = examined.isUnknown(error) ? 'unknown' : 'failed';
    settle(() => journal.write({ ...noted, end: now(), outcome, error: textOf(error) }));
  }
}

async function inTransaction({ orm }: Office, written: Version): Promise<void> {
  const { key, version, writer: name } = written;
  await orm.em.fork().transactional(async em => {
    await em.nativeUpdate(Register, { key }, { version, writer: name });
    await em.insert(Entry, written);
  });
}

/** One statement that commits by itself. */
async function inStatement({ orm }: Office, { key, version, writer: name, sent }: Version): Promise<void> {
  await orm.em.fork().execute(
    `with told as (insert into entry (key, version, writer, sent) values (?, ?, ?, ?))
       update register set version = ?, writer = ? where key = ?`,
    [key, version, name, sent, version, name, key],
  );
}
