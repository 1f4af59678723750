import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './shell.ts';

const importSpecifier = /(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g;

/** Imports of a package's source that reach another of our packages, by name or by path: `file → specifier`. */
export function siblingImports(name: string, base: string = root): string[] {
  const folder = join(base, 'packages', name);
  return globSync('src/**/*.ts', { cwd: folder }).flatMap(file =>
    specifiers(readFileSync(join(folder, file), 'utf8'))
      .filter(specifier => leavesPackage(file, specifier))
      .map(specifier => `packages/${name}/${file} → ${specifier}`),
  );
}

function specifiers(source: string): string[] {
  return [...source.matchAll(importSpecifier)].map(match => match[1] ?? '');
}

function leavesPackage(file: string, specifier: string): boolean {
  if (!specifier.startsWith('.')) {
    return specifier.startsWith('@mikrokit');
  }
  return !join(file, '..', specifier).startsWith('src');
}
