import { defineEntity, p } from '@mikro-orm/postgresql';
import { queryTiming, type ScopeReport } from '@mikrokit/query-timing';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openOrm } from '../harness/orm.ts';
import { serverTiming } from '../../packages/query-timing/src/server-timing.ts';

const scope: ScopeReport = {
  id: 1,
  kind: 'request',
  name: 'GET /books',
  start: 1_750_000_000_000,
  took: 50_000,
  open: true,
  queries: 12,
  errors: 0,
  rows: 40,
  wait: 423,
  send: 719,
  database: 27_000,
  after: 6_000,
  shapes: 3,
  findings: [],
  records: [],
};

/** `#server-timing-header` of https://www.w3.org/TR/server-timing/, with `token` and `quoted-string` of RFC 9110. */
const token = "[!#$%&'*+.^_`|~\\dA-Za-z-]+";
const quoted = '"(?:[\\t !#-\\[\\]-~]|\\\\[\\t !-~])*"';
const metric = `${token}(?:;${token}=(?:${token}|${quoted}))*`;
const header = new RegExp(`^${metric}(?:, ${metric})*$`);

describe('Server-Timing', () => {
  test('says how many queries there were, how long they took, and where the time went, in ms', () => {
    expect(serverTiming(scope)).toBe('sql;desc="12 queries";dur=34.1, sqlwait;dur=0.4, sqldb;dur=27, sqlhydrate;dur=6');
  });

  test('one query, none, and failed ones', () => {
    expect(serverTiming({ ...scope, queries: 1 })).toMatch(/^sql;desc="1 query";/);
    expect(serverTiming({ ...scope, queries: 0, wait: 0, send: 0, database: 0, after: 0 })).toBe(
      'sql;desc="0 queries";dur=0, sqlwait;dur=0, sqldb;dur=0, sqlhydrate;dur=0',
    );
    expect(serverTiming({ ...scope, errors: 2 })).toMatch(/^sql;desc="12 queries, 2 failed";/);
  });

  test('no name, text or finding of the scope is in it', () => {
    const name = 'planted\r\nSet-Cookie: a=b';
    expect(serverTiming({ ...scope, name })).toBe(serverTiming(scope));
  });

  test('is a header as the standard has it, and short, whatever the numbers are', () => {
    const us = fc.double({ min: 0, max: 1e15, noNaN: true });
    fc.assert(
      fc.property(fc.nat(), fc.nat(), us, us, us, us, (queries, errors, wait, send, database, after) => {
        const value = serverTiming({ ...scope, queries, errors, wait, send, database, after });
        expect(value).toMatch(header);
        expect(value.length).toBeLessThanOrEqual(500);
      }),
    );
  });

  test('of a request that is still running says what it has asked so far', async () => {
    const Book = defineEntity({ name: 'Book', properties: { id: p.integer().primary() } });
    const timing = queryTiming({ terminal: false });
    const orm = await openOrm({ entities: [Book], extensions: [timing] });
    await timing.run({ name: 'GET /books', kind: 'request' }, async () => {
      const em = orm.em.fork();
      await em.find(Book, {});
      await em.execute('select pg_sleep(0.02)');
      const value = serverTiming(timing.scope()!);
      expect(value).toMatch(header);
      expect(value).toMatch(/^sql;desc="2 queries";dur=/);
      expect(Number(/sqldb;dur=([\d.]+)/.exec(value)?.[1])).toBeGreaterThanOrEqual(20);
    });
  });
});
