import { defineEntity, type MikroORM, p } from '@mikro-orm/postgresql';
import { resultCache } from '@mikrokit/result-cache';
import { expect, test } from 'vitest';
import { openOrm } from '../../harness/orm.ts';

/* EPIPE has five capital letters, as codes of PostgreSQL have; but it is Node's, and says nothing of the commit. */
const City = defineEntity({ name: 'City', properties: { id: p.integer().primary(), name: p.string() } });

test.each(['ECONNRESET', 'EPIPE'])('a commit that ends with %s may have been one', async code => {
  const orm: MikroORM = await openOrm({
    entities: [City],
    extensions: [{ register: (one: MikroORM) => breakCommits(one, code) }, resultCache({ ttl: 60_000 })] as never,
  });
  await orm.em.fork().insert(City, { id: 1, name: 'before' });
  const read = async (cache: boolean): Promise<string> => (await orm.em.fork().findOneOrFail(City, 1, { cache })).name;
  expect([await read(true), await read(true)]).toEqual(['before', 'before']);
  broken.add(orm);
  await orm.em
    .fork()
    .transactional(em => em.nativeUpdate(City, { id: 1 }, { name: 'after' }))
    .catch(() => undefined);
  broken.delete(orm);
  expect(await read(false)).toBe('after');
  expect(await read(true)).toBe('after');
});

const broken = new Set<MikroORM>();
/** The server commits, and the answer is lost with the connection. */
function breakCommits(orm: MikroORM, code: string): void {
  const connection = orm.driver.getConnection('write') as unknown as {
    createKyselyDialect(...args: unknown[]): {
      createDriver(): { acquireConnection(...args: unknown[]): Promise<Physical> };
    };
  };
  const create = connection.createKyselyDialect.bind(connection);
  connection.createKyselyDialect = (...args) => {
    const dialect = create(...args);
    const createDriver = dialect.createDriver.bind(dialect);
    dialect.createDriver = () => {
      const driver = createDriver();
      const acquire = driver.acquireConnection.bind(driver);
      const seen = new WeakSet<object>();
      driver.acquireConnection = async (...all) => {
        const physical = await acquire(...all);
        if (!seen.has(physical)) {
          seen.add(physical);
          const execute = physical.executeQuery.bind(physical);
          physical.executeQuery = async (compiled, ...rest) => {
            const result = await execute(compiled, ...rest);
            if (broken.has(orm) && /^\s*commit/i.test(compiled.sql)) {
              throw Object.assign(new Error(`write ${code}`), { code });
            }
            return result;
          };
        }
        return physical;
      };
      return driver;
    };
    return dialect;
  };
}
interface Physical {
  executeQuery(compiled: { sql: string }, ...rest: unknown[]): Promise<unknown>;
}
