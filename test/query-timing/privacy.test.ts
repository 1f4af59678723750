import { setTimeout as sleep } from 'node:timers/promises';
import { defineEntity, type EntityManager, p } from '@mikro-orm/postgresql';
import { beforeAll, describe, expect, test } from 'vitest';
import { openDatabase } from '../harness/database.ts';
import { openOrm } from '../harness/orm.ts';
import { compiled, kyselyOf } from './fixtures/library.ts';
import { openTold } from './fixtures/sinks.ts';

/* A secret is planted wherever one can be, and looked for wherever anything is told. */

const Patient = defineEntity({
  name: 'Patient',
  properties: {
    id: p.integer().primary(),
    city: p.string(),
    diagnosis: p.text().hidden().nullable(),
    password: p.string().nullable(),
    card: p.bigint().hidden().nullable(),
    history: p.json<unknown>().hidden().nullable(),
    friend: () => p.manyToOne(Patient).ref().nullable(),
    visits: () => p.oneToMany(Visit).mappedBy('patient'),
  },
});
const Visit = defineEntity({
  name: 'Visit',
  properties: { id: p.integer().primary(), notes: p.text().hidden(), patient: () => p.manyToOne(Patient).ref() },
});
const entities = [Patient, Visit];

/** Found in no word of SQL, name, or path. */
const SECRET = 'qZx7PLANTEDw';
/** As a number. */
const CARD = '4929123412341234';
const HIDDEN = [
  SECRET,
  SECRET.toLowerCase(),
  CARD,
  Buffer.from(SECRET).toString('hex'),
  Buffer.from(SECRET).toString('base64'),
];

let url: string;
beforeAll(async () => {
  ({ url } = await openDatabase());
  const orm = await openOrm({ url, entities });
  await orm.schema.create();
  await orm.em.fork().execute(`
    create function refuse(what text) returns text language plpgsql as $$
      begin raise exception 'refused: %', what using detail = what, hint = what; end $$;
    create function announce(what text) returns text language plpgsql as $$
      begin raise notice 'announced: %', what; return what; end $$`);
});

const long = SECRET.repeat(90_000);

type Leak = (em: EntityManager) => Promise<unknown>;

