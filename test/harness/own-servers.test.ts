import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openDatabase } from './database.ts';
import { queryOnce } from './pg-query.ts';
import { startCluster } from './postgres.ts';

// The shared cluster stands for a server of one's own.
beforeEach(() => {
  vi.stubEnv('DATABASE_URL', process.env['MIKROKIT_SHARED_PRIMARY']);
  vi.stubEnv('REPLICA_URLS', undefined);
});

afterEach(() => void vi.unstubAllEnvs());

describe('DATABASE_URL', () => {
  test('is used as it is: databases made on it go, the server stays', async () => {
    const cluster = await startCluster();
    const url = await cluster.createDatabase('of_my_own');
    expect(new URL(url).port).toBe(new URL(process.env['DATABASE_URL']!).port);
    expect(await queryOnce(url, 'select current_database() as name')).toEqual([{ name: 'of_my_own' }]);
    await cluster.stop();
    await expect(queryOnce(url, 'select 1')).rejects.toMatchObject({ code: '3D000' });
    expect(await queryOnce(process.env['DATABASE_URL']!, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('serves openDatabase through a cluster that was passed', async () => {
    const database = await openDatabase({ cluster: await startCluster() });
    expect(await queryOnce(database.url, 'select current_database() as name')).toEqual([{ name: database.name }]);
  });

  test('its server is neither stopped nor signalled', async () => {
    const { primary } = await startCluster();
    expect(primary.pid).toBeUndefined();
    const message = (call: string): string =>
      `${call} expects a server that the harness has started, but primary is one of your own (DATABASE_URL, REPLICA_URLS). ` +
      'Ask for the embedded one with startCluster({ embedded: true }).';
    await expect(primary.stop()).rejects.toThrow(message('stop()'));
    await expect(primary.signal('SIGKILL')).rejects.toThrow(message("signal('SIGKILL')"));
  });

  test('is passed over by { embedded: true }', async () => {
    await using cluster = await startCluster({ embedded: true });
    expect(cluster.primary.pid).toBeTypeOf('number');
    expect(cluster.primary.port).not.toBe(Number(new URL(process.env['DATABASE_URL']!).port));
  });

  test('cannot be configured', async () => {
    await expect(startCluster({ conf: ['fsync = on'] })).rejects.toThrow(
      'conf is "fsync = on". Ask for the embedded one',
    );
  });

  test('has to be a connection string', async () => {
    vi.stubEnv('DATABASE_URL', 'localhost');
    await expect(startCluster()).rejects.toThrow(
      'DATABASE_URL has to be a connection string such as postgresql://user:password@host:5432/postgres, but it is "localhost".',
    );
  });
});

describe('REPLICA_URLS', () => {
  test('names the replicas, separated by commas', async () => {
    vi.stubEnv('REPLICA_URLS', 'postgres://one:1/x, postgres://two/x');
    const { replicas } = await startCluster({ replicas: 2 });
    expect(replicas.map(({ name, port }) => `${name} ${port}`)).toEqual(['replica-1 1', 'replica-2 5432']);
    expect(replicas[0]?.url('books')).toBe('postgres://one:1/books');
  });

  test('has to name as many as are asked for', async () => {
    await expect(startCluster({ replicas: 1 })).rejects.toThrow(
      'the cluster has to have 1 replica(s), but REPLICA_URLS names 0 beside DATABASE_URL. Set REPLICA_URLS=url,url or unset DATABASE_URL.',
    );
  });
});
