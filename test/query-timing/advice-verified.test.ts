import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Finding } from '../../packages/query-timing/src/finding.ts';
import type { Model } from '../../packages/query-timing/src/model.ts';
import type { DatabaseHost } from '../harness/shared-cluster.ts';
import { Explainer, type ExplainerOptions, libraryModel, Place } from './fixtures/plans.ts';
import { openHypopg } from './fixtures/plans-hypopg.ts';

/* An index that is advised has been looked at: by HypoPG, or in a copy of the database; or it is said that it was not. */

let place: Place;
let model: Model;
beforeAll(async () => {
  place = await Place.library();
  model = await libraryModel(place.url);
});

const BY_AUTHOR = `select b0.* from book as b0 where b0.author_id = 7 and b0.deleted_at is null order by b0.created_at desc limit 10`;
const CODE = `{ properties: ['author', 'createdAt'], where: { deletedAt: null } }`;
const SQL =
  'create index concurrently "book_author_id_created_at_index" on "book" ("author_id", "created_at") where "deleted_at" is null;';

function explainer(options: ExplainerOptions = {}, at = place): Explainer {
  return new Explainer(at, { advice: {}, model, ...options });
}

function advised({ findings }: Explainer): Finding[] {
  return findings.filter(({ kind }) => kind === 'missing-index');
}

/** Cost of the plan, and the time of its execution in ms. */
/** Executed five times: the least that it took. */
async function measured(at: Place, sql: string): Promise<{ cost: number; ms: number; indexes: string }> {
  const times: number[] = [];
  let plan: { 'Total Cost': number } | undefined;
  for (let time = 0; time < 5; time++) {
    const [answer] = (await at.explain(sql, 'analyze')) as [
      { Plan: { 'Total Cost': number }; 'Execution Time': number },
    ];
    plan = answer.Plan;
    times.push(answer['Execution Time']);
  }
  return { cost: plan!['Total Cost'], ms: Math.min(...times), indexes: JSON.stringify(plan) };
}

describe('found, advised, created, and shown to help', () => {
  beforeEach(() => place.run('drop index if exists book_author_id_created_at_index'));

  test('in a throw-away database', async () => {
    const copy = await Place.library();
    const looking = explainer({ advice: { verify: { clientUrl: copy.url } } });
    await looking.explain(BY_AUTHOR, { calls: 30, ms: 200 });
    const [finding] = advised(looking);
    expect(looking.failures).toEqual([]);
    expect(finding).toMatchObject({
      kind: 'missing-index',
      severity: 'warning',
      title: expect.stringMatching(
        /^An index on book \(author_id, created_at\) makes a read cheaper: cost [\d,]+ → \d+ \(−9\d %\)\.$/,
      ),
      subject: 'book (author_id, created_at)',
      count: 30,
      cost: 6_000_000,
      fix: `defineEntity({ name: 'Book', …, indexes: [${CODE}] })\n@Index(${CODE})  // on the class Book\n${SQL}`,
      evidence: [
        expect.stringMatching(
          /^select book \(30 × 200 ms\): Seq Scan on book; cost [\d,]+ → \d+ \(−9\d %\), estimated by the planner in a throw-away database\.$/,
        ),
      ],
    });
    expect(looking.plans.reports()[0]!.findings).toContain(finding!.id);
    // Nothing is left in the copy.
    expect(await copy.rows(`select indexname from pg_indexes where tablename = 'book'`)).toEqual([
      { indexname: 'book_pkey' },
    ]);

    const before = await measured(place, BY_AUTHOR);
    await place.run(SQL, 'analyze book');
    const after = await measured(place, BY_AUTHOR);
    expect(after.indexes).toContain('book_author_id_created_at_index');
    expect(after.cost).toBeLessThan(before.cost / 5);
    expect(after.ms).toBeLessThan(before.ms / 5);
    // With it there is nothing more to say.
    const again = explainer({ advice: { verify: { clientUrl: copy.url } } });
    await again.explain(BY_AUTHOR);
    expect(again.findings).toEqual([]);
  });

  test('with values that are parameters', async () => {
    const looking = explainer({ advice: { verify: { clientUrl: place.url } } });
    await looking.explain('select * from book where author_id = $1 order by created_at limit $2', { values: [7, 10] });
    expect(advised(looking)).toMatchObject([
      { subject: 'book (author_id, created_at)', title: expect.stringContaining('→') },
    ]);
    expect(looking.failures).toEqual([]);
  });

  test('with a plan that was executed once more', async () => {
    const looking = explainer({ plans: { mode: 'analyze' }, advice: { verify: { clientUrl: place.url } } });
    await looking.explain(BY_AUTHOR);
    expect(advised(looking)).toMatchObject([{ title: expect.stringContaining('→') }]);
  });
});

