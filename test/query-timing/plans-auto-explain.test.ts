import pg from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import { planOfNotice, useAutoExplain } from '../../packages/query-timing/src/plans/auto-explain.ts';
import { scan } from '../../packages/query-timing/src/sql/scan.ts';
import type { Cluster } from '../harness/postgres.ts';
import { closeAfter } from '../harness/close-after.ts';
import { openCluster } from '../harness/open-cluster.ts';
import { cpuTime } from '../harness/cpu-time.ts';
import { Explainer, libraryModel, Place } from './fixtures/plans.ts';

/* The plan of the slow execution itself: auto_explain sends it as a notice, where it is loaded and granted. */

const GRANTED = [
  'log_min_duration',
  'log_analyze',
  'log_timing',
  'log_buffers',
  'log_verbose',
  'log_settings',
  'log_format',
  'log_parameter_max_length',
  'log_level',
].map(name => `auto_explain.${name}`);

let cluster: Cluster;
let place: Place;
beforeAll(async () => {
  cluster = await openCluster({
    embedded: true,
    conf: [`session_preload_libraries = 'auto_explain'`, `shared_preload_libraries = 'pg_stat_statements'`],
  });
  place = await Place.library({ cluster });
});

/** A connection of the pool. */
class Pooled {
  readonly notices: string[] = [];
  readonly used: boolean;
  readonly #client: pg.Client;

  private constructor(client: pg.Client, used: boolean) {
    this.#client = client;
    this.used = used;
    client.on('notice', ({ message }) => this.notices.push(message ?? ''));
  }

  static async open(url: string, slowMs = 1): Promise<Pooled> {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => undefined);
    await client.connect();
    closeAfter(() => client.end());
    return new Pooled(client, await useAutoExplain(sql => client.query(sql), slowMs));
  }

  async run(sql: string, values: readonly unknown[] = []): Promise<void> {
    await this.#client.query(sql, [...values]);
  }

  async setting(name: string): Promise<unknown> {
    const { rows } = await this.#client.query(`select current_setting($1, true) as setting`, [name]);
    return (rows[0] as { setting: unknown }).setting;
  }
}

const SLOW = `select * from book where author_id = 7 and title <> 'hunter2' and deleted_at is null order by created_at desc limit 10`;

describe('is used', () => {
  test('where it is loaded and the role is granted it', async () => {
    const url = await place.urlFor(
      'auto_granted',
      `grant set on parameter ${GRANTED.join(', ')} to auto_granted`,
      'grant pg_read_all_data to auto_granted',
    );
    const pooled = await Pooled.open(url);
    expect(pooled.used).toBe(true);
    await pooled.run(SLOW);
    expect(pooled.notices).toHaveLength(1);
    const { durationMs, plan } = planOfNotice(pooled.notices[0]!)!;
    expect(durationMs).toBeGreaterThan(1);
    expect(plan).toMatchObject({
      'Query Text': SLOW,
      'Execution Time': durationMs,
      Plan: { 'Node Type': 'Limit', 'Actual Rows': 10 },
      'Query Identifier': expect.stringMatching(/^-?\d{10,}$/) as unknown,
    });
    // Rows and blocks, and no clock readings.
    expect(JSON.stringify(plan)).toContain('Rows Removed by Filter');
    expect(JSON.stringify(plan)).toContain('Shared Hit Blocks');
    expect(JSON.stringify(plan)).not.toContain('Actual Total Time');
  });

  test('from when on a query is slow', async () => {
    const pooled = await Pooled.open(place.url, 2_500);
    expect(pooled.used).toBe(true);
    expect(await pooled.setting('auto_explain.log_min_duration')).toBe('2500ms');
    await pooled.run('select pg_sleep(0.1)');
    expect(pooled.notices).toEqual([]);
    await pooled.run('select pg_sleep(2.6)');
    expect(pooled.notices).toHaveLength(1);
  });

  test('without parameters', async () => {
    const pooled = await Pooled.open(place.url);
    await pooled.run('select pg_sleep(0.01), $1::text', ['hunter2']);
    expect(planOfNotice(pooled.notices[0]!)!.plan['Query Text']).toBe('select pg_sleep(0.01), $1::text');
    expect(planOfNotice(pooled.notices[0]!)!.plan['Query Parameters']).toBeUndefined();
  });

  test('where somebody has set it for the role already, as they did', async () => {
    const set = ['log_level = notice', 'log_format = json', 'log_min_duration = 5'];
    const url = await place.urlFor('auto_given', ...set.map(each => `alter role auto_given set auto_explain.${each}`));
    const pooled = await Pooled.open(url, 100);
    expect(pooled.used).toBe(true);
    expect(await pooled.setting('auto_explain.log_min_duration')).toBe('5ms');
    expect(await pooled.setting('auto_explain.log_analyze')).toBe('off');
  });
});

