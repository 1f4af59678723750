import { tracingChannel } from 'node:diagnostics_channel';
import { setTimeout as sleep } from 'node:timers/promises';
import { raw } from '@mikro-orm/postgresql';
import { queryTiming, type QueryRecord } from '@mikrokit/query-timing';
import { beforeAll, describe, expect, test } from 'vitest';
import { Scopes } from '../../../packages/query-timing/src/scopes.ts';
import { Author, Book, Library, Tag, type Timed } from '../fixtures/library.ts';

/* What is sent more than once, asked beside another query, or over before the next one begins. */

let library: Library;
beforeAll(async () => {
  library = await Library.open();
});

/** An ORM whose connection sends once more what has failed, as that of replicas does; `flaky()` fails each other time. */
async function flaky(): Promise<Timed> {
  const timed = await library.timed();
  const em = timed.orm.em.fork();
  await em.execute(`
    create sequence if not exists tries;
    create or replace function flaky() returns int language plpgsql as $$
      begin
        if nextval('tries') % 2 = 1 then raise exception 'not yet'; end if;
        return 1;
      end $$`);
  await em.execute(`select setval('tries', 2)`);
  const connection = timed.orm.em.getConnection() as unknown as {
    executeQuery(query: string, send: () => Promise<unknown>, context?: unknown): Promise<unknown>;
  };
  const inner = connection.executeQuery.bind(connection);
  connection.executeQuery = (query, send, context) => inner(query, () => send().catch(() => send()), context);
  timed.records.length = 0;
  return timed;
}

const outlines = (records: readonly QueryRecord[]): unknown[] =>
  records.map(({ operation, error, rows, label }) => ({ operation, error, rows, label }));

describe('what is sent again is a query of its own', () => {
  test('of an EntityManager that executes SQL', async () => {
    const { orm, records, timing } = await flaky();
    await orm.em.fork().execute('select flaky() as it');
    expect(outlines(records)).toEqual([
      { operation: 'execute', error: 'P0001', rows: undefined, label: undefined },
      { operation: 'execute', error: undefined, rows: 1, label: undefined },
    ]);
    expect(timing.report().totals).toMatchObject({ queries: records.length + 2, errors: 1 });
  });

  test('of a count', async () => {
    const { orm, records } = await flaky();
    await orm.em.fork().count(Tag, { [raw('(select flaky())')]: 1 }, { logging: { label: 'counted' } });
    expect(outlines(records)).toEqual([
      { operation: 'count', error: 'P0001', rows: undefined, label: 'counted' },
      { operation: 'count', error: undefined, rows: 1, label: 'counted' },
    ]);
  });

  test('of a find, each with its own time', async () => {
    const { orm, records } = await flaky();
    await orm.em.fork().find(Author, { [raw('(select flaky()) + (select count(*) from pg_sleep(0.1))')]: 2 });
    expect(outlines(records)).toEqual([
      { operation: 'find', error: 'P0001', rows: undefined, label: undefined },
      { operation: 'find', error: undefined, rows: 4, label: undefined },
    ]);
    expect(records[0]!.after).toBeLessThan(100_000);
  });

  test('of a write', async () => {
    const { orm, records } = await flaky();
    await orm.em.fork().nativeUpdate(Tag, { [raw('(select flaky())')]: 1 }, { name: 'x' });
    expect(records.map(({ operation, error }) => [operation, error])).toEqual([
      ['nativeUpdate', 'P0001'],
      ['nativeUpdate', undefined],
    ]);
  });
});

test('its own cost is measured without a word to who listens', () => {
  const heard: unknown[] = [];
  const hear = (): void => void heard.push(1);
  const listeners = { start: hear, end: hear, asyncStart: hear, asyncEnd: hear, error: hear };
  const channel = tracingChannel('mikrokit:query');
  channel.subscribe(listeners);
  try {
    expect(queryTiming({ terminal: false }).report().own.perQuery).toBeGreaterThan(0);
  } finally {
    channel.unsubscribe(listeners);
  }
  expect(heard).toEqual([]);
});

test('making entities of one query is over when the next one of the same call is sent', async () => {
  const { orm, records } = await library.timed();
  const connection = orm.em.getConnection() as unknown as {
    executeQuery(query: string, send: () => Promise<unknown>, context?: unknown): Promise<unknown>;
  };
  const inner = connection.executeQuery.bind(connection);
  connection.executeQuery = (query, send, context) =>
    inner(query, query.includes('"book_tags"') ? async () => (await sleep(200), await send()) : send, context);
  await orm.em.fork().find(Book, {}, { populate: ['tags'], strategy: 'select-in' });
  expect(records[0]!.after).toBeLessThan(150_000);
  expect(records[1]!.took).toBeGreaterThan(190_000);
});

test('a fork that makes entities for long is not a fork that pauses', async () => {
  const { orm, timing } = await library.timed();
  const scopes: number[] = [];
  timing.on('scope', ({ queries }) => void scopes.push(queries));
  const until = (at: number): void => {
    while (performance.now() < at);
  };
  const em = orm.em.fork();
  let first = true;
  em.getEventManager().registerSubscriber({
    onInit() {
      if (first) {
        first = false;
        until(performance.now() + 80);
      }
    },
  });
  await em.find(Book, {}, { populate: ['tags'], strategy: 'select-in' });
  await timing.settled();
  expect(scopes).toEqual([2]);
});

describe('scopes', () => {
  test('one that is told of is no longer among those that run', async () => {
    const { orm, timing } = await library.timed();
    let ids: number[] = [];
    timing.on('scope', () => void (ids = timing.report().scopes.map(({ id }) => id)));
    const em = orm.em.fork();
    await em.count(Tag);
    await em.count(Book);
    await sleep(80);
    await em.count(Tag);
    expect(ids).toHaveLength(1);
  });

  test('who asks for all to be settled at the end of one does not end it twice', async () => {
    const { orm, timing } = await library.timed();
    timing.on('scope', () => void timing.settled());
    const em = orm.em.fork();
    await em.count(Tag);
    await em.count(Book);
    await sleep(80);
    await em.count(Tag);
    await em.count(Book);
    await timing.settled();
    expect(timing.report().totals.scopes).toBe(2);
  });

  test('of more than a thousand forks the one that was not heard of for the longest time is over, not a busy one', () => {
    const over: string[] = [];
    const scopes = new Scopes(
      () => undefined,
      ({ name }) => void over.push(name),
      () => undefined,
    );
    scopes.of(1, 0, 0);
    for (let fork = 2; fork <= 1_024; fork++) {
      scopes.of(fork, 1, 1);
    }
    expect(over).toEqual([]);
    scopes.of(1, 2, 2);
    scopes.of(1_025, 3, 3);
    scopes.clear();
    expect(over).toEqual(['fork 257']);
  });
});
