import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  OptionsError,
  queryTiming,
  type QueryTiming,
  QueryTimingError,
  type QueryTimingOptions,
} from '@mikrokit/query-timing';
import { queryMatchers } from '@mikrokit/query-timing/vitest';
import { describe, expect, onTestFinished, test } from 'vitest';

/* Whatever cannot have been meant is refused at once: contract, value, remedy. */

const ALL =
  'environment, slow, nPlusOne, parameters, secretColumns, callSites, plans, advice, idleInTransaction, longTransaction, ' +
  'poolWait, comments, terminal, baseline';

describe('options', () => {
  test.each<[unknown, string, string]>([
    [null, 'options', 'queryTiming(options) takes an object, but got: null. Remove the argument for the defaults.'],
    [7, 'options', 'queryTiming(options) takes an object, but got: 7. Remove the argument for the defaults.'],
    [
      [],
      'options',
      'queryTiming(options) takes an object, but got: an array of 0. Remove the argument for the defaults.',
    ],
    [
      () => 5,
      'options',
      'queryTiming(options) takes an object, but got: a function. Remove the argument for the defaults.',
    ],
    [{ slwo: 5 }, 'slwo', `queryTiming() has no option "slwo". Its options are: ${ALL}.`],
    [
      { environment: 'staging' },
      'environment',
      "environment is one of 'development', 'test', 'production', but got: \"staging\". Leave it out for 'test'.",
    ],
    [{ slow: -1 }, 'slow', 'slow is a number from 0 to 86400000 (ms), but got: -1. Leave it out for 100.'],
    [{ slow: Number.NaN }, 'slow', 'slow is a number from 0 to 86400000 (ms), but got: NaN. Leave it out for 100.'],
    [{ slow: Infinity }, 'slow', 'slow is a number from 0 to 86400000 (ms), but got: Infinity. Leave it out for 100.'],
    [{ slow: '100' }, 'slow', 'slow is a number from 0 to 86400000 (ms), but got: "100". Leave it out for 100.'],
    [{ slow: 100n }, 'slow', 'slow is a number from 0 to 86400000 (ms), but got: 100. Leave it out for 100.'],
    [{ slow: null }, 'slow', 'slow is a number from 0 to 86400000 (ms), but got: null. Leave it out for 100.'],
    [
      { slow: { overal: 5 } },
      'slow',
      'slow has overall, entities, shapes, but got: an object with overal. Remove "overal".',
    ],
    [
      { slow: { overall: '1 s' } },
      'slow.overall',
      'slow.overall is a number from 0 to 86400000 (ms), but got: "1 s". Leave it out for 100.',
    ],
    [
      { slow: { entities: { Book: 5 } } },
      'slow.entities',
      'slow.entities is an array of pairs such as [[Book, 50]], but got: an object with Book. Leave it out if there are none.',
    ],
    [
      { slow: { entities: [['Book']] } },
      'slow.entities',
      'slow.entities is an array of pairs such as [[Book, 50]], but got: an array of 1. Leave it out if there are none.',
    ],
    [
      { slow: { entities: [[5, 5]] } },
      'slow.entities',
      'slow.entities names entities by their class, schema or class name, but got: 5. Write [[Book, 50]].',
    ],
    [
      { slow: { entities: [['Book', 'fast']] } },
      'slow.entities (Book)',
      'slow.entities (Book) is a number from 0 to 86400000 (ms), but got: "fast". Leave it out for 100.',
    ],
    [
      { slow: { shapes: [] } },
      'slow.shapes',
      "slow.shapes is an object such as { '0123456789abcdef': 50 }, but got: an array of 0. Leave it out if there are none.",
    ],
    [
      { slow: { shapes: { '0123456789abcdef': -5 } } },
      'slow.shapes (0123456789abcdef)',
      'slow.shapes (0123456789abcdef) is a number from 0 to 86400000 (ms), but got: -5. Leave it out for 100.',
    ],
    [
      { nPlusOne: true },
      'nPlusOne',
      'nPlusOne is false, or an object with threshold, minTime, ignore, proof, but got: true. Leave it out for the defaults.',
    ],
    [
      { nPlusOne: { treshold: 5 } },
      'nPlusOne',
      'nPlusOne has threshold, minTime, ignore, proof, but got: an object with treshold. Remove "treshold".',
    ],
    [
      { nPlusOne: { threshold: 1 } },
      'nPlusOne.threshold',
      'nPlusOne.threshold is a number from 2 to 1000000, but got: 1. Leave it out for 3.',
    ],
    [
      { nPlusOne: { threshold: 2.5 } },
      'nPlusOne.threshold',
      'nPlusOne.threshold is a whole number from 2 to 1000000, but got: 2.5. Leave it out for 3.',
    ],
    [
      { nPlusOne: { minTime: '5' } },
      'nPlusOne.minTime',
      'nPlusOne.minTime is a number from 0 to 86400000 (ms), but got: "5". Leave it out for 0.',
    ],
    [
      { nPlusOne: { ignore: 'books.ts' } },
      'nPlusOne.ignore',
      'nPlusOne.ignore is an array of texts and patterns, but got: "books.ts". Leave it out if there are none.',
    ],
    [
      { nPlusOne: { ignore: [''] } },
      'nPlusOne.ignore',
      'nPlusOne.ignore is an array of texts and patterns, but got: an array of 1. Leave it out if there are none.',
    ],
    [
      { nPlusOne: { proof: 'yes' } },
      'nPlusOne.proof',
      'nPlusOne.proof is true or false, but got: "yes". Leave it out for true.',
    ],
    [
      { parameters: 'all' },
      'parameters',
      "parameters is one of 'off', 'types', 'hashed', 'full', but got: \"all\". Leave it out for 'types'.",
    ],
    [
      { parameters: true },
      'parameters',
      "parameters is one of 'off', 'types', 'hashed', 'full', but got: true. Leave it out for 'types'.",
    ],
    [
      { secretColumns: /x/ },
      'secretColumns',
      'secretColumns is an array of texts and patterns, but got: an object with nothing in it. Leave it out if there are none.',
    ],
    [
      { secretColumns: [5] },
      'secretColumns',
      'secretColumns is an array of texts and patterns, but got: an array of 1. Leave it out if there are none.',
    ],
    [
      { callSites: true },
      'callSites',
      'callSites is false, or an object with sample, ignore, but got: true. Leave it out for the defaults.',
    ],
    [
      { callSites: { sample: -1 } },
      'callSites.sample',
      'callSites.sample is a number from 0 to 1000000000, but got: -1. Leave it out for 1.',
    ],
    [
      { callSites: { sample: 0.5 } },
      'callSites.sample',
      'callSites.sample is a whole number from 0 to 1000000000, but got: 0.5. Leave it out for 1.',
    ],
    [
      { callSites: { every: 5 } },
      'callSites',
      'callSites has sample, ignore, but got: an object with every. Remove "every".',
    ],
    [
      { plans: true },
      'plans',
      "plans is false or an object of options, but got: true. Leave it out, or pass { mode: 'analyze' }.",
    ],
    [
      { plans: { mode: 'run' } },
      'plans.mode',
      "plans.mode is one of 'explain', 'analyze', but got: \"run\". Leave it out for 'explain'.",
    ],
    [
      { advice: 'hypopg' },
      'advice',
      'advice is false or an object of options, but got: "hypopg". Leave it out, or pass { minRows: 1000 }.',
    ],
    [
      { idleInTransaction: 0 },
      'idleInTransaction',
      'idleInTransaction is a number from 1 to 86400000 (ms), but got: 0. Leave it out for 100.',
    ],
    [
      { idleInTransaction: false },
      'idleInTransaction',
      'idleInTransaction is a number from 1 to 86400000 (ms), but got: false. Leave it out for 100.',
    ],
    [
      { longTransaction: '1s' },
      'longTransaction',
      'longTransaction is a number from 1 to 86400000 (ms), but got: "1s". Leave it out for 1000.',
    ],
    [
      { poolWait: 1e9 },
      'poolWait',
      'poolWait is a number from 1 to 86400000 (ms), but got: 1000000000. Leave it out for 50.',
    ],
    [
      { comments: 'on' },
      'comments',
      "comments is one of 'off', 'static', 'full', but got: \"on\". Leave it out for 'off'.",
    ],
    [
      { comments: { application: 'shop' } },
      'comments.mode',
      "comments.mode is one of 'off', 'static', 'full', but got: undefined. Say 'static' if in doubt.",
    ],
    [
      { comments: { mode: 'full', tags: {} } },
      'comments.tags',
      'comments.tags is a function that returns tags, but got: an object with nothing in it. Leave it out if there are none.',
    ],
    [
      { terminal: 'yes' },
      'terminal',
      'terminal is true, false or its options, but got: "yes". Leave it out for a report in development only.',
    ],
    [
      { terminal: { stream: {} } },
      'terminal.stream',
      'terminal.stream has a method write(text), but got: an object with nothing in it. Leave it out for process.stderr.',
    ],
    [
      { baseline: 5 },
      'baseline',
      'baseline is the path of a baseline file, or an array of ids, but got: 5. Leave it out if there is none.',
    ],
    [
      { baseline: '' },
      'baseline',
      'baseline is the path of a baseline file, or an array of ids, but got: "". Leave it out if there is none.',
    ],
    [
      { baseline: [5] },
      'baseline',
      'baseline is the path of a baseline file, or an array of ids, but got: an array of 1. Leave it out if there is none.',
    ],
    [
      { baseline: '/nowhere/baseline.json' },
      'baseline',
      'baseline is the path of a baseline file, but got: "/nowhere/baseline.json". There is no such file. ' +
        'Write it with writeBaseline(path, findings), or run the tests once with MIKROKIT_UPDATE_BASELINE=1.',
    ],
  ])('%o', (options, option, message) => {
    const make = (): unknown => queryTiming(options as QueryTimingOptions);
    expect(make).toThrow(OptionsError);
    expect(make).toThrow(expect.objectContaining({ message, option, code: 'OPTIONS', name: 'OptionsError' }));
  });

  test('a name of 1 MB makes a short message on one line', () => {
    for (const options of [{ ['x'.repeat(1_000_000)]: 1 }, { ['a\nb']: 1 }, { parameters: 'y'.repeat(1_000_000) }]) {
      let error: unknown;
      try {
        queryTiming(options as QueryTimingOptions);
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toBeInstanceOf(OptionsError);
      const { message, option } = error as OptionsError;
      expect(message.length).toBeLessThan(500);
      expect(message).not.toContain('\n');
      expect(option.length).toBeLessThanOrEqual(100);
    }
  });

  test('what an object holds is not in the message', () => {
    expect(() => queryTiming({ slow: { overall: { password: 'PLANTED' } } } as never)).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('PLANTED') }),
    );
    expect(() => queryTiming({ plans: { clientUrl: 'mysql://u:PLANTED@x' } } as never)).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('PLANTED') }),
    );
  });

  test('a baseline file that is none', () => {
    const folder = mkdtempSync(join(tmpdir(), 'mikrokit-baseline-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, 'baseline.json');
    for (const text of ['', '{', '[]', '{"version":1}', '5']) {
      writeFileSync(path, text);
      expect(() => queryTiming({ baseline: path }), text).toThrow(OptionsError);
    }
  });
});

