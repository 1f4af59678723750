import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import type { Bench, BenchCase } from './bench.ts';

/** What `npm run bench` was asked for. */
export interface BenchArguments {
  readonly package?: string | undefined;
  readonly only?: string | undefined;
  readonly json?: string | undefined;
  readonly check: boolean;
}

/** A case and the package it is about. */
export interface Chosen {
  readonly package: string;
  readonly case: BenchCase;
}

/** A wish that cannot be met: its message is all there is to print. */
export class ArgumentError extends Error {
  override readonly name = 'ArgumentError';
}

const usage = 'Usage: npm run bench [package] [-- --json FILE --check --only NAME]';

/** Reads the command line. */
export function parseArguments(argv: readonly string[]): BenchArguments {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { json: { type: 'string' }, check: { type: 'boolean' }, only: { type: 'string' } },
    });
    if (positionals.length > 1) {
      throw new Error(`At most one package can be named, but got: ${positionals.join(', ')}.`);
    }
    // Found out now, not after minutes of measuring.
    if (values.json !== undefined && !existsSync(dirname(values.json))) {
      throw new Error(`--json names a file in a folder that exists, but got: ${values.json}.`);
    }
    return { package: positionals[0], only: values.only, json: values.json, check: values.check ?? false };
  } catch (error) {
    // parseArgs explains at length how a `--` would help, which here it would not.
    const [first = ''] = (error as Error).message.split('. To specify');
    throw new ArgumentError(`${first}\n${usage}`);
  }
}

/** The cases that were asked for, in order. */
export function choose(benches: readonly Bench[], { package: wanted, only }: BenchArguments): Chosen[] {
  const packages = [...new Set(benches.map(bench => bench.package))];
  if (wanted !== undefined && !packages.includes(wanted)) {
    throw new ArgumentError(
      `The package is one that has benches (${packages.join(', ')}), but got: ${wanted}\n${usage}`,
    );
  }
  const cases = benches
    .filter(bench => wanted === undefined || bench.package === wanted)
    .flatMap(bench => bench.cases.map(each => ({ package: bench.package, case: each })));
  const chosen = cases.filter(({ case: { name } }) => only === undefined || name.includes(only));

  if (chosen.length === 0) {
    const names = cases.map(({ case: { name } }) => `  ${name}`).join('\n');
    throw new ArgumentError(`--only is a part of a case's name, but got: ${only}. The cases are:\n${names}`);
  }
  return chosen;
}
