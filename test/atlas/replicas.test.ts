import { expect, test } from 'vitest';
import { openCluster } from '../harness/open-cluster.ts';
import { queryOnce } from '../harness/pg-query.ts';
import * as queries from '../../examples/atlas/src/queries.ts';
import { AtlasProcess, dataFolder, runAtlas } from './atlas-process.ts';

/** A line of the tour: what was done, how often which server was asked, and why. */
interface Route {
  readonly what: string;
  readonly server: string;
  readonly count: number;
  readonly why: string;
}

/** The lines of the table; what was done stands in the first of its lines only. */
function routes(output: string): Route[] {
  const lines = output.split('\n');
  const begin = lines.findIndex(line => /^what +server +how often +why$/.test(line));
  const found: Route[] = [];
  for (const line of lines.slice(begin + 1)) {
    const [, what, server, count, why] = /^(.*?) +(primary|replica-\d+) +(\d+)  (\S+)$/.exec(line) ?? [];
    if (what === undefined) {
      break;
    }
    found.push({ what: what || found.at(-1)!.what, server: server!, count: Number(count), why: why! });
  }
  return found;
}

function of(all: readonly Route[], what: string): Omit<Route, 'what'>[] {
  return all.filter(route => route.what === what).map(({ what: _, ...route }) => route);
}

interface Statement {
  readonly sql: string;
  readonly via: string;
}

async function ask(url: string, query: string, variables?: object): Promise<{ data: unknown; sql: Statement[] }> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors, extensions } = (await response.json()) as {
    data: unknown;
    errors?: unknown;
    extensions: { sql: { statements: Statement[] } };
  };
  expect(errors).toBeUndefined();
  return { data, sql: extensions.sql.statements };
}

test(
  'the tour kills the replica of the embedded servers, goes on, and reads from it again',
  { timeout: 240_000 },
  async () => {
    const atlas = new AtlasProcess(['--port', '0'], { ATLAS_DATA: dataFolder() });
    const [tour, url] = await atlas.printed(/^[^]*GraphiQL {4}(\S+)[^]*Ctrl-C/);
    const all = routes(tour);

    expect(of(all, 'a visit to it, written')).toEqual([{ server: 'primary', count: 1, why: 'primary' }]);
    // The replica has it, was waited for, or is passed by: the visit is seen in any case, or the tour fails.
    expect(of(all, '… and read back at once')).toEqual([
      { server: 'replica-1', count: 1, why: expect.stringMatching(/^replica-(checked|waited|caught-up)$/) },
    ]);
    expect(of(all, 'a query in GraphQL, batched: cities, countries, visits')).toContainEqual(
      expect.objectContaining({ server: 'replica-1' }),
    );
    expect(of(all, 'countries that are not in the cache')).toEqual([{ server: 'primary', count: 1, why: 'primary' }]);
    const killed = of(all, '10 readers, while replica-1 is killed');
    expect(killed).toContainEqual(expect.objectContaining({ server: 'replica-1' }));
    expect(killed).toContainEqual(expect.objectContaining({ server: 'primary', why: 'primary-no-replica' }));
    expect(of(all, 'replica-1 runs again: until it answers').at(-1)).toMatchObject({ server: 'replica-1', count: 1 });
    for (const why of new Set(all.map(route => route.why))) {
      expect(tour).toMatch(new RegExp(`^${why} {2,}\\S`, 'm'));
    }

    // Afterwards it serves as before: a visit is written on the primary, and the next request finds it on the replica.
    const added = await ask(url!, queries.ADD_VISIT, { traveller: 3, city: 2_960_316 });
    const insert = added.sql.find(statement => statement.sql.startsWith('insert'));
    expect(insert?.via).toBe('primary');
    const { data, sql } = await ask(url!, '{ city(id: 2960316) { visits(limit: 100) { traveller { id } } } }');
    expect((data as { city: { visits: object[] } }).city.visits).toContainEqual({ traveller: { id: 3 } });
    expect(sql.map(({ via }) => via)).toEqual(sql.map(() => 'replica'));

    expect(await atlas.interrupt()).toMatchObject({ code: 0, stderr: '' });
  },
);

test(
  "on servers of one's own the replica answers and is left alone, and no visit stays",
  { timeout: 240_000 },
  async () => {
    const cluster = await openCluster({ embedded: true, replicas: 1 });
    const url = await cluster.createDatabase('atlas');
    await cluster.caughtUp();
    const replica = cluster.replicas[0]!;
    const pid = replica.pid;

    const { code, stdout, stderr } = await runAtlas(['--once'], {
      DATABASE_URL: url,
      REPLICA_URLS: replica.url('atlas'),
    });

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(of(routes(stdout), '… and read back at once')).toMatchObject([{ server: 'replica-1', count: 1 }]);
    expect(stdout).not.toContain('killed');
    expect(replica.pid).toBe(pid);
    const [visits] = await queryOnce<{ n: number }>(
      url,
      `select count(*)::int as n from atlas.visit where traveller_id = 1 and day = '2026-11-20'`,
    );
    expect(visits).toEqual({ n: 0 });
  },
);
