import { EventEmitter, once } from 'node:events';
import { beforeAll, describe, expect, test } from 'vitest';
import { Book, kyselyOf, Library, type Timed } from '../fixtures/library.ts';

let library: Library;
beforeAll(async () => {
  library = await Library.open();
});

const open = (orm: object = {}): Promise<Timed> => library.timed({ slow: 60_000, environment: 'test' }, orm);

const found = async ({ timing }: Timed): Promise<readonly string[]> => {
  await timing.settled();
  return timing.report().findings.map(({ kind, title, fix }) => `${kind}: ${title} | ${fix}`);
};

/** As a server: each request is an event of its own, some time after the end of the one before. */
async function requests(count: number, handle: (id: number) => Promise<unknown>): Promise<void> {
  const server = new EventEmitter();
  server.on('request', (id: number) => {
    void handle(id).then(() => server.emit('response'));
  });
  for (let id = 1; id <= count; id++) {
    const answered = once(server, 'response');
    setTimeout(() => server.emit('request', id), 60);
    await answered;
  }
}

describe('requests that nobody has put in scopes are not one loop', () => {
  test('by Kysely, which has no fork', async () => {
    const timed = await open();
    const kysely = kyselyOf(timed.orm.em);
    await requests(8, id => kysely.selectFrom('book').selectAll().where('id', '=', id).execute());
    expect(await found(timed)).toEqual([]);
  });

  test('in the global EntityManager', async () => {
    const timed = await open({ allowGlobalContext: true });
    await requests(8, id => timed.orm.em.findOne(Book, id));
    expect(await found(timed)).toEqual([]);
  });

  test('messages of a consumer with one fork that is cleared', async () => {
    const timed = await open();
    const em = timed.orm.em.fork();
    await requests(8, id => {
      em.clear();
      return em.findOne(Book, id);
    });
    expect(await found(timed)).toEqual([]);
  });
});
