import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Note, Notes } from '../fixtures/notes.ts';

async function unhandledDuring(work: () => Promise<void>): Promise<unknown[]> {
  const theirs = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  const unhandled: unknown[] = [];
  process.on('unhandledRejection', reason => void unhandled.push(String(reason)));
  try {
    await work();
    await sleep(200);
  } finally {
    process.removeAllListeners('unhandledRejection');
    theirs.forEach(each => process.on('unhandledRejection', each));
  }
  return unhandled;
}

test('a replica dies and no read fails, though onPoolCreated throws when the pool is made anew', async () => {
  const notes = await Notes.open(2);
  const registered = new Set<unknown>();
  let failed: unknown;
  let told: string[] = [];
  const unhandled = await unhandledDuring(async () => {
    const { orm, heard } = await notes.connect({
      orm: {
        driverOptions: {
          onPoolCreated: ({ options }: { options: { port: number } }) => {
            if (registered.has(options.port)) {
              throw new Error(`A metric with the name pg_pool_${options.port} has already been registered.`);
            }
            registered.add(options.port);
          },
        },
      },
    });
    const end = performance.now() + 3_000;
    const reads = Array.from({ length: 5 }, async () => {
      while (performance.now() < end) {
        await orm.em
          .fork()
          .count(Note, {}, { consistency: 'eventual' })
          .catch((error: unknown) => void (failed ??= error));
        await sleep(5);
      }
    });
    await sleep(300);
    await notes.one.signal('SIGKILL');
    await Promise.all(reads);
    told = heard('warning').map(({ message }) => message);
  });
  expect({ failed, unhandled }).toEqual({ failed: undefined, unhandled: [] });
  expect(told).toContain(
    `onPoolCreated failed for another pool of one: A metric with the name pg_pool_${notes.one.port} has already been registered.`,
  );
});

test('a listener that throws is ignored, an async one as well', async () => {
  const notes = await Notes.open(1);
  const unhandled = await unhandledDuring(async () => {
    const { resolver } = await notes.connect({ early: true });
    const page: () => unknown = async () => {
      throw new Error('The pager does not answer.');
    };
    resolver.on('node.state', page);
    await resolver.ready();
  });
  expect(unhandled).toEqual([]);
});
