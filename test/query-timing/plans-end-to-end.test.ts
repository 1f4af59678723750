import { MikroORM } from '@mikro-orm/postgresql';
import { type QueryTiming, queryTiming, type QueryTimingOptions } from '@mikrokit/query-timing';
import { beforeAll, describe, expect, test } from 'vitest';
import { closeAfter } from '../harness/close-after.ts';
import type { Cluster } from '../harness/postgres.ts';
import { openCluster } from '../harness/open-cluster.ts';
import { Author, Book, Place } from './fixtures/plans.ts';

/* From a slow find() to its plan and the index that mends it, through MikroORM. */

let cluster: Cluster;
let place: Place;
beforeAll(async () => {
  cluster = await openCluster({
    embedded: true,
    conf: [`session_preload_libraries = 'auto_explain'`, `shared_preload_libraries = 'pg_stat_statements'`],
  });
  place = await Place.library({ cluster });
  await place.run('create extension pg_stat_statements');
});

async function open(options: QueryTimingOptions): Promise<{ orm: MikroORM; timing: QueryTiming }> {
  const timing = queryTiming({ slow: 1, environment: 'test', terminal: false, ...options });
  const orm = await MikroORM.init({
    entities: [Author, Book],
    clientUrl: place.url,
    debug: false,
    logger: () => {},
    ensureDatabase: false,
    extensions: [timing],
  });
  closeAfter(() => orm.close(true));
  return { orm, timing };
}

async function read(orm: MikroORM): Promise<void> {
  await orm.em
    .fork()
    .find(Book, { author: 7, title: { $ne: 'hunter2' } }, { orderBy: { createdAt: 'desc' }, limit: 10 });
}

describe.each([
  ['explain', { autoExplain: false }],
  ['analyze', { autoExplain: false, mode: 'analyze' }],
  ['generic', { autoExplain: false, generic: true }],
  ['auto_explain', {}],
] as const)('by %s', (source, plans) => {
  test('a slow find() has a plan, a finding, and an index that would help', async () => {
    const { orm, timing } = await open({ plans, advice: { verify: { clientUrl: place.url } } });
    await read(orm);
    await timing.settled();
    const report = timing.report();
    const shape = report.shapes.find(({ text }) => text.includes('"book"'))!;
    expect(report.plans).toMatchObject([{ id: shape.id, source, text: shape.text, root: { type: 'Limit' } }]);
    expect(shape.plan).toBe(shape.id);
    if (source !== 'generic') {
      expect(shape.server).toMatchObject({ queryId: report.plans[0]!.queryId });
      expect(shape.server!.calls).toBeGreaterThan(0);
    }
    const findings = report.findings.filter(({ shape: id }) => id === shape.id);
    expect(findings.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['slow', 'plan', 'missing-index']));
    expect(findings.find(({ kind }) => kind === 'missing-index')).toMatchObject({
      title: expect.stringMatching(
        /^An index on book \(author_id, created_at\) makes a read cheaper: cost [\d,]+ → [\d,]+ /,
      ),
      fix: expect.stringContaining(`indexes: [{ properties: ['author', 'createdAt'] }]`),
      occurrences: 1,
    });
    expect(JSON.stringify(report)).not.toContain('hunter2');
    expect(report.own.failures).toBe(0);
  });
});

test('a query of Kysely, with its parameters', async () => {
  const { orm, timing } = await open({ plans: { autoExplain: false } });
  const kysely = orm.em.fork().getKysely() as unknown as {
    selectFrom(table: string): { selectAll(): { where(...args: unknown[]): { execute(): Promise<unknown> } } };
  };
  await kysely.selectFrom('book').selectAll().where('author_id', '=', 7).execute();
  await timing.settled();
  expect(timing.report().plans).toMatchObject([{ source: 'explain', root: { type: 'Seq Scan', relation: 'book' } }]);
  expect(timing.report().own.failures).toBe(0);
});

test('without plans nobody connects beside the pool', async () => {
  const { orm, timing } = await open({ plans: false });
  await read(orm);
  await timing.settled();
  expect(timing.report().plans).toEqual([]);
  expect(
    await place.rows(
      `select from pg_stat_activity where application_name = 'mikrokit query-timing' and datname = current_database()`,
    ),
  ).toEqual([]);
});
