import { type Browser, chromium } from 'playwright-core';
import { closeAfter } from './close-after.ts';
import { HarnessError } from './errors.ts';
import { installedProgram, isExecutable } from './installed-program.ts';

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
  return await installedProgram(
    {
      names,
      what: 'a Chromium',
      package: 'chromium',
      progress: 'Chromium: installing chromium with apt-get (once, about 100 MB)',
      missing: `CHROMIUM_PATH is not set and none of ${names.join(', ')} is on PATH`,
      remedy:
        'Install one (apt-get install chromium, brew install --cask chromium) or set CHROMIUM_PATH to its program.',
      variable: 'CHROMIUM_PATH',
    },
    log,
  );
}

function toStandardError(line: string): void {
  process.stderr.write(`${line}\n`);
}
