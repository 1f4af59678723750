import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import type { PgNode } from '../harness/pg-node.ts';
import { startProxy } from '../harness/proxy.ts';
import type { Servers } from './fixtures/ends-by-itself.ts';
import { openReplicated, type Replicated } from './fixtures/open-replicated.ts';

/* A script whose first act is a read ends by itself once it has closed its ORM, and not before. */

/** In ms. Less than an unused connection is kept, whose end would be the end of such a process, too. */
const TOO_LONG = 20_000;

let servers: Replicated;
let node: PgNode;
let one: string;
let two: string;
beforeAll(async () => {
  servers = await openReplicated();
  node = servers.cluster.replicas[0]!;
  [one, two] = servers.replicas.map(({ clientUrl }) => clientUrl) as [string, string];
});

interface End {
  readonly code: number | null;
  readonly signal: string | null;
  readonly said: string;
}
const BY_ITSELF: End = { code: 0, signal: null, said: 'read written closed' };

/** Runs the script to its end. @param harm is done between its last answer and its `orm.close()` */
async function endOf(to: Servers, harm?: () => Promise<void>): Promise<End> {
  const program = fileURLToPath(import.meta.resolve('./fixtures/ends-by-itself.ts'));
  const child = spawn(process.execPath, ['--conditions=@mikrokit/source', program, JSON.stringify(to)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const tooLong = setTimeout(() => child.kill('SIGKILL'), TOO_LONG);
  let said = '';
  child.stdout.on('data', part => void (said += String(part)));
  const ended = once(child, 'close') as Promise<[number | null, string | null]>;
  const isThrough = new Promise<void>(resolve => {
    child.stdout.on('data', () => said.includes('written') && resolve());
  });
  try {
    await Promise.race([isThrough, ended]);
    if (said.includes('written')) {
      await harm?.();
      child.stdin.write('close\n');
    }
    const [code, signal] = await ended;
    return { code, signal, said };
  } finally {
    clearTimeout(tooLong);
  }
}

test('with every server well', async () => {
  expect(await endOf({ url: servers.url, replicas: [one, two] })).toEqual(BY_ITSELF);
});

test('with a replica that is frozen before its first read', async () => {
  await node.signal('SIGSTOP');
  try {
    expect(await endOf({ url: servers.url, replicas: [one, two] })).toEqual(BY_ITSELF);
  } finally {
    await node.signal('SIGCONT');
  }
});

test('with a replica that is frozen before it closes its ORM', async () => {
  try {
    const end = await endOf({ url: servers.url, replicas: [one, two] }, () => node.signal('SIGSTOP'));
    expect(end).toEqual(BY_ITSELF);
  } finally {
    await node.signal('SIGCONT');
  }
});

test('with a replica that falls into a black hole', async () => {
  await using proxy = await startProxy(one);
  const end = await endOf({ url: servers.url, replicas: [proxy.url(), two] }, () => proxy.blackHole());
  expect(end).toEqual(BY_ITSELF);
});

test('with a primary that falls into a black hole', async () => {
  await using proxy = await startProxy(servers.url);
  const end = await endOf({ url: proxy.url(), replicas: [one, two] }, () => proxy.blackHole());
  expect(end).toEqual(BY_ITSELF);
});

test.each(['blackHole', 'refuse', 'reset'] as const)('with a replica that was never reachable (%s)', async mode => {
  await using proxy = await startProxy(one);
  await proxy[mode]();
  expect(await endOf({ url: servers.url, replicas: [proxy.url(), two] })).toEqual(BY_ITSELF);
});

test.each(['blackHole', 'refuse', 'reset'] as const)('with no replica that was ever reachable (%s)', async mode => {
  await using proxy = await startProxy(one);
  await proxy[mode]();
  expect(await endOf({ url: servers.url, replicas: [proxy.url()] })).toEqual(BY_ITSELF);
});
