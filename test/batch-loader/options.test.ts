import { type BatchLoaderOptions, OptionsError, batchLoader } from '@mikrokit/batch-loader';
import { beforeAll, describe, expect, test } from 'vitest';
import { resolveOptions } from '../../packages/batch-loader/src/options.ts';
import { openDatabase } from '../harness/database.ts';
import { openOrm } from '../harness/orm.ts';
import { recordQueries } from '../harness/recorder.ts';
import { Author, ENTITIES, fillLibrary } from './library.ts';
import { createRandom } from './random.ts';
import { keysOf } from './statement-keys.ts';

/** The error of `batchLoader(options)`, whose options are of a type that TypeScript would refuse. */
function refusal(options: unknown): Pick<OptionsError, 'name' | 'code' | 'option' | 'message'> | undefined {
  try {
    batchLoader(options as BatchLoaderOptions);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(OptionsError);
    const { name, code, option, message } = error as OptionsError;
    return { name, code, option, message };
  }
}

const refused = (option: string, message: string): ReturnType<typeof refusal> => ({
  name: 'OptionsError',
  code: 'OPTIONS',
  option,
  message,
});

describe('the factory refuses, at once,', () => {
  const notAnObject: [unknown, string][] = [
    [null, 'null'],
    [[], '[]'],
    ['immediate', "'immediate'"],
    [5, '5'],
    [true, 'true'],
    [() => undefined, '[Function (anonymous)]'],
  ];
  test.each(notAnObject)('options that are no object: %o', (options, shown) => {
    expect(refusal(options)).toEqual(
      refused(
        'options',
        `batchLoader(options) takes an object, but got: ${shown}. Remove the argument for the defaults.`,
      ),
    );
  });

  test.each(['maxbatchsize', 'batchwindow', 'cache', '', '__proto__x'])("an unknown option: '%s'", name => {
    expect(refusal({ [name]: undefined })).toEqual(
      refused(
        name,
        `batchLoader() has no option '${name}'. Its options are: batchWindow, maxBatchSize, maxRows, peers, onUnbatched, threshold.`,
      ),
    );
  });

  const windows: [unknown, string][] = [
    ['microtask', "'microtask'"],
    ['Immediate', "'Immediate'"],
    ['', "''"],
    [0, '0'],
    [5, '5'],
    [null, 'null'],
    [true, 'true'],
    [['tick'], "[ 'tick' ]"],
    [{ ms: 5 }, '{ ms: 5 }'],
  ];
  test.each(windows)('a batchWindow of %o', (batchWindow, shown) => {
    expect(refusal({ batchWindow })).toEqual(
      refused(
        'batchWindow',
        `batchLoader({ batchWindow }) must be 'immediate', 'tick' or a function that is given dispatch(), but got: ${shown}. Leave it out for 'immediate'.`,
      ),
    );
  });

  const sizes: [unknown, string][] = [
    [0, '0'],
    [-0, '-0'],
    [-1, '-1'],
    [1.5, '1.5'],
    [NaN, 'NaN'],
    [-Infinity, '-Infinity'],
    ['100', "'100'"],
    [100n, '100n'],
    [null, 'null'],
    [true, 'true'],
    [[100], '[ 100 ]'],
    [{}, '{}'],
  ];
  test.each(sizes)('a maxBatchSize of %o', (maxBatchSize, shown) => {
    expect(refusal({ maxBatchSize })).toEqual(
      refused(
        'maxBatchSize',
        `batchLoader({ maxBatchSize }) must be a whole number of at least 1, or Infinity, but got: ${shown}. Leave it out for 5000.`,
      ),
    );
  });
});

describe('the factory refuses, at once, too,', () => {
  const peers: [unknown, string][] = [
    [null, 'null'],
    [0, '0'],
    [1000, '1000'],
    ['true', "'true'"],
    [[], '[]'],
    [() => true, '[Function (anonymous)]'],
  ];
  test.each(peers)('peers of %o', (value, shown) => {
    expect(refusal({ peers: value })).toEqual(
      refused(
        'peers',
        `batchLoader({ peers }) must be true, false or { max }, but got: ${shown}. Leave it out for no peers.`,
      ),
    );
  });

  test.each(['maximum', 'size', ''])("an unknown option of peers: '%s'", name => {
    expect(refusal({ peers: { [name]: 5 } })).toEqual(
      refused(`peers.${name}`, `batchLoader({ peers }) has no option '${name}'. Its options are: max.`),
    );
  });

  const sizes: [unknown, string][] = [
    [1, '1'],
    [0, '0'],
    [-5, '-5'],
    [2.5, '2.5'],
    [NaN, 'NaN'],
    [Infinity, 'Infinity'],
    ['10', "'10'"],
    [10n, '10n'],
    [null, 'null'],
  ];
  test.each(sizes)('a max of %o', (max, shown) => {
    expect(refusal({ peers: { max } })).toEqual(
      refused(
        'peers.max',
        `batchLoader({ peers: { max } }) must be a whole number of at least 2, but got: ${shown}. Leave it out for 1000.`,
      ),
    );
  });

  const modes: [unknown, string][] = [
    ['raise', "'raise'"],
    ['Warn', "'Warn'"],
    ['', "''"],
    [true, 'true'],
    [null, 'null'],
    [['warn'], "[ 'warn' ]"],
  ];
  test.each(modes)('an onUnbatched of %o', (onUnbatched, shown) => {
    expect(refusal({ onUnbatched })).toEqual(
      refused(
        'onUnbatched',
        `batchLoader({ onUnbatched }) must be 'ignore', 'warn' or 'throw', but got: ${shown}. Leave it out for 'ignore'.`,
      ),
    );
  });

  const thresholds: [unknown, string][] = [
    [0, '0'],
    [-1, '-1'],
    [1.5, '1.5'],
    [NaN, 'NaN'],
    [Infinity, 'Infinity'],
    ['10', "'10'"],
    [10n, '10n'],
    [null, 'null'],
    [true, 'true'],
  ];
  test.each(thresholds)('a threshold of %o', (threshold, shown) => {
    expect(refusal({ threshold })).toEqual(
      refused(
        'threshold',
        `batchLoader({ threshold }) must be a whole number of at least 1, but got: ${shown}. Leave it out for 10.`,
      ),
    );
  });
});

