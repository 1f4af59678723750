import { expect, onTestFinished, test } from 'vitest';
import { Note, Notes } from '../fixtures/notes.ts';

test('streams leave no listeners on the connections that they were read on', async () => {
  const notes = await Notes.open(1);
  await notes.elsewhere();
  await notes.cluster.caughtUp();
  const { orm } = await notes.connect({ resolver: { pool: { max: 1 } } });
  const warnings: string[] = [];
  const listen = (warning: Error): void => void warnings.push(warning.message);
  process.on('warning', listen);
  onTestFinished(() => void process.off('warning', listen));
  for (let n = 0; n < 30; n++) {
    for await (const _note of orm.em.fork().stream(Note, {})) {
      // Read to its end.
    }
  }
  await new Promise(resolve => setImmediate(resolve));
  expect(warnings).toEqual([]);
});
