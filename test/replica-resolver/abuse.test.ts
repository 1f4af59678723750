import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  OptionsError,
  replicaResolver,
  ReplicaResolverError,
  type ReplicaResolverOptions,
} from '@mikrokit/replica-resolver';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { PgNode } from '../harness/pg-node.ts';
import { openCluster } from '../harness/open-cluster.ts';
import { openDatabase } from '../harness/database.ts';
import { startProxy } from '../harness/proxy.ts';
import { Note, Notes, type Routed } from './fixtures/notes.ts';

let notes: Notes;

beforeAll(async () => {
  notes = await Notes.open(1);
}, 120_000);

const POOL = 'max, min, connectionTimeoutMillis, acquireTimeoutMillis, idleTimeoutMillis, maxLifetimeSeconds';
const LEVELS =
  "is one of 'session', 'monotonic', 'strong', 'eventual' or { bounded: ms } with 0 < ms <= 86400000, but got:";
const OWN = "Pass 'session' to see what the session has written.";

describe('options', () => {
  test.each<[unknown, unknown]>([
    [null, 'options takes an object of options, but got: null. Leave it out, or pass { maxLag: 10_000 }.'],
    [7, 'options takes an object of options, but got: 7. Leave it out, or pass { maxLag: 10_000 }.'],
    [[], 'options takes an object of options, but got: an array of 0. Leave it out, or pass { maxLag: 10_000 }.'],
    [{ consistency: 'sometimes' }, `consistency ${LEVELS} "sometimes". ${OWN}`],
    [{ consistency: { bounded: 0 } }, `consistency ${LEVELS} an object with bounded. ${OWN}`],
    [{ consistency: { bounded: 5, strong: true } }, `consistency ${LEVELS} an object with bounded, strong. ${OWN}`],
    [{ maxLag: 0 }, 'maxLag is a number from 1 to 86400000 (ms), but got: 0. Leave it out for 10000.'],
    [{ maxLag: '5s' }, 'maxLag is a number from 1 to 86400000 (ms), but got: "5s". Leave it out for 10000.'],
    [{ heartbeat: 1 }, 'heartbeat is a number from 10 to 60000 (ms), but got: 1. Leave it out for 1000.'],
    [
      { probeTimeout: Infinity },
      'probeTimeout is a number from 10 to 60000 (ms), but got: Infinity. Leave it out for 1000.',
    ],
    [{ wait: -1 }, 'wait is a number from 0 to 60000 (ms), but got: -1. Leave it out for 20.'],
    [{ tokenTtl: NaN }, 'tokenTtl is a number from 1 to 86400000 (ms), but got: NaN. Leave it out for 60000.'],
    [
      { tokenTtl: 5_000 },
      'tokenTtl is not less than maxLag (10000 ms), or a session could lose sight of its own writes, but got: 5000. Raise tokenTtl or lower maxLag.',
    ],
    [
      { secret: 'too short' },
      'secret is a text or bytes of at least 16, but got a text of 9 characters. Make one with randomBytes(32).',
    ],
    [
      { secret: 5 },
      'secret is a text or bytes of at least 16, but got a value of type number. Make one with randomBytes(32).',
    ],
    [
      { tokenStore: {} },
      'tokenStore has get(key) and raise(key, token, ttl), but got: an object with nothing in it. Pass redisTokenStore(client).',
    ],
    [{ pin: '2' }, 'pin is a number from 0 to 86400000 (ms), but got: "2". Leave it out for 2000.'],
    [
      { strategy: 'fastest' },
      "strategy is one of 'p2c', 'round-robin', 'random', but got: \"fastest\". Leave it out for 'p2c'.",
    ],
    [{ latencyWindow: -1 }, 'latencyWindow is a number from 0 to 86400000 (ms), but got: -1. Leave it out for 15.'],
    [{ zone: '' }, 'zone is a text that is not empty, but got: "". Leave it out if there is none.'],
    [{ slowStart: true }, 'slowStart is a number from 0 to 86400000 (ms), but got: true. Leave it out for 30000.'],
    [
      { nodes: [] },
      "nodes takes an object of node names, but got: an array of 0. Pass { 'replica-1': { weight: 2 } }.",
    ],
    [{ nodes: { one: 1 } }, 'nodes["one"] takes an object of weight, zone, pool, but got: 1. Pass { weight: 1 }.'],
    [
      { nodes: { one: { weight: -1 } } },
      'nodes["one"].weight is a number from 0 to 1000000, but got: -1. Leave it out for 1.',
    ],
    [
      { nodes: { one: { zone: 1 } } },
      'nodes["one"].zone is a text that is not empty, but got: 1. Leave it out if there is none.',
    ],
    [{ nodes: { one: { pool: 5 } } }, `nodes["one"].pool takes an object of ${POOL}, but got: 5. Pass { max: 10 }.`],
    [
      { topology: [] },
      "topology is a function that returns nodes, or { dns: name, port? }, but got: an array of 0. Pass async () => [{ host: 'replica-1' }].",
    ],
    [
      { topology: { dns: 'x', port: 0 } },
      'topology.port is a number from 1 to 65535, but got: 0. Leave it out for 5432.',
    ],
    [
      { topology: { dns: 'x', port: 1.5 } },
      'topology.port is a whole number from 1 to 65535, but got: 1.5. Leave it out for 5432.',
    ],
    [
      { topologyInterval: 1 },
      'topologyInterval is a number from 100 to 86400000 (ms), but got: 1. Leave it out for 60000.',
    ],
    [{ pool: 10 }, `pool takes an object of ${POOL}, but got: 10. Pass { max: 10 }.`],
    [{ pool: { size: 10 } }, `pool.size is not among ${POOL}, but got: 10. Remove it, or correct its name.`],
    [{ pool: { max: 0 } }, expect.stringContaining('pool.max is a number from 1 to 10000, but got: 0.')],
    [{ primaryPool: { min: 11 } }, 'primaryPool.min is not more than max (10), but got: 11. Lower min or raise max.'],
    [
      { primaryPool: { acquireTimeoutMillis: 0 } },
      expect.stringContaining('primaryPool.acquireTimeoutMillis is a number from 1 to 86400000 (ms), but got: 0.'),
    ],
    [
      { onNoReplica: 'wait' },
      "onNoReplica is one of 'primary', 'stale', 'error', but got: \"wait\". Leave it out for 'primary'.",
    ],
    [{ fallbackShare: 50 }, 'fallbackShare is a number from 0 to 1, but got: 50. Leave it out for 0.5.'],
    [{ fallbackWait: -1 }, 'fallbackWait is a number from 0 to 86400000 (ms), but got: -1. Leave it out for 1000.'],
    [{ writeHold: 1e9 }, 'writeHold is a number from 0 to 86400000 (ms), but got: 1000000000. Leave it out for 5000.'],
    [{ retries: 1.5 }, 'retries is a whole number from 0 to 100, but got: 1.5. Leave it out for 2.'],
    [{ retryShare: 2 }, 'retryShare is a number from 0 to 1, but got: 2. Leave it out for 0.2.'],
    [{ readDeadline: 0 }, 'readDeadline is a number from 1 to 86400000 (ms), but got: 0. Leave it out for 5000.'],
    [{ resolveCommits: 'yes' }, 'resolveCommits is true or false, but got: "yes". Leave it out for false.'],
    [
      { maxlag: 5 },
      'replicaResolver() takes consistency, maxLag, heartbeat, probeTimeout, wait, tokenTtl, secret, tokenStore, pin, strategy, latencyWindow, zone, slowStart, nodes, topology, topologyInterval, pool, primaryPool, onNoReplica, fallbackShare, fallbackWait, writeHold, retries, retryShare, readDeadline, resolveCommits, but got: maxlag. Remove it, or correct its name.',
    ],
  ])('%j', (options, message) => {
    const make = (): unknown => replicaResolver(options as ReplicaResolverOptions);
    expect(make).toThrow(OptionsError);
    expect(make).toThrow(expect.objectContaining({ message, code: 'OPTIONS' }));
  });

  test('left out, or undefined: the default', () => {
    expect(() => replicaResolver()).not.toThrow();
    expect(() => replicaResolver({ maxLag: undefined, pool: { max: undefined }, nodes: undefined })).not.toThrow();
  });
});

