import { expect, test } from 'vitest';
import { Note, Notes } from '../fixtures/notes.ts';

test('a replica of another cluster answers no reads, and changes nothing for the others, though it does not tell who it is', async () => {
  const notes = await Notes.open(1);
  const others = await Notes.open(1);
  await others.sql(`create role limited login; grant select on note to limited;
    revoke execute on function pg_control_system() from public; insert into note (text) values ('of strangers')`);
  await others.cluster.caughtUp();
  const stranger = new URL(others.replicas[0]!.clientUrl);
  stranger.username = 'limited';
  const routed = await notes.connect({
    replicas: [notes.replicas[0]!, { name: 'stranger', clientUrl: stranger.href }],
    early: true,
  });
  await routed.resolver.ready();
  await expect.poll(() => routed.resolver.snapshot().nodes.find(({ name }) => name === 'one')?.state).toBe('up');
  const seen = await Promise.all(
    Array.from({ length: 40 }, () =>
      routed.orm.em.fork().count(Note, { text: 'of strangers' }, { consistency: 'eventual' }),
    ),
  );
  expect.soft(routed.resolver.snapshot().mode).toBe('lsn');
  expect(seen.filter(count => count > 0)).toEqual([]);
  expect(routed.heard('node.rejected')).toEqual([
    { node: 'stranger', why: expect.stringMatching(/^It does not tell its system .* or remove it\.$/) },
  ]);
  expect(routed.heard('time-mode')).toEqual([]);
});
