import { check } from './check.mjs';
import { ci } from './ci.mjs';
import { build } from './build.mjs';
import { runChild } from './child.mjs';
import { exampleProgram } from './examples.mjs';
import { childEnvironment, findNode, programOf } from './node.mjs';
import { pnpmCommand } from './pnpm.mjs';

/** Programs see the packages' source through this condition of their exports maps, so that nothing needs a build first. */
const fromSource = '--conditions=@mikrokit/source';

/**
 * A task: what it does in a few words, and how it runs. `run` gives the exit code.
 * @typedef {{ says: string, needsInstall?: false, run: (args: string[]) => Promise<number> }} Task
 */

/** @type {Record<string, Task>} */
export const tasks = {
  start: {
    says: 'Atlas, the example (--once ends it after its tour)',
    run: args => node([fromSource, exampleProgram('atlas'), ...args]),
  },
  example: {
    says: 'one of the examples by name: npm run example atlas',
    run: ([name, ...args]) => node([fromSource, exampleProgram(name), ...args]),
  },
  test: {
    says: 'the tests; a word filters by file: npm test -- harness',
    run: args => node([programOf('vitest', 'test'), 'run', '--root', 'test', ...args]),
  },
  'test:long': {
    says: 'all tests with other random cases each time, and at length: 1 000 000 reads each (MIKROKIT_CASES and MIKROKIT_SEED change that), the fault suite, and a million timed queries; a word filters by file',
    run: args => {
      const seed = process.env['MIKROKIT_SEED'] ?? String(Date.now() % 2 ** 31);
      console.log(`MIKROKIT_SEED=${seed}`);
      return node([programOf('vitest', 'test'), 'run', '--root', 'test', '--disable-console-intercept', ...args], {
        MIKROKIT_CASES: process.env['MIKROKIT_CASES'] ?? '1000000',
        MIKROKIT_LONG: '1',
        MIKROKIT_SEED: seed,
      });
    },
  },
  check: {
    says: 'types, lint and format of everything',
    run: check,
  },
  build: {
    says: 'what is published: packages/*/dist',
    run: build,
  },
  bench: {
    says: 'measurements against their bars: npm run bench [package] [-- --json FILE --check --only NAME]',
    run: args => node([fromSource, '--expose-gc', 'test/bench/run.ts', ...args]),
  },
  package: {
    says: 'pack each package, and use the tarball as a user would',
    run: async args => (await build([])) || (await node(['test/packaging/run.ts', ...args])),
  },
  format: {
    says: 'rewrite the source in the house format',
    run: args => node([programOf('oxfmt'), '--write', ...args]),
  },
  ci: {
    says: 'the whole run, as .ci/run: tests, check, package, examples',
    needsInstall: false,
    run: ci,
  },
  pnpm: {
    says: 'the pinned pnpm, to change a dependency: npm run pnpm install',
    needsInstall: false,
    run: args => runChild(pnpmCommand(args)),
  },
};

/**
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} [env] besides our own
 */
function node(args, env) {
  const program = findNode();
  return runChild([program, ...args], { env: { ...childEnvironment(program), ...env } });
}
