// What a timing has to prove: an N+1 with its line and its fix, an index that was missing, where the time goes, no secrets.
// npm run example query-timing
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { defineEntity, type EntityManager, MikroORM, p } from '@mikro-orm/postgresql';
import { createDatabase } from '@mikrokit-dev/test/harness/database-plain.ts';
import { startCluster } from '@mikrokit-dev/test/harness/postgres.ts';
import { type QueryRecord, queryTiming, type ScopeReport } from '@mikrokit/query-timing';

const AuthorSchema = defineEntity({
  name: 'Author',
  properties: { id: p.integer().primary(), name: p.string(), password: p.string().hidden() },
});
class Author extends AuthorSchema.class {}
AuthorSchema.setClass(Author);

const BookSchema = defineEntity({
  name: 'Book',
  properties: { id: p.integer().primary(), title: p.string(), author: () => p.manyToOne(Author).ref() },
});
class Book extends BookSchema.class {}
BookSchema.setClass(Book);

const SaleSchema = defineEntity({
  name: 'Sale',
  properties: { id: p.integer().primary(), receipt: p.string(), book: () => p.manyToOne(Book).ref() },
});
class Sale extends SaleSchema.class {}
SaleSchema.setClass(Sale);

const SALES = 300_000;
/** The shortest time of so many is told: other programs are running, too. */
const REPETITIONS = 5;
const SECRET = 'correct horse battery staple';

await using cluster = await startCluster();
await using database = await createDatabase({ cluster });

const written: string[] = [];
const timing = queryTiming({
  // In ms.
  slow: { overall: 1_000, entities: [[Sale, 5]] },
  // Of the plan with the index, too, it is asked there: a database that nobody else uses.
  advice: { verify: { clientUrl: database.url } },
  terminal: { stream: { write: (text: string) => written.push(text) }, summary: false },
});
await using orm = new MikroORM({
  entities: [Author, Book, Sale],
  clientUrl: database.url,
  extensions: [timing],
  pool: { max: 2 },
  logger: () => {},
});
await orm.schema.create();
await orm.em.execute(`
  insert into author select n, 'author ' || n, '${SECRET}' from generate_series(1, 50) n;
  insert into book select n, 'book ' || n, n % 50 + 1 from generate_series(1, 1000) n;
  insert into sale select n, md5(n::text), n % 1000 + 1 from generate_series(1, ${SALES}) n;
  analyze author, book, sale;
`);
// As in a server that has been asked before: code that is new to the process is slow.
for (let i = 0; i < 5; i++) {
  await Promise.all([listBooks(orm.em.fork()), listBooksAtOnce(orm.em.fork()), countBooks(orm.em.fork())]);
}
await timing.settled();
timing.reset();
written.length = 0;

const records: QueryRecord[] = [];
timing.subscribe(record => records.push(record));

console.log('A page of books, as one writes it on the first day, and as the finding says:\n');
const before = await scopeOf('GET /books', () => listBooks(orm.em.fork()));
const after = await scopeOf('GET /books', () => listBooksAtOnce(orm.em.fork()));
const [repeated] = before.findings;
assert.equal(repeated?.kind, 'n+1');
assert.equal(repeated.parent?.proved, true, 'the keys were in the rows of the books');
assert.match(repeated.site?.file ?? '', /examples\/query-timing\/main\.ts$/);
assert.deepEqual([before.queries, after.queries], [21, 1]);
assert.deepEqual(after.findings, []);

console.log('\nA sale by its receipt, before and after the index that is advised:\n');
const searched = await fastestOf('GET /sales/:receipt', () => findSale(orm.em.fork()));
const advice = timing.report().findings.find(({ kind }) => kind === 'missing-index');
assert.ok(advice?.fix, 'an index is advised');
console.log(`    ${advice.title}\n${advice.fix.replaceAll(/^/gm, '    ')}`);
await orm.em.execute(advice.fix.split('\n').at(-1)!);
timing.reset();
const found = await fastestOf('GET /sales/:receipt', () => findSale(orm.em.fork()));
assert.ok(found.database * 2 < searched.database, 'with the index it is faster');
assert.ok(!timing.report().findings.some(({ kind }) => kind === 'missing-index'), 'and nothing is missing');

console.log('\nSix requests at once, and a pool of two connections:\n');
await Promise.all(Array.from({ length: 6 }, () => timing.run('GET /count', () => countBooks(orm.em.fork()))));
console.log(terminal());
const [pool] = timing.report().pools;
assert.equal(pool?.max, 2);
console.log(`  pool of ${pool.max}: 95 of 100 waited at most ${(pool.waitP95 / 1_000).toFixed(1)} ms for a connection`);

// Looked up by what must not be seen, in SQL that is wrong, and in a scope that is called after it.
await orm.em.fork().find(Author, { password: SECRET });
await orm.em
  .fork()
  .execute(`select '${SECRET}'::int`)
  .catch(() => {});
await timing.settled();
const everything = JSON.stringify([timing.report(), records, written]);
assert.ok(records.some(({ error }) => error === '22P02'));
assert.equal(everything.includes(SECRET), false, 'no value is kept');
console.log(`\nA password that was read, asked for and part of an error, in all that was kept and written: not there.`);
console.log(`Each query cost ${timing.report().own.perQuery.toFixed(1)} µs to be timed.`);

/** Runs `work` as a request, and prints what is written of it to the terminal. */
async function scopeOf(name: string, work: () => Promise<unknown>): Promise<ScopeReport> {
  const [scope, lines] = await request(name, work);
  console.log(lines);
  return scope;
}

/** The same for the shortest of some. */
async function fastestOf(name: string, work: () => Promise<unknown>): Promise<ScopeReport> {
  const all: (readonly [ScopeReport, string])[] = [];
  for (let i = 0; i < REPETITIONS; i++) {
    all.push(await request(name, work));
  }
  const [[scope, lines]] = all.toSorted(([one], [other]) => one.database - other.database) as [(typeof all)[0]];
  console.log(lines);
  return scope;
}

async function request(name: string, work: () => Promise<unknown>): Promise<readonly [ScopeReport, string]> {
  const scopes: ScopeReport[] = [];
  const stop = timing.on('scope', scope => void (scope.name === name && scopes.push(scope)));
  await timing.run({ name, kind: 'request' }, work);
  stop();
  // Plans and advice are made beside it.
  await timing.settled();
  return [scopes[0]!, terminal()];
}

/** What was written since it was asked last. */
function terminal(): string {
  return written.splice(0).join('').trimEnd().replaceAll(/^/gm, '  ');
}

async function listBooks(em: EntityManager): Promise<string[]> {
  const books = await em.find(Book, {}, { limit: 20, orderBy: { id: 'asc' } });
  const lines: string[] = [];
  for (const book of books) {
    lines.push(`${book.title}, ${(await book.author.loadOrFail()).name}`);
  }
  return lines;
}

async function listBooksAtOnce(em: EntityManager): Promise<string[]> {
  const books = await em.find(Book, {}, { limit: 20, orderBy: { id: 'asc' }, populate: ['author'] });
  return books.map(book => `${book.title}, ${book.author.$.name}`);
}

async function findSale(em: EntityManager): Promise<Sale> {
  return await em.findOneOrFail(Sale, { receipt: createHash('md5').update('4711').digest('hex') });
}

async function countBooks(em: EntityManager): Promise<number> {
  return await em.count(Book);
}
