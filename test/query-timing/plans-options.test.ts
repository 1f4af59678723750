import { describe, expect, test } from 'vitest';
import { resolveAdviceOptions } from '../../packages/query-timing/src/advice/advice-options.ts';
import { OptionsError } from '../../packages/query-timing/src/errors.ts';
import { resolvePlanOptions } from '../../packages/query-timing/src/plans/plan-options.ts';

/* Options of plans and advice are whole, or refused with what was wrong and what to do. */

function refused(resolve: () => unknown): OptionsError {
  try {
    resolve();
  } catch (error) {
    expect(error).toBeInstanceOf(OptionsError);
    return error as OptionsError;
  }
  throw new Error('It was taken.');
}

describe('plans', () => {
  test('false: none', () => {
    expect(resolvePlanOptions(false, 100)).toBeUndefined();
  });

  test('are explained and not executed by default, six in a minute, a shape again after 15 minutes', () => {
    expect(resolvePlanOptions(undefined, 250)).toEqual({
      mode: 'explain',
      autoExplain: true,
      generic: false,
      perMinute: 6,
      again: 900_000,
      clientUrl: undefined,
      slowMs: 250,
    });
  });

  test('take what is given', () => {
    const given = {
      mode: 'analyze',
      autoExplain: false,
      perMinute: 1,
      again: 60_000,
      clientUrl: 'postgres://replica/db',
    } as const;
    expect(resolvePlanOptions(given, 100)).toEqual({ ...given, generic: false, slowMs: 100 });
  });

  test.each([
    ['plans', true],
    ['plans', 'explain'],
    ['plans', []],
    ['plans', null],
    ['plans', { explain: true }],
    ['plans.mode', { mode: 'ANALYZE' }],
    ['plans.mode', { mode: null }],
    ['plans.autoExplain', { autoExplain: 'yes' }],
    ['plans.autoExplain', { autoExplain: null }],
    ['plans.generic', { generic: 1 }],
    ['plans.generic', { generic: true, mode: 'analyze' }],
    ['plans.perMinute', { perMinute: 0 }],
    ['plans.perMinute', { perMinute: 1.5 }],
    ['plans.perMinute', { perMinute: Number.POSITIVE_INFINITY }],
    ['plans.again', { again: -1 }],
    ['plans.again', { again: Number.NaN }],
    ['plans.again', { again: '15 min' }],
    ['plans.again', { again: 86_400_001 }],
    ['plans.clientUrl', { clientUrl: '' }],
    ['plans.clientUrl', { clientUrl: 'mysql://root:secret@host/db' }],
    ['plans.clientUrl', { clientUrl: {} }],
  ])('%s is refused as %j', (option, value) => {
    const error = refused(() => resolvePlanOptions(value as never, 100));
    expect(error.option).toBe(option);
    expect(error.message).toContain(option);
    expect(error.message).not.toContain('secret');
  });

  test('a refusal has the contract, the value and the remedy', () => {
    expect(refused(() => resolvePlanOptions({ perMinute: 0 }, 100)).message).toBe(
      'plans.perMinute is a number from 1 to 600, but got: 0. Leave it out for 6.',
    );
    expect(refused(() => resolvePlanOptions({ explain: 1 } as never, 100)).message).toBe(
      'plans takes mode, autoExplain, generic, perMinute, again, clientUrl, but got: "explain". Remove it, or correct its name.',
    );
    expect(refused(() => resolvePlanOptions({ generic: true, mode: 'analyze' }, 100)).message).toBe(
      "plans.generic keeps values in the process, and mode: 'analyze' executes the statement with them, but got both. " +
        'Remove one of them.',
    );
  });
});

describe('advice', () => {
  test('false: none', () => {
    expect(resolveAdviceOptions(false)).toBeUndefined();
  });

  test('is for tables of 500 rows and more, and looked at with HypoPG, by default', () => {
    expect(resolveAdviceOptions(undefined)).toEqual({ verifyUrl: undefined, minRows: 500 });
    expect(resolveAdviceOptions({ verify: 'hypopg' })).toEqual({ verifyUrl: undefined, minRows: 500 });
  });

  test('takes what is given', () => {
    expect(resolveAdviceOptions({ verify: { clientUrl: 'postgresql://copy/db' }, minRows: 0 })).toEqual({
      verifyUrl: 'postgresql://copy/db',
      minRows: 0,
    });
  });

  test.each([
    ['advice', true],
    ['advice', 7],
    ['advice', { hypopg: true }],
    ['advice.verify', { verify: 'always' }],
    ['advice.verify', { verify: 'postgresql://me:secret@host/db' }],
    ['advice.verify', { verify: null }],
    ['advice.verify', { verify: {} }],
    ['advice.verify.clientUrl', { verify: { clientUrl: 5 } }],
    ['advice.verify.clientUrl', { verify: { clientUrl: 'host:secret' } }],
    ['advice.minRows', { minRows: -1 }],
    ['advice.minRows', { minRows: 0.5 }],
    ['advice.minRows', { minRows: '500' }],
  ])('%s is refused as %j', (option, value) => {
    const error = refused(() => resolveAdviceOptions(value as never));
    expect(error.option).toBe(option);
    expect(error.message).toContain(option);
    expect(error.message).not.toContain('secret');
  });
});
