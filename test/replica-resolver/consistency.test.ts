import { setTimeout as sleep } from 'node:timers/promises';
import type { EntityManager, Kysely } from '@mikro-orm/postgresql';
import type { Consistency } from '@mikrokit/replica-resolver';
import { beforeAll, describe, expect, test } from 'vitest';
import { Note, Notes, type Routed } from './fixtures/notes.ts';

let notes: Notes;

interface Tables {
  note: { text: string };
}

/** A statement as it stands, sent by Kysely. */
async function send(db: Kysely<Tables>, sql: string): Promise<void> {
  const query = { kind: 'RawNode', sqlFragments: [sql], parameters: [] };
  await db.executeQuery({ sql, parameters: [], query, queryId: { queryId: sql } } as never);
}

beforeAll(async () => {
  notes = await Notes.open(2);
}, 120_000);

/** Each way to write a note of this text. What is read in it is nobody's concern. */
const WRITES: Readonly<Record<string, (em: EntityManager, text: string) => Promise<unknown>>> = {
  flush: async (em, text) => {
    em.create(Note, { id: Math.floor(Math.random() * 1e6), text });
    await em.flush();
  },
  'an update by flush': async (em, text) => {
    const note = await em.findOneOrFail(Note, { text: 'to be changed' }, { consistency: 'strong' });
    note.text = text;
    await em.flush();
  },
  'insert()': (em, text) => em.insert(Note, { text } as never),
  'nativeUpdate()': (em, text) => em.nativeUpdate(Note, { text: 'to be changed' }, { text }),
  'a query builder': (em, text) =>
    em
      .createQueryBuilder(Note)
      .insert({ text } as never)
      .execute(),
  'em.execute()': (em, text) => em.execute('insert into note (text) values (?)', [text]),
  'behind a comment': (em, text) => em.execute('/* who */ insert into note (text) values (?)', [text]),
  'in a CTE': (em, text) =>
    em.execute('with x as (insert into note (text) values (?) returning *) select * from x', [text]),
  Kysely: (em, text) => em.getKysely<Tables>().insertInto('note').values({ text }).execute(),
  'a function that a select calls': (em, text) => em.execute('select add_note(?)', [text]),
  'a function that a read calls, which a replica refuses': (em, text) =>
    em.getConnection('read').execute('select add_note(?)', [text]),
  do: (em, text) => em.execute(`do $$ begin perform add_note('${text}'); end $$`),
  'several statements': (em, text) => em.execute(`select 1; insert into note (text) values ('${text}'); select 2`),
  'a whole transaction in one text': (em, text) =>
    em.execute(`begin; insert into note (text) values ('${text}'); commit`),
  'explain analyze': (em, text) => em.execute(`explain analyze insert into note (text) values ('${text}')`),
  'transactional()': (em, text) => em.transactional(tx => tx.insert(Note, { text } as never)),
  'begin() and commit()': async (em, text) => {
    await em.begin();
    await em.insert(Note, { text } as never);
    await em.commit();
  },
  'a transaction in which only a function writes': (em, text) =>
    em.transactional(tx => tx.execute('select add_note(?)', [text])),
  'a transaction with a part that is rolled back': (em, text) =>
    em.transactional(async tx => {
      await tx.insert(Note, { text } as never);
      await tx
        .transactional(async inner => {
          await inner.insert(Note, { text: 'rolled back' } as never);
          throw new Error('no');
        })
        .catch(() => undefined);
    }),
  'a transaction whose first part is rolled back': (em, text) =>
    em.transactional(async tx => {
      await tx.transactional(() => Promise.reject(new Error('no'))).catch(() => undefined);
      await tx.execute('select add_note(?)', [text]);
    }),
  'a transaction of Kysely': (em, text) =>
    em
      .getKysely<Tables>()
      .transaction()
      .execute(tx => tx.insertInto('note').values({ text }).execute()),
  'a transaction by hand, whose commit has a comment': (em, text) =>
    em
      .getKysely<Tables>()
      .connection()
      .execute(async db => {
        await send(db, 'begin');
        await send(db, `insert into note (text) values ('${text}')`);
        await send(db, '/* who */ commit');
      }),
};