describe('is not used, and that is no error', () => {
  test('without grants', async () => {
    const pooled = await Pooled.open(await place.urlFor('auto_nothing'));
    expect(pooled.used).toBe(false);
    expect(await pooled.setting('auto_explain.log_min_duration')).toBe('-1');
    await pooled.run('select pg_sleep(0.01)');
    expect(pooled.notices).toEqual([]);
  });

  test('with some of the grants: all or nothing', async () => {
    const url = await place.urlFor('auto_some', `grant set on parameter ${GRANTED.slice(1).join(', ')} to auto_some`);
    const pooled = await Pooled.open(url);
    expect(pooled.used).toBe(false);
    expect(await pooled.setting('auto_explain.log_level')).toBe('log');
  });

  test('where somebody collects plans in a log', async () => {
    const url = await place.urlFor(
      'auto_collected',
      'alter role auto_collected set auto_explain.log_min_duration = 1000',
      `grant set on parameter ${GRANTED.join(', ')} to auto_collected`,
    );
    const pooled = await Pooled.open(url);
    expect(pooled.used).toBe(false);
    expect(await pooled.setting('auto_explain.log_level')).toBe('log');
    expect(await pooled.setting('auto_explain.log_min_duration')).toBe('1s');
  });

  test('where it is not loaded', async () => {
    const elsewhere = await Place.open();
    const pooled = await Pooled.open(elsewhere.url);
    expect(pooled.used).toBe(false);
    expect(await pooled.setting('auto_explain.log_level')).toBeNull();
  });

  test.each(['42501', '42883', '42704'])('SQLSTATE %s', async code => {
    await expect(useAutoExplain(() => Promise.reject(Object.assign(new Error('no'), { code })), 1)).resolves.toBe(
      false,
    );
  });
});

test('any other error is told', async () => {
  const lost = Object.assign(new Error('lost'), { code: '57P01' });
  await expect(useAutoExplain(() => Promise.reject(lost), 1)).rejects.toBe(lost);
});

describe('a notice', () => {
  test.each([
    ['another', 'table "x" does not exist, skipping'],
    ['one in text', 'duration: 1.5 ms  plan:\nQuery Text: select 1\nResult  (cost=0.00..0.01 rows=1 width=4)'],
    ['one that is cut', 'duration: 1.5 ms  plan:\n{"Query Text": "select'],
    ['one without a plan', 'duration: 1.5 ms  plan:\n{"Query Text": "select 1"}'],
    ['one of log_duration', 'duration: 1.5 ms'],
    ['one of a million characters', `duration: 1.5 ms  plan:\n{"Plan": {}, "x": "${'x'.repeat(1_000_000)}"}`],
    ['nothing', ''],
  ])('%s is not read', (_what, message) => {
    expect(planOfNotice(message)).toBeUndefined();
  });

  test('that is deep, or has many quotes, is read in no time', () => {
    for (const part of ['{"Plan":', '[', '"', '"Query Identifier": ', '-', '1']) {
      const notice = `duration: 1.5 ms  plan:\n${part.repeat(Math.floor(900_000 / part.length))}`;
      expect(
        cpuTime(() => planOfNotice(notice)),
        part,
      ).toBeLessThan(1_000);
    }
  });
});