describe('the options resolve', () => {
  const defaults = {
    batchWindow: 'immediate',
    maxBatchSize: 5_000,
    maxRows: 50_000,
    peers: undefined,
    onUnbatched: 'ignore',
    threshold: 10,
  };

  test.each([[undefined], [{}], [{ batchWindow: undefined, maxBatchSize: undefined }]])(
    '%o to the defaults',
    options => {
      expect(resolveOptions(options)).toEqual(defaults);
    },
  );

  test('to what is given, beside the defaults', () => {
    const window = (dispatch: () => void): void => dispatch();
    expect(resolveOptions({ batchWindow: 'tick' })).toEqual({ ...defaults, batchWindow: 'tick' });
    expect(resolveOptions({ batchWindow: window })).toEqual({ ...defaults, batchWindow: window });
    expect(resolveOptions({ maxBatchSize: 1 })).toEqual({ ...defaults, maxBatchSize: 1 });
    expect(resolveOptions({ maxBatchSize: Infinity })).toEqual({ ...defaults, maxBatchSize: Infinity });
    expect(resolveOptions({ peers: false })).toEqual(defaults);
    expect(resolveOptions({ peers: true })).toEqual({ ...defaults, peers: { max: 1_000 } });
    expect(resolveOptions({ peers: {} })).toEqual({ ...defaults, peers: { max: 1_000 } });
    expect(resolveOptions({ peers: { max: 2 } })).toEqual({ ...defaults, peers: { max: 2 } });
    expect(resolveOptions({ onUnbatched: 'throw', threshold: 1 })).toEqual({
      ...defaults,
      onUnbatched: 'throw',
      threshold: 1,
    });
  });

  test('to a frozen copy: what is done to the options later has no effect', () => {
    const options: BatchLoaderOptions = { maxBatchSize: 2 };
    const resolved = resolveOptions(options);
    options.maxBatchSize = 3;
    expect(resolved.maxBatchSize).toBe(2);
    expect(Object.isFrozen(resolved)).toBe(true);
  });
});

describe('with PostgreSQL', () => {
  let url: string;
  beforeAll(async () => {
    ({ url } = await openDatabase());
    const orm = await openOrm({ url, entities: ENTITIES });
    await orm.schema.create();
    await fillLibrary(orm, createRandom(1).next);
  });

  test('maxBatchSize is the most keys in a statement', async () => {
    const orm = await openOrm({ url, entities: ENTITIES, extensions: [batchLoader({ maxBatchSize: 4 })] });
    const em = orm.em.fork();
    using recorder = recordQueries(orm);
    await Promise.all([1, 2, 3, 4, 5, 6, 7, 8, 9].map(id => em.getReference(Author, id, { wrapped: true }).load()));
    // The statements are sent together and end in any order.
    const keys = recorder.queries.map(keysOf).toSorted((a, b) => a[0]! - b[0]!);
    expect(keys).toEqual([[1, 2, 3, 4], [5, 6, 7, 8], [9]]);
  });

  test('one extension serves two ORMs, each with its own batches', async () => {
    const extensions = [batchLoader()];
    const orms = [
      await openOrm({ url, entities: ENTITIES, extensions }),
      await openOrm({ url, entities: ENTITIES, extensions }),
    ];
    const recorders = orms.map(orm => recordQueries(orm));
    const loaded = await Promise.all(
      orms.flatMap(orm => {
        const em = orm.em.fork();
        return [1, 2].map(id => em.getReference(Author, id, { wrapped: true }).loadOrFail());
      }),
    );
    expect(loaded.map(author => author.id)).toEqual([1, 2, 1, 2]);
    expect(recorders.map(recorder => recorder.queries.map(keysOf))).toEqual([[[1, 2]], [[1, 2]]]);
    await orms[0]!.close();
    const em = orms[1]!.em.fork();
    expect((await em.getReference(Author, 3, { wrapped: true }).loadOrFail()).id).toBe(3);
  });
});
