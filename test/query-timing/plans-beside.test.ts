import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { SideLine } from '../../packages/query-timing/src/plans/side-line.ts';
import { openCluster } from '../harness/open-cluster.ts';
import { closeAfter } from '../harness/close-after.ts';
import { startProxy, type Proxy } from '../harness/proxy.ts';
import { Explainer, Place, until } from './fixtures/plans.ts';

/* Plans are got beside the queries: what hangs, fails or is slow there delays nothing and hurts nobody. */

let place: Place;
beforeAll(async () => {
  place = await Place.open();
  await place.fill(1_000);
});

const NAME = 'mikrokit query-timing';

/** Connections beside the pools, of this database. */
async function open(): Promise<number> {
  const rows = await place.rows(
    'select from pg_stat_activity where application_name = $1 and datname = current_database()',
    [NAME],
  );
  return rows.length;
}

async function proxied(): Promise<Proxy> {
  const proxy = await startProxy(place.url);
  closeAfter(() => proxy.stop());
  return proxy;
}

describe('nobody waits', () => {
  test('consider() has asked nothing when it returns, and nothing before callbacks that were waiting have run', async () => {
    const explainer = new Explainer(place);
    const order: string[] = [];
    setImmediate(() => order.push(`asked ${explainer.asked.length}`));
    explainer.consider('select * from book where author_id = 7');
    process.nextTick(() => order.push(`asked ${explainer.asked.length}`));
    await Promise.resolve();
    order.push(`asked ${explainer.asked.length}`);
    await explainer.plans.idle();
    expect(order).toEqual(['asked 0', 'asked 0', 'asked 0']);
    expect(explainer.plans.reports()).toHaveLength(1);
  });

  test('one is asked at a time, on one connection, the slowest first', async () => {
    const explainer = new Explainer(place);
    for (const [index, ms] of [200, 500, 300, 400].entries()) {
      explainer.consider(`select ${'x, '.repeat(index)} x from (select id as x from book) b`, { ms });
    }
    let most = 0;
    let over = false;
    const looking = (async () => {
      while (!over) {
        most = Math.max(most, await open());
      }
    })();
    await explainer.plans.idle();
    over = true;
    await looking;
    expect(most).toBeLessThanOrEqual(1);
    expect(explainer.plans.reports().map(({ text }) => text.split('x').length - 1)).toEqual([3, 5, 4, 2]);
    // Each begins when the one before is rolled back.
    const control = explainer.asked.filter(text => /^(?:begin|rollback)/.test(text));
    expect(control).toEqual(control.map((_, index) => (index % 2 === 0 ? 'begin read only' : 'rollback')));
  });

  test('one that is not slow is looked at while there is nothing else to do', async () => {
    const explainer = new Explainer(place, { plans: { perMinute: 2 } });
    expect(await explainer.explain('select 1 from book', { slow: false })).toBeDefined();
    expect(await explainer.explain('select 2, 2 from book', { slow: false })).toBeDefined();
    // Nothing is left for a slow one but half of what there was.
    expect(await explainer.explain('select 3, 3, 3 from book', { slow: false })).toBeUndefined();
    const busy = new Explainer(place);
    busy.consider('select 1 from book');
    busy.consider('select 2, 2 from book', { slow: false });
    await busy.plans.idle();
    expect(busy.plans.reports()).toHaveLength(1);
  });
});

describe('how often', () => {
  test('so many in a minute; what waits for its minute is not waited for', async () => {
    const explainer = new Explainer(place, { plans: { perMinute: 2 } });
    for (const columns of ['1', '1, 1', '1, 1, 1']) {
      explainer.consider(`select ${columns} from book`);
    }
    const began = performance.now();
    await explainer.plans.idle();
    expect(performance.now() - began).toBeLessThan(5_000);
    expect(explainer.plans.reports()).toHaveLength(2);
  });

  test('and then the rest, by itself', async () => {
    const explainer = new Explainer(place, { plans: { perMinute: 30 } });
    for (let column = 1; column <= 32; column++) {
      explainer.consider(`select ${'1, '.repeat(column)} 1 from book`);
      if (column % 16 === 0) {
        await explainer.plans.idle();
      }
    }
    await until(() => explainer.plans.reports().length === 32, 10_000);
  });

  test('a shape once, until a while has passed', async () => {
    const sql = (id: number): string => `select * from book where id = ${id}`;
    const explains = ({ asked }: Explainer): number => asked.filter(text => text.startsWith('explain')).length;
    const once = new Explainer(place, { plans: { again: 3_600_000 } });
    await once.explain(sql(1));
    await once.explain(sql(2));
    await once.explain(sql(3));
    expect(explains(once)).toBe(1);
    const again = new Explainer(place, { plans: { again: 1_000 } });
    await again.explain(sql(1));
    await sleep(1_010);
    await again.explain(sql(2));
    expect(explains(again)).toBe(2);
    expect(again.plans.reports()).toHaveLength(1);
  });
});

