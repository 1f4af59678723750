import { expect, test } from 'vitest';
import { reportedError } from '../../../packages/replica-resolver/src/reported-error.ts';
import { Notes } from '../fixtures/notes.ts';

test('snapshot() is for a health endpoint: no value of a statement is in it', async () => {
  const notes = await Notes.open(1);
  const { orm, resolver } = await notes.connect();
  await expect(
    orm.em.fork().execute('select cast(? as text)::int', ['4111 1111 1111 1111'], { connectionType: 'read' } as never),
  ).rejects.toThrow();
  expect(JSON.stringify(resolver.snapshot())).not.toContain('4111');
});

test.each([
  [{ severity: 'ERROR', code: '22P02', message: 'invalid input syntax for type integer: "4111"' }, 'ERROR 22P02'],
  [
    { severity: 'FATAL', code: '57P01', message: 'terminating connection due to administrator command' },
    'terminating connection due to administrator command',
  ],
  [{ code: 'ECONNREFUSED', message: 'connect ECONNREFUSED 127.0.0.1:5432' }, 'connect ECONNREFUSED 127.0.0.1:5432'],
  [{ code: 'ECONNREFUSED', message: '' }, 'ECONNREFUSED'],
  [undefined, 'undefined'],
])('what is told of %o is %s', (error, told) => {
  expect(reportedError(error)).toBe(told);
});