const leaks: Record<string, Leak> = {
  'hidden and secret columns are written': async em => {
    em.create(Patient, {
      id: 1,
      city: 'Rome',
      diagnosis: SECRET,
      password: SECRET,
      card: BigInt(CARD),
      history: { [SECRET]: SECRET },
    });
    await em.flush();
    await em.insertMany(
      Patient,
      [2, 3, 4, 5].map(
        id => ({ id, city: 'Rome', diagnosis: `${SECRET} ${id}`, password: SECRET, friend: 1 }) as never,
      ),
    );
    await em.insertMany(
      Visit,
      [1, 2, 3, 4].map(id => ({ id, notes: SECRET, patient: id })),
    );
    await em.nativeUpdate(Patient, { password: SECRET }, { diagnosis: SECRET });
    await em.upsert(Patient, { id: 1, city: 'Rome', password: SECRET });
  },
  'and read': async em => {
    await em.find(Patient, { diagnosis: SECRET });
    await em.find(Patient, { password: { $in: [SECRET, 'x'] }, card: BigInt(CARD) });
    await em.find(Patient, { diagnosis: { $like: `%${SECRET}%` } }, { populate: ['visits'], strategy: 'joined' });
    await em.count(Patient, { history: { [SECRET]: SECRET } as never });
    await em.createQueryBuilder(Patient, 'p').where({ password: SECRET }).getResult();
  },
  'in a loop, whose rows prove it': async em => {
    const patients = await em.find(Patient, { password: SECRET });
    for (const patient of patients) {
      await patient.visits.loadItems({ where: { notes: SECRET } });
      await em.find(Patient, { diagnosis: patient.diagnosis ?? '' });
    }
  },
  'the same again and again': async em => {
    for (let each = 0; each < 3; each++) {
      await em.execute('select * from patient where password = ?', [SECRET]);
      await em.execute(`select * from patient where diagnosis = '${SECRET}'`);
    }
  },
  'literals of all kinds in raw SQL': async em => {
    for (const literal of [
      `'${SECRET}'`,
      `'it''s ${SECRET}'`,
      `E'\\'${SECRET}\\n'`,
      `U&'${SECRET}'`,
      `$$${SECRET}$$`,
      `$tag$ ${SECRET} $tag$`,
      `'a'\n'${SECRET}'`,
      `N'${SECRET}'`,
      CARD,
      `-${CARD}`,
      `${CARD}.5e0`,
      `array['${SECRET}', 'x']`,
      `'{"${SECRET}": "${SECRET}"}'::jsonb`,
      `/* ${SECRET} */ 1`,
      `/* /* ${SECRET} */ ${SECRET} */ 1`,
      `-- ${SECRET}\n 1`,
    ]) {
      await em.execute(`select ${literal} as one`);
    }
    await em.execute(`select 1 as one where '${SECRET}' in ('a', '${SECRET}') or '${SECRET}' like '%${SECRET}%'`);
    await em.execute(`insert into visit (id, notes, patient_id) values (50, '${SECRET}', 1), (51, '${SECRET}', 1)`);
    await em.execute(`select * from (values ('${SECRET}', ${CARD})) as v (a, b)`);
    await em.execute(`set local application_name = '${SECRET}'`).catch(() => undefined);
    await em.execute(`select set_config('application_name', '${SECRET}', true)`);
  },
  'texts that are broken': async em => {
    for (const sql of [
      `select '${SECRET}`,
      `select $$${SECRET}`,
      `select /* ${SECRET}`,
      `select "${SECRET}`,
      `selec '${SECRET}'`,
      `select '${SECRET}' '${SECRET}'`,
      `'${SECRET}' select`,
      `${CARD}`,
      `select ${CARD}${SECRET}`,
      `select $1${SECRET}$1`,
      `select E'${SECRET}\\`,
    ]) {
      await em.execute(sql).catch(() => undefined);
    }
  },
  'a text of 1 MB': async em => {
    await em.execute(`select length('${long}')`);
    await em.execute('select length(?)', [long]);
    await em.find(Patient, { diagnosis: long });
    await em.execute(`select length('${long}`).catch(() => undefined);
  },
  'errors that quote what they were given': async em => {
    for (const sql of [
      `select '${SECRET}'::int`,
      `select refuse('${SECRET}')`,
      `insert into patient (id, city) values (1, '${SECRET}')`,
      `select '${SECRET}'::jsonb`,
      `select ${CARD}::int`,
      `insert into visit (id, notes, patient_id) values (60, '${SECRET}', ${CARD})`,
      `select nothing_like_it('${SECRET}')`,
      `select '${SECRET}' from nowhere`,
    ]) {
      await em.execute(sql).catch(() => undefined);
    }
    await em.insert(Patient, { id: 1, city: 'Rome', password: SECRET } as never).catch(() => undefined);
    await em.find(Patient, { card: SECRET as never }).catch(() => undefined);
    await em
      .transactional(async inner => {
        await inner.execute(`select refuse('${SECRET}')`);
      })
      .catch(() => undefined);
  },
  'errors of the program': async em => {
    await em
      .transactional(async inner => {
        await inner.count(Patient);
        await sleep(5);
        throw Object.assign(new Error(SECRET), { code: SECRET });
      })
      .catch(() => undefined);
  },
  'notices of the server': async em => {
    await em.execute(`select announce('${SECRET}')`);
    await em.execute('select announce(?)', [SECRET]);
  },
  streams: async em => {
    for await (const each of em.stream(Patient, { where: { password: SECRET } })) void each;
    for await (const each of em.createQueryBuilder(Patient, 'p').where({ diagnosis: SECRET }).stream()) void each;
  },
  Kysely: async em => {
    const kysely = kyselyOf(em).withTables<{ patient: { id: number; diagnosis: string; password: string } }>();
    await kysely.selectFrom('patient').selectAll().where('diagnosis', '=', SECRET).execute();
    await kysely.selectFrom('patient').selectAll().where('password', 'in', [SECRET, 'x']).execute();
    await kysely.updateTable('patient').set({ password: SECRET }).where('diagnosis', '=', SECRET).execute();
    await kysely.executeQuery(compiled(`select '${SECRET}' as one`));
    // pg asks such a value for its text; what that throws has no code.
    const value = {
      toPostgres: () => {
        throw new Error(SECRET);
      },
    };
    const failing = kysely
      .selectFrom('patient')
      .selectAll()
      .where('diagnosis', '=', value as never)
      .execute();
    await failing.catch(() => undefined);
    await kysely.executeQuery(compiled(`select '${SECRET}'::int`)).catch(() => undefined);
  },
  'transactions that wait': async em => {
    await em.transactional(async inner => {
      await inner.execute(`select '${SECRET}'`);
      await sleep(10);
      await inner.find(Patient, { password: SECRET });
    });
  },
  'plans: seq scans, sorts, joins and subqueries': async em => {
    await em.execute(`select p.city, '${SECRET}' as tag from patient p join visit v on v.patient_id = p.id
      where p.diagnosis > '${SECRET}' and p.card <> ${CARD} and exists (select 1 from visit w where w.notes = '${SECRET}')
      order by p.password || '${SECRET}' limit 5`);
    await em.execute(
      `select case when password = '${SECRET}' then ${CARD} end from patient group by 1 having count(*) < ${CARD}`,
    );
  },
};

