import { OptionsError } from '@mikrokit/replica-resolver';
import { beforeAll, expect, test } from 'vitest';
import { Notes } from '../fixtures/notes.ts';

let notes: Notes;
beforeAll(async () => {
  notes = await Notes.open(2);
});

const messageFor = async (
  replicas: readonly { readonly name?: string; readonly clientUrl: string }[],
): Promise<string> => {
  const error: unknown = await notes.connect({ replicas, early: true }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(OptionsError);
  expect(error).toMatchObject({ option: 'replicas' });
  return (error as Error).message;
};

const CONTRACT = 'replicas have a name each, or that of their host:port, which no other node has, but got:';
const REMEDY = 'Give each its own name, or remove one.';

test('two replicas with one name are refused: one of them would not serve', async () => {
  const { one, two } = notes;
  expect(await messageFor(notes.replicas.map(replica => ({ ...replica, name: 'replica' })))).toBe(
    `${CONTRACT} "replica" for replicas[0] (127.0.0.1:${one.port}) and replicas[1] (127.0.0.1:${two.port}). ${REMEDY}`,
  );
});

test('so is a replica without a name at the address of the primary', async () => {
  const address = `127.0.0.1:${notes.primary.port}`;
  expect(await messageFor([{ clientUrl: notes.primary.url(notes.database) }])).toBe(
    `${CONTRACT} "${address}" for the primary (${address}) and replicas[0] (${address}). ${REMEDY}`,
  );
});

test('with a name it is told of, and reads are served', async () => {
  const routed = await notes.connect({
    replicas: [{ name: 'again', clientUrl: notes.primary.url(notes.database) }, notes.replicas[0]!],
    early: true,
  });
  await routed.resolver.ready();
  await expect
    .poll(() => routed.heard('node.rejected'))
    .toEqual([{ node: 'again', why: expect.stringContaining('It is the same server as 127.0.0.1') }]);
  expect(await routed.count('x')).toBe(0);
});
