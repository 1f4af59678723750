import { execFileSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { pnpm, root } from './shell.ts';

/** Packs a package as a release would and gives the tarball's path. */
export async function pack(name: string, destination: string): Promise<string> {
  await pnpm(['-C', join(root, 'packages', name), 'pack', '--pack-destination', destination]);
  const [file] = globSync(`*${name}-*.tgz`, { cwd: destination });
  if (file === undefined) {
    throw new Error(`pnpm pack of ${name} left no tarball in ${destination}.`);
  }
  return join(destination, file);
}

/** The files of a tarball, without npm's `package/` in front. */
export function filesOf(tarball: string): string[] {
  const list = execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' });
  return list
    .trim()
    .split('\n')
    .map(file => file.replace(/^package\//, ''))
    .sort();
}

/**
 * What is wrong with the files of a tarball: something shipped that a user has no use for, a source without its compiled
 * counterpart (its maps lead nowhere), or one of the three files each package owes.
 */
export function fileFaults(files: readonly string[]): string[] {
  const owed = ['README.md', 'LICENSE', 'package.json']
    .filter(file => !files.includes(file))
    .map(file => `${file} is missing`);
  const unwanted = files.filter(file => !isWanted(file)).map(file => `${file} has no place in the tarball`);
  const sources = files.filter(file => file.startsWith('src/') && file.endsWith('.ts'));
  const uncompiled = sources
    .flatMap(file => compiled(file).filter(output => !files.includes(output)))
    .map(file => `${file} is missing`);
  return [...owed, ...unwanted, ...uncompiled, ...(sources.length > 0 ? [] : ['src/*.ts is missing'])];
}

function isWanted(file: string): boolean {
  const isCode = /^(src\/.*\.ts|dist\/.*\.(js|d\.ts)(\.map)?)$/.test(file);
  const isTest = /\.(test|test-d|bench)\./.test(file);
  return (isCode && !isTest) || ['README.md', 'LICENSE', 'package.json', 'CHANGELOG.md'].includes(file);
}

function compiled(source: string): string[] {
  const base = source.replace(/^src\//, 'dist/').replace(/\.ts$/, '');
  return ['.js', '.d.ts', '.js.map', '.d.ts.map'].map(extension => base + extension);
}
