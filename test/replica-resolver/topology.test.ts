import { setTimeout as sleep } from 'node:timers/promises';
import type { Candidate, NodeSnapshot, TopologyNode } from '@mikrokit/replica-resolver';
import { beforeAll, describe, expect, test } from 'vitest';
import { openDns, type Records } from './fixtures/dns-server.ts';
import { Note, Notes, type Routed } from './fixtures/notes.ts';

let notes: Notes;

beforeAll(async () => {
  notes = await Notes.open(3);
}, 120_000);

const replica = (index: number, name: string): TopologyNode => ({
  host: '127.0.0.1',
  port: notes.cluster.replicas[index]!.port,
  name,
});
const one = (): TopologyNode => replica(0, 'one');
const two = (): TopologyNode => replica(1, 'two');

/** Names of the nodes beside the primary. */
const names = ({ resolver }: Routed): string[] =>
  resolver
    .snapshot()
    .nodes.filter(({ role }) => role !== 'primary')
    .map(({ name }) => name);

const nodeOf = ({ resolver }: Routed, name: string): NodeSnapshot | undefined =>
  resolver.snapshot().nodes.find(node => node.name === name);

/** The share of the reads that each node answered. */
async function shareOf({ orm, routes }: Routed, reads = 300): Promise<Record<string, number>> {
  routes();
  for (let n = 0; n < reads; n++) {
    await orm.em.fork().count(Note);
  }
  const groups = Object.groupBy(routes(), route => route.split(':')[0]!.replace('replica ', ''));
  return Object.fromEntries(Object.entries(groups).map(([name, routed]) => [name, routed!.length / reads]));
}

/** Connections of MikroORM's to this server. */
async function connections(index: number): Promise<number> {
  const [row] = await notes.cluster.replicas[index]!.query<{ count: number }>(
    `select count(*)::int as count from pg_stat_activity where datname = '${notes.database}'`,
  );
  return row!.count;
}

describe('a function', () => {
  test('adds nodes; those that it no longer names get no reads, and their connections end', async () => {
    let there = [one()];
    const routed = await notes.connect({
      resolver: { topology: async () => there, topologyInterval: 100 },
      replicas: [],
    });
    await expect.poll(() => names(routed)).toEqual(['one']);
    expect(await shareOf(routed, 20)).toEqual({ one: 1 });
    there = [one(), two()];
    await expect.poll(() => nodeOf(routed, 'two')?.state).toBe('up');
    expect(Object.keys(await shareOf(routed, 60)).toSorted()).toEqual(['one', 'two']);
    expect(await connections(0)).toBeGreaterThan(0);
    there = [two()];
    await expect.poll(() => names(routed)).toEqual(['two']);
    expect(await shareOf(routed, 20)).toEqual({ two: 1 });
    await expect.poll(() => connections(0), { timeout: 5_000 }).toBe(0);
    // And back.
    there = [one()];
    await expect.poll(() => names(routed)).toEqual(['one']);
    await expect.poll(() => nodeOf(routed, 'one')?.state).toBe('up');
    expect(await shareOf(routed, 20)).toEqual({ one: 1 });
  });

  test('a read that is under way on a node that is taken out ends well', async () => {
    let there = [one()];
    const routed = await notes.connect({
      resolver: { topology: () => there, topologyInterval: 100 },
      replicas: [],
    });
    await expect.poll(() => nodeOf(routed, 'one')?.state).toBe('up');
    routed.routes();
    const reading = routed.orm.em.fork().getConnection('read').execute('select pg_sleep(3)::text as slept');
    await expect
      .poll(() => notes.one.query(`select from pg_stat_activity where query = 'select pg_sleep(3)::text as slept'`))
      .toHaveLength(1);
    there = [];
    await expect.poll(() => names(routed)).toEqual([]);
    await reading;
    expect(routed.routes()).toEqual(['replica one: replica']);
    await routed.count('x');
    expect(routed.routes()).toEqual(['primary: primary-only']);
  });

  test('one that fails or returns nonsense leaves the nodes as they are, and is told of', async () => {
    let answer: () => unknown = () => [one()];
    const routed = await notes.connect({
      resolver: { topology: async () => answer() as TopologyNode[], topologyInterval: 100 },
      replicas: [],
    });
    await expect.poll(() => nodeOf(routed, 'one')?.state).toBe('up');
    const cases: readonly (readonly [unknown, string | RegExp])[] = [
      [() => Promise.reject(new Error('no answer')), 'no answer'],
      [
        () => undefined,
        'topology() returns an array of { host, port?, name?, weight?, zone? }, but returned: undefined.',
      ],
      [
        () => ({}),
        'topology() returns an array of { host, port?, name?, weight?, zone? }, but returned: an object with nothing in it.',
      ],
      [
        () => [undefined],
        'topology()[0] takes an object of weight, zone, pool, but got: undefined. Pass { weight: 1 }.',
      ],
      [() => [one(), {}], 'topology() returns nodes with a host and a port, but number 1 has: undefined, undefined.'],
      [() => [{ host: '' }], 'topology() returns nodes with a host and a port, but number 0 has: "", undefined.'],
      [
        () => [{ host: 'x', port: 1.5 }],
        'topology() returns nodes with a host and a port, but number 0 has: "x", 1.5.',
      ],
      [
        () => [{ ...one(), weight: -1 }],
        'topology()[0].weight is a number from 0 to 1000000, but got: -1. Leave it out for 1.',
      ],
      [
        () => [{ ...one(), pool: { size: 1 } }],
        'topology()[0].pool.size is not among max, min, connectionTimeoutMillis, acquireTimeoutMillis, idleTimeoutMillis, maxLifetimeSeconds, but got: 1. Remove it, or correct its name.',
      ],
    ];
    for (const [returns, error] of cases) {
      answer = returns as () => unknown;
      const heard = routed.heard('topology.failed').length;
      await expect.poll(() => routed.heard('topology.failed').length).toBeGreaterThan(heard + 1);
      expect(routed.heard('topology.failed').at(-1)).toEqual({ error });
      expect(names(routed)).toEqual(['one']);
      expect(nodeOf(routed, 'one')?.state).toBe('up');
    }
    expect(await shareOf(routed, 10)).toEqual({ one: 1 });
  });

  test('configured nodes stay, whatever it says; naming one of them again does not add it twice', async () => {
    let there = [{ host: '127.0.0.1', port: notes.one.port }, two()];
    const routed = await notes.connect({
      resolver: { topology: () => there, topologyInterval: 100 },
      replicas: notes.replicas.slice(0, 1),
    });
    await expect.poll(() => names(routed)).toEqual(['one', 'two']);
    there = [];
    await expect.poll(() => names(routed)).toEqual(['one']);
  });

  test('the primary may be among them', async () => {
    const routed = await notes.connect({
      resolver: { topology: () => [{ host: '127.0.0.1', port: notes.primary.port }, one()], topologyInterval: 100 },
      replicas: [],
    });
    await expect.poll(() => names(routed)).toEqual(['one']);
    expect(routed.heard('node.rejected')).toEqual([]);
  });

  test('a node that is not there harms nobody', async () => {
    const routed = await notes.connect({
      resolver: { topology: () => [{ host: '127.0.0.1', port: 1, name: 'gone' }, one()] },
      replicas: [],
      early: true,
    });
    await routed.resolver.ready();
    await expect.poll(() => nodeOf(routed, 'one')?.state).toBe('up');
    await expect.poll(() => nodeOf(routed, 'gone')?.state).toBe('down');
    expect(nodeOf(routed, 'gone')!.lastError).toMatch(/ECONNREFUSED/);
    expect(await shareOf(routed, 20)).toEqual({ one: 1 });
  });
});