const nodeOf = ({ resolver }: Routed, name: string) => resolver.snapshot().nodes.find(node => node.name === name);

/** Reads and writes are answered; what they say of each node is looked at by the test. */
async function works({ orm, resolver, count }: Routed): Promise<void> {
  const text = notes.text();
  await resolver.run({}, async () => {
    await orm.em.fork().insert(Note, { text } as never);
    expect(await count(text)).toBe(1);
  });
  for (let n = 0; n < 10; n++) {
    await orm.em.fork().count(Note, {}, { consistency: 'eventual' });
  }
}

describe('nodes that are not what they should be', () => {
  const good = (): { name: string; clientUrl: string } => notes.replicas[0]!;
  const url = (change: (url: URL) => void): string => {
    const changed = new URL(good().clientUrl);
    change(changed);
    return changed.href;
  };

  test('no replicas at all: the primary answers, and there is nothing to warn of', async () => {
    const routed = await notes.connect({ replicas: [] });
    await works(routed);
    expect(new Set(routed.routes())).toEqual(new Set(['primary: primary', 'primary: primary-only']));
    expect(routed.heard('node.rejected')).toEqual([]);
  });

  test('the same server twice', async () => {
    await using proxy = await startProxy(notes.one.url(notes.database));
    const routed = await notes.connect({
      replicas: [good(), { name: 'again', clientUrl: proxy.url(notes.database) }],
      early: true,
    });
    await routed.resolver.ready();
    await expect.poll(() => routed.heard('node.rejected')).toHaveLength(1);
    const [{ node, why }] = routed.heard('node.rejected') as [{ node: string; why: string }];
    const other = node === 'one' ? 'again' : 'one';
    expect(why).toBe(
      `It is the same server as ${other}: both were started at the same microsecond. Remove one of them, or correct its address.`,
    );
    await expect.poll(() => nodeOf(routed, other)?.state).toBe('up');
    expect(nodeOf(routed, node)).toMatchObject({ state: 'fenced', why });
    routed.routes();
    await works(routed);
    expect(routed.routes().filter(route => route.includes(node))).toEqual([]);
  });

  test('the primary as a replica', async () => {
    await using proxy = await startProxy(notes.primary.url(notes.database));
    const routed = await notes.connect({
      replicas: [good(), { name: 'primary again', clientUrl: proxy.url(notes.database) }],
      early: true,
    });
    await routed.resolver.ready();
    await expect
      .poll(() => routed.heard('node.rejected'))
      .toEqual([
        {
          node: 'primary again',
          why: `It is the same server as 127.0.0.1:${notes.primary.port}: both were started at the same microsecond. Remove one of them, or correct its address.`,
        },
      ]);
    expect(routed.resolver.snapshot().primary).toBe(`127.0.0.1:${notes.primary.port}`);
    await works(routed);
  });

  test('a server of another cluster that answers before all others do', async () => {
    const stranger = await openDatabase();
    await using proxy = await startProxy(notes.primary.url(notes.database));
    await using slow = await startProxy(notes.one.url(notes.database));
    await proxy.delay(100);
    await slow.delay(30);
    const routed = await notes.connect({
      replicas: [
        { name: 'one', clientUrl: slow.url(notes.database) },
        { name: 'stranger', clientUrl: stranger.url },
      ],
      orm: { clientUrl: proxy.url(notes.database) },
      early: true,
    });
    await routed.resolver.ready();
    await expect.poll(() => routed.heard('node.rejected').map(({ node }) => node)).toEqual(['stranger']);
    await expect.poll(() => nodeOf(routed, 'one')?.state).toBe('up');
    await works(routed);
  });

  test('a server of another cluster', async () => {
    const stranger = await openDatabase();
    const routed = await notes.connect({
      replicas: [good(), { name: 'stranger', clientUrl: stranger.url }],
      early: true,
    });
    await routed.resolver.ready();
    await expect
      .poll(() => routed.heard('node.rejected'))
      .toEqual([
        {
          node: 'stranger',
          why: expect.stringMatching(
            /^It is of another cluster: its system identifier is \d+, not \d+\. Correct its address\.$/,
          ),
        },
      ]);
    await expect.poll(() => nodeOf(routed, 'one')?.state).toBe('up');
    expect(nodeOf(routed, 'stranger')!.state).toBe('fenced');
    routed.routes();
    await works(routed);
    expect(routed.routes().filter(route => route.includes('stranger'))).toEqual([]);
    expect(routed.resolver.snapshot().primary).toBe(`127.0.0.1:${notes.primary.port}`);
  });

  test('a wrong password on one node: told without the password, and reads are served', async () => {
    // The harness trusts whoever connects: this server asks this role for a password from now on.
    await notes.sql(`create role guarded login superuser password 'right one'`);
    await notes.cluster.caughtUp();
    const file = join(notes.one.dataDirectory!, 'pg_hba.conf');
    const before = readFileSync(file, 'utf8');
    writeFileSync(file, `host all guarded 127.0.0.1/32 scram-sha-256\n${before}`);
    onTestFinished(async () => {
      writeFileSync(file, before);
      await notes.one.query('select pg_reload_conf()');
      await notes.sql('drop role guarded');
    });
    await notes.one.query('select pg_reload_conf()');
    const guarded = (password: string): string =>
      url(changed => {
        changed.port = String(notes.one.port);
        changed.username = 'guarded';
        changed.password = password;
      });
    const right = await notes.connect({
      replicas: [{ name: 'two', clientUrl: guarded('right one') }],
      early: true,
    });
    await right.resolver.ready();
    await expect.poll(() => nodeOf(right, 'two')?.state).toBe('up');
    await right.orm.close();
    const wrong = await notes.connect({
      replicas: [{ name: 'two', clientUrl: guarded('wrong one') }],
      early: true,
    });
    await wrong.resolver.ready();
    await expect.poll(() => nodeOf(wrong, 'two')?.state).toBe('down');
    expect(nodeOf(wrong, 'two')!.lastError).toBe('password authentication failed for user "guarded"');
    expect(JSON.stringify([wrong.resolver.snapshot(), wrong.happened])).not.toMatch(/wrong one|wrong%20one/);
    await works(wrong);
  });

  test('a role that does not exist, on one node', async () => {
    const routed = await notes.connect({
      replicas: [good(), { name: 'two', clientUrl: url(changed => void (changed.username = 'nobody_here')) }],
      early: true,
    });
    await routed.resolver.ready();
    await expect.poll(() => nodeOf(routed, 'two')?.state).toBe('down');
    expect(nodeOf(routed, 'two')!.lastError).toBe('role "nobody_here" does not exist');
    expect(routed.heard('node.state').filter(({ node, to }) => node === 'two' && to === 'down')).toMatchObject([
      { why: expect.stringContaining('role "nobody_here" does not exist') },
    ]);
    await expect.poll(() => nodeOf(routed, 'one')?.state).toBe('up');
    routed.routes();
    await works(routed);
    expect(routed.routes().filter(route => route.includes('two'))).toEqual([]);
  });

  test('a database that does not exist, on one node', async () => {
    const routed = await notes.connect({
      replicas: [good(), { name: 'two', clientUrl: url(changed => void (changed.pathname = '/not_here')) }],
      early: true,
    });
    await routed.resolver.ready();
    await expect.poll(() => nodeOf(routed, 'two')?.state).toBe('down');
    expect(nodeOf(routed, 'two')!.lastError).toBe('database "not_here" does not exist');
    await works(routed);
  });

  test('a host that does not resolve', async () => {
    const routed = await notes.connect({
      replicas: [good(), { name: 'two', clientUrl: url(changed => void (changed.hostname = 'replica.invalid')) }],
      early: true,
    });
    await works(routed);
    await expect.poll(() => nodeOf(routed, 'two')?.state, { timeout: 20_000 }).toBe('down');
    expect(nodeOf(routed, 'two')!.lastError).toMatch(/replica\.invalid|not answered/);
    await works(routed);
  });

  test('nothing but wrong ones: the primary answers', async () => {
    const stranger = await openDatabase();
    const routed = await notes.connect({
      replicas: [
        { name: 'stranger', clientUrl: stranger.url },
        { name: 'nobody', clientUrl: url(changed => void (changed.username = 'nobody_here')) },
      ],
      early: true,
    });
    await routed.resolver.ready();
    await works(routed);
    expect(new Set(routed.routes())).toEqual(new Set(['primary: primary', 'primary: primary-no-replica']));
  });

  test('a wrong role for the primary itself: a write tells it, at once', async () => {
    const routed = await notes.connect({ orm: { user: 'nobody_here' }, replicas: [], early: true });
    const begun = performance.now();
    await expect(routed.orm.em.fork().insert(Note, { text: 'x' } as never)).rejects.toThrow(
      /role "nobody_here" does not exist|takes writes/,
    );
    expect(performance.now() - begun).toBeLessThan(6_000);
  });

  test('a copy of the primary that takes writes on the same timeline: both are told of, the configured one keeps them', async () => {
    const { cluster } = await Notes.open(2);
    const [good, copy] = cluster.replicas as [PgNode, PgNode];
    await copy.stop();
    rmSync(join(copy.dataDirectory!, 'standby.signal'));
    await copy.start();
    expect(await copy.query('select pg_is_in_recovery() as standby')).toEqual([{ standby: false }]);
    const primary = `127.0.0.1:${cluster.primary.port}`;
    const routed = await notes.connect({
      orm: { clientUrl: cluster.primary.url() },
      replicas: [
        { name: 'good', clientUrl: good.url() },
        { name: 'copy', clientUrl: copy.url() },
      ],
      early: true,
    });
    await routed.resolver.ready();
    await expect
      .poll(() => routed.heard('split-brain').map(({ nodes, timeline }) => ({ nodes: nodes.toSorted(), timeline })))
      .toEqual([{ nodes: [primary, 'copy'], timeline: 1 }]);
    expect(routed.resolver.snapshot().primary).toBe(primary);
    await expect.poll(() => nodeOf(routed, 'good')?.state).toBe('up');
    routed.routes();
    await routed.orm.em.execute('create table written (id int)');
    for (let n = 0; n < 20; n++) {
      await routed.orm.em.getConnection('read').execute('select * from written');
    }
    expect(routed.routes().filter(route => route.includes('copy'))).toEqual([]);
    expect(await copy.query("select to_regclass('written')::text as name")).toEqual([{ name: null }]);
  });

  test('a replica that was promoted: it is the primary, and nothing is written to the other one', async () => {
    const copied = await openCluster({ embedded: true, replicas: 1 });
    const [copy] = copied.replicas;
    await copied.primary.query('create table note (id int primary key, text varchar(255))');
    await copied.caughtUp();
    const routed = await notes.connect({
      orm: { clientUrl: copied.primary.url() },
      replicas: [{ name: 'copy', clientUrl: copy!.url() }],
    });
    await copy!.query('select pg_promote(true, 60)');
    // The higher timeline is what counts: it is the primary now, and the other one is fenced.
    await expect.poll(() => routed.heard('primary.changed').at(-1)?.to, { timeout: 10_000 }).toBe('copy');
    expect(nodeOf(routed, `127.0.0.1:${copied.primary.port}`)!.state).toBe('fenced');
    await routed.orm.em.fork().insert(Note, { id: 1, text: 'x' });
    expect(await copy!.query('select count(*)::int as count from note')).toEqual([{ count: 1 }]);
    expect(await copied.primary.query('select count(*)::int as count from note')).toEqual([{ count: 0 }]);
    await expect(routed.count('x')).resolves.toBe(1);
  });
});

