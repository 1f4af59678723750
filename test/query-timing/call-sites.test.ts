import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { CallSite, QueryRecord, QueryTimingOptions } from '@mikrokit/query-timing';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { CallSites } from '../../packages/query-timing/src/call-sites.ts';
import { scan } from '../../packages/query-timing/src/sql/scan.ts';
import { type Caller, callers, parallel } from './fixtures/callers.ts';
import { Book, Library, Tag } from './fixtures/library.ts';

const own = fileURLToPath(new URL('../../packages/query-timing/src/', import.meta.url));
const fixture = fileURLToPath(import.meta.resolve('./fixtures/callers.ts'));
const lines = readFileSync(fixture, 'utf8').split('\n');
/** From 1. */
const lineOf = (mark: string): number => lines.findIndex(line => line.endsWith(`// ${mark}`)) + 1;

let library: Library;
beforeAll(async () => {
  library = await Library.open();
});

/** The queries of a call, as they are reported, but for transaction control. */
async function located(
  [, call]: Caller,
  options: QueryTimingOptions = { callSites: { sample: 1 } },
): Promise<readonly QueryRecord[]> {
  const { orm, timing } = await library.timed({ nPlusOne: false, ...options });
  const em = orm.em.fork() as EntityManager;
  await timing.run('call', async () => {
    await call(em);
  });
  const [scope] = timing.report().scopes;
  return scope!.records.filter(({ shape }) => shape.kind !== 'transaction');
}

describe('the first line of the program that has called', () => {
  test.each(Object.entries(callers))('%s', async (_, caller) => {
    const [name] = caller;
    const all = await located(caller);
    const [first, ...more] = name === 'init' || name === 'loadCount' ? all.slice(1) : all;
    expect(first!.site).toMatchObject({ file: fixture, line: lineOf(`here ${name}`), parallel: false });
    const outer = lineOf(`outer ${name}`);
    if (outer > 0) {
      expect(first!.site!.caller).toMatchObject({ file: fixture, line: outer });
    }
    if (name === 'loop' || name === 'populate') {
      expect(more.map(({ site }) => site!.line)).toEqual([lineOf(`here ${name}`)]);
    }
  });

  test.each(Object.entries(parallel))('at the same time: %s', async (_, caller) => {
    const records = await located(caller);
    const line = lineOf(`here ${caller[0]}`);
    expect(records.map(({ site }) => [site?.line, site?.parallel])).toEqual([
      [line, true],
      [line, true],
    ]);
  });

  test('with the name of its function, also of a method', async () => {
    const names = async (name: string): Promise<unknown> => (await located(callers[name]!))[0]!.site!.function;
    expect(await names('a function around it')).toBe('wrapped');
    expect(await names('a method')).toBe('Repository.all');
    expect(await names('a static method')).toMatch(/^(Repository\.|Function\.)?count$/);
  });

  test('files that are passed over: by a part of their path, or by a pattern', async () => {
    for (const ignore of [['fixtures/callers'], [/callers\.ts$/]]) {
      const [record] = await located(callers['a function around it']!, { callSites: { sample: 1, ignore } });
      expect(record!.site).toMatchObject({ file: fileURLToPath(import.meta.url) });
    }
  });

  test('transaction control is located where the transaction is asked for', async () => {
    const { orm, timing } = await library.timed({ callSites: { sample: 1 } });
    await timing.run('call', () => orm.em.fork().transactional(em => em.count(Tag)));
    expect(timing.report().scopes[0]!.records.map(({ site }) => site?.file)).toEqual(
      Array(3).fill(fileURLToPath(import.meta.url)),
    );
  });
});

describe('what is located', () => {
  const sites = async (options: QueryTimingOptions, call: (em: EntityManager) => Promise<unknown>): Promise<unknown> =>
    (await located(['', call], options)).map(({ site }) => site !== undefined);

  test('nothing that is fast and comes once, where the sample is none', async () => {
    const call = async (em: EntityManager): Promise<void> => {
      await em.count(Tag);
      await em.find(Book, { id: 1 });
    };
    expect(await sites({ callSites: { sample: 0 } }, call)).toEqual([false, false]);
  });

  test('one in so many, whatever it is', async () => {
    const call = async (em: EntityManager): Promise<void> => {
      for (let each = 0; each < 12; each++) {
        await em.count(Tag);
      }
    };
    const located_ = (await sites({ callSites: { sample: 4 } }, call)) as boolean[];
    expect(located_.filter(Boolean)).toHaveLength(3);
  });

  test('what is slow', async () => {
    const call = async (em: EntityManager): Promise<void> => {
      await em.count(Tag);
      await em.execute('select pg_sleep(0.3)');
    };
    const slow = { overall: 60_000, shapes: { [scan('select pg_sleep(0.3)').id]: 250 } };
    expect(await sites({ slow, callSites: { sample: 0 } }, call)).toEqual([false, true]);
  });

  test('repeats: not the first, nor all of them', async () => {
    const call = async (em: EntityManager): Promise<void> => {
      for (let id = 1; id <= 12; id++) {
        await em.findOne(Book, id);
      }
    };
    const [first, ...others] = (await sites(
      { nPlusOne: { threshold: 3 }, callSites: { sample: 0 } },
      call,
    )) as boolean[];
    expect(first).toBe(false);
    expect(others.some(Boolean)).toBe(true);
    expect(others.every(Boolean)).toBe(false);
  });

  test('nothing at all with callSites: false', async () => {
    const call = async (em: EntityManager): Promise<void> => {
      for (let id = 1; id <= 6; id++) {
        await em.findOne(Book, id);
      }
    };
    expect(await sites({ slow: 0, callSites: false, nPlusOne: { threshold: 2 } }, call)).toEqual(Array(6).fill(false));
  });
});

