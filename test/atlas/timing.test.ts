import { beforeAll, describe, expect, test } from 'vitest';
import { openDatabase } from '../harness/database.ts';
import { queryOnce } from '../harness/pg-query.ts';
import { AtlasProcess, dataFolder, runAtlas } from './atlas-process.ts';

let atlas: AtlasProcess;
let origin: string;
let tour: readonly string[];

beforeAll(async () => {
  atlas = new AtlasProcess(['--port', '0'], { ATLAS_DATA: dataFolder() });
  const [all, url] = await atlas.printed(/^[^]*GraphiQL {4}(\S+)[^]*Ctrl-C/);
  origin = new URL(url!).origin;
  tour = timingPart(all);
}, 180_000);

function timingPart(output: string): readonly string[] {
  const lines = output.split('\n');
  const begin = lines.findIndex(line => line.startsWith('What query-timing tells'));
  return lines.slice(begin + 2);
}

async function ask(query: string): Promise<void> {
  const response = await fetch(`${origin}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query }),
  });
  expect(await response.json()).not.toHaveProperty('errors');
}

interface Scope {
  readonly kind: string;
  readonly name: string;
  readonly queries: number;
}

async function scopes(): Promise<readonly Scope[]> {
  const response = await fetch(`${origin}/queries.json`);
  expect(response.status).toBe(200);
  return ((await response.json()) as { scopes: Scope[] }).scopes;
}

describe('the tour', () => {
  test('tells of the request before batching: what repeats, its lines, and the code that mends it', () => {
    expect(tour[0]).toMatch(/^query Travellers +24\d queries .*2 findings$/);
    const before = tour.slice(1, tour.indexOf('')).join('\n');
    expect(before).toMatch(/MN\+1 ×100 +50 × 2 queries .*\/plain-resolvers\.ts:\d+ in visit(s|Count)$/m);
    expect(before).toMatch(/fix: em\.find\(Traveller, …, \{ populate: \['visits'\] \}\) +\/\/ query\.ts:\d+/);
    expect(before).toMatch(/ N\+1 ×14\d +select city by id.*\/plain-resolvers\.ts:\d+ in city$/m);
    expect(before).toContain(`populate: ['visits.city']`);
  });

  test('… and after it: no repeats', () => {
    const after = tour.filter(line => line.startsWith('query Travellers')).at(-1);
    expect(after).toMatch(/^query Travellers +[3-5] queries +\S+ ms sql .*\(wait [^)]*\)$/);
  });

  test('a missing index is found, advised and verified, and makes the read faster', async () => {
    const [before, after] = tour.filter(line => line.startsWith('cities called Springfield'));
    const ms = (line: string | undefined): number => Number(/ ([\d.]+) ms sql/.exec(line!)![1]);
    expect(ms(after)).toBeLessThan(ms(before));
    expect(tour.join('\n')).toMatch(/slow +select city took/);
    expect(tour.join('\n')).toMatch(
      /An index on city \(name\) makes a read cheaper: cost [\d,]+ → [\d,.]+ \(−9\d %\)\./,
    );
    expect(tour).toContain('  create index concurrently "city_name_index" on "atlas"."city" ("name");');
  });
});

describe('the page', () => {
  test('is there, and says where', async () => {
    expect(tour).toContain(`Queries     ${origin}/queries   (what they cost, and why)`);
    const response = await fetch(`${origin}/queries`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^text\/html/);
    expect(response.headers.get('content-security-policy')).toMatch(/default-src 'none'/);
  });

  test('has the requests of GraphQL, by the names of their operations', async () => {
    await ask('query Neighbours { country(code: "LUX") { neighbours { name } } }');
    await ask('{ cities(limit: 1) { name } }');
    await expect
      .poll(async () => (await scopes()).filter(({ kind }) => kind === 'request'), { timeout: 10_000 })
      .toMatchObject([{ name: 'query { cities }', queries: 1 }, { name: 'query Neighbours' }]);
  });

  test('which is looked at does not keep Atlas from ending', async () => {
    const live = await fetch(`${origin}/queries/events`);
    expect(live.headers.get('content-type')).toMatch(/^text\/event-stream/);
    const ended = live.text().catch(() => {});
    expect(await atlas.interrupt()).toMatchObject({ code: 0 });
    await ended;
  });
});

test(
  "on a database of one's own the index is not tried before it is made, and none is left",
  { timeout: 180_000 },
  async () => {
    const { url } = await openDatabase();
    const { code, stdout, stderr } = await runAtlas(['--once'], { DATABASE_URL: url });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(timingPart(stdout).join('\n')).toContain('An index on city (name) may make a read cheaper (unverified).');
    const indexes = await queryOnce<{ name: string }>(
      url,
      `select indexname as name from pg_indexes where schemaname = 'atlas' and tablename = 'city' order by 1`,
    );
    expect(indexes.map(({ name }) => name)).toEqual(['city_largest_index', 'city_name_prefix_index', 'city_pkey']);
  },
);