describe('plans by notice', () => {
  async function noticed(sql: string, values: readonly unknown[] = []): Promise<string> {
    const pooled = await Pooled.open(place.url);
    await pooled.run(sql, values);
    return pooled.notices[0]!;
  }

  test('are told, with nothing asked of the server', async () => {
    const explainer = new Explainer(place);
    const shape = scan(SLOW);
    explainer.figures(SLOW, 80, 5);
    explainer.plans.notice(await noticed(SLOW), { shape, took: 0 });
    expect(explainer.plans.reports()).toEqual([]);
    await explainer.plans.idle();
    const [report] = explainer.plans.reports();
    expect(report).toMatchObject({ id: shape.id, text: shape.text, source: 'auto_explain', planning: undefined });
    expect(report!.execution).toBeGreaterThan(1);
    expect(report!.queryId).toMatch(/^-?\d+$/);
    expect(report!.root).toMatchObject({ type: 'Limit', actualRows: 10 });
    expect(JSON.stringify([report, explainer.findings])).not.toContain('hunter2');
    expect(explainer.findings).toMatchObject([
      {
        kind: 'plan',
        title: 'Seq Scan on book reads 100,000 rows and keeps 100 by deleted_at, author_id: no index finds them.',
        shape: shape.id,
        count: 5,
        cost: 400_000,
        evidence: [expect.stringMatching(/of the slow execution itself \(auto_explain\)\.$/)],
      },
    ]);
    expect(report!.findings).toEqual(explainer.findings.map(({ id }) => id));
    expect(explainer.asked).toEqual([]);
  });

  test('are enough: the same query is not explained as well', async () => {
    const explainer = new Explainer(place);
    explainer.plans.notice(await noticed(SLOW), { shape: scan(SLOW), took: 0 });
    expect(await explainer.explain(SLOW)).toMatchObject({ source: 'auto_explain' });
    expect(explainer.asked).toEqual([]);
  });

  test('take the place of one that was asked for, and are read once in a while', async () => {
    const explainer = new Explainer(place);
    expect(await explainer.explain(SLOW)).toMatchObject({ source: 'explain' });
    explainer.plans.notice(await noticed(SLOW), { shape: scan(SLOW), took: 0 });
    await explainer.plans.idle();
    expect(explainer.plans.reports()).toMatchObject([{ source: 'auto_explain' }]);
    const { at } = explainer.plans.reports()[0]!;
    await new Promise(resolve => setTimeout(resolve, 5));
    explainer.plans.notice(await noticed(SLOW), { shape: scan(SLOW), took: 0 });
    await explainer.plans.idle();
    expect(explainer.plans.reports()[0]!.at).toBe(at);
  });

  test('are told of writes, too', async () => {
    const explainer = new Explainer(place);
    const sql = `update book set pages = pages + 1 where author_id = 8`;
    explainer.plans.notice(await noticed(sql), { shape: scan(sql), took: 0 });
    await explainer.plans.idle();
    expect(explainer.plans.reports()).toMatchObject([{ source: 'auto_explain', root: { type: 'ModifyTable' } }]);
    expect(explainer.findings.map(({ title }) => title)).toEqual([
      'Seq Scan on book reads 100,000 rows and keeps 100 by author_id: no index finds them.',
    ]);
  });

  test('that cannot be read do not keep the query from being explained', async () => {
    const explainer = new Explainer(place);
    explainer.plans.notice('duration: 80.1 ms  plan:\n{', { shape: scan(SLOW), took: 0 });
    await explainer.plans.idle();
    expect(await explainer.explain(SLOW)).toMatchObject({ source: 'explain' });
    expect(explainer.failures).toEqual([]);
  });

  test('that come in a flood are passed over', async () => {
    const explainer = new Explainer(place);
    const message = await noticed(SLOW);
    for (let index = 0; index < 50; index++) {
      const sql = `select ${'1, '.repeat(index)} 1`;
      explainer.plans.notice(message, { shape: scan(sql), took: 0 });
    }
    await explainer.plans.idle();
    expect(explainer.plans.reports()).toHaveLength(5);
  });

  test('lead to an index as well: with literals, and with parameters', async () => {
    const model = await libraryModel(place.url);
    const advice = { verify: { clientUrl: place.url } };
    for (const [sql, values] of [
      [SLOW, []],
      ['select * from book where author_id = $1 order by created_at desc limit $2', [7, 10]],
    ] as const) {
      const explainer = new Explainer(place, { advice, model });
      explainer.plans.notice(await noticed(sql, values), { shape: scan(sql), took: 0 });
      await explainer.plans.idle();
      expect(explainer.failures).toEqual([]);
      expect(explainer.findings.at(-1)).toMatchObject({
        kind: 'missing-index',
        title: expect.stringMatching(
          /^An index on book \(author_id, created_at\) makes a read cheaper: cost [\d,]+ → \d+ /,
        ),
      });
      expect(explainer.plans.reports()[0]!.findings).toContain(explainer.findings.at(-1)!.id);
      // It was not executed, nor explained by its values where it has none.
      expect(explainer.asked.filter(text => text.includes('analyze'))).toEqual([]);
    }
  });
});

