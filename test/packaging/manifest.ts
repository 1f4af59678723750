import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expectedDependencies } from './expected.ts';
import { root } from './shell.ts';

/** The parts of a `package.json` that a user of the package meets. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description?: string;
  readonly license?: string;
  readonly keywords?: readonly string[];
  readonly type?: string;
  readonly files?: readonly string[];
  readonly engines?: { readonly node?: string };
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly publishConfig?: { readonly access?: string; readonly exports?: Readonly<Record<string, unknown>> };
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** Reads the manifest of a package by its folder's name. */
export function readManifest(name: string): Manifest {
  return JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8')) as Manifest;
}

/** What is wrong with a manifest, in words; empty when nothing is. */
export function manifestFaults(folder: string, manifest: Manifest): string[] {
  const entries = Object.keys(manifest.exports ?? {});
  const published = Object.keys(manifest.publishConfig?.exports ?? {});

  return faults([
    [manifest.name === `@mikrokit/${folder}`, `name is @mikrokit/${folder}, but got: ${manifest.name}`],
    [Boolean(manifest.description), 'description says in a sentence what it is for'],
    [manifest.license === 'MIT', `license is MIT, but got: ${manifest.license}`],
    [(manifest.keywords?.length ?? 0) >= 3, 'keywords holds at least three, or nobody finds it'],
    [manifest.type === 'module', 'type is module'],
    [manifest.files?.join() === 'dist,src', `files is dist and src (maps lead into src), but got: ${manifest.files}`],
    [
      manifest.engines?.node === '>=22.17.0',
      `engines.node is >=22.17.0, MikroORM's floor, but got: ${manifest.engines?.node}`,
    ],
    [entries.includes('.') && entries.includes('./package.json'), 'exports has . and ./package.json'],
    [
      entries.join() === published.join(),
      `publishConfig.exports has the entries of exports (${entries}), but got: ${published}`,
    ],
    [
      !JSON.stringify(manifest.publishConfig ?? '').includes('@mikrokit/source'),
      'publishConfig.exports has no source condition',
    ],
    [manifest.publishConfig?.access === 'public', 'publishConfig.access is public'],
    [
      Boolean(manifest.peerDependencies?.['@mikro-orm/core']),
      '@mikro-orm/core is a peer: two copies of it break identity',
    ],
    ...Object.keys(manifest.dependencies ?? {})
      .filter(dependency => !expectedDependencies[folder]?.includes(dependency))
      .map(
        dependency =>
          [false, `no runtime dependency but those that expected.ts has a reason for, but got: ${dependency}`] as const,
      ),
    ...siblings(manifest).map(name => [false, `no package depends on another of ours, but got: ${name}`] as const),
  ]);
}

function siblings(manifest: Manifest): string[] {
  const { dependencies, peerDependencies, optionalDependencies } = manifest;
  return Object.keys({ ...dependencies, ...peerDependencies, ...optionalDependencies }).filter(name =>
    name.startsWith('@mikrokit/'),
  );
}

function faults(checks: readonly (readonly [holds: boolean, contract: string])[]): string[] {
  return checks.filter(([holds]) => !holds).map(([, contract]) => contract);
}
