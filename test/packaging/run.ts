// `npm run package`: each package packed, checked, and used from its tarball as a user would.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expectedNames } from './expected.ts';
import { exportedNames, installConsumer, resolutions, typeCheck, type Versions } from './consumer.ts';
import { manifestFaults, readManifest } from './manifest.ts';
import { Report } from './report.ts';
import { node, programOf, root } from './shell.ts';
import { siblingImports } from './sources.ts';
import { fileFaults, filesOf, pack } from './tarball.ts';

const report = new Report();
const scratch = mkdtempSync(join(tmpdir(), 'mikrokit-packaging-'));
process.once('exit', () => rmSync(scratch, { recursive: true, force: true }));
// Without a handler of its own a signal ends the process before 'exit'.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => process.exit(1));
}

for (const name of packagesToCheck(process.argv.slice(2))) {
  await checkPackage(name);
}
process.exitCode = report.finish();

async function checkPackage(name: string): Promise<void> {
  const manifest = readManifest(name);
  await report.check(`${name}: manifest`, () => none(manifestFaults(name, manifest)));
  await report.check(`${name}: imports no sibling`, () => none(siblingImports(name)));

  const tarball = await report.check(`${name}: pnpm pack`, () => pack(name, scratch));
  if (tarball === undefined) {
    return;
  }
  await report.check(`${name}: files of the tarball`, () => none(fileFaults(filesOf(tarball))));
  await report.check(`${name}: publint --strict`, () => node([programOf('publint'), 'run', '--strict', tarball]));
  await report.check(`${name}: attw --profile esm-only`, () =>
    node([programOf('@arethetypeswrong/cli', 'attw'), tarball, '--profile', 'esm-only']),
  );

  for (const [label, versions] of Object.entries(versionSets())) {
    await checkConsumer(name, label, tarball, versions);
  }
}

async function checkConsumer(name: string, label: string, tarball: string, versions: Versions): Promise<void> {
  const folder = join(scratch, `${name}-${label.replaceAll(' ', '-')}`);
  const prefix = `${name} on ${label}`;
  const installed = await report.check(`${prefix}: installs from the tarball`, async () => {
    await installConsumer(folder, tarball, `@mikrokit/${name}`, versions);
    return true;
  });
  if (!installed) {
    return;
  }
  const entries = Object.keys(readManifest(name).exports ?? {}).filter(entry => entry !== './package.json');
  for (const entry of entries) {
    await report.check(`${prefix}: loads ${entry}`, async () => {
      const specifier = entry.replace('.', `@mikrokit/${name}`);
      none(nameFaults(await exportedNames(folder, specifier), expectedNames[name]?.[entry]));
    });
  }
  const program = join(import.meta.dirname, 'consumers', `${name}.ts`);
  for (const resolution of resolutions) {
    await report.check(`${prefix}: type-checks a consumer (${resolution})`, () =>
      typeCheck(folder, program, resolution),
    );
  }
}

/** The MikroORM versions a package is proved on: the floor of its peer range, and the pinned one. */
function versionSets(): Record<string, Versions> {
  const pinned = Object.fromEntries(
    [
      '@mikro-orm/core',
      '@mikro-orm/sql',
      '@mikro-orm/postgresql',
      '@opentelemetry/api',
      '@types/node',
      '@types/pg',
      'dataloader',
      'graphql',
      'ioredis',
      'pg',
      'vitest',
    ].map(name => [name, catalog(name)]),
  );
  // Its declarations are part of Vitest's.
  pinned['vite'] = '^8.0.0';
  const floor = '7.2.0';
  return {
    [`MikroORM ${pinned['@mikro-orm/core']}`]: pinned,
    [`MikroORM ${floor}`]: {
      ...pinned,
      '@mikro-orm/core': floor,
      '@mikro-orm/sql': floor,
      '@mikro-orm/postgresql': floor,
    },
  };
}

function catalog(name: string): string {
  const workspace = readFileSync(join(root, 'pnpm-workspace.yaml'), 'utf8');
  const version = workspace
    .split('\n')
    .map(line => line.trim().replaceAll("'", ''))
    .find(line => line.startsWith(`${name}: `));
  if (version === undefined) {
    throw new Error(`pnpm-workspace.yaml has no ${name} in its catalog.`);
  }
  return version.slice(name.length + 2);
}

function nameFaults(names: readonly string[], expected: readonly string[] | undefined): string[] {
  if (!expected) {
    return ['the names of this entry are listed in test/packaging/expected.ts, but are not there'];
  }
  return [
    ...expected.filter(name => !names.includes(name)).map(name => `${name} is not exported`),
    ...names
      .filter(name => !expected.includes(name))
      .map(name => `${name} is exported but not listed in test/packaging/expected.ts`),
  ];
}

function packagesToCheck(wanted: readonly string[]): string[] {
  const known = readdirSync(join(root, 'packages')).filter(name =>
    existsSync(join(root, 'packages', name, 'package.json')),
  );
  const unknown = wanted.filter(name => !known.includes(name));
  if (unknown.length > 0) {
    console.error(`An argument names a package to check (${known.join(', ')}), but got: ${unknown.join(', ')}.`);
    process.exit(1);
  }
  return wanted.length > 0 ? [...wanted] : known;
}

function none(found: readonly string[]): void {
  if (found.length > 0) {
    throw new Error(found.join('\n'));
  }
}