describe('pg_stat_statements', () => {
  test('is joined by the query identifier, all of its digits', async () => {
    await place.run('create extension if not exists pg_stat_statements');
    await place.rows('select pg_stat_statements_reset()');
    const sql = (id: number): string => `select title from book where id between ${id} and ${id + 9}`;
    await place.run(sql(1), sql(500), sql(900));
    const explainer = new Explainer(place);
    const report = await explainer.explain(sql(7));
    expect(report!.queryId).toMatch(/^-?\d{10,}$/);
    const statistics = explainer.plans.statistics(report!.id)!;
    expect(statistics).toMatchObject({ queryId: report!.queryId, calls: 3, rows: 30 });
    expect(statistics.meanTime).toBeGreaterThan(0);
    expect(statistics.maxTime).toBeGreaterThanOrEqual(statistics.meanTime);
    expect(statistics.sharedHit + statistics.sharedRead).toBeGreaterThan(0);
    // And again with each look.
    await place.run(sql(3));
    await explainer.plans.inspect();
    expect(explainer.plans.statistics(report!.id)).toMatchObject({ calls: 4, rows: 40 });
    explainer.plans.reset();
    expect(explainer.plans.statistics(report!.id)).toBeUndefined();
  });

  test('does not know a statement without its values by the same identifier', async () => {
    const explainer = new Explainer(place, { plans: { generic: true } });
    const report = await explainer.explain('select title from book where id between 1 and 10');
    expect(report).toMatchObject({ source: 'generic', queryId: undefined });
    expect(explainer.plans.statistics(report!.id)).toBeUndefined();
  });

  test('of other databases does not count', async () => {
    const other = await Place.open({ cluster });
    await other.run('create table book (id int, title text)');
    const sql = 'select count(title) from book';
    await other.run(sql);
    await place.run(sql);
    const explainer = new Explainer(place);
    const report = await explainer.explain(sql);
    expect(explainer.plans.statistics(report!.id)).toMatchObject({ calls: 1 });
  });

  test('in any schema', async () => {
    const other = await Place.open({ cluster });
    await other.run(
      'create schema "My Own"',
      'create extension pg_stat_statements schema "My Own"',
      'create table t (a int)',
    );
    await other.run('select a from t');
    const explainer = new Explainer(other);
    const report = await explainer.explain('select a from t');
    expect(explainer.plans.statistics(report!.id)).toMatchObject({ calls: 1, rows: 0 });
    expect(explainer.failures).toEqual([]);
  });

  test('that is not there is nothing', async () => {
    const other = await Place.open({ cluster });
    await other.run('create table t (a int)');
    const explainer = new Explainer(other);
    const report = await explainer.explain('select a from t');
    expect(report!.queryId).toBeDefined();
    expect(explainer.plans.statistics(report!.id)).toBeUndefined();
    expect(explainer.failures).toEqual([]);
  });
});
