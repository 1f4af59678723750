import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { manifestFaults, readManifest } from './manifest.ts';
import { siblingImports } from './sources.ts';
import { fileFaults } from './tarball.ts';

describe('a manifest', () => {
  const sound = readManifest('batch-loader');

  it('of ours has no fault', () => {
    expect(manifestFaults('batch-loader', sound)).toEqual([]);
  });

  it.each([
    [{ license: 'ISC' }, 'license is MIT, but got: ISC'],
    [{ engines: { node: '>=18' } }, "engines.node is >=22.17.0, MikroORM's floor, but got: >=18"],
    [{ files: ['dist'] }, 'files is dist and src (maps lead into src), but got: dist'],
    [{ peerDependencies: {} }, '@mikro-orm/core is a peer: two copies of it break identity'],
    [
      { dependencies: { lodash: '4' } },
      'no runtime dependency but those that expected.ts has a reason for, but got: lodash',
    ],
    [
      { peerDependencies: { ...sound.peerDependencies, '@mikrokit/result-cache': '1' } },
      'no package depends on another of ours, but got: @mikrokit/result-cache',
    ],
    [
      { exports: { ...sound.exports, './other': './dist/other.js' } },
      'publishConfig.exports has the entries of exports (.,./graphql,./package.json,./other), but got: .,./graphql,./package.json',
    ],
    [
      { publishConfig: { access: 'public', exports: { ...sound.exports } } },
      'publishConfig.exports has no source condition',
    ],
  ])('with %j is faulted', (change, fault) => {
    expect(manifestFaults('batch-loader', { ...sound, ...change })).toEqual([fault]);
  });
});

describe('the files of a tarball', () => {
  const compiled = ['dist/a.js', 'dist/a.d.ts', 'dist/a.js.map', 'dist/a.d.ts.map'];
  const sound = [...compiled, 'src/a.ts', 'README.md', 'LICENSE', 'package.json'];

  it('may also hold a changelog', () => {
    expect(fileFaults([...sound, 'CHANGELOG.md'])).toEqual([]);
  });

  it.each(['tsconfig.json', 'dist/a.tsbuildinfo', 'test/a.ts', '.env'])('may not hold %s', file => {
    expect(fileFaults([...sound, file])).toEqual([`${file} has no place in the tarball`]);
  });

  it('may not hold a test, nor a source that was not compiled', () => {
    expect(fileFaults([...sound, 'src/a.test.ts'])).toContain('src/a.test.ts has no place in the tarball');
    expect(fileFaults(sound.filter(file => file !== 'dist/a.d.ts'))).toEqual(['dist/a.d.ts is missing']);
  });

  it('must hold licence, readme and some source', () => {
    expect(fileFaults(['package.json'])).toEqual(['README.md is missing', 'LICENSE is missing', 'src/*.ts is missing']);
  });
});

describe('the imports of a package', () => {
  const base = mkdtempSync(join(tmpdir(), 'mikrokit-imports-'));
  const source = join(base, 'packages/a/src');

  afterEach(() => rmSync(base, { recursive: true, force: true }));

  it('may reach MikroORM and its own files, never a sibling', () => {
    mkdirSync(join(source, 'deep'), { recursive: true });
    writeFileSync(
      join(source, 'fine.ts'),
      "import type { EntityManager } from '@mikro-orm/core';\nimport './deep/b.ts';",
    );
    writeFileSync(join(source, 'deep/b.ts'), "import '../fine.ts';\nexport { x } from '../../../b/src/index.ts';");
    writeFileSync(join(source, 'c.ts'), "const b = await import('@mikrokit/b');");

    expect(siblingImports('a', base).sort()).toEqual([
      'packages/a/src/c.ts → @mikrokit/b',
      'packages/a/src/deep/b.ts → ../../../b/src/index.ts',
    ]);
  });
});
