import { defineEntity, p } from '@mikro-orm/postgresql';

/**
 * A register has one writer, who only counts its version up: whoever reads less than a version of which it was told that
 * it is committed has read what is out of date.
 */
export const Register = defineEntity({
  name: 'Register',
  properties: {
    key: p.integer().primary(),
    version: p.integer(),
    writer: p.string(),
    /** Of the server that has answered: the truth about where a read went. */
    port: p
      .integer()
      .formula(() => 'inet_server_port()')
      .persist(false),
  },
});

/** As a register, but slow to read: 100 ms for each row. For reads that a replica cancels because replay has to go on. */
export const SlowRegister = defineEntity({
  name: 'SlowRegister',
  properties: { key: p.integer().primary(), version: p.integer(), port: p.integer() },
});

/** Each version that was written, in the transaction that wrote it: a write that is done twice cannot hide. */
export const Entry = defineEntity({
  name: 'Entry',
  properties: {
    key: p.integer().primary(),
    version: p.integer().primary(),
    /** The process that wrote it. */
    writer: p.string(),
    /** When the call began, on {@link now}. */
    sent: p.double(),
  },
});

/** Tables and view, for a driver that needs no ORM. */
export const TABLES = `
  create table register (key int primary key, version int not null, writer text not null);
  create table entry (key int, version int, writer text not null, sent double precision not null, primary key (key, version));
  create view slow_register as
    select key, version, case when pg_sleep(0.1)::text = '' then inet_server_port() end as port from register;
`;

/** Registers of one writer. */
export const KEYS_PER_WRITER = 4;

/** The keys of the writer `writer` of the process `worker`, both counted from 0. */
export function keysOf(worker: number, writer: number): number[] {
  return Array.from({ length: KEYS_PER_WRITER }, (_, index) => worker * 10_000 + writer * 100 + index);
}

/** The process that writes a register. */
export function keysOwner(key: number): number {
  return Math.floor(key / 10_000);
}
