import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { beforeAll, expect, test } from 'vitest';
import { Library } from '../fixtures/library.ts';

let library: Library;
beforeAll(async () => {
  library = await Library.open();
});

interface Call {
  readonly parent: Call | undefined;
}

test('a worker that begins its next round in the last one makes no chain of calls', async () => {
  const { orm } = await library.timed();
  const em = orm.em.fork();
  const depths: number[] = [];
  const measure = (query: unknown): void => {
    let depth = 0;
    let call = (query as { context?: { operation?: Call } }).context?.operation;
    for (; call !== undefined; call = call.parent) {
      depth++;
    }
    depths.push(depth);
  };
  subscribe('tracing:mikrokit:query:start', measure);
  try {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let rounds = 0;
    const work = (): void => {
      em.transactional(async inner => {
        await inner.execute('select 1');
        setTimeout(++rounds < 50 ? work : resolve, 0);
      }).catch(reject);
    };
    work();
    await promise;
  } finally {
    unsubscribe('tracing:mikrokit:query:start', measure);
  }
  expect(depths.length).toBeGreaterThan(140);
  expect(Math.max(...depths)).toBeLessThan(6);
});
