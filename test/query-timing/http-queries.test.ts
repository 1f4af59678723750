import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ScopeReport } from '@mikrokit/query-timing';
import { expressTiming, fastifyTiming, nodeTiming } from '@mikrokit/query-timing/http';
import express from 'express';
import fastify from 'fastify';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { APPLICATIONS, ask, listen } from './fixtures/http-servers.ts';
import { Author, Book, Library, type Timed } from './fixtures/library.ts';

let library: Library;
beforeAll(async () => {
  library = await Library.open();
});

async function timedScopes(...options: Parameters<Library['timed']>): Promise<Timed & { scopes: ScopeReport[] }> {
  const timed = await library.timed(...options);
  const scopes: ScopeReport[] = [];
  timed.timing.on('scope', scope => scopes.push(scope));
  return { ...timed, scopes };
}

describe.each(Object.entries(APPLICATIONS))('%s, on PostgreSQL', (_, { calls, start }) => {
  test('the queries of a request are those of its scope', async () => {
    const { orm, timing, scopes } = await timedScopes();
    const server = await start(timing, () => orm.em.fork().find(Book, {}));
    onTestFinished(() => server.close());
    await ask(server, calls.read);
    await ask(server, calls.write);
    await expect
      .poll(() => scopes)
      .toMatchObject([
        { kind: 'request', name: calls.read.name, queries: 1, rows: 12, open: false },
        { kind: 'request', name: calls.write.name, queries: 2, rows: 24, shapes: 1 },
      ]);
  });

  test('requests at the same time have their own', async () => {
    const { orm, timing, scopes } = await timedScopes();
    const server = await start(timing, () => orm.em.fork().findOne(Book, 1));
    onTestFinished(() => server.close());
    await Promise.all(Array.from({ length: 20 }, (_each, index) => ask(server, index % 2 ? calls.read : calls.write)));
    await expect.poll(() => scopes.length).toBe(20);
    expect(new Set(scopes.map(({ name, queries }) => `${name}: ${queries}`))).toEqual(
      new Set([`${calls.read.name}: 1`, `${calls.write.name}: 2`]),
    );
  });

  test('those of one that is ignored are no request’s', async () => {
    const { orm, timing, scopes, records } = await timedScopes();
    const server = await start(timing, () => orm.em.fork().findOne(Book, 1), { ignore: () => true });
    onTestFinished(() => server.close());
    await ask(server, calls.write);
    await expect.poll(() => records.length).toBe(2);
    await timing.settled();
    expect(scopes.filter(({ kind }) => kind === 'request')).toEqual([]);
  });

  test('Server-Timing tells their number and times', async () => {
    const { orm, timing } = await timedScopes();
    const server = await start(timing, () => orm.em.fork().findOne(Book, 1), { serverTiming: true });
    onTestFinished(() => server.close());
    expect((await ask(server, calls.write)).headers.get('server-timing')).toMatch(
      /^sql;desc="2 queries";dur=\d+(\.\d)?, sqlwait;dur=\d+(\.\d)?, (?:sqlsend;dur=\d+(\.\d)?, )?sqldb;dur=\d+(\.\d)?, sqlhydrate;dur=\d+(\.\d)?$/,
    );
  });
});

test('an N+1 of a request is found in it, under the name of its route', async () => {
  const { orm, timing, scopes } = await timedScopes();
  const app = express();
  app.use(expressTiming(timing));
  app.get('/authors/:id/books', async (_, response) => {
    const books = await orm.em.fork().find(Book, {});
    for (const { author } of books) {
      await author.load();
    }
    response.json(books.length);
  });
  const server = await listen(app);
  onTestFinished(() => server.close());
  await fetch(`${server.origin}/authors/7/books`);
  const name = 'GET /authors/:id/books';
  await expect.poll(() => scopes).toMatchObject([{ name, findings: [{ kind: 'n+1', count: 4, scope: name }] }]);
  expect(timing.report().findings).toMatchObject([
    { kind: 'n+1', scope: name, fix: expect.stringContaining('populate') },
  ]);
});

test('a comment on the SQL leads to the route and the trace', async () => {
  const { orm, timing } = await timedScopes({ comments: { mode: 'full', application: 'library' } });
  const app = fastify();
  onTestFinished(() => app.close());
  await app.register(fastifyTiming(timing, { tags: () => ({ controller: "books' */ drop table book; --" }) }));
  app.get('/books/:id', async () => await orm.em.fork().execute('select current_query()'));
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  const { body } = await app.inject({ url: '/books/7', headers: { traceparent } });
  const [row] = JSON.parse(body) as [{ current_query: string }];
  expect(row.current_query).toBe(
    "select current_query() /*application='library',controller='books%27%20%2A%2F%20drop%20table%20book%3B%20--'," +
      `db_driver='mikro-orm',method='GET',route='%2Fbooks%2F%3Aid',traceparent='${traceparent}'*/`,
  );
});

test('what is queried when the answer is over, nobody waits for, and nothing fails', async () => {
  const { orm, timing, scopes, records } = await timedScopes();
  const late = Promise.withResolvers<unknown>();
  const server = await listen(
    nodeTiming(timing, (_: IncomingMessage, response: ServerResponse) => {
      response.on('close', () => setTimeout(() => late.resolve(orm.em.fork().find(Author, {})), 10)).end();
    }),
  );
  onTestFinished(() => server.close());
  await fetch(server.origin);
  expect(await late.promise).toHaveLength(4);
  expect(scopes).toMatchObject([{ name: 'GET /', queries: 0 }]);
  expect(records).toHaveLength(1);
});