async function routed(level?: Consistency): Promise<Routed> {
  await notes.sql(
    `delete from note where text = 'to be changed'; insert into note values (0, 'to be changed') on conflict (id) do update set text = excluded.text`,
  );
  await notes.cluster.caughtUp();
  return await notes.connect(level === undefined ? {} : { resolver: { consistency: level } });
}

/** Runs it in a session, and tells where its reads were answered. */
async function routesOf({ routes }: Routed, work: () => Promise<unknown>): Promise<string[]> {
  routes();
  await work();
  return routes();
}

describe("'session': what the session has written is seen, though no replica has replayed it", () => {
  test.each(Object.entries(WRITES))('%s', async (_, write) => {
    const { orm, resolver, count, routes } = await routed();
    const text = notes.text();
    await notes.pause(notes.one, notes.two);
    await resolver.run({}, async () => {
      expect(resolver.wrote()).toBe(false);
      await write(orm.em.fork(), text);
      expect(resolver.wrote()).toBe(true);
      routes();
      expect(await count(text)).toBe(1);
      expect(routes()).toEqual(['primary: primary-not-caught-up']);
    });
    // Of another session nothing was asked.
    await resolver.run({}, async () => {
      expect(await count(text)).toBe(0);
      expect(routes()).toEqual([expect.stringMatching(/^replica (one|two): replica$/)]);
    });
  });

  test('a table that was made is found', async () => {
    const { orm, resolver, routes } = await routed();
    await notes.pause(notes.one, notes.two);
    await resolver.run({}, async () => {
      await orm.em.execute('create table made (id int)');
      routes();
      expect(await orm.em.getConnection('read').execute('select * from made')).toEqual([]);
      expect(routes()).toEqual(['primary: primary-not-caught-up']);
    });
    await orm.em.execute('drop table made');
  });

  test('of two replicas the one that has replayed it answers', async () => {
    const { orm, resolver, count, routes } = await routed();
    const text = notes.text();
    await notes.pause(notes.one);
    await resolver.run({}, async () => {
      await orm.em.fork().insert(Note, { text } as never);
      await expect
        .poll(() => notes.two.query('select from note where text = $1', [text], notes.database))
        .toHaveLength(1);
      for (let n = 0; n < 20; n++) {
        routes();
        expect(await count(text)).toBe(1);
        expect(routes()).toEqual([expect.stringMatching(/^replica two: replica-(checked|caught-up)$/)]);
      }
    });
  });

  test('one that is about to replay it is waited for', async () => {
    const { orm, resolver, count, routes } = await notes.connect({ resolver: { wait: 5_000 } });
    await resolver.run({}, async () => {
      for (let n = 0; n < 50; n++) {
        const text = notes.text();
        await orm.em.fork().insert(Note, { text } as never);
        routes();
        expect(await count(text)).toBe(1);
        expect(routes()).toEqual([expect.stringMatching(/^replica (one|two): replica-(checked|waited|caught-up)$/)]);
      }
    });
  });

  test('a session that has written nothing reads on replicas, and asks nothing', async () => {
    const reading = await routed();
    const found = await routesOf(reading, () =>
      reading.resolver.run({}, async () => {
        for (let n = 0; n < 10; n++) {
          await reading.count('nothing');
        }
      }),
    );
    expect(found).toHaveLength(10);
    expect(new Set(found.map(route => route.replace(/one|two/, 'x')))).toEqual(new Set(['replica x: replica']));
  });

  test('a transaction that only reads, on the primary, makes nobody wait', async () => {
    const { orm, resolver, count, routes } = await routed();
    await notes.pause(notes.one, notes.two);
    await notes.elsewhere();
    await resolver.run({}, async () => {
      await orm.em.fork().transactional(tx => tx.count(Note));
      await orm.em.fork().execute('select count(*) from note');
      expect(resolver.wrote()).toBe(false);
      expect(resolver.token()).toBeUndefined();
      routes();
      await count('nothing');
      expect(routes()).toEqual([expect.stringMatching(/^replica (one|two): replica$/)]);
    });
  });

  test('a transaction that was rolled back has written nothing', async () => {
    const { orm, resolver } = await routed();
    await resolver.run({}, async () => {
      await orm.em
        .fork()
        .transactional(async tx => {
          await tx.insert(Note, { text: 'rolled back' } as never);
          throw new Error('no');
        })
        .catch(() => undefined);
      expect(resolver.wrote()).toBe(false);
    });
  });
});

