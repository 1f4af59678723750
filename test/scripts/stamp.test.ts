import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { installStamp, isInstalled, stampFile } from '../../scripts/stamp.mjs';

let base: string;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'mikrokit-stamp-'));
  write('package.json', '{}');
  write('pnpm-lock.yaml', 'lockfileVersion: 9');
  write('pnpm-workspace.yaml', 'packages: []');
  write('packages/a/package.json', '{ "dependencies": { "b": "1" } }');
  write('packages/a/node_modules/b/index.js', '');
  write('examples/c/package.json', '{}');
  write('node_modules/.keep', '');
  writeFileSync(stampFile(base), installStamp(base));
});

afterEach(() => rmSync(base, { recursive: true, force: true }));

describe('an install', () => {
  it('is current as long as nothing it depends on has changed', () => {
    write('packages/a/src/index.ts', 'export {};');
    expect(isInstalled(base)).toBe(true);
  });

  it.each([
    'package.json',
    'pnpm-lock.yaml',
    'pnpm-workspace.yaml',
    'packages/a/package.json',
    'examples/c/package.json',
  ])('is out of date after a change of %s', file => {
    write(file, '{ "changed": true }');
    expect(isInstalled(base)).toBe(false);
  });

  it('is out of date when a member has come or gone', () => {
    write('packages/d/package.json', '{}');
    expect(isInstalled(base)).toBe(false);
    rmSync(join(base, 'packages/d'), { recursive: true });
    expect(isInstalled(base)).toBe(true);
    rmSync(join(base, 'examples/c'), { recursive: true });
    expect(isInstalled(base)).toBe(false);
  });

  it('is out of date without node_modules, its stamp, or the node_modules of a member with dependencies', () => {
    rmSync(join(base, 'packages/a/node_modules'), { recursive: true });
    expect(isInstalled(base)).toBe(false);
    mkdirSync(join(base, 'packages/a/node_modules'));
    expect(isInstalled(base)).toBe(true);
    rmSync(join(base, 'node_modules'), { recursive: true });
    expect(isInstalled(base)).toBe(false);
  });

  it('has the same stamp in any folder', () => {
    const copy = mkdtempSync(join(tmpdir(), 'mikrokit-stamp-copy-'));
    cpSync(base, copy, { recursive: true });
    expect(installStamp(copy)).toBe(installStamp(base));
    rmSync(copy, { recursive: true });
  });
});

function write(file: string, text: string): void {
  mkdirSync(join(base, file, '..'), { recursive: true });
  writeFileSync(join(base, file), text);
}
