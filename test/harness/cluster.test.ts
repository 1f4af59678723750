import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Cluster, PgNode } from './postgres.ts';
import { startCluster } from './postgres.ts';
import { childrenOf, isAlive } from './processes.ts';

const countOf = async (node: PgNode): Promise<number> =>
  Number((await node.query<{ count: string }>('select count(*) from entry', [], 'books'))[0]?.count);

const succeeds = (work: Promise<unknown>): Promise<boolean> =>
  work.then(
    () => true,
    () => false,
  );

describe('a cluster with two replicas', () => {
  let cluster: Cluster;
  let replica: PgNode;
  let url: string;

  beforeAll(async () => {
    cluster = await startCluster({
      embedded: true,
      replicas: 2,
      conf: [`shared_preload_libraries = 'pg_stat_statements,auto_explain'`, `work_mem = '7MB'`],
    });
    replica = cluster.replicas[0]!;
    url = await cluster.createDatabase('books');
    await cluster.primary.query('create table entry (n int)', [], 'books');
  });

  afterAll(() => cluster.stop());

  test('a row written on the primary appears on both', async () => {
    const before = await countOf(cluster.primary);
    await cluster.primary.query('insert into entry values ($1)', [1], 'books');
    await cluster.caughtUp();
    expect(await Promise.all(cluster.replicas.map(countOf))).toEqual([before + 1, before + 1]);
  });

  test('knows who is who, and replicas refuse to write', async () => {
    const roles = [cluster.primary, ...cluster.replicas].map(async node => {
      const [row] = await node.query<{ standby: boolean }>('select pg_is_in_recovery() as standby');
      return `${node.name} ${row?.standby}`;
    });
    expect(await Promise.all(roles)).toEqual(['primary false', 'replica-1 true', 'replica-2 true']);
    await expect(replica.query('insert into entry values (1)', [], 'books')).rejects.toMatchObject({ code: '25006' });
  });

  test('is PostgreSQL 18, UTF-8, in UTC, with upper() for every letter', async () => {
    const rows = await cluster.primary.query(
      `select current_setting('server_version_num')::int / 10000 as version, current_setting('TimeZone') as zone,
         pg_encoding_to_char(encoding) as encoding, upper('ångström') as upper
       from pg_database where datname = current_database()`,
      [],
      'books',
    );
    expect(rows).toEqual([{ version: 18, zone: 'UTC', encoding: 'UTF8', upper: 'ÅNGSTRÖM' }]);
  });

  test('takes lines of postgresql.conf, preloaded libraries included', async () => {
    await cluster.primary.query('create extension pg_stat_statements', [], 'books');
    expect(await cluster.primary.query('select from pg_stat_statements limit 1', [], 'books')).toHaveLength(1);
    expect(await replica.query('show work_mem')).toEqual([{ work_mem: '7MB' }]);
  });

  test('listens on loopback alone, without a socket file', async () => {
    expect(await cluster.primary.query('show listen_addresses')).toEqual([{ listen_addresses: '127.0.0.1' }]);
    expect(await cluster.primary.query('show unix_socket_directories')).toEqual([{ unix_socket_directories: '' }]);
  });

  test('createDatabase gives the url, dropDatabase cuts off who is connected and forgives what is not there', async () => {
    expect(url).toBe(`postgresql://postgres@127.0.0.1:${cluster.primary.port}/books`);
    await cluster.createDatabase('odd "name"');
    const sleeping = succeeds(cluster.primary.query('select pg_sleep(30)', [], 'odd "name"'));
    await expect
      .poll(() => cluster.primary.query(`select from pg_stat_activity where datname = 'odd "name"'`))
      .toHaveLength(1);
    await cluster.dropDatabase('odd "name"');
    expect(await sleeping).toBe(false);
    await cluster.dropDatabase('odd "name"');
  });

  test('a stopped replica misses writes and has them after its start, on the same port', async () => {
    const { port } = replica;
    await replica.stop();
    expect(replica.pid).toBeUndefined();
    expect(await succeeds(replica.query('select 1'))).toBe(false);
    await cluster.primary.query('insert into entry values (2)', [], 'books');
    await replica.start();
    await cluster.caughtUp();
    expect(replica.port).toBe(port);
    expect(await countOf(replica)).toBe(await countOf(cluster.primary));
  });

  test('SIGSTOP freezes a server whole, SIGCONT thaws it', async () => {
    // Connected already, so that a process of its own serves it, and one that has yet to connect.
    const connected = new Pool({ connectionString: replica.url(), max: 1 });
    onTestFinished(() => connected.end());
    await connected.query('select 1');
    await replica.signal('SIGSTOP');
    const answers = [connected.query('select 1'), replica.query('select 1')].map(succeeds);
    expect(await Promise.race([...answers, sleep(200, 'waiting')])).toBe('waiting');
    await replica.signal('SIGCONT');
    expect(await Promise.all(answers)).toEqual([true, true]);
  });

  test('SIGKILL ends a server whole, and it starts again with its data', async () => {
    const { pid } = replica;
    const children = childrenOf(pid!);
    expect(children.length).toBeGreaterThan(2);
    await replica.signal('SIGKILL');
    // One that was about to end is init's, who may be slow to see it.
    await expect.poll(() => [pid!, ...children].filter(isAlive)).toEqual([]);
    await expect(replica.signal('SIGTERM')).rejects.toThrow(
      'signal() expects a running server, but replica-1 is stopped. Call start() first.',
    );
    await replica.start();
    await cluster.caughtUp();
    expect(await countOf(replica)).toBe(await countOf(cluster.primary));
  });

  test('addReplica copies the running primary', async () => {
    const third = await cluster.addReplica();
    await cluster.primary.query('insert into entry values (3)', [], 'books');
    await cluster.caughtUp();
    expect(cluster.replicas).toContain(third);
    expect(await countOf(third)).toBe(await countOf(cluster.primary));
  });

  test('caughtUp says which replica is behind', async () => {
    await replica.query('select pg_wal_replay_pause()');
    await cluster.primary.query('insert into entry values (4)', [], 'books');
    await expect(cluster.caughtUp(200)).rejects.toThrow(/^replica-1 has to replay up to .* within 200 ms, but did not/);
    await replica.query('select pg_wal_replay_resume()');
    await cluster.caughtUp();
  });

  test('a replica can be promoted', async () => {
    const last = cluster.replicas.at(-1)!;
    await last.query('select pg_promote()');
    await last.query('insert into entry values (5)', [], 'books');
    expect(await countOf(last)).toBe((await countOf(cluster.primary)) + 1);
  });

  test('stop() ends every process, frozen, killed or neither, and removes files and shared memory', async () => {
    const nodes = [cluster.primary, ...cluster.replicas];
    const pids = nodes.flatMap(node => [node.pid!, ...childrenOf(node.pid!)]);
    const segments = nodes.map(node => segmentOf(node));
    await replica.signal('SIGSTOP');
    await cluster.replicas[1]!.signal('SIGKILL');
    expect(segments.filter(isSegment)).toEqual(segments);
    await cluster.stop();
    await cluster.stop();
    await expect.poll(() => pids.filter(isAlive)).toEqual([]);
    expect(segments.filter(isSegment)).toEqual([]);
    expect(nodes.filter(node => existsSync(node.dataDirectory!))).toEqual([]);
  });
});

