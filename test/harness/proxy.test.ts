import { createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Pool } from 'pg';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openDatabase } from './database.ts';
import { queryOnce } from './pg-query.ts';
import { startProxy, type Proxy } from './proxy.ts';

/** 512 kB of text, so that throttling shows. */
const large = `select repeat('x', 512 * 1024) as text`;

let databaseUrl: string;
let proxy: Proxy;
let client: Client;

beforeAll(async () => {
  databaseUrl = (await openDatabase()).url;
});

beforeEach(async () => {
  proxy = await startProxy(databaseUrl);
  client = new Client(proxy.url());
  client.on('error', () => {});
  await client.connect();
});

afterEach(async () => {
  await proxy.stop();
  await client.end().catch(() => {});
});

async function timed<T>(work: () => Promise<T>): Promise<{ took: number; value: T }> {
  const start = performance.now();
  const value = await work();
  return { took: performance.now() - start, value };
}

/** How long it takes when the machine has no others to serve. */
async function leastOfThree(work: () => Promise<unknown>): Promise<number> {
  const took: number[] = [];
  for (let n = 0; n < 3; n++) {
    took.push((await timed(work)).took);
  }
  return Math.min(...took);
}

/** 'waiting' when `work` has not settled after `ms`. */
async function within<T>(ms: number, work: Promise<T>): Promise<T | 'waiting'> {
  return await Promise.race([work, sleep(ms, 'waiting' as const)]);
}

const codeOf = (work: Promise<unknown>): Promise<string | undefined> =>
  work.then(
    () => 'succeeded',
    (error: { code?: string; message: string }) => error.code ?? error.message,
  );

const select1 = (): Promise<unknown> => queryOnce(proxy.url(), 'select 1');

describe('pass', () => {
  test('forwards both ways and counts', async () => {
    const { rows } = await client.query<{ text: string }>(large);
    expect(rows[0]?.text).toHaveLength(512 * 1024);
    expect(proxy.stats).toMatchObject({ accepted: 1, open: 1 });
    expect(proxy.stats.bytesDown).toBeGreaterThan(512 * 1024);
    expect(proxy.stats.bytesUp).toBeGreaterThan(large.length);
  });

  test('a connection closed by the client is closed to the server', async () => {
    await client.end();
    await expect.poll(() => proxy.stats.open).toBe(0);
  });

  test('a backend that the server ends is an ended connection for the client', async () => {
    // Not `once`: the server says why first, which is an 'error'.
    const ended = new Promise<void>(resolve => client.once('end', resolve));
    await queryOnce(
      databaseUrl,
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
    );
    await ended;
    await expect.poll(() => proxy.stats.open).toBe(0);
  });
});

describe('refuse', () => {
  test('refuses new connections and resets existing ones', async () => {
    const running = codeOf(client.query('select pg_sleep(10)'));
    await sleep(50);
    await proxy.refuse();
    expect(await running).toBe('ECONNRESET');
    expect(await codeOf(select1())).toBe('ECONNREFUSED');
  });

  test('pass() brings it back on the same port', async () => {
    const { port } = proxy;
    await proxy.refuse();
    await proxy.pass();
    expect(proxy.port).toBe(port);
    expect(await codeOf(select1())).toBe('succeeded');
  });
});

describe('reset', () => {
  test('resets existing connections and every new one', async () => {
    const running = codeOf(client.query('select pg_sleep(10)'));
    await sleep(50);
    await proxy.reset();
    expect(await running).toBe('ECONNRESET');
    expect(await codeOf(select1())).toBe('ECONNRESET');
    expect(proxy.stats).toMatchObject({ accepted: 2, open: 0 });
  });
});

describe('blackHole', () => {
  test('an existing connection gets no answer, and gets it when the hole closes', async () => {
    await proxy.blackHole();
    const running = client.query<{ n: number }>('select 1 as n');
    expect(await within(200, running)).toBe('waiting');
    await proxy.pass();
    expect((await running).rows).toEqual([{ n: 1 }]);
  });

  test('holds back an answer that was on its way', async () => {
    const running = client.query(`select pg_sleep(1)`);
    await sleep(30);
    await proxy.blackHole();
    expect(await within(1_500, running)).toBe('waiting');
    await proxy.pass();
    await running;
  });

  test('a new connection is accepted and never answered', async () => {
    await proxy.blackHole();
    const pool = new Pool({ connectionString: proxy.url(), connectionTimeoutMillis: 200 });
    expect(await codeOf(pool.query('select 1'))).toMatch(/timeout/);
    expect(proxy.stats.accepted).toBe(2);
    await pool.end();
  });
});