describe('what hangs', () => {
  test('behind a lock is given up after 50 ms, and the next one has its turn', async () => {
    const other = await place.another();
    await other.query('begin');
    await other.query('lock table author in access exclusive mode');
    const explainer = new Explainer(place, { plans: { mode: 'analyze' }, advice: {} });
    explainer.consider('select * from author where id = 7', { ms: 900 });
    explainer.consider('select * from book where id = 7', { ms: 800 });
    const began = performance.now();
    await explainer.plans.idle();
    expect(performance.now() - began).toBeLessThan(3_000);
    await other.query('rollback');
    expect(explainer.failures).toMatchObject([{ what: 'explain', error: { code: '55P03' } }]);
    expect(explainer.plans.reports().map(({ root }) => root.relation)).toEqual(['book']);
  });

  test('in the network is given up; queries and close() do not wait for it', async () => {
    const proxy = await proxied();
    const explainer = new Explainer(place, { open: place.connect(proxy.url()) });
    expect(await explainer.explain('select 1 from book')).toBeDefined();
    await proxy.blackHole();
    explainer.consider('select 1, 1 from book');
    await until(() => explainer.asked.length > 10);
    const began = performance.now();
    const took = [1, 2, 3, 4, 5].map(n => {
      const asked = performance.now();
      explainer.consider(`select 1, 1, ${', 1'.repeat(n).slice(2)} from book`);
      return performance.now() - asked;
    });
    // The least: the machine has others to serve.
    expect(Math.min(...took)).toBeLessThan(20);
    await explainer.plans.close();
    expect(performance.now() - began).toBeLessThan(3_000);
    // It is over: nobody is told any more.
    expect(explainer.failures).toEqual([]);
  });

  test('for all of its time is given up by itself', async () => {
    const proxy = await proxied();
    const explainer = new Explainer(place, { open: place.connect(proxy.url()) });
    await explainer.explain('select 1 from book');
    await proxy.blackHole();
    explainer.consider('select 1, 1 from book');
    await explainer.plans.idle();
    expect(explainer.failures).toMatchObject([{ what: 'explain' }]);
    await proxy.pass();
    expect(await explainer.explain('select 1, 1, 1 from book')).toBeDefined();
  });

  test('is ended at its limit by the line itself', async () => {
    const line = new SideLine(place.connect(), undefined);
    closeAfter(() => line.close());
    await expect(line.use(50, connection => connection.query('select pg_sleep(20)'))).rejects.toMatchObject({
      code: 'TIME_LIMIT',
    });
    await expect(line.use(1_000, connection => connection.query('select 1 as one'))).resolves.toEqual([{ one: 1 }]);
  });
});

describe('what fails', () => {
  test('a server that is not there: told, and asked again with the next', async () => {
    const proxy = await proxied();
    await proxy.refuse();
    const explainer = new Explainer(place, { open: place.connect(proxy.url()) });
    expect(await explainer.explain('select 1 from book')).toBeUndefined();
    expect(explainer.failures).toMatchObject([{ what: 'explain', error: { code: 'ECONNREFUSED' } }]);
    await explainer.plans.inspect();
    expect(explainer.failures).toHaveLength(2);
    await proxy.pass();
    expect(await explainer.explain('select 1, 1 from book')).toBeDefined();
    expect(explainer.failures).toHaveLength(2);
  });

  test('a connection that died while nobody used it is replaced, and nobody is told', async () => {
    const explainer = new Explainer(place);
    await explainer.explain('select 1 from book');
    await place.rows(
      'select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1 and datname = current_database()',
      [NAME],
    );
    await until(async () => (await open()) === 0);
    expect(await explainer.explain('select 1, 1 from book')).toBeDefined();
    expect(explainer.failures).toEqual([]);
  });

  test('a statement that is wrong by now', async () => {
    const explainer = new Explainer(place);
    expect(await explainer.explain('select * from gone')).toBeUndefined();
    expect(explainer.failures).toMatchObject([{ what: 'explain', error: { code: '42P01' } }]);
    expect(await explainer.explain('select 1 from book')).toBeDefined();
  });

  test('a host that throws', async () => {
    const throws = (): never => {
      throw new Error('no');
    };
    const explainer = new Explainer(place, { host: { found: throws, failed: throws } });
    await explainer.explain('select * from gone');
    expect(await explainer.explain('select * from book order by id offset 20000')).toBeDefined();
    await explainer.plans.inspect();
    await explainer.plans.close();
  });
});