/** The id of the shared memory that a running server has written into its pid file. */
function segmentOf(node: PgNode): string {
  const line = readFileSync(join(node.dataDirectory!, 'postmaster.pid'), 'utf8').split('\n')[6];
  return line?.trim().split(/\s+/)[1] ?? '';
}

function isSegment(id: string): boolean {
  return execFileSync('ipcs', ['-m'], { encoding: 'utf8' }).includes(` ${id} `);
}

describe('misuse', () => {
  test.each([
    [{ replicas: -1 }, 'replicas has to be a whole number from 0 to 8, but is -1.'],
    [{ replicas: 1.5 }, 'replicas has to be a whole number from 0 to 8, but is 1.5.'],
    [{ keepData: true }, 'keepData has to know where the data is, but dataDir is not given. Pass dataDir as well.'],
    [{ dataDir: '' }, 'dataDir has to be the path of a folder, but is an empty string.'],
    [{ conf: ['fsync'] }, 'conf has to hold lines such as "work_mem = \'8MB\'", but one is "fsync".'],
  ])('%j', async (options, message) => {
    await expect(startCluster({ embedded: true, ...options })).rejects.toThrow(message);
  });

  test('a folder with files of somebody else stays theirs', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'mikrokit-theirs-'));
    onTestFinished(() => rmSync(dataDir, { recursive: true }));
    writeFileSync(join(dataDir, 'thesis.txt'), 'years of work');
    const { mode } = statSync(dataDir);
    await expect(startCluster({ embedded: true, dataDir })).rejects.toThrow(
      `dataDir has to be a folder of its own, empty or of an earlier cluster, but ${dataDir} holds thesis.txt. Pass another dataDir.`,
    );
    expect(statSync(dataDir).mode).toBe(mode);
  });

  test('a setting that PostgreSQL refuses is told in its words, and nothing is left', async () => {
    const starting = startCluster({ embedded: true, conf: ['no_such_setting = 1'] });
    await expect(starting).rejects.toThrow(
      /primary has to accept connections.*unrecognized configuration parameter "no_such_setting"/s,
    );
  });
});