describe('delay', () => {
  test('delays each direction of an existing connection, and only while it is set', async () => {
    const { took: before } = await timed(() => client.query('select 1'));
    await proxy.delay(100);
    const least = await leastOfThree(() => client.query('select 1'));
    await proxy.pass();
    expect(least).toBeGreaterThanOrEqual(200);
    expect(least).toBeLessThan(before + 700);
    await expect.poll(async () => (await timed(() => client.query('select 1'))).took).toBeLessThan(100);
  });

  test('is latency, not bandwidth: much data comes once as late as little', async () => {
    await proxy.delay(100);
    // In pieces of at most 64 KiB: one after the other they would take more than six seconds.
    const { took, value } = await timed(() =>
      client.query<{ text: string }>(`select repeat('x', 4 * 1024 * 1024) as text`),
    );
    expect(value.rows[0]?.text).toHaveLength(4 * 1024 * 1024);
    expect(took).toBeLessThan(5_000);
  });
});

describe('throttle', () => {
  test('limits the bytes per second of an existing connection', async () => {
    await proxy.throttle(1024 * 1024);
    const least = await leastOfThree(async () => {
      const { rows } = await client.query<{ text: string }>(large);
      expect(rows[0]?.text).toHaveLength(512 * 1024);
    });
    expect(least).toBeGreaterThan(450);
    expect(least).toBeLessThan(1_500);
  });
});

describe('cut', () => {
  const countOf = async (): Promise<number> =>
    Number((await queryOnce<{ count: string }>(databaseUrl, 'select count(*) from cut_entry'))[0]?.count);

  beforeEach(async () => {
    await queryOnce(databaseUrl, 'drop table if exists cut_entry; create table cut_entry (n int)');
  });

  test('at the request: the server never hears of it', async () => {
    proxy.cut('INSERT', 'request');
    expect(await codeOf(client.query('insert into cut_entry values (1)'))).toBe('ECONNRESET');
    expect(await countOf()).toBe(0);
    expect(proxy.stats.cut).toBe(1);
  });

  test('at the answer: it is done, and nobody is told', async () => {
    await client.query('begin');
    await client.query('insert into cut_entry values (1)');
    proxy.cut('commit', 'answer');
    expect(await codeOf(client.query('COMMIT'))).toBe('ECONNRESET');
    expect(await countOf()).toBe(1);
  });

  test('one connection alone, once', async () => {
    proxy.cut('select 2', 'answer');
    await expect(client.query('select 1')).resolves.toBeDefined();
    expect(await codeOf(client.query('select 2'))).toBe('ECONNRESET');
    await expect(queryOnce(proxy.url(), 'select 2')).resolves.toBeDefined();
    expect(proxy.stats.cut).toBe(1);
  });
});

describe('anything else', () => {
  test('a server that is not there resets the client', async () => {
    const { port } = proxy;
    await using dead = await startProxy({ host: '127.0.0.1', port });
    await proxy.refuse();
    expect(await codeOf(queryOnce(`postgresql://postgres@127.0.0.1:${dead.port}/x`, 'select 1'))).toBe('ECONNRESET');
  });

  test('passes on the end of one direction alone', async () => {
    const received: string[] = [];
    const server: Server = createServer({ allowHalfOpen: true }, (socket: Socket) => {
      socket.on('data', data => received.push(data.toString()));
      socket.on('end', () => socket.end('answer after the end'));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as { port: number };
    await using half = await startProxy({ host: '127.0.0.1', port });
    const answer = await fetchAll(half.port, 'question');
    expect(received).toEqual(['question']);
    expect(answer).toBe('answer after the end');
    server.close();
  });

  test('stop() leaves nobody listening and no connection open', async () => {
    await proxy.stop();
    expect(await codeOf(select1())).toBe('ECONNREFUSED');
    expect(proxy.stats.open).toBe(0);
  });

  test('a url keeps user, password and database', async () => {
    await using other = await startProxy('postgresql://me:se%20cret@localhost:1/books?ssl=0');
    expect(other.url()).toBe(`postgresql://me:se%20cret@127.0.0.1:${other.port}/books?ssl=0`);
    expect(other.url('films')).toBe(`postgresql://me:se%20cret@127.0.0.1:${other.port}/films?ssl=0`);
  });

  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('delay(%d) and throttle(%d) are refused', async value => {
    await expect(proxy.delay(value)).rejects.toThrow(
      `delay(ms) expects a number above 0, but got ${value}. To forward normally call pass().`,
    );
    await expect(proxy.throttle(value)).rejects.toThrow(`but got ${value}`);
  });

  test('a target without a port is refused', async () => {
    await expect(startProxy('localhost')).rejects.toThrow(
      "startProxy() expects a server's { host, port } or a url with a port, but got localhost.",
    );
  });
});

async function fetchAll(port: number, question: string): Promise<string> {
  const { connect } = await import('node:net');
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.end(question);
  let answer = '';
  socket.on('data', data => (answer += data.toString()));
  await once(socket, 'end');
  return answer;
}