describe('the engine', () => {
  test("is left as it was: limits and formats of stacks are the program's own", async () => {
    const { stackTraceLimit, prepareStackTrace } = Error;
    const own = (): string => 'own';
    Error.stackTraceLimit = 3;
    Error.prepareStackTrace = own;
    onTestFinished(() => {
      Error.stackTraceLimit = stackTraceLimit;
      Error.prepareStackTrace = prepareStackTrace;
    });
    await located(callers['a call that is awaited']!);
    expect(Error.stackTraceLimit).toBe(3);
    expect(Error.prepareStackTrace).toBe(own);
    expect(new Error('x').stack).toBe('own');
  });

  test('an Error whose limit cannot be set: the query is well, and nothing is located', async () => {
    const before = Object.getOwnPropertyDescriptor(Error, 'stackTraceLimit')!;
    onTestFinished(() => void Object.defineProperty(Error, 'stackTraceLimit', before));
    const { orm, records } = await library.timed({ callSites: { sample: 1 } });
    Object.defineProperty(Error, 'stackTraceLimit', { value: 10, writable: false, configurable: true });
    expect(await orm.em.fork().count(Tag)).toBe(2);
    expect(records).toHaveLength(1);
  });

  test('one place is one object, however often it is called', () => {
    const sites = new CallSites(own, []);
    const found = [1, 2, 3].map(() => sites.capture());
    expect(found[0]).toMatchObject({ file: expect.stringContaining('call-sites.test.ts') });
    expect(new Set(found).size).toBe(1);
  });
});

describe('places are told in the words of the source, when somebody looks', () => {
  const compiled = (link: string): string =>
    `export async function listBooks(sites) { await null;\nreturn sites.capture();\n}\n//# sourceMappingURL=${link}\n`;

  /** The place that a program tells of, and the same when somebody looks. */
  function placesIn(program: string, flags: readonly string[] = []): [CallSite, CallSite] {
    const script = `
      import { CallSites, mapped } from ${JSON.stringify(join(own, 'call-sites.ts'))};
      import { listBooks } from ${JSON.stringify(program)};
      const site = await listBooks(new CallSites(${JSON.stringify(own)}, []));
      console.log(JSON.stringify([site, mapped(site)]));`;
    const said = execFileSync(process.execPath, [...flags, '--input-type=module', '--eval', script], {
      encoding: 'utf8',
    });
    return JSON.parse(said) as [CallSite, CallSite];
  }

  /** A folder with a program that was compiled. */
  function compile(inline: boolean): { readonly folder: string; readonly program: string } {
    const folder = mkdtempSync(join(tmpdir(), 'mikrokit-compiled-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const program = join(folder, 'dist.mjs');
    // One line of the source is another one of what was compiled: 5 to 2, 6 to 3.
    const map = JSON.stringify({
      version: 3,
      sources: ['src/service.ts'],
      names: [],
      mappings: ';AAIA;AACA',
    });
    const link = inline ? `data:application/json;base64,${Buffer.from(map).toString('base64')}` : 'dist.mjs.map';
    writeFileSync(join(folder, 'dist.mjs.map'), map);
    writeFileSync(program, compiled(link));
    return { folder, program };
  }

  test.each([
    ['a map beside it', false, []],
    ['a map in it', true, []],
    ['a map that Node knows', false, ['--enable-source-maps']],
  ])('%s', (_, inline, flags) => {
    const { folder, program } = compile(inline);
    const [raw, source] = placesIn(program, flags);
    expect(raw).toMatchObject({ file: expect.stringMatching(/dist\.mjs$/), line: 2, function: 'listBooks' });
    expect(source).toMatchObject({ file: join(folder, 'src/service.ts'), line: 5, function: 'listBooks' });
  });

  test.each<[string, (folder: string) => string]>([
    ['that is not there', () => 'none.map'],
    [
      'that is no JSON',
      folder => {
        writeFileSync(join(folder, 'bad.map'), '{');
        return 'bad.map';
      },
    ],
    [
      'that makes no sense',
      folder => {
        writeFileSync(join(folder, 'odd.map'), '{"version":3,"sources":[],"names":[],"mappings":"!!!"}');
        return 'odd.map';
      },
    ],
    ['on another machine', () => 'https://example.com/dist.mjs.map'],
  ])('a map %s: the place as the engine knows it', (_, link) => {
    const folder = mkdtempSync(join(tmpdir(), 'mikrokit-compiled-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const program = join(folder, 'dist.mjs');
    writeFileSync(program, compiled(link(folder)));
    expect(placesIn(program)[1]).toMatchObject({ file: program, line: 2 });
  });
});
