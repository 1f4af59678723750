import { rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Note, Notes } from '../fixtures/notes.ts';

test('a primary that was fenced, rebuilt and promoted again is a primary like any other: its loss is noticed', async () => {
  const notes = await Notes.open(2);
  // The address of the first primary, which leads elsewhere once that was rebuilt on another machine.
  let port = notes.primary.port;
  const open = new Set<Socket>();
  const server = createServer(socket => {
    const to = connect(port, '127.0.0.1');
    for (const [from, other] of [
      [socket, to],
      [to, socket],
    ] as const) {
      open.add(from);
      from.on('error', () => other.destroy()).on('close', () => other.destroy());
      from.pipe(other);
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const cut = (): void => open.forEach(socket => socket.destroy());
  const address = (server.address() as { port: number }).port;
  const url = new URL(notes.primary.url(notes.database));
  url.port = String(address);
  const routed = await notes.connect({ orm: { clientUrl: url.href }, replicas: [notes.replicas[0]!] });
  const name = `127.0.0.1:${address}`;
  const state = (): string => routed.resolver.snapshot().nodes.find(node => node.name === name)!.state;

  // It cannot be reached, and `one` is promoted: timeline 2.
  port = 1;
  cut();
  await notes.primary.stop('immediate');
  await notes.one.query('select pg_promote(true, 60)');
  await expect.poll(() => routed.resolver.snapshot().primary, { timeout: 10_000 }).toBe('one');
  expect(state()).toBe('fenced');

  // It is back as timeline 3, and was a standby only while nobody could reach it.
  const { two } = notes;
  await two.query('select pg_promote(true, 60)');
  await two.stop();
  writeFileSync(join(two.dataDirectory!, 'standby.signal'), '');
  await two.start();
  await two.query('select pg_promote(true, 60)');
  rmSync(join(two.dataDirectory!, 'standby.signal'), { force: true });
  await notes.one.stop('immediate');
  port = two.port;
  await expect.poll(() => routed.resolver.snapshot().primary, { timeout: 15_000 }).toBe(name);
  await routed.orm.em.fork().insert(Note, { text: notes.text() } as never);
  expect.soft(state()).toBe('primary');

  const lost = routed.heard('primary.lost').length;
  await two.stop('immediate');
  await expect.poll(() => routed.heard('primary.lost').length, { timeout: 5_000 }).toBe(lost + 1);
});
