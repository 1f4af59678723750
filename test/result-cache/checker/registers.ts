import { defineEntity, p } from '@mikro-orm/postgresql';

/** A row whose value only grows: what is older than another value is smaller. */
export const Register = defineEntity({
  name: 'Register',
  properties: {
    id: p.integer().primary(),
    // A flush that lost a race fails instead of taking the value back.
    value: p.integer().concurrencyCheck(),
  },
});

/** Rows that are only inserted: how many there are of one register is a value that only grows, read by counting. */
export const Tick = defineEntity({
  name: 'Tick',
  properties: { id: p.integer().primary().autoincrement(), register: p.integer() },
});

/** Few, so that they are always being written while they are read. */
export const IDS: readonly number[] = [1, 2, 3, 4];

/** What the value of a row is called in a journal. */
export const valueOf = (id: number): string => `value ${id}`;
/** What the count of ticks is called in a journal. */
export const ticksOf = (id: number): string => `ticks ${id}`;
