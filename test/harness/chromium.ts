import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type Browser, chromium } from 'playwright-core';
import { closeAfter } from './close-after.ts';
import { takeLock } from './directory-lock.ts';
import { HarnessError } from './errors.ts';

const names = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];

/**
 * A real browser with a profile of its own, without a window and without a word to the network but what pages ask for.
 * It ends with this process, however that ends; and with the test or, opened outside of one, with the file.
 *
 * @throws {HarnessError} if there is none and none can be installed
 */
export async function openChromium(log: (line: string) => void = toStandardError): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath: await chromiumPath(log),
    headless: true,
    args: [
      // The tests may be root, whom Chromium's own sandbox refuses. It sees pages of this repository only.
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  closeAfter(() => browser.close());
  return browser;
}

/** The path of a Chromium: CHROMIUM_PATH, else one on PATH, else, where we may, one that is installed now. */
export async function chromiumPath(log: (line: string) => void): Promise<string> {
  const own = process.env['CHROMIUM_PATH'];
  if (own) {
    if (!isExecutable(own)) {
      throw new HarnessError(
        `CHROMIUM_PATH has to name a program, but is ${JSON.stringify(own)}. Correct or unset it.`,
      );
    }
    return own;
  }
  const found = onPath(names);
  if (found) {
    return found;
  }
  if (process.getuid?.() !== 0 || !onPath(['apt-get'])) {
    throw new HarnessError(
      `this test needs a Chromium, but CHROMIUM_PATH is not set and none of ${names.join(', ')} is on PATH. ` +
        'Install one (apt-get install chromium, brew install --cask chromium) or set CHROMIUM_PATH to its program.',
    );
  }
  return await oneAtATime(async () => {
    if (!onPath(names)) {
      log('Chromium: installing chromium with apt-get (once, about 100 MB)');
      await install();
    }
    const installed = onPath(names);
    if (!installed) {
      throw new HarnessError(
        'apt-get has installed chromium, but it is not on PATH. Add its folder, or set CHROMIUM_PATH.',
      );
    }
    return installed;
  });
}

function onPath(programs: readonly string[]): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter(folder => folder !== '');
  return programs.flatMap(program => folders.map(folder => join(folder, program))).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function install(): Promise<void> {
  const run = promisify(execFile);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const wait = ['-o', 'DPkg::Lock::Timeout=120'];
  try {
    // One repository out of reach fails the update as a whole, and yet the package may be there.
    await run('apt-get', [...wait, 'update'], { env }).catch(() => {});
    await run('apt-get', [...wait, 'install', '-y', '--no-install-recommends', 'chromium'], { env });
  } catch (cause) {
    const output = (cause as { stderr?: string }).stderr?.trim() ?? String(cause);
    throw new HarnessError(
      `this test needs a Chromium, and apt-get could not install chromium: ${output}. Install it by hand or set CHROMIUM_PATH.`,
      { cause },
    );
  }
}

/** Test files run in several processes; apt-get stands only one of itself. */
async function oneAtATime<T>(task: () => Promise<T>): Promise<T> {
  for (;;) {
    const lock = takeLock(join(tmpdir(), 'mikrokit-chromium-install.lock'));
    if ('release' in lock) {
      try {
        return await task();
      } finally {
        lock.release();
      }
    }
    await sleep(200);
  }
}

function toStandardError(line: string): void {
  process.stderr.write(`${line}\n`);
}
