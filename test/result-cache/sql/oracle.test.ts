import fc from 'fast-check';
import { loadModule } from 'libpg-query';
import { beforeAll, describe, expect, test } from 'vitest';
import { HARMLESS, PURE } from '../../../packages/result-cache/src/sql/functions.ts';
import { mayWrite } from '../../../packages/result-cache/src/sql/may-write.ts';
import { analyse, type SqlValue, type Statement } from '../../../packages/result-cache/src/sql/statement.ts';
import { CORPUS, OTHERS } from './corpus.ts';
import { asFact, type ParsedTables, parseTables } from './parse-tree.ts';
import { anyStatement } from './random-sql.ts';

beforeAll(async () => {
  await loadModule();
});

const nameOf = ({ schema, name }: { schema?: string; name: string }): string =>
  schema === undefined ? name : `${schema}.${name}`;
const names = (uses: readonly { schema?: string; name: string }[]): string[] =>
  [...new Set(uses.map(nameOf))].toSorted();
const valueOf = (value: SqlValue): string => ('parameter' in value ? `$${value.parameter + 1}` : value.literal);

function factsOf(statements: readonly Statement[]): string[] {
  return statements.flatMap(({ reads, writes }) => [
    ...reads.flatMap(use => use.equals.map(({ column, values }) => asFact(nameOf(use), column, values.map(valueOf)))),
    ...writes
      .filter(({ how }) => how !== 'insert')
      .flatMap(use => use.equals.map(({ column, values }) => asFact(nameOf(use), column, values.map(valueOf)))),
  ]);
}

/** Everything that must hold of a text that PostgreSQL can parse. */
function check(sql: string, parsed: ParsedTables): void {
  if (/\bexplain\b/i.test(sql) && !/\banaly[sz]e\b/i.test(sql)) {
    return; // Nothing of it is run.
  }
  const statements = analyse(sql);
  const opaque = statements.some(statement => statement.opaque);
  const uncacheable = opaque || statements.some(statement => statement.uncacheable !== undefined);
  const reads = names(statements.flatMap(statement => statement.reads));
  const writes = names(statements.flatMap(statement => statement.writes));
  if (!opaque) {
    expect(writes, sql).toEqual(expect.arrayContaining([...new Set(parsed.writes)]));
  }
  // What `lock` names is not read.
  if (!uncacheable && statements.every(({ verb }) => verb !== 'harmless')) {
    expect(reads, sql).toEqual(expect.arrayContaining([...new Set(parsed.reads)]));
  }
  for (const fact of factsOf(statements)) {
    expect([...parsed.facts], `${sql}: ${fact}`).toContain(fact);
  }
  for (const call of parsed.calls) {
    const name = call.replace(/^pg_catalog\./, '');
    // So the parser writes `like … escape`; and of two times it is their difference.
    if (!PURE.has(name) && name !== 'like_escape' && name !== 'similar_to_escape' && name !== 'age') {
      expect(uncacheable || statements.some(({ verb }) => verb !== 'select'), `${sql}: ${call}`).toBe(true);
      expect(opaque || HARMLESS.has(name), `${sql}: ${call}`).toBe(true);
    }
  }
  if (!mayWrite(sql)) {
    expect(statements, sql).toMatchObject([{ verb: 'select', opaque: false, writes: [] }]);
    expect(parsed.writes, sql).toEqual([]);
  }
}

describe('as PostgreSQL parses it', () => {
  test('the corpus is large', () => {
    expect(CORPUS.length).toBeGreaterThan(150);
  });

  test.each(CORPUS)('%s', sql => {
    const parsed = parseTables(sql);
    check(sql, parsed);
    // Not merely covered: the very same tables.
    const statements = analyse(sql);
    expect(names(statements.flatMap(({ reads }) => reads))).toEqual([...new Set(parsed.reads)].toSorted());
    expect(names(statements.flatMap(({ writes }) => writes))).toEqual([...new Set(parsed.writes)].toSorted());
    expect(statements).toHaveLength(parsed.statements);
    expect(statements.filter(({ uncacheable }) => uncacheable?.startsWith('cannot be read'))).toEqual([]);
  });

  test.each(OTHERS)('%s', sql => {
    check(sql, parseTables(sql));
    expect(analyse(sql)).toHaveLength(1);
    expect(mayWrite(sql)).toBe(true);
  });

  test('statements made at random', () => {
    let valid = 0;
    fc.assert(
      fc.property(anyStatement, sql => {
        let parsed;
        try {
          parsed = parseTables(sql);
        } catch {
          return;
        }
        valid++;
        check(sql, parsed);
        expect(
          analyse(sql).filter(({ uncacheable }) => uncacheable?.startsWith('cannot be read')),
          sql,
        ).toEqual([]);
      }),
      { numRuns: 1_500 },
    );
    expect(valid).toBeGreaterThan(1_200);
  });

  test('statements of the corpus, damaged at random', () => {
    let valid = 0;
    const all = [...CORPUS, ...OTHERS].map(sql => sql.split(/(?<=\W)|(?=\W)/));
    const damaged = fc
      .tuple(fc.constantFrom(...all), fc.constantFrom(...all), fc.nat(), fc.nat(), fc.nat(), fc.nat())
      .map(([one, other, at, length, from, count]) => {
        const start = at % (one.length + 1);
        const piece = other.slice(from % other.length, (from % other.length) + (count % 8));
        return [...one.slice(0, start), ...piece, ...one.slice(start + (length % 4))].join('');
      });
    fc.assert(
      fc.property(damaged, sql => {
        const ours = analyse(sql);
        if (!mayWrite(sql)) {
          expect(ours, sql).toMatchObject([{ verb: 'select', opaque: false, writes: [] }]);
        }
        let parsed;
        try {
          parsed = parseTables(sql);
        } catch {
          return;
        }
        valid++;
        check(sql, parsed);
      }),
      { numRuns: 20_000 },
    );
    expect(valid).toBeGreaterThan(1_000);
  });
});