describe('the other levels', () => {
  test("'eventual' may miss what the session has just written, and asks nothing", async () => {
    const { orm, resolver, count, routes } = await routed('eventual');
    const text = notes.text();
    await notes.pause(notes.one, notes.two);
    await resolver.run({}, async () => {
      await orm.em.fork().insert(Note, { text } as never);
      routes();
      expect(await count(text)).toBe(0);
      expect(routes()).toEqual([expect.stringMatching(/^replica (one|two): replica$/)]);
    });
  });

  test("'strong' misses nothing that anybody has written, and reads on the primary", async () => {
    const { resolver, count, routes } = await routed('strong');
    await notes.pause(notes.one, notes.two);
    const text = await notes.elsewhere();
    await resolver.run({}, async () => {
      expect(await count(text)).toBe(1);
      expect(routes()).toEqual(['primary: primary-strong']);
    });
  });

  test('{ bounded }: a replica that is paused for longer answers nothing that is older', async () => {
    const { count, routes, resolver } = await routed({ bounded: 500 });
    await notes.pause(notes.one, notes.two);
    const text = await notes.elsewhere();
    await sleep(900);
    await resolver.run({}, async () => {
      expect(await count(text)).toBe(1);
      expect(routes()).toEqual(['primary: primary-not-caught-up']);
    });
  });

  test('{ bounded }: … and the one that is not paused answers', async () => {
    // Three seconds: replay may stand still for a moment by itself.
    const { count, routes, resolver } = await routed({ bounded: 3_000 });
    await notes.pause(notes.one);
    const text = await notes.elsewhere();
    await sleep(3_500);
    await resolver.run({}, async () => {
      for (let n = 0; n < 10; n++) {
        expect(await count(text)).toBe(1);
      }
      expect(new Set(routes().map(route => route.split(':')[0]))).toEqual(new Set(['replica two']));
    });
  });

  test('{ bounded }: within it a paused replica may answer', async () => {
    const { count, routes, resolver } = await routed({ bounded: 60_000 });
    // A position of since then has to be known that the replicas have replayed.
    await sleep(300);
    await notes.pause(notes.one, notes.two);
    const text = await notes.elsewhere();
    await sleep(300);
    await resolver.run({}, async () => {
      expect(await count(text)).toBe(0);
      expect(routes()).toEqual([expect.stringMatching(/^replica (one|two): replica-(checked|caught-up)$/)]);
    });
  });

  /** Reads of another's note, one after another, until each replica had its turn. */
  async function seen({ count }: Routed, text: string): Promise<number[]> {
    const counts: number[] = [];
    for (let n = 0; n < 40; n++) {
      counts.push(await count(text));
    }
    return counts;
  }

  test("'session' may see another's write come and go, between two replicas", async () => {
    const reading = await routed('session');
    await notes.pause(notes.one);
    const text = await notes.elsewhere();
    await expect
      .poll(() => notes.two.query('select from note where text = $1', [text], notes.database))
      .toHaveLength(1);
    const counts = await reading.resolver.run({}, () => seen(reading, text));
    expect(counts.join('')).toMatch(/10+1/);
  });

  test("'monotonic' never does: what it has seen stays", async () => {
    const reading = await routed('monotonic');
    await notes.pause(notes.one);
    const text = await notes.elsewhere();
    await expect
      .poll(() => notes.two.query('select from note where text = $1', [text], notes.database))
      .toHaveLength(1);
    const counts = await reading.resolver.run({}, () => seen(reading, text));
    expect(counts.join('')).toMatch(/^0*1+$/);
    expect(
      reading.heard('stale.prevented').length + reading.routes().filter(route => route.includes('two')).length,
    ).toBeGreaterThan(1);
  });

  test("'monotonic': what was read on the primary stays, too, and own writes are seen", async () => {
    const { orm, resolver, count, routes } = await routed('monotonic');
    await notes.pause(notes.one, notes.two);
    const text = await notes.elsewhere();
    await resolver.run({}, async () => {
      expect(await count(text)).toBe(0);
      // A transaction on the primary.
      const own = notes.text();
      await orm.em.fork().insert(Note, { text: own } as never);
      expect(await count(own)).toBe(1);
      routes();
      expect(await count(text)).toBe(1);
      expect(routes()).toEqual(['primary: primary-not-caught-up']);
    });
  });
});
