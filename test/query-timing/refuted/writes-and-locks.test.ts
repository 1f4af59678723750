import { EventEmitter, once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EntityManager } from '@mikro-orm/postgresql';
import { beforeAll, describe, expect, test } from 'vitest';
import { Book, Library, type Timed } from '../fixtures/library.ts';

let library: Library;
beforeAll(async () => {
  library = await Library.open();
});

const open = (): Promise<Timed> => library.timed({ slow: 60_000, idleInTransaction: 60_000, environment: 'test' });

const found = async ({ timing }: Timed): Promise<readonly string[]> => {
  await timing.settled();
  return timing.report().findings.map(({ kind, title, fix }) => `${kind}: ${title} | ${fix}`);
};

/** As a server: each request is an event of its own, some time after the one before. */
async function requests(count: number, handle: (id: number) => Promise<unknown>): Promise<void> {
  const server = new EventEmitter();
  let served = 0;
  server.on('request', (id: number) => {
    void handle(id).then(() => ++served === count && server.emit('end'));
  });
  const ended = once(server, 'end');
  for (let id = 1; id <= count; id++) {
    setTimeout(() => server.emit('request', id), id * 60);
  }
  await ended;
}

describe('one row that is written again and again is no loop over rows', () => {
  test('a heartbeat', async () => {
    const timed = await open();
    const em = timed.orm.em.fork();
    await requests(6, n => em.nativeUpdate(Book, { id: 1 }, { pages: 200 + n }));
    expect(await found(timed)).toEqual([]);
  });

  test('the progress of a job, or else its fix is not to write many rows', async () => {
    const timed = await open();
    await timed.timing.run('import', async () => {
      const em = timed.orm.em.fork();
      for (let percent = 0; percent < 6; percent++) {
        await sleep(30);
        await em.nativeUpdate(Book, { id: 1 }, { pages: 300 + percent });
      }
    });
    expect((await found(timed)).filter(each => each.includes('upsertMany'))).toEqual([]);
  });
});

test('rows that are locked one by one are to be locked together: the fix keeps the lock', async () => {
  const timed = await open();
  await timed.timing.run('lock', () =>
    (timed.orm.em.fork() as EntityManager).transactional(async em => {
      for (const id of [1, 2, 3, 4, 5, 6, 7]) {
        await em.findOne(Book, id, { lockMode: 4 });
      }
    }),
  );
  for (const fix of await found(timed)) {
    expect(fix).toContain('lockMode');
  }
});