describe('a name in DNS', () => {
  test('with addresses: each is a node, on the port that is given, and one that goes is taken out', async () => {
    const zone = new Map<string, Records>([['replicas.test', { a: ['127.0.0.1'] }]]);
    await openDns(zone);
    const routed = await notes.connect({
      resolver: { topology: { dns: 'replicas.test', port: notes.cluster.replicas[1]!.port }, topologyInterval: 100 },
      replicas: notes.replicas.slice(0, 1),
    });
    const second = `127.0.0.1:${notes.cluster.replicas[1]!.port}`;
    await expect.poll(() => names(routed)).toEqual(['one', second]);
    await expect.poll(() => nodeOf(routed, second)?.state).toBe('up');
    // The share is told by the host of a node without a name.
    expect(Object.keys(await shareOf(routed, 60)).toSorted()).toEqual(['127.0.0.1', 'one']);
    zone.delete('replicas.test');
    await expect.poll(() => routed.heard('topology.failed').length).toBeGreaterThan(0);
    expect(names(routed)).toEqual(['one', second]);
    zone.set('replicas.test', { a: ['127.0.0.2'] });
    await expect.poll(() => names(routed)).toEqual(['one', second.replace('127.0.0.1', '127.0.0.2')]);
  });

  test('of services (SRV): hosts, ports and weights of the lowest priority', async () => {
    const [, two, three] = notes.cluster.replicas;
    await openDns(
      new Map<string, Records>([
        [
          '_postgresql._tcp.replicas.test',
          {
            srv: [
              { host: 'localhost', port: two!.port, weight: 3 },
              { host: 'localhost', port: three!.port, priority: 10 },
            ],
          },
        ],
      ]),
    );
    const routed = await notes.connect({
      resolver: { topology: { dns: '_postgresql._tcp.replicas.test' } },
      replicas: notes.replicas.slice(0, 1),
    });
    const second = `localhost:${two!.port}`;
    await expect.poll(() => names(routed)).toEqual(['one', second]);
    await expect.poll(() => nodeOf(routed, second)?.state).toBe('up');
    expect(nodeOf(routed, second)!.weight).toBe(3);
  });

  test.each(['replicas.invalid', '_postgresql._tcp.replicas.invalid'])(
    '%s does not resolve: it is told, and reads are answered',
    async dns => {
      const routed = await notes.connect({ resolver: { topology: { dns } }, replicas: notes.replicas.slice(0, 1) });
      await expect
        .poll(() => routed.heard('topology.failed'), { timeout: 30_000 })
        .toEqual([{ error: expect.stringMatching(/replicas\.invalid/) }]);
      expect(await shareOf(routed, 5)).toEqual({ one: 1 });
    },
  );
});