describe('unverified', () => {
  test('is said, where nobody could look', async () => {
    const looking = explainer();
    await looking.explain(BY_AUTHOR);
    expect(advised(looking)).toMatchObject([
      {
        title: 'An index on book (author_id, created_at) may make a read cheaper (unverified).',
        evidence: ['select book (1 × 900 ms): Seq Scan on book; unverified: HypoPG is not installed.'],
      },
    ]);
    expect(looking.failures).toEqual([]);
  });

  test('and where looking failed', async () => {
    const empty = await Place.open();
    const looking = explainer({ advice: { verify: { clientUrl: empty.url } } });
    await looking.explain(BY_AUTHOR);
    expect(advised(looking)).toMatchObject([
      {
        title: expect.stringContaining('(unverified)'),
        evidence: [expect.stringContaining('looking at the plan with it failed')],
      },
    ]);
    expect(looking.failures).toMatchObject([{ what: 'verify index', error: { code: '42P01' } }]);
  });
});

describe('nothing is advised', () => {
  test('that the planner would not use', async () => {
    const looking = explainer({ advice: { verify: { clientUrl: place.url } } });
    // A quarter of the table: reading all of it is as good.
    await looking.explain('select * from book where pages < 300 and title > $1', { values: [''] });
    expect(advised(looking)).toEqual([]);
    expect(looking.asked.some(text => text.startsWith('create index'))).toBe(true);
    expect(looking.failures).toEqual([]);
  });

  test('where nobody wants advice', async () => {
    const looking = explainer({ advice: false });
    await looking.explain(BY_AUTHOR);
    await looking.plans.inspect();
    expect(looking.findings.map(({ kind }) => kind)).toEqual(['plan']);
  });

  test('for a small table', async () => {
    await place.run(
      'create table small (id int, name text)',
      `insert into small select n, 'n' || n from generate_series(1, 499) n`,
      'analyze small',
    );
    const looking = explainer({ advice: { verify: { clientUrl: place.url } } });
    await looking.explain(`select * from small where name = 'n7'`);
    // Of enough rows, but on few pages.
    await place.run(`insert into small select n, 'n' || n from generate_series(500, 5000) n`, 'analyze small');
    await looking.explain(`select id from small where name = 'n7'`);
    expect(looking.findings).toEqual([]);
  });

  test('for fewer rows than minRows says', async () => {
    const looking = explainer({ advice: { minRows: 100_001 } });
    await looking.explain(BY_AUTHOR);
    expect(advised(looking)).toEqual([]);
  });

  test('for a part of a table, whose whole the plan does not name', async () => {
    await place.run(
      'create table log (at int not null, kind int) partition by range (at)',
      'create table log_1 partition of log for values from (0) to (1000000)',
      'insert into log select n, n from generate_series(1, 100000) n',
      'analyze log',
    );
    const looking = explainer();
    await looking.explain('select * from log where kind = 7');
    expect(looking.findings.map(({ kind }) => kind)).toEqual(['plan']);
  });
});

describe('several shapes', () => {
  test('that want the same have one index, weighted by what they cost', async () => {
    const looking = explainer();
    const byAuthor = 'select title from book where author_id = 7';
    const newest = 'select * from book where author_id = 7 order by created_at limit 5';
    await looking.explain(byAuthor, { ms: 10, calls: 100 });
    await looking.explain(newest, { ms: 400, calls: 10 });
    const [first, second] = advised(looking);
    expect(first).toMatchObject({ subject: 'book (author_id)', count: 100, cost: 1_000_000 });
    // The same finding, grown.
    expect(second).toMatchObject({
      id: first!.id,
      subject: 'book (author_id, created_at)',
      title: 'An index on book (author_id, created_at) may make 2 reads cheaper (unverified).',
      count: 110,
      cost: 5_000_000,
      evidence: [
        expect.stringMatching(/^select book \(10 × 400 ms\)/),
        expect.stringMatching(/^select book \(100 × 10 ms\)/),
      ],
    });
  });

  test('that want another have another', async () => {
    const looking = explainer();
    await looking.explain('select * from book where author_id = 7');
    await looking.explain(`select * from book where title = 'title 12'`);
    expect(advised(looking).map(({ subject }) => subject)).toEqual(['book (author_id)', 'book (title)']);
    expect(new Set(advised(looking).map(({ id }) => id)).size).toBe(2);
  });
});

