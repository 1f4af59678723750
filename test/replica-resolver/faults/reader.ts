import { now } from './clock.ts';
import type { Office } from './office.ts';
import { Register, SlowRegister } from './registers.ts';
import type { Order } from './task.ts';
import { textOf } from './text-of.ts';

/** Tokens that are older than a minute may be ignored: nothing is required of a read with one that is half as old. */
const TOKEN_LASTS = 30_000;

/** A client that reads what it is ordered to and, when nobody orders, what it knows; each time with the token. */
export async function reader(office: Office): Promise<void> {
  while (!office.stopping.aborted) {
    const order = (await office.orders.take(office.task.idle)) ?? anyOf(office.known);
    if (order) {
      await read(office, order, () => quick(office, order.key), {});
    }
  }
}

/** A client that reads several rows at once that take long, so that replay has to wait for it or cancel it. */
export async function slowReader(office: Office): Promise<void> {
  while (!office.stopping.aborted) {
    const order = await office.orders.take(office.task.idle);
    if (order) {
      await read(office, order, () => slowly(office, order.key), { slow: true });
    }
  }
}

interface Found {
  readonly version: number;
  readonly port: number;
}

async function quick({ orm }: Office, key: number): Promise<Found> {
  return await orm.em.fork().findOneOrFail(Register, key);
}

async function slowly({ orm }: Office, key: number): Promise<Found> {
  const first = key - (key % 100);
  const rows = await orm.em.fork().find(SlowRegister, { key: { $gte: first, $lt: first + 100 } });
  return rows.find(row => row.key === key)!;
}

async function read(office: Office, order: Order, run: () => Promise<Found>, how: { slow?: true }): Promise<void> {
  const { examined, journal, pending } = office;
  const { key, token, version: promised, at } = order;
  const start = now();
  const noted = { kind: 'read' as const, start, key, required: start - at < TOKEN_LASTS ? promised : 0, ...how };
  const settle = pending.add(() => journal.write({ ...noted, end: now(), error: 'hangs' }));
  try {
    const { version, port } = await examined.session(token, run);
    settle(() => journal.write({ ...noted, end: now(), version, port }));
  } catch (error) {
    settle(() => journal.write({ ...noted, end: now(), error: textOf(error) }));
  }
}

function anyOf(known: ReadonlyMap<number, Order>): Order | undefined {
  const all = [...known.values()];
  return all[Math.floor(Math.random() * all.length)];
}