describe('its connection', () => {
  test('is opened when it is first needed, and ended when it was idle for long enough', async () => {
    const line = new SideLine(place.connect(), undefined, 3_000);
    expect(await open()).toBe(0);
    await line.use(1_000, connection => connection.query('select 1'));
    expect(await open()).toBe(1);
    // Together longer than it may be idle: each use begins that anew.
    await sleep(1_600);
    await line.use(1_000, connection => connection.query('select 1'));
    await sleep(1_600);
    expect(await open()).toBe(1);
    await until(async () => (await open()) === 0);
    await line.use(1_000, connection => connection.query('select 1'));
    expect(await open()).toBe(1);
    await line.close();
    await until(async () => (await open()) === 0);
    await expect(line.use(1_000, connection => connection.query('select 1'))).rejects.toThrow('closed');
    expect(await open()).toBe(0);
  });

  test('is not opened for a plan that nobody asks for', async () => {
    const explainer = new Explainer(place);
    await explainer.plans.idle();
    await explainer.plans.close();
    expect(explainer.asked).toEqual([]);
  });

  test('that is still being opened by close() is ended', async () => {
    const proxy = await proxied();
    await proxy.delay(100);
    const explainer = new Explainer(place, { open: place.connect(proxy.url()) });
    explainer.consider('select 1 from book');
    await sleep(50);
    await explainer.plans.close();
    // By then it has come, and is ended at once; one that is forgotten stays.
    await sleep(500);
    await until(async () => (await open()) === 0);
    expect(explainer.plans.reports()).toEqual([]);
  });

  test('is for one after another', async () => {
    const line = new SideLine(place.connect(), undefined);
    closeAfter(() => line.close());
    const order: number[] = [];
    await Promise.all(
      [30, 20, 10].map((ms, index) =>
        line.use(1_000, async connection => {
          await connection.query(`select pg_sleep(${ms / 1_000})`);
          order.push(index);
        }),
      ),
    );
    expect(order).toEqual([0, 1, 2]);
  });
});

describe('reset() and close()', () => {
  test('forget plans, and what is under way', async () => {
    const proxy = await proxied();
    const explainer = new Explainer(place, { open: place.connect(proxy.url()) });
    await explainer.explain('select 1 from book');
    expect(explainer.plans.size).toBeGreaterThan(100);
    // Its answer comes after the reset.
    await proxy.delay(100);
    explainer.consider('select * from book where id > 5 order by id offset 20000');
    await until(() => explainer.asked.filter(text => text.startsWith('explain')).length === 2);
    explainer.plans.reset();
    await explainer.plans.idle();
    expect(explainer.plans.reports()).toEqual([]);
    expect(explainer.findings).toEqual([]);
    expect(explainer.plans.size).toBe(0);
    await proxy.pass();
    // And what was explained lately.
    expect(await explainer.explain('select 1 from book')).toBeDefined();
  });

  test('nothing is taken any more after close()', async () => {
    const explainer = new Explainer(place);
    await explainer.plans.close();
    explainer.consider('select 1 from book');
    explainer.plans.notice('duration: 5 ms  plan:\n{"Plan": {}}', {
      shape: explainer.plans.reports() as never,
      took: 5,
    });
    await explainer.plans.idle();
    await explainer.plans.inspect();
    await explainer.plans.close();
    expect(explainer.asked).toEqual([]);
    expect(explainer.failures).toEqual([]);
  });
});

test('a server that goes away and comes back', async () => {
  const cluster = await openCluster({ embedded: true });
  const own = await Place.open({ cluster });
  await own.run('create table book (id int)');
  const explainer = new Explainer(own);
  expect(await explainer.explain('select 1 from book')).toBeDefined();
  await cluster.primary.stop('immediate');
  expect(await explainer.explain('select 1, 1 from book')).toBeUndefined();
  expect(explainer.failures).toHaveLength(1);
  await cluster.primary.start();
  expect(await explainer.explain('select 1, 1, 1 from book')).toBeDefined();
  expect(explainer.failures).toHaveLength(1);
});