describe('calls', () => {
  test.each<[unknown, unknown, string]>([
    [undefined, () => 1, 'undefined, a function'],
    [null, () => 1, 'null, a function'],
    ['token', () => 1, '"token", a function'],
    [{}, undefined, 'an object with nothing in it, undefined'],
    [() => 1, undefined, 'a function, undefined'],
  ])('run(%s, %s)', (scope, fn, got) => {
    const run = (): unknown => replicaResolver().run(scope as never, fn as never);
    expect(run).toThrow(ReplicaResolverError);
    expect(run).toThrow(
      expect.objectContaining({
        code: 'ARGUMENT',
        message: `run() takes a scope and a function, but got: ${got}. Call run({}, () => …).`,
      }),
    );
  });

  test('on() with what is no function', () => {
    expect(() => replicaResolver().on('warning', 'listener' as never)).toThrow(
      'on() takes the name of an event and a function, but got: "listener".',
    );
  });

  test('what needs an ORM, before there is one', async () => {
    const resolver = replicaResolver();
    const message =
      'A resolver works for the ORM that has it in its extensions, but none has yet. Pass it: extensions: [resolver].';
    for (const call of [() => resolver.snapshot(), () => resolver.drain('one'), () => resolver.undrain('one')]) {
      expect(call).toThrow(expect.objectContaining({ code: 'NOT_REGISTERED', message }));
    }
    await expect(resolver.ready()).rejects.toThrow(message);
  });

  test('what needs none, works', () => {
    const resolver = replicaResolver();
    expect(resolver.run({ token: 'x' }, () => resolver.token())).toBeUndefined();
    expect(resolver.wrote()).toBe(false);
    expect(resolver.withConsistency('strong', () => 5)).toBe(5);
  });

  test('a second ORM with the same resolver', async () => {
    const { resolver } = await notes.connect();
    expect(() => resolver.register({} as never)).toThrow(
      'A resolver routes one ORM, but was given a second one. Make another: extensions: [replicaResolver()].',
    );
  });
});
