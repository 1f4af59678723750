import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { node, pnpm, programOf } from './shell.ts';

/** Versions a consumer installs beside the tarball. */
export type Versions = Readonly<Record<string, string>>;

/** How the compiler of a consumer finds modules: Node's way, and a bundler's. */
export const resolutions = ['nodenext', 'bundler'] as const;

/** Makes an empty project that has only the tarball, its peers and Node's types, like that of someone who just installed it. */
export async function installConsumer(
  folder: string,
  tarball: string,
  name: string,
  versions: Versions,
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const dependencies = { [name]: `file:${tarball}`, ...versions };
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'consumer', private: true, type: 'module', dependencies }, null, 2),
  );
  await pnpm([
    '-C',
    folder,
    'install',
    '--ignore-workspace',
    '--prefer-offline',
    '--config.auto-install-peers=false',
    // Addons of dependencies are optional: without their install scripts everything has to work as well.
    '--config.strict-dep-builds=false',
  ]);
}

/** The names an entry of the installed package exports, as plain Node sees them: no source condition, no TypeScript. */
export async function exportedNames(folder: string, specifier: string): Promise<string[]> {
  const program = `console.log(JSON.stringify(Object.keys(await import(${JSON.stringify(specifier)}))))`;
  return JSON.parse(await node(['--input-type=module', '--eval', program], folder)) as string[];
}

/** Compiles a program that uses the installed package, declarations of libraries included. Throws what the compiler says. */
export async function typeCheck(
  folder: string,
  program: string,
  resolution: (typeof resolutions)[number],
): Promise<void> {
  copyFileSync(program, join(folder, 'consumer.ts'));
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: compilerOptions(resolution), files: ['consumer.ts'] }),
  );
  await node([programOf('typescript', 'tsc'), '-p', folder, '--pretty', 'false'], folder);
}

function compilerOptions(resolution: (typeof resolutions)[number]): object {
  return {
    target: 'es2024',
    lib: ['es2024', 'esnext.temporal'],
    module: resolution === 'nodenext' ? 'nodenext' : 'preserve',
    moduleResolution: resolution,
    types: ['node'],
    strict: true,
    noEmit: true,
    // What a user may have and we do not: our own declarations must be clean under it. exactOptionalPropertyTypes stays
    // off, since together with this MikroORM's own declarations fail (two errors in EntitySerializer.d.ts of 7.2).
    skipLibCheck: false,
  };
}
