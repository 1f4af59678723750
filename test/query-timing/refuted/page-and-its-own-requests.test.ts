import { dashboard } from '@mikrokit/query-timing/dashboard';
import { expressTiming } from '@mikrokit/query-timing/http';
import express from 'express';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { serve } from '../fixtures/browser-page.ts';
import { ask } from '../fixtures/http-ask.ts';
import { Book, Library } from '../fixtures/library.ts';

let library: Library;
beforeAll(async () => {
  library = await Library.open();
});

describe('a request without a query, such as those of the page itself', () => {
  test('takes no place of one that has queried', async () => {
    const { orm, timing } = await library.timed();
    const page = dashboard(timing);
    onTestFinished(() => page.close());
    const { port } = await serve(
      express()
        .use(expressTiming(timing))
        .use(page)
        .get('/books', async (_, response) => void response.json(await orm.em.fork().find(Book, {}))),
    );
    await ask(port, '/books');
    for (let times = 0; times < 310; times++) {
      await ask(port, '/queries.json');
    }
    const { scopes } = timing.report();
    expect(scopes.map(({ name }) => name)).toContain('GET /books');
    expect(scopes.filter(({ queries }) => queries === 0)).toEqual([]);
  });

  test('is nothing new to a page that is live: it would ask again because it has asked', async () => {
    const { timing } = await library.timed();
    const page = dashboard(timing);
    onTestFinished(() => page.close());

    const { port } = await serve(express().use(expressTiming(timing)).use(page));
    const live = await fetch(`http://localhost:${port}/queries/events`);
    const reader = live.body!.pipeThrough(new TextDecoderStream()).getReader();
    await reader.read();
    await ask(port, '/queries.json');
    const next = await Promise.race([reader.read(), new Promise(done => setTimeout(() => done('nothing'), 2500))]);
    expect(next).toBe('nothing');
  });
});