describe('calls', () => {
  const fn = (): undefined => undefined;
  test.each<[string, (timing: QueryTiming) => unknown, string]>([
    [
      'subscribe()',
      t => t.subscribe(undefined as never),
      'subscribe(fn) takes a function, but got: undefined. Write () => ….',
    ],
    ['subscribe(text)', t => t.subscribe('x' as never), 'subscribe(fn) takes a function, but got: "x". Write () => ….'],
    [
      'on(unknown)',
      t => t.on('query' as never, fn),
      'on(name, fn) knows scope, finding, connect, connection, but got: "query". Correct the name.',
    ],
    [
      'on(a name of every object)',
      t => t.on('constructor' as never, fn),
      'on(name, fn) knows scope, finding, connect, connection, but got: "constructor". Correct the name.',
    ],
    [
      'on(name)',
      t => t.on('scope', undefined as never),
      'on(name, fn) takes a function, but got: undefined. Write () => ….',
    ],
    [
      'run()',
      t => t.run(undefined as never, fn),
      "run(scope, fn) takes a name, or { name, kind: 'request' | 'job', tags }, but got: undefined. Give it a name.",
    ],
    [
      'run({})',
      t => t.run({} as never, fn),
      "run(scope, fn) takes a name, or { name, kind: 'request' | 'job', tags }, but got: an object with nothing in it. Give it a name.",
    ],
    [
      'run() of an unknown kind',
      t => t.run({ name: 'x', kind: 'fork' as never }, fn),
      "run(scope, fn) takes a name, or { name, kind: 'request' | 'job', tags }, but got: an object with name, kind. Give it a name.",
    ],
    [
      'run() with tags that are none',
      t => t.run({ name: 'x', tags: { a: 5 } as never }, fn),
      "tags are an object of texts, but got: an object with a. Write { route: '/books/:id' }.",
    ],
    [
      'run() without a function',
      t => t.run('x', 5 as never),
      'run(scope, fn) takes a function, but got: 5. Write () => ….',
    ],
    [
      'run() of a promise',
      t => t.run('x', Promise.resolve() as never),
      'run(scope, fn) takes a function, but got: an object with nothing in it. Write () => ….',
    ],
    ['rename()', t => t.rename(5 as never), "rename(name) takes a text, but got: 5. Write rename('GET /books/:id')."],
    [
      'withTags()',
      t => t.withTags(null as never, fn),
      "tags are an object of texts, but got: null. Write { route: '/books/:id' }.",
    ],
    [
      'withTags() without a function',
      t => t.withTags({}, undefined as never),
      'withTags(tags, fn) takes a function, but got: undefined. Write () => ….',
    ],
    [
      'withoutNPlusOne()',
      t => t.withoutNPlusOne(undefined as never),
      'withoutNPlusOne(fn) takes a function, but got: undefined. Write () => ….',
    ],
    [
      'whenQueryingForLongerThan(text)',
      t => t.whenQueryingForLongerThan('1s' as never, fn),
      'whenQueryingForLongerThan(ms, fn) takes a time in ms, but got: "1s". Write 500 for half a second.',
    ],
    [
      'whenQueryingForLongerThan(NaN)',
      t => t.whenQueryingForLongerThan(Number.NaN, fn),
      'whenQueryingForLongerThan(ms, fn) takes a time in ms, but got: NaN. Write 500 for half a second.',
    ],
    [
      'whenQueryingForLongerThan(-1)',
      t => t.whenQueryingForLongerThan(-1, fn),
      'whenQueryingForLongerThan(ms, fn) takes a time in ms, but got: -1. Write 500 for half a second.',
    ],
    [
      'whenQueryingForLongerThan() without a function',
      t => t.whenQueryingForLongerThan(5, undefined as never),
      'whenQueryingForLongerThan(ms, fn) takes a function, but got: undefined. Write () => ….',
    ],
  ])('%s', (_, call, message) => {
    const timing = queryTiming({ terminal: false });
    expect(() => call(timing)).toThrow(QueryTimingError);
    expect(() => call(timing)).toThrow(expect.objectContaining({ message, code: 'ARGUMENT' }));
    expect(timing.report().totals.scopes).toBe(0);
  });

  test('plans of a timing that no ORM has', async () => {
    const { toUseIndex } = queryMatchers(queryTiming({ terminal: false }));
    await expect(toUseIndex.call({}, () => 'nothing', 'book_pkey')).rejects.toThrow(
      expect.objectContaining({
        code: 'NOT_REGISTERED',
        message:
          'Queries can be explained as soon as an ORM has the timing, but none has. ' +
          'Give it to one: MikroORM.init({ extensions: [timing] }).',
      }),
    );
  });
});
