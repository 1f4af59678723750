import { createServer, type AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { closeAfter } from '../harness/close-after.ts';
import { openDatabase } from '../harness/database.ts';
import { queryOnce } from '../harness/pg-query.ts';
import { AtlasProcess, dataFolder, runAtlas, type Ended } from './atlas-process.ts';

/** One clear line, and nothing that looks like a stack trace. */
function expectOneLine({ stderr }: Ended, line: string | RegExp): void {
  expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  expect(stderr.trimEnd()).toMatch(line);
  expect(stderr).not.toMatch(/^\s+at /m);
}

test.each([
  [['--port', 'abc'], 'but got: abc.'],
  [['--port', '65536'], 'but got: 65536.'],
  [['--port', '-1'], 'but got: -1.'],
  [['--port', '80.5'], 'but got: 80.5.'],
  [['--port='], 'but got: nothing.'],
  [['--port'], 'but got: nothing.'],
])('%j is no port', async (args, end) => {
  const ended = await runAtlas(args);
  expectOneLine(ended, `atlas: --port must be a whole number from 0 (any free port) to 65535, ${end}`);
  expect(ended).toMatchObject({ code: 2, stdout: '' });
});

test.each([
  [['--frobnicate'], "atlas: Unknown option '--frobnicate'. --help lists the options."],
  [['now'], "atlas: Unexpected argument 'now'. --help lists the options."],
])('%j is refused', async (args, line) => {
  const ended = await runAtlas(args);
  expectOneLine(ended, line);
  expect(ended.code).toBe(2);
});

test('--help', async () => {
  const { code, stdout, stderr } = await runAtlas(['--help']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  for (const word of ['--port', '--once', '--no-cache', 'DATABASE_URL', 'REPLICA_URLS', 'REDIS_URL', 'ATLAS_DATA']) {
    expect(stdout).toContain(word);
  }
});

test('a busy port is noticed before anything is started', async () => {
  const server = createServer();
  closeAfter(() => new Promise(resolve => server.close(() => resolve())));
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const ended = await runAtlas(['--port', String(port)], { ATLAS_DATA: dataFolder() });
  expectOneLine(ended, `atlas: port ${port} is in use. Choose another with --port N, or --port 0 for any free one.`);
  expect(ended).toMatchObject({ code: 1, stdout: '' });
});

test.each([
  [
    'postgres://me:secret@127.0.0.1:1/atlas',
    /^atlas: cannot reach PostgreSQL at postgres:\/\/me@127\.0\.0\.1:1\/atlas: .*ECONNREFUSED/,
  ],
  [
    'postgres://nowhere.invalid/atlas',
    /^atlas: cannot reach PostgreSQL at postgres:\/\/nowhere\.invalid\/atlas: .*nowhere\.invalid/,
  ],
])('DATABASE_URL=%s cannot be reached', async (DATABASE_URL, line) => {
  const ended = await runAtlas(['--once'], { DATABASE_URL });
  expectOneLine(ended, line);
  expect(ended.code).toBe(1);
  expect(ended.stderr).not.toContain('secret');
});

test.each([
  [{ DATABASE_URL: 'mysql://localhost/atlas' }, /^atlas: DATABASE_URL must be a URL like postgres:/],
  [{ DATABASE_URL: 'atlas' }, /^atlas: DATABASE_URL must be a URL like postgres:/],
  [{ REPLICA_URLS: 'postgres://localhost/atlas' }, /^atlas: REPLICA_URLS is set but DATABASE_URL is not/],
  [{ REDIS_URL: 'http://localhost' }, /^atlas: REDIS_URL must be a URL like redis:/],
])('%j makes no sense', async (env, line) => {
  const ended = await runAtlas(['--once'], env);
  expectOneLine(ended, line);
  expect(ended.code).toBe(2);
});

test("--once on a database of one's own: loads, tours, ends", { timeout: 180_000 }, async () => {
  const { url } = await openDatabase();
  const { code, stdout, stderr } = await runAtlas(['--once'], { DATABASE_URL: url });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/Loading cities … [\d,]+ of 135,233/);
  expect(stdout).toMatch(/Data loaded, ready after \d+\.\d s/);
  // World: four statements for each country without the extension, five with it.
  expect(stdout).toMatch(/^World +1001 +[\d.]+ +5 +[\d.]+ +[\d.]+ ×$/m);
  expect(stdout).not.toContain('GraphiQL');
  const [count] = await queryOnce<{ n: number }>(url, 'select count(*)::int as n from atlas.city');
  expect(count).toEqual({ n: 135_233 });
});

test('data that is not whole is loaded anew; data that is whole is not', { timeout: 180_000 }, async () => {
  const { url } = await openDatabase();
  const started = async (): Promise<string> => {
    const atlas = new AtlasProcess(['--once'], { DATABASE_URL: url });
    const [, what] = await atlas.printed(/Data (loaded|found), ready after/);
    // In the middle of the tour, which is of no interest here.
    const { code, stderr } = await atlas.interrupt();
    expect({ code, stderr }).toEqual({ code: 130, stderr: '' });
    return what!;
  };
  expect(await started()).toBe('loaded');
  expect(await started()).toBe('found');
  await queryOnce(url, 'truncate atlas.city cascade');
  expect(await started()).toBe('loaded');
  expect(await queryOnce(url, 'select count(*)::int as n from atlas.city')).toEqual([{ n: 135_233 }]);
});

test('a schema "atlas" that is somebody else\'s is left alone', async () => {
  const { url } = await openDatabase();
  await queryOnce(url, 'create schema atlas');
  await queryOnce(url, 'create table atlas.mine (id int)');
  const ended = await runAtlas(['--once'], { DATABASE_URL: url });
  expectOneLine(ended, /^atlas: the database has a schema "atlas" that is not Atlas's own/);
  expect(ended.code).toBe(1);
  expect(await queryOnce(url, `select tablename from pg_tables where schemaname = 'atlas'`)).toEqual([
    { tablename: 'mine' },
  ]);
});

test(
  'one data folder: Ctrl-C while loading, Ctrl-C while serving, data that is there, a second Atlas',
  { timeout: 240_000 },
  async () => {
    const env = { ATLAS_DATA: dataFolder() };
    const first = new AtlasProcess(['--port', '0'], env);
    await first.printed(/Loading cities/);
    expect(await first.interrupt()).toMatchObject({ code: 130, stderr: '' });

    const second = new AtlasProcess(['--port', '0'], env);
    const [, loading] = await second.printed(/Data loaded, ready after (\d+\.\d) s[^]*Ctrl-C/);
    expect(await second.interrupt()).toMatchObject({ code: 0, stderr: '' });

    const third = new AtlasProcess(['--port', '0'], env);
    const [, seconds] = await third.printed(/Data found, ready after (\d+\.\d) s/);
    expect(Number(seconds)).toBeLessThan(Number(loading));

    const fourth = await runAtlas(['--port', '0'], env);
    expectOneLine(fourth, /^atlas: the embedded PostgreSQL did not start: ATLAS_DATA .* is in use by process \d+\./);
    expect(fourth.code).toBe(1);
  },
);