describe('what an index costs is told', () => {
  test('a table that is written more than it is read', async () => {
    const busy = await Place.open();
    await busy.fill(30_000);
    await busy.run('update book set pages = pages + 1', 'vacuum analyze book');
    await busy.rows('select pg_stat_force_next_flush()');
    const looking = explainer({}, busy);
    await looking.explain('select * from book where author_id = 7');
    expect(advised(looking)[0]!.evidence).toEqual([
      expect.stringContaining('unverified'),
      expect.stringMatching(
        /^book is written more than it is read \(30,000 rows written, \d+ scans\): each index makes its writes dearer\. \d+ % of its updates leave all indexes alone \(HOT\), and no longer those that change author_id\.$/,
      ),
    ]);
  });

  test('an index that it makes superfluous', async () => {
    const other = await Place.library();
    await other.run(
      'update book set author_id = id % 20 + 1',
      'create index by_author on book (author_id)',
      'vacuum analyze book',
    );
    const looking = explainer({ advice: { verify: { clientUrl: other.url } } }, other);
    // The index finds 1,500 rows, which are sorted for the first ten.
    await looking.explain('select * from book where author_id = 7 order by created_at limit 10');
    expect(advised(looking)).toMatchObject([
      { subject: 'book (author_id, created_at)', title: expect.stringContaining('→') },
    ]);
    expect(advised(looking)[0]!.evidence).toContain('It makes the index by_author superfluous.');
  });
});

describe('where the code goes', () => {
  test('to a table that no entity maps: SQL alone', async () => {
    await place.run(
      'create schema other',
      'create table other.plain as select n as "a b", n as c, repeat($$x$$, 50) from generate_series(1, 50000) n',
      'analyze other.plain',
    );
    const looking = explainer({ advice: { verify: { clientUrl: place.url } } });
    await looking.explain('select * from other.plain where "a b" = 7');
    expect(advised(looking)).toMatchObject([
      {
        fix: 'create index concurrently "plain_a b_index" on "other"."plain" ("a b");',
        title: expect.stringContaining('→'),
      },
    ]);
  });
});

const hypopg: DatabaseHost | undefined = await openHypopg();

describe.skipIf(hypopg === undefined)('with HypoPG', () => {
  let imagined: Place;
  beforeAll(async () => {
    imagined = await Place.library({ cluster: hypopg });
    await imagined.run('create schema tools', 'create extension hypopg schema tools');
  });

  test('the index is only imagined, and forgotten', async () => {
    const looking = explainer({}, imagined);
    await looking.explain(BY_AUTHOR);
    expect(looking.failures).toEqual([]);
    expect(advised(looking)).toMatchObject([
      {
        title: expect.stringMatching(
          /^An index on book \(author_id, created_at\) makes a read cheaper: cost [\d,]+ → \d+ \(−9\d %\)\.$/,
        ),
        evidence: [
          expect.stringMatching(/estimated by the planner with HypoPG\.$/),
          expect.stringMatching(/^It would take about [\d.]+ [kM]B\.$/),
        ],
      },
    ]);
    expect(await imagined.rows(`select indexname from pg_indexes where tablename = 'book'`)).toHaveLength(1);
    expect(looking.asked.at(-1)).toBe('select tools.hypopg_reset()');
    // The next plan is without it.
    const report = await looking.explain('select count(*) from book where author_id = 7');
    expect(JSON.stringify(report)).not.toContain('btree_book');
  });

  test('one that would not be used is not advised', async () => {
    const looking = explainer({}, imagined);
    await looking.explain(`select * from book where pages < 300 and title > 'a'`);
    expect(advised(looking)).toEqual([]);
    expect(looking.asked.join()).toContain('hypopg_create_index');
    expect(looking.failures).toEqual([]);
  });

  test('a role that may only read can look, too', async () => {
    const url = await imagined.urlFor(
      'hypo_reader',
      'grant pg_read_all_data to hypo_reader',
      'grant usage on schema tools to hypo_reader',
    );
    const looking = explainer({ plans: { clientUrl: url } }, imagined);
    await looking.explain(BY_AUTHOR);
    expect(looking.failures).toEqual([]);
    expect(advised(looking)).toMatchObject([{ title: expect.stringContaining('→') }]);
    await looking.plans.close();
  });

  test('what it refuses is unverified, and it is forgotten all the same', async () => {
    const looking = explainer({}, imagined);
    await imagined.run('alter function tools.hypopg_relation_size(oid) rename to gone');
    await looking.explain(BY_AUTHOR);
    await imagined.run('alter function tools.gone(oid) rename to hypopg_relation_size');
    expect(looking.failures).toMatchObject([{ what: 'verify index', error: { code: '42883' } }]);
    expect(advised(looking)).toMatchObject([{ title: expect.stringContaining('(unverified)') }]);
    expect(looking.asked.at(-1)).toBe('select tools.hypopg_reset()');
  });
});