describe.each(['off', 'types', 'hashed', 'full'] as const)('parameters: %s', parameters => {
  test('no sink has what was planted', async () => {
    const { orm, run, sinks } = await openTold({ parameters }, { url, entities });
    await orm.em.fork().execute('truncate patient, visit');
    for (const [name, leak] of Object.entries(leaks)) {
      await run(name, () => leak(orm.em.fork() as EntityManager));
    }
    const all = await sinks();
    const found = Object.entries(all).flatMap(([sink, text]) =>
      HIDDEN.filter(secret => text.includes(secret)).map(
        secret => `${sink}: …${text.slice(Math.max(0, text.indexOf(secret) - 80), text.indexOf(secret) + 30)}…`,
      ),
    );
    expect(found).toEqual([]);
    // Each of them has something to tell at all.
    for (const [sink, text] of Object.entries(all)) {
      expect(text.length, sink).toBeGreaterThan(sink === 'pools()' ? 20 : 300);
    }
    expect(all['plans']).toContain('"type":"Seq Scan"');
    expect(all['spans']).toContain('22P02');
    expect(all['terminal']).toContain('hidden and secret columns are written');
  });
});

test("ordinary values are shown where one has asked for them, and only there: parameters: 'full'", async () => {
  const tell = async (parameters: 'types' | 'full'): Promise<Readonly<Record<string, string>>> => {
    const { orm, run, sinks } = await openTold({ parameters }, { url, entities });
    await run('ordinary', () => orm.em.fork().find(Patient, { city: 'Ordinaryville', password: SECRET }));
    return await sinks();
  };
  const [types, full] = [await tell('types'), await tell('full')];
  for (const sink of ['subscribe', 'report()', 'scope()', 'on("scope")']) {
    expect(full[sink], sink).toContain('Ordinaryville');
    expect(types[sink], sink).not.toContain('Ordinaryville');
  }
  for (const sink of [
    'spans',
    'metrics',
    'Prometheus',
    'SQL comments',
    'terminal',
    'findings',
    'plans',
    'Server-Timing',
  ]) {
    expect(full[sink], sink).not.toContain('Ordinaryville');
  }
});

test("labels, names of scopes and tags are the program's own words: they are shown", async () => {
  const { orm, run, sinks } = await openTold({}, { url, entities });
  await run('the name of a scope', () =>
    orm.em.fork().find(Patient, {}, { logging: { label: 'the label of a query' } }),
  );
  const all = await sinks();
  expect(all['report()']).toContain('the label of a query');
  expect(all['page: JSON']).toContain('the name of a scope');
});