describe('which replica answers', () => {
  test('p2c: equal ones get about the same', async () => {
    const routed = await notes.connect();
    const share = await shareOf(routed, 600);
    for (const name of ['one', 'two', 'three']) {
      expect(share[name]).toBeGreaterThan(0.2);
      expect(share[name]).toBeLessThan(0.47);
    }
  });

  test.each(['p2c', 'random', 'round-robin'] as const)('%s: by weight', async strategy => {
    const routed = await notes.connect({
      resolver: { strategy, nodes: { one: { weight: 6 }, two: { weight: 3 }, three: { weight: 1 } } },
    });
    const share = await shareOf(routed, 600);
    expect(share['one']).toBeGreaterThan(0.5);
    expect(share['one']).toBeLessThan(0.7);
    expect(share['two']).toBeGreaterThan(0.2);
    expect(share['two']).toBeLessThan(0.4);
    expect(share['three']).toBeGreaterThan(0.03);
    expect(share['three']).toBeLessThan(0.18);
  });

  test('round-robin: in turn', async () => {
    const routed = await notes.connect({ resolver: { strategy: 'round-robin' } });
    expect(await shareOf(routed, 300)).toEqual({ one: 1 / 3, two: 1 / 3, three: 1 / 3 });
  });

  test('a weight of 0: none while another can answer', async () => {
    const routed = await notes.connect({ resolver: { nodes: { one: { weight: 0 }, two: { weight: 0 } } } });
    expect(await shareOf(routed, 50)).toEqual({ three: 1 });
    routed.resolver.drain('three');
    expect(Object.keys(await shareOf(routed, 50)).toSorted()).toEqual(['one', 'two']);
  });

  test('a weight by host:port', async () => {
    const weighed = [two(), replica(2, 'three')].map(({ host, port }) => [`${host}:${port}`, { weight: 0 }] as const);
    const routed = await notes.connect({ resolver: { nodes: Object.fromEntries(weighed) } });
    expect(await shareOf(routed, 50)).toEqual({ one: 1 });
  });

  test('the own zone answers, as long as it can', async () => {
    const routed = await notes.connect({
      resolver: { zone: 'a', nodes: { one: { zone: 'a' }, two: { zone: 'b' }, three: { zone: 'a' } } },
    });
    expect(Object.keys(await shareOf(routed, 60)).toSorted()).toEqual(['one', 'three']);
    routed.resolver.drain('one');
    routed.resolver.drain('three');
    expect(await shareOf(routed, 20)).toEqual({ two: 1 });
  });

  test('a function: what it chooses', async () => {
    const asked: string[][] = [];
    const strategy = (candidates: readonly Candidate[]): Candidate | undefined => {
      asked.push(candidates.map(({ name }) => name));
      return candidates.find(({ name }) => name === 'two');
    };
    const routed = await notes.connect({ resolver: { strategy } });
    expect(await shareOf(routed, 20)).toEqual({ two: 1 });
    expect(asked.at(-1)).toEqual(['one', 'two', 'three']);
    // Not one of those that it was given: it is passed over.
    routed.resolver.drain('two');
    expect(Object.keys(await shareOf(routed, 40)).toSorted()).toEqual(['one', 'three']);
  });

  test('a function that throws, or chooses what is none, is passed over', async () => {
    for (const strategy of [
      () => {
        throw new Error('no');
      },
      () => ({ name: 'one' }) as Candidate,
      () => undefined,
    ]) {
      const routed = await notes.connect({ resolver: { strategy } });
      expect(Object.keys(await shareOf(routed, 60)).toSorted()).toEqual(['one', 'three', 'two']);
    }
  });

  test('only one of those that show enough, where a session has written', async () => {
    const routed = await notes.connect({ resolver: { strategy: 'random', wait: 2_000 } });
    await notes.pause(notes.one, notes.two);
    await routed.resolver.run({}, async () => {
      await routed.orm.em.fork().insert(Note, { text: 'x' } as never);
      // The monitor has to have seen who has it.
      await expect.poll(() => nodeOf(routed, 'one')?.lagBytes).toBeGreaterThan(0);
      await sleep(600);
      expect(await shareOf(routed, 40)).toEqual({ three: 1 });
      // Nearly none had to ask another one first.
      expect(routed.heard('stale.prevented').length).toBeLessThan(8);
    });
  });
});
